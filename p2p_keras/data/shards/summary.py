"""What shards hold: counts and ranges, read once from end to end."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.shards.paths import split_of_shard
from p2p_keras.data.shards.reader import read_shards

__all__ = ["RANGES", "Summary", "summarise"]

RANGES = {
    "image side (px)": lambda g: max(g.image.shape),
    "masked pixels (%)": lambda g: 100.0 * float(np.mean(~np.isfinite(g.image))),
    "zero_point (mag)": lambda g: g.zero_point,
    "pixel_scale (arcsec)": lambda g: g.pixel_scale,
    "radii": lambda g: g.sma.size,
    "first sma (arcsec)": lambda g: float(g.sma[0]),
    "last sma (arcsec)": lambda g: float(g.sma[-1]),
    "extent (arcsec)": lambda g: g.extent,
    "brightest mu": lambda g: float(np.nanmin(g.mu)),
    "faintest mu within extent": lambda g: float(np.nanmax(g.mu[: max(1, int(np.sum(~(g.sma > g.extent))))])),
    "ellipticity (median)": lambda g: _median(g.ellipticity),
    "mag_total": lambda g: g.mag_total,
    "noise (flux)": lambda g: g.noise,
    "sky / noise": lambda g: g.sky / g.noise if g.noise else np.nan,
}
"""What is summarised of each image; NaN where it isn't known."""


@dataclass
class Summary:
    """Counts and ranges of some shards.

    Attributes
    ----------
    images, galaxies : Counter
        By split; a galaxy in several bands counts once.
    bands : Counter
        Images by band.
    values : dict of list of float
        An entry an image for each of `RANGES`.
    examples : list of LabelledGalaxy
        The first images of the first shards, for a picture.
    errors : list of InputError
        Damaged shards; what comes before the damage is counted.
    straddling : list of str
        Galaxies in more than one split: a leak from training to test.
    """

    images: Counter = field(default_factory=Counter)
    galaxies: Counter = field(default_factory=Counter)
    bands: Counter = field(default_factory=Counter)
    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in RANGES})
    examples: list[LabelledGalaxy] = field(default_factory=list)
    errors: list[InputError] = field(default_factory=list)
    straddling: list[str] = field(default_factory=list)

    def ranges(self) -> dict[str, tuple[float, float, float, int]]:
        """Least, median and largest of each quantity, and for how many images it is known."""
        ranges = {}
        for name, values in self.values.items():
            known = np.asarray(values, dtype=float)
            known = known[np.isfinite(known)]
            low, middle, high = (known.min(), np.median(known), known.max()) if known.size else (np.nan,) * 3
            ranges[name] = (float(low), float(middle), float(high), int(known.size))
        return ranges


def summarise(paths: Iterable[str | os.PathLike], *, num_examples: int = 0) -> Summary:
    """Read shards to their ends and count.

    Parameters
    ----------
    paths : iterable of path
    num_examples : int, optional
        Images to keep for a picture.
    """
    summary = Summary()
    splits_of: dict[str, set[str]] = {}
    for path in paths:
        split = split_of_shard(path)
        try:
            for galaxy in read_shards(path):
                summary.images[split] += 1
                summary.bands[galaxy.band or "unknown"] += 1
                splits_of.setdefault(galaxy.name, set()).add(split)
                for name, quantity in RANGES.items():
                    summary.values[name].append(float(quantity(galaxy)))
                if len(summary.examples) < num_examples:
                    summary.examples.append(galaxy)
        except InputError as error:
            summary.errors.append(error)
    for name, splits in splits_of.items():
        summary.galaxies.update(splits)
        if len(splits) > 1:
            summary.straddling.append(name)
    return summary


def _median(values: np.ndarray | None) -> float:
    if values is None or not np.isfinite(values).any():
        return float("nan")
    return float(np.nanmedian(values))
