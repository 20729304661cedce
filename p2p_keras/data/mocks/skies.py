"""A sky that is left in an image: none, a constant of any size and sign, a plane, a bowl.

Surveys subtract theirs; single exposures, stamps for GALFIT and many archives don't. A constant brings no noise of its
own here: an image's noise is what its depth says.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.streams import log_uniform

__all__ = ["SHARES", "SMALL", "LARGE", "PLANE", "draw_left_sky", "check_kind"]

SHARES: Mapping[str, float] = {"none": 0.52, "small": 0.12, "constant": 0.20, "plane": 0.11, "bowl": 0.05}
"""What is left, and in which share of the images, with ``--sky any``."""

SMALL = 0.03, 5.0
LARGE = 5.0, 1e4
"""Constants, in units of the pixel noise: log-uniform, of either sign."""
PLANE = 0.3, 10.0
"""How far a plane rises across the image, in units of the pixel noise."""


def draw_left_sky(
    side: int, x0: float, y0: float, noise: float, rng: np.random.Generator, kind: str = "any"
) -> tuple[np.ndarray, float]:
    """Draw a sky that was left in the image.

    Parameters
    ----------
    side : int
        Of the image, pixels.
    x0, y0 : float
        The target's place, pixels.
    noise : float
        1-sigma of the noise per pixel, flux.
    rng : Generator
    kind : str
        ``"any"`` (drawn by `SHARES`), one of its keys, or a number: a constant in units of the noise.

    Returns
    -------
    sky : float array (side, side) or (1, 1), flux per pixel
    level : float
        Its value at the target.

    Raises
    ------
    UsageError
        For an unknown kind.
    """
    if kind == "any":
        shares = np.array(list(SHARES.values()))
        kind = str(rng.choice(list(SHARES), p=shares / shares.sum()))
    sky = np.zeros((1, 1))
    if kind == "small":
        sky = sky + _signed(rng, *SMALL)
    elif kind == "constant":
        sky = sky + _signed(rng, *LARGE)
    elif kind in ("plane", "bowl"):
        grid = np.linspace(-0.5, 0.5, side)
        u, v = grid[None, :], grid[:, None]
        angle = rng.uniform(0.0, 2.0 * np.pi)
        across = np.cos(angle) * u + np.sin(angle) * v
        reach = 0.5 * (abs(np.cos(angle)) + abs(np.sin(angle)))
        sky = across * (0.5 / reach * log_uniform(rng, *PLANE))
        if kind == "bowl":
            # What is left of vignetting: a paraboloid about a place somewhere in or near the image.
            cu, cv = rng.normal(0.0, 0.4, 2)
            sky = 0.5 * sky + 2.0 * _signed(rng, 0.3, 5.0) * ((u - cu) ** 2 + (v - cv) ** 2 - 1.0 / 6.0)
        if rng.random() < 0.4:
            sky = sky + _signed(rng, SMALL[0], LARGE[1])
    elif kind != "none":
        sky = sky + _number(kind)
    sky = noise * sky
    if sky.size == 1:
        return sky, float(sky[0, 0])
    row, column = (int(np.clip(round(place), 0, side - 1)) for place in (y0, x0))
    return sky, float(sky[row, column])


def check_kind(kind: str) -> None:
    """UsageError unless `draw_left_sky` knows the kind."""
    if kind not in ("any", *SHARES):
        _number(kind)


def _number(kind: str) -> float:
    try:
        value = float(kind)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        known = ", ".join(("survey", "any", *SHARES))
        raise UsageError(f"sky {kind!r} is unknown; give one of {known}, or a number of noise units")
    return value


def _signed(rng: np.random.Generator, low: float, high: float) -> float:
    return log_uniform(rng, low, high) * (1.0 if rng.random() < 0.5 else -1.0)
