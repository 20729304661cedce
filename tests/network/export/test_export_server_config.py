"""Configuration files of TensorFlow Serving, read by its own protos."""

from __future__ import annotations

import pytest

from p2p_keras.core.contract import BATCH_SIZES
from p2p_keras.network.export.server_config import versions_of, write_server_config


@pytest.fixture
def saved_models(tmp_path):
    """Two models, one folder that is none, and a half-copied version."""
    for path in ("isophote/1", "isophote/2", "other/10"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "saved_model.pb").touch()
    (tmp_path / "isophote" / "3").mkdir()
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_models_config_is_read_by_its_proto(saved_models):
    """TensorFlow Serving would refuse to start, or miss a model."""
    model_server_config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    from google.protobuf import text_format

    write_server_config(saved_models)
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((saved_models / "models.config").read_text(), config)
    entries = {entry.name: entry.base_path for entry in config.model_config_list.config}
    assert entries == {"isophote": "/models/isophote", "other": "/models/other"}


def test_batches_are_those_that_were_warmed_up(saved_models):
    """The first request of another batch size would wait for a cold start."""
    write_server_config(saved_models)
    text = (saved_models / "batching.config").read_text()
    lines = [line for line in text.splitlines() if line.startswith("allowed_batch_sizes")]
    assert [int(line.partition(":")[2]) for line in lines] == list(BATCH_SIZES)
    # TensorFlow Serving demands that the last allowed size is the largest batch.
    assert f"max_batch_size {{ value: {BATCH_SIZES[-1]} }}" in text


def test_tuned_files_are_kept(saved_models):
    """A server's keeper would lose his settings at the next export."""
    (saved_models / "batching.config").write_text("# mine\n")
    write_server_config(saved_models)
    assert (saved_models / "batching.config").read_text() == "# mine\n"


def test_half_copied_versions_do_not_count(saved_models):
    """The next version's number would skip, or a folder without a model be checked."""
    assert versions_of(saved_models / "isophote") == [1, 2]
    assert versions_of(saved_models / "nowhere") == []
