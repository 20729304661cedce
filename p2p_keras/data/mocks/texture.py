"""Patches without a pattern: what breaks up arms, makes flocculent discs and irregular galaxies, and frays dust lanes.

The light of young stars is hierarchical: from star clusters to whole arms its power spectrum is a power law
(Elmegreen et al. 2003, ApJ 593, 333). The exponential of a Gaussian random field of that spectrum is such light;
differential rotation draws it out along the arms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ["Texture"]

_SIDE = 256
"""Cells a side of the periodic field; a power of two."""


@dataclass(frozen=True)
class Texture:
    """A Gaussian random field of mean zero and unit scatter over a disc.

    Parameters
    ----------
    seed : int
        Which field.
    strength : float
        1-sigma of the logarithm of the brightness that it makes.
    slope : float
        Power falls as the wave number to minus this; 2 has as much scatter in every octave, more is smoother.
    stretch : float
        How many times longer than wide the patches are.
    tan_pitch : float
        In log-polar coordinates, tangent of the pitch angle of the spirals that patches lie along. Unused if `period`.
    period : float
        0: log-polar coordinates, patches grow with radius, as those of a shearing disc do. Else a plane that comes
        again after this many scale lengths, patches of one size, as in irregular galaxies.
    """

    seed: int
    strength: float
    slope: float = 2.6
    stretch: float = 3.0
    tan_pitch: float = 0.3
    period: float = 0.0

    def values(self, x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
        """The field at places in the plane of the disc, float32; lengths in scale lengths."""
        if self.period:
            step = np.float32(_SIDE / self.period)
            return _read(_field(self.seed, self.slope, self.stretch, 0.0), y * step, x * step)
        step = np.float32(_SIDE / (2.0 * np.pi))
        # The plane of ln r and angle is the disc's own, conformally: a logarithmic spiral is a straight line in it.
        field = _field(self.seed, self.slope, self.stretch, float(np.arctan(self.tan_pitch)))
        return _read(field, np.log(radius + np.float32(0.05)) * step, np.arctan2(y, x) * step)


@lru_cache(maxsize=4)
def _field(seed: int, slope: float, stretch: float, angle: float) -> np.ndarray:
    """A periodic field (rows, columns), its patches drawn out by `stretch` at `angle` (radians) from the columns."""
    from scipy.fft import irfft2

    # White noise drawn in the Fourier plane, where it is white as well.
    white = np.random.default_rng(seed).standard_normal((_SIDE, _SIDE + 2), dtype=np.float32).view(np.complex64)
    row = np.fft.fftfreq(_SIDE, 1.0 / _SIDE)[:, None].astype(np.float32)
    column = np.fft.rfftfreq(_SIDE, 1.0 / _SIDE)[None, :].astype(np.float32)
    along = column * np.cos(angle) + row * np.sin(angle)
    across = row * np.cos(angle) - column * np.sin(angle)
    # Flat below two waves: the largest patches are half a turn long.
    k2 = along**2 * stretch + across**2 / stretch + 4.0
    field = irfft2(white * np.exp(np.float32(-0.25 * slope) * np.log(k2)), s=(_SIDE, _SIDE))
    field -= field.mean()
    return np.clip(field / field.std(), -3.0, 3.0).astype(np.float32)


def _read(field: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Bilinear values of a periodic field: its borders meet, which `sampler.bilinear` doesn't know of."""
    row, column = np.broadcast_arrays(row, column)
    top, left = np.floor(row), np.floor(column)
    row, column = row - top, column - left
    i, j = top.astype(np.int32) & (_SIDE - 1), left.astype(np.int32) & (_SIDE - 1)
    right, below = (j + 1) & (_SIDE - 1), ((i + 1) & (_SIDE - 1)) * _SIDE
    i *= _SIDE
    flat = field.ravel()
    upper = flat.take(i + j)
    upper += column * (flat.take(i + right) - upper)
    lower = flat.take(below + j)
    lower += column * (flat.take(below + right) - lower)
    return upper + row * (lower - upper)
