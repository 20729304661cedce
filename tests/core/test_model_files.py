"""Where the models lie that a user names, or doesn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2p_keras.core import model_files
from p2p_keras.core.errors import UsageError
from p2p_keras.core.model_files import find_model, keras_file, model_folders, served_folder


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder with versions 9 and 10 of the shipped model, alone to be looked in."""
    for version in ("9", "10"):
        (tmp_path / "isophote" / version).mkdir(parents=True)
        (tmp_path / "isophote" / version / "saved_model.pb").write_bytes(b"")
    (tmp_path / "isophote" / "model.keras").write_bytes(b"")
    monkeypatch.setattr(model_files, "model_folders", lambda: [tmp_path])
    return tmp_path


def test_an_installed_package_goes_before_its_neighbours(tmp_path, monkeypatch):
    """Another package's folder saved_models, beside ours in site-packages, would be taken for ours."""
    monkeypatch.chdir(tmp_path)
    package = Path(model_files.__file__).resolve().parents[model_files.__name__.count(".") - 1]
    assert package.name == "p2p_keras"
    assert model_folders() == [package / "saved_models", package.parent / "saved_models", tmp_path / "saved_models"]
    monkeypatch.setenv("P2P_KERAS_MODELS", str(tmp_path))
    assert model_folders()[0] == tmp_path


def test_keras_file_belongs_to_the_newest(models):
    """`fit --init isophote/9` would start from version 10's weights without a word."""
    assert keras_file() == keras_file("isophote") == keras_file(models / "isophote") == models / "isophote/model.keras"
    with pytest.raises(UsageError, match="belongs to version 10, not to 9: --init"):
        keras_file(models / "isophote" / "9", needed_by="--init")
    (models / "isophote" / "model.keras").unlink()
    with pytest.raises(UsageError, match=r"--init needs the Keras file, and there is no .*model\.keras"):
        keras_file(needed_by="--init")


def test_the_server_serves_what_is_there(models, tmp_path, monkeypatch):
    """`serve` in an empty folder would find nothing, or the shipped model would go before one's own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert served_folder() == models
    (tmp_path / "here" / "saved_models").mkdir()
    assert served_folder() == Path("saved_models")


def test_the_shipped_model_is_whole():
    """A clone would ship a model without the files that --attention, --init and the server need."""
    model = find_model()
    assert {"saved_model.pb", "variables", "assets.extra"} <= {path.name for path in model.path.iterdir()}
    beside = {path.name for path in model.path.parent.iterdir()}
    assert {"model.onnx", "model.keras", "MODEL_CARD.md", "metrics.json"} <= beside
