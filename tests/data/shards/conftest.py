"""Small labelled galaxies for the tests of shards."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.shards import ShardWriter, shard_name, write_manifest


@pytest.fixture
def make_galaxy(rng):
    """A function that makes a small galaxy with a label; any attribute can be set."""

    def make(name: str = "ngc1", **attributes) -> LabelledGalaxy:
        sma = np.geomspace(0.4, 9.0, 12)
        image = rng.normal(size=(48, 52)).astype(np.float32)
        image[3, 4] = np.nan
        given = {"band": "r", "image": image, "zero_point": 22.5, "pixel_scale": 0.396, "sma": sma, "mu": 19 + sma}
        return LabelledGalaxy(name, **(given | attributes))

    return make


@pytest.fixture
def folder(tmp_path, make_galaxy):
    """Three shards with 2 galaxies each, one compressed, and their dataset.json."""
    for index in range(3):
        with ShardWriter(tmp_path / shard_name("train", index, 3, gzip=index == 2)) as shard:
            for number in range(2):
                shard.write(make_galaxy(f"galaxy-{index}-{number}"))
    write_manifest(tmp_path, program="test", seed=5, settings={"survey": "sdss"})
    return tmp_path
