"""Ellipses to measure along: any number of them, each with a centre and a shape of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["STEP", "Ellipses", "ring_edges"]

STEP = 0.1
"""Growth of the semi-major axis between rings without edges of their own, and to where a gradient is measured."""


@dataclass(frozen=True)
class Ellipses:
    """Ellipses on an image, in its pixels.

    Attributes
    ----------
    x0, y0 : float array (K,)
        Centres, px; pixel (0, 0) is the centre of the first pixel.
    sma : float array (K,), above 0
        Semi-major axes, px.
    ellipticity : float array (K,), 0 to below 1
        1 - b/a.
    pa : float array (K,)
        Position angle of the major axis, degrees counter-clockwise from the image's +x axis.
    """

    x0: np.ndarray
    y0: np.ndarray
    sma: np.ndarray
    ellipticity: np.ndarray
    pa: np.ndarray

    @classmethod
    def of(cls, x0: Any, y0: Any, sma: Any, ellipticity: Any, pa: Any) -> Ellipses:
        """Ellipses of numbers or arrays that broadcast to one length.

        Raises
        ------
        ValueError
            A semi-major axis isn't positive, an ellipticity isn't in [0, 1), or something isn't finite.
        """
        columns = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(v, dtype=float)) for v in (x0, y0, sma, ellipticity, pa))
        )
        if not all(np.isfinite(column).all() for column in columns):
            raise ValueError("an ellipse's centre, radius or shape isn't a finite number")
        if not (columns[2] > 0).all():
            raise ValueError(f"a semi-major axis is {columns[2].min():g} px: it must be above 0")
        if not ((columns[3] >= 0) & (columns[3] < 1)).all():
            odd = columns[3][(columns[3] < 0) | (columns[3] >= 1)][0]
            raise ValueError(f"an ellipticity is {odd:g}: it must be at least 0 and below 1")
        return cls(*(np.array(column) for column in columns))

    def __len__(self) -> int:
        return self.sma.size

    @property
    def axis_ratio(self) -> np.ndarray:
        """b/a, (K,)."""
        return 1.0 - self.ellipticity

    def chosen(self, which: np.ndarray) -> Ellipses:
        """Some of them, by a bool array or by numbers."""
        return Ellipses(self.x0[which], self.y0[which], self.sma[which], self.ellipticity[which], self.pa[which])

    def followed_by(self, others: Ellipses) -> Ellipses:
        """These, and others after them."""
        pairs = zip(self._columns(), others._columns(), strict=True)
        return Ellipses(*(np.concatenate(pair) for pair in pairs))

    def grown(self, factor: float) -> Ellipses:
        """The same shapes with semi-major axes of `factor` times theirs."""
        return Ellipses(self.x0, self.y0, factor * self.sma, self.ellipticity, self.pa)

    def _columns(self) -> tuple[np.ndarray, ...]:
        return self.x0, self.y0, self.sma, self.ellipticity, self.pa


def ring_edges(sma: np.ndarray) -> np.ndarray:
    """Edges of the rings of increasing radii, (K + 1,): geometric means of neighbours; `STEP` about a single one."""
    sma = np.asarray(sma, dtype=float)
    if sma.size == 1:
        half = np.sqrt(1.0 + STEP)
        return np.array([sma[0] / half, sma[0] * half])
    middle = np.sqrt(sma[:-1] * sma[1:])
    return np.concatenate([[sma[0] ** 2 / middle[0]], middle, [sma[-1] ** 2 / middle[-1]]])
