"""What encounters leave in a galaxy: tidal tails and second nuclei, as sums of Gaussians."""

from __future__ import annotations

import numpy as np

from p2p_keras.data.mocks.components import Knots
from p2p_keras.data.mocks.light import MIDDLE, OLD, jitter
from p2p_keras.data.mocks.streams import log_uniform

__all__ = ["draw_tail", "draw_second_nucleus"]


def draw_tail(r50: float, rng: np.random.Generator) -> Knots:
    """A tidal tail: puffs along a spiral outward from the body."""
    number = 48
    along = np.linspace(0.0, 1.0, number)
    start = rng.uniform(0.0, 2.0 * np.pi)
    turn = rng.uniform(0.6, 2.2) * (1.0 if rng.random() < 0.5 else -1.0)
    radius = r50 * (1.3 + along * rng.uniform(1.5, 4.0))
    angle = start + turn * along
    squash = rng.uniform(0.5, 1.0)
    total = rng.uniform(0.01, 0.07)
    weight = np.sin(np.pi * (0.12 + 0.8 * along)) ** 1.5
    return Knots(
        radius * np.cos(angle),
        radius * squash * np.sin(angle),
        r50 * rng.uniform(0.12, 0.28) * (1.0 + 0.7 * along),
        total * weight / weight.sum(),
        jitter(MIDDLE, rng, 0.1),
    )


_GAUSSIAN_SHARES = np.array([0.0019, 0.0428, 0.2495, 0.4665, 0.2379])
_GAUSSIAN_SIGMAS = np.array([0.117, 0.390, 0.879, 1.580, 2.572])
"""An exponential of scale length 1 as a sum of Gaussians, fitted: good to 2 % from 0.03 to 7."""


def draw_second_nucleus(r50: float, rng: np.random.Generator) -> Knots:
    """The nucleus of a swallowed galaxy: an exponential spheroid of 3 to 25 % of the light inside the body.

    Double nuclei are found from the resolution to separations of some galaxy radii (Koss et al. 2012, ApJ 746, L22).
    """
    distance, angle = r50 * rng.uniform(0.35, 1.2), rng.uniform(0.0, 2.0 * np.pi)
    size, number = r50 * log_uniform(rng, 0.08, 0.35) / 1.68, _GAUSSIAN_SHARES.size
    return Knots(
        np.full(number, distance * np.cos(angle)),
        np.full(number, distance * np.sin(angle)),
        size * _GAUSSIAN_SIGMAS,
        log_uniform(rng, 0.03, 0.25) * _GAUSSIAN_SHARES / _GAUSSIAN_SHARES.sum(),
        jitter(OLD, rng, 0.1),
    )
