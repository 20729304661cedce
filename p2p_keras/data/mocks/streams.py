"""Random numbers of a mock: each stream a function of (seed, index, purpose) alone.

So a galaxy is the same whichever worker makes it, its structure is the same in all its bands and surveys, and a change
in how noise is drawn doesn't change the galaxy.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

__all__ = ["BANDS", "Stream", "generator", "clipped_normal", "log_uniform"]

BANDS = ("g", "r", "i", "z")
"""Filters that mocks are made in; the order is part of the seed of a stream, so append only."""


class Stream(IntEnum):
    """What random numbers are for."""

    SURVEY = 0
    GALAXY = 1
    SURROUNDINGS = 2
    TELESCOPE = 3
    BACKGROUND = 4
    TEMPLATE = 5
    NEAR_STAR = 6
    SKY = 7
    MASK = 8
    FRONT = 9
    FIELD = 10
    TROUBLE = 11
    LABEL = 12


def generator(seed: int, index: int, stream: Stream, band: str = "") -> np.random.Generator:
    """The generator of one purpose; with `band`, another for each band."""
    place = BANDS.index(band) + 1 if band else 0
    return np.random.default_rng(np.random.SeedSequence([seed, index, int(stream), place]))


def clipped_normal(rng: np.random.Generator, mean: float, sigma: float, low: float, high: float) -> float:
    """A normal deviate, held between two bounds."""
    return float(np.clip(rng.normal(mean, sigma), low, high))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform in the logarithm between two positive bounds."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
