"""What a test bed asks of a target, in place of what would be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from p2p_keras.data.mocks.presets import Survey

__all__ = ["Wish"]


@dataclass(frozen=True)
class Wish:
    """What is wanted of a target.

    Attributes
    ----------
    r50_px : tuple of two floats, or None
        Range of its half-light radius, pixels.
    snr : tuple of two floats, or None
        Range of the signal-to-noise ratio of its light within that; it is as bright as that takes.
    min_snr : float
        Least of that ratio where it has the brightness of its class.
    offset_px : float
        How far from the image's middle it lies, pixels; 0: as usual.
    edge_px : float
        How far from the image's edge its centre lies, pixels; 0: as usual.
    visible : bool
        False: a label without a galaxy.
    preset : callable, optional
        The survey made into another one.
    """

    r50_px: tuple[float, float] | None = None
    snr: tuple[float, float] | None = None
    min_snr: float = 80.0
    offset_px: float = 0.0
    edge_px: float = 0.0
    visible: bool = True
    preset: Callable[[Survey], Survey] | None = None

    def place(self, size: int, x0: float, y0: float, rng: np.random.Generator) -> tuple[float, float]:
        """Where the target's centre is, pixels, in place of (x0, y0)."""
        middle = 0.5 * (size - 1)
        turn = rng.uniform(0.0, 2.0 * np.pi)
        if self.offset_px:
            return middle + self.offset_px * float(np.cos(turn)), middle + self.offset_px * float(np.sin(turn))
        if self.edge_px:
            along = middle + float(rng.uniform(-0.25, 0.25)) * size
            across = self.edge_px if turn < np.pi else size - 1.0 - self.edge_px
            return (along, across) if rng.random() < 0.5 else (across, along)
        return x0, y0
