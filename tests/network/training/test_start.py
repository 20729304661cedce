"""What a run starts from, and what it says of the code that it ran."""

from __future__ import annotations

import subprocess

import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.network.training import run, session


def test_init_takes_a_model_by_its_name():
    """Who installed the package has no folder saved_models, and could not fine-tune the shipped model."""
    from pathlib import Path

    assert run._initial_file(Path("isophote")).name == "model.keras"
    with pytest.raises(UsageError, match="nosuch"):
        run._initial_file(Path("nosuch"))


def test_init_takes_what_predict_takes(tmp_path, monkeypatch):
    """`fit --init` would refuse a model that `predict --model` measures with."""
    from pathlib import Path

    from p2p_keras.core.model_files import find_model

    newest = find_model("isophote")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "models").symlink_to(newest.path.parent)
    given = [
        newest.path,
        newest.path.parent,
        newest.path.parent / "model.onnx",
        "~/models",
        f"~/models/{newest.version}",
    ]
    for model in given:
        assert find_model(model).path.exists()
        assert run._initial_file(Path(model).expanduser()).samefile(newest.path.parent / "model.keras")


def test_commit_is_that_of_this_code(tmp_path, monkeypatch):
    """A model's card would name the commit of the user's own project, in which the environment lies."""

    def git(*words):
        author = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *author, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "theirs.txt").write_text("")
    git("add", "theirs.txt")
    git("commit", "-m", "theirs")
    (tmp_path / "site-packages").mkdir()
    module = tmp_path / "site-packages" / "session.py"
    module.write_text("")
    monkeypatch.setattr(session, "__file__", str(module))
    assert session._commit() == ""
    git("add", "site-packages/session.py")
    git("commit", "-m", "ours")
    assert len(session._commit()) >= 7
