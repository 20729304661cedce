"""What workers take from the output, which others may write to."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace

import pytest

from p2p_keras.core.errors import InputError
from p2p_keras.sky_survey.measuring import ShippedModel
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.settings import SurveySettings
from p2p_keras.sky_survey.stages import MODEL, Job, ModelWorker, write_model


class Trap:
    """What runs a command where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def job_of(model, output):
    settings = SurveySettings(catalogue="c.csv", output=output.url)
    return Job(settings, output, output, 1, False, model.name, model.sha256)


@pytest.fixture
def model(sky):
    return ShippedModel.of(sky.model, on_gpu=False)


def test_workers_find_the_model(model, tmp_path):
    """No worker could measure."""
    output = Place(tmp_path)
    write_model(model, output)
    assert ModelWorker(job_of(model, output))._predictor.model_name == "isophote"


def test_a_file_in_the_output_runs_no_code(model, tmp_path):
    """Whoever may write to a shared store could run commands on every worker."""
    output = Place(tmp_path / "out")
    output.write(MODEL, pickle.dumps(Trap(tmp_path / "ran")))
    with pytest.raises(InputError, match="is not the model"):
        ModelWorker(job_of(model, output))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("files", [{"": b"another"}, {"../../escaped": b"x"}, {}])
def test_another_model_in_the_output_is_refused(model, tmp_path, files):
    """Half of a survey would be measured by the model of another run, or files be laid outside their folder."""
    output = Place(tmp_path / "a" / "out")
    write_model(replace(model, files=files), output)
    with pytest.raises(InputError, match="another model"):
        ModelWorker(job_of(model, output))
    assert not list(tmp_path.rglob("escaped"))
