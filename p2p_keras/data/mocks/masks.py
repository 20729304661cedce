"""Masks of every pattern that detectors, pipelines and users leave, up to half of an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from p2p_keras.data.mocks.streams import log_uniform

__all__ = [
    "SHARES",
    "MAX_SHARE",
    "KEEP_FWHM",
    "columns",
    "rows",
    "grid",
    "gaps",
    "discs",
    "random",
    "border",
    "corners",
    "third",
    "PATTERNS",
    "draw_mask",
]

SHARES: Mapping[str, float] = {
    "none": 0.50,
    "columns": 0.06,
    "rows": 0.05,
    "grid": 0.05,
    "gaps": 0.06,
    "discs": 0.09,
    "random": 0.09,
    "border": 0.04,
    "corners": 0.04,
    "third": 0.02,
}
"""Patterns, and the share of the images that have them, with ``--masks any``; a tenth of the masked have two."""

MAX_SHARE = 0.5
"""No more of an image is masked by one pattern."""

KEEP_FWHM = 2.0
"""Patterns of large holes stay this many PSF widths from the target's centre."""


def columns(side: int, rng: np.random.Generator) -> np.ndarray:
    """Every so many columns, or some at random; at times more than a pixel wide."""
    if rng.random() < 0.6:
        period = round(log_uniform(rng, 4.0, 64.0))
        bad = np.arange(side) % period == rng.integers(period)
    else:
        bad = np.zeros(side, dtype=bool)
        for start in rng.integers(0, side, int(np.ceil(log_uniform(rng, 1.0, side / 10.0)))):
            bad[start : start + int(rng.integers(1, 4))] = True
    return np.broadcast_to(bad, (side, side)).copy()


def rows(side: int, rng: np.random.Generator) -> np.ndarray:
    """The same of rows."""
    return columns(side, rng).T.copy()


def grid(side: int, rng: np.random.Generator) -> np.ndarray:
    """Every so many columns and rows, such as every seventh and every eleventh."""
    period_x, period_y = rng.integers(5, 25, 2)
    phase_x, phase_y = rng.integers(period_x), rng.integers(period_y)
    numbers = np.arange(side)
    return (numbers % period_x == phase_x)[None, :] | (numbers % period_y == phase_y)[:, None]


def gaps(side: int, rng: np.random.Generator) -> np.ndarray:
    """Gaps between chips: bands, straight or turned, one or a cross of two."""
    turned = rng.uniform(0.0, np.pi) if rng.random() < 0.3 else 0.5 * np.pi * rng.integers(2)
    number = np.arange(side) - 0.5 * (side - 1)
    masked = np.zeros((side, side), dtype=bool)
    for k in range(1 if rng.random() < 0.6 else 2):
        angle = turned + 0.5 * np.pi * k
        across = number[None, :] * np.cos(angle) + number[:, None] * np.sin(angle)
        masked |= np.abs(across - rng.uniform(-0.5, 0.5) * side) < 0.5 * side * log_uniform(rng, 0.015, 0.12)
    return masked


def discs(side: int, rng: np.random.Generator) -> np.ndarray:
    """Discs, as a catalogue of stars masks them, from a few to a hundred."""
    number = int(log_uniform(rng, 2.0, 100.0) * min(side / 256.0, 2.0) ** 2) + 1
    step = np.arange(side)
    masked = np.zeros((side, side), dtype=bool)
    for _ in range(number):
        x, y = rng.uniform(0.0, side, 2)
        radius = log_uniform(rng, 1.5, 14.0)
        r = slice(max(int(y - radius), 0), int(y + radius) + 2), slice(max(int(x - radius), 0), int(x + radius) + 2)
        masked[r] |= (step[r[1]][None, :] - x) ** 2 + (step[r[0]][:, None] - y) ** 2 < radius**2
    return masked


def random(side: int, rng: np.random.Generator) -> np.ndarray:
    """Pixels at random, a thousandth to half of them; at times in small clumps."""
    share = log_uniform(rng, 1e-3, MAX_SHARE)
    if rng.random() < 0.25:
        clump = int(rng.integers(2, 5))
        coarse = rng.random((-(-side // clump),) * 2, dtype=np.float32) < share
        return np.repeat(np.repeat(coarse, clump, axis=0), clump, axis=1)[:side, :side]
    return rng.random((side, side), dtype=np.float32) < share


def border(side: int, rng: np.random.Generator) -> np.ndarray:
    """A frame's border on one to four sides."""
    widths = side * rng.uniform(0.01, 0.14, 4) * (rng.random(4) < 0.7)
    number = np.arange(side)
    x = (number < widths[0]) | (number >= side - widths[1])
    y = (number < widths[2]) | (number >= side - widths[3])
    return x[None, :] | y[:, None]


def corners(side: int, rng: np.random.Generator) -> np.ndarray:
    """What lies beyond a frame that was turned: four (or fewer) triangles."""
    angle = rng.uniform(0.03, 0.5 * np.pi - 0.03)
    number = np.arange(side) - 0.5 * (side - 1)
    c, s = np.cos(angle), np.sin(angle)
    x, y = number[None, :] * c + number[:, None] * s, number[:, None] * c - number[None, :] * s
    half, shift = side * rng.uniform(0.47, 0.6), side * rng.normal(0.0, 0.04, 2)
    return (np.abs(x - shift[0]) > half) | (np.abs(y - shift[1]) > half)


def third(side: int, rng: np.random.Generator) -> np.ndarray:
    """All on one side of a line: a third of the image or so."""
    angle = rng.uniform(0.0, 2.0 * np.pi) if rng.random() < 0.5 else 0.5 * np.pi * rng.integers(4)
    number = np.arange(side) - 0.5 * (side - 1)
    return number[None, :] * np.cos(angle) + number[:, None] * np.sin(angle) > side * rng.uniform(0.08, 0.35)


PATTERNS: Mapping[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "columns": columns,
    "rows": rows,
    "grid": grid,
    "gaps": gaps,
    "discs": discs,
    "random": random,
    "border": border,
    "corners": corners,
    "third": third,
}
_COMPACT = ("gaps", "discs", "border", "corners", "third")


def draw_mask(
    side: int, x0: float, y0: float, fwhm: float, rng: np.random.Generator, kind: str = "any"
) -> np.ndarray | None:
    """Masked pixels of an image.

    Parameters
    ----------
    side : int
        Of the image, pixels.
    x0, y0 : float
        The target's centre, which large holes leave free: with it masked, nobody could say where the target is. Lines
        and single pixels may go through it.
    fwhm : float
        Of the PSF, pixels.
    rng : Generator
    kind : str
        ``"any"`` (drawn by `SHARES`), or one of its keys.

    Returns
    -------
    bool array (side, side), True where masked; None where nothing is
    """
    kinds = [kind]
    if kind == "any":
        shares = np.array(list(SHARES.values()))
        kinds = [str(rng.choice(list(SHARES), p=shares / shares.sum()))]
        if kinds[0] != "none" and rng.random() < 0.1:
            kinds.append(str(rng.choice(list(PATTERNS))))
    masked = None
    for name in kinds:
        if name == "none":
            continue
        pattern = PATTERNS[name](side, rng)
        if name in _COMPACT:
            number = np.arange(side)
            keep = (number[None, :] - x0) ** 2 + (number[:, None] - y0) ** 2 <= (KEEP_FWHM * fwhm) ** 2
            pattern &= ~keep
        if pattern.mean() > MAX_SHARE:
            pattern &= rng.random((side, side)) < MAX_SHARE / pattern.mean()
        both = pattern if masked is None else masked | pattern
        masked = both if masked is None or both.mean() <= MAX_SHARE else masked
    return masked
