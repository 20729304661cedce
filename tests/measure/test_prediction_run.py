"""What a resumed run says of the galaxies that it leaves out."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
from astropy.io import fits

from p2p_keras.measure.outputs.prediction_run import PredictionRun
from p2p_keras.predict import main


class SlowCount(PredictionRun):
    """Reading and writing the count take a while, as between two threads on a busy machine."""

    @property
    def skipped(self):
        value = self.__dict__.get("count", 0)
        time.sleep(0.002)
        return value

    @skipped.setter
    def skipped(self, value):
        time.sleep(0.002)
        self.__dict__["count"] = value


def test_threads_lose_no_count(tmp_path):
    """A resumed run would say that fewer galaxies were there already than it left out, and never reach 100 %."""
    for number in range(40):
        fits.PrimaryHDU(np.ones((48, 48), "f4")).writeto(tmp_path / f"{number}.fits")
    arguments = [str(tmp_path), "--output", str(tmp_path / "out.ecsv"), "--resume", "--readers", "8"]
    run = SlowCount([str(tmp_path)], main.make_context("predict", arguments).params)
    writer = SimpleNamespace(holds=lambda source, name: True)
    assert list(run.done(None, writer)) == []
    assert run.skipped == 40
