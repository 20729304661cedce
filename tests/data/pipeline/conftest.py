"""Shards of a galaxy whose label is known everywhere, for the tests of the pipeline."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.shards import ShardWriter, shard_name, write_manifest


def spot_galaxy(
    name: str = "ngc1", *, shape=(64, 64), x0: float = 34.0, y0: float = 28.0, **attributes
) -> LabelledGalaxy:
    """A flattened Gaussian at (x0, y0), 30 degrees from +x; mu is linear in ln(sma)."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    along = (x - x0) * np.cos(np.pi / 6) + (y - y0) * np.sin(np.pi / 6)
    across = -(x - x0) * np.sin(np.pi / 6) + (y - y0) * np.cos(np.pi / 6)
    image = np.exp(-0.5 * (along**2 / 36 + across**2 / 9)).astype(np.float32)
    sma = np.geomspace(0.1, 12.0, 15)
    label = {
        "band": "r", "image": image, "zero_point": 22.5, "pixel_scale": 0.4, "sma": sma, "mu": 20 + 2 * np.log(sma),
        "ellipticity": np.full(15, 0.5), "pa": np.full(15, 30.0), "x0": x0, "y0": y0, "extent": 5.0, "mag_total": 17.0,
        "noise": 0.1, "sky": 0.02,
    }  # fmt: skip
    return LabelledGalaxy(name, **(label | attributes))


@pytest.fixture
def make_spot():
    """The function that makes such a galaxy."""
    return spot_galaxy


@pytest.fixture(scope="session")
def spots(tmp_path_factory):
    """Two shards of ten galaxies whose zero points are 20, 21, ... 29, so that one can be told from the other."""
    folder = tmp_path_factory.mktemp("spots")
    for index in range(2):
        with ShardWriter(folder / shard_name("train", index, 2, gzip=index == 1)) as shard:
            for number in range(5):
                shard.write(spot_galaxy(f"g{5 * index + number}", zero_point=20.0 + 5 * index + number))
    write_manifest(folder, program="test")
    return folder
