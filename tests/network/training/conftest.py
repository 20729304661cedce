"""Four galaxies to train on and four to validate with, made in a moment."""

import dataclasses

import numpy as np
import pytest

from p2p_keras.core.units import mu_from_intensity
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.mocks.truth import measure_truth
from p2p_keras.data.shards import ShardWriter


def exponential_disc(index: int, side: int = 64) -> LabelledGalaxy:
    """A disc whose truth is measured on its noise-free image."""
    rng = np.random.default_rng(index)
    x0, y0 = (side - 1) / 2 + rng.normal(0, 1, 2)
    angle, q, scale = rng.uniform(0, np.pi), rng.uniform(0.5, 1), rng.uniform(3, 5)
    y, x = np.mgrid[:side, :side].astype(float)
    u = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
    v = (-(x - x0) * np.sin(angle) + (y - y0) * np.cos(angle)) / q
    clean = 400 * np.exp(-np.sqrt(u * u + v * v + 1) / scale)
    truth = measure_truth(clean, x0, y0)
    ok = np.isfinite(truth.intensity) & (truth.intensity > 0)
    return LabelledGalaxy(
        name=f"disc{index}",
        band="r",
        image=(clean + rng.normal(0, 1, clean.shape)).astype("float32"),
        zero_point=22.5,
        pixel_scale=0.4,
        sma=0.4 * truth.sma[ok],
        mu=mu_from_intensity(truth.intensity[ok], 22.5, 0.4),
        ellipticity=truth.ellipticity[ok],
        pa=truth.pa[ok],
        x0=x0,
        y0=y0,
        extent=0.4 * 5 * scale,
        mag_total=float(22.5 - 2.5 * np.log10(clean.sum())),
        noise=1.0,
        sky=0.0,
    )


@pytest.fixture(scope="session")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for split, first, last in (("train", 0, 4), ("val", 4, 8)):
        with ShardWriter(folder / f"{split}-00000-of-00001.tfrecord") as shard:
            for index in range(first, last):
                shard.write(exponential_disc(index))
    return folder


@pytest.fixture(scope="session")
def faint_shards(tmp_path_factory):
    """The four galaxies at the surface brightnesses of real ones: their captions end near the sky's 30."""
    folder = tmp_path_factory.mktemp("faint")
    for split in ("train", "val"):
        with ShardWriter(folder / f"{split}-00000-of-00001.tfrecord") as shard:
            for index in range(4):
                disc = exponential_disc(index)
                shard.write(
                    dataclasses.replace(disc, zero_point=30.5, mu=disc.mu + 8.0, mag_total=disc.mag_total + 8.0)
                )
    return folder
