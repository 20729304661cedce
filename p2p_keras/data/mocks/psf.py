"""The point-spread function: an elliptical core, Moffat or diffraction-limited, with an extended wing and spikes.

Evaluated here rather than by GalSim: two powers per pixel take 3 ms, its general machinery 100 and more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ["WING_BETA", "WING_FWHM_RATIO", "SPIKE_WIDTH", "Diffraction", "PSF", "stamp_radius", "moffat"]

WING_BETA = 1.6
"""Exponent of the wing: intensity falls as r^-3.2, between the r^-2 of the outer aureole and the steeper core (King
1971, PASP 83, 199; Sandin 2014, A&A 567, A97)."""

WING_FWHM_RATIO = 3.0

SPIKE_WIDTH = 0.35
"""1-sigma across a spike, over the FWHM: light diffracted by a vane is as wide as the core."""

_AIRY_STEP = 0.05
_AIRY_END = 40.0
_AIRY_BAND = 0.12
"""Half width of a filter over its wavelength: outer rings of the Airy pattern blur into one another."""


@dataclass(frozen=True)
class Diffraction:
    """What a telescope in space adds to its PSF.

    Parameters
    ----------
    share : float
        Share of the core that is an Airy pattern, the rest being a Moffat core.
    obscuration : float
        Diameter of the secondary mirror over that of the primary.
    arms : int
        Spikes; an even number.
    spikes : float
        Share of the light in them.
    angle : float
        Of the first spike, radians from +x.
    """

    share: float = 0.8
    obscuration: float = 0.3
    arms: int = 0
    spikes: float = 0.0
    angle: float = 0.0


@dataclass(frozen=True)
class PSF:
    """Core and wing, of unit flux.

    Parameters
    ----------
    fwhm : float, pixels
    beta : float, > 1
    wing : float, share of the light in the wing
    e1, e2 : float, ellipse vector
    diffraction : Diffraction or None
        Rings and spikes of a telescope in space.
    """

    fwhm: float
    beta: float
    wing: float
    e1: float = 0.0
    e2: float = 0.0
    diffraction: Diffraction | None = None

    def __call__(self, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """Flux per square pixel at offsets in pixels from the star."""
        det = 1.0 - self.e1**2 - self.e2**2
        x = (1.0 - self.e1) * dx - self.e2 * dy
        y = (1.0 + self.e1) * dy - self.e2 * dx
        r2 = (x * x + y * y) / det  # of equal area: the flux doesn't change
        return self._round(r2) if self.diffraction is None else self._round(r2) + self._spikes(dx, dy)

    def _round(self, r2: np.ndarray) -> np.ndarray:
        """All but the spikes, at squared radii."""
        core = moffat(r2, self.fwhm, self.beta)
        share = 1.0
        if self.diffraction is not None:
            rings = _airy(r2, self.fwhm, self.diffraction.obscuration)
            core = core + self.diffraction.share * (rings - core)
            share -= self.diffraction.spikes
        return (share - self.wing) * core + self.wing * moffat(r2, self.fwhm * WING_FWHM_RATIO, WING_BETA)

    def _spikes(self, dx: np.ndarray, dy: np.ndarray) -> np.ndarray | np.float32:
        """Spikes fall as the distance squared, as diffraction by a straight vane does."""
        spec = self.diffraction
        lines = spec.arms // 2 if spec is not None else 0
        if spec is None or not (lines and spec.spikes):
            return np.float32(0.0)
        width, soft = SPIKE_WIDTH * self.fwhm, 2.0 * self.fwhm
        peak = spec.spikes / lines * soft / (np.pi * np.sqrt(2.0 * np.pi) * width)
        total: np.ndarray | np.float32 = np.float32(0.0)
        for k in range(lines):
            c, s = (np.float32(f(spec.angle + np.pi * k / lines)) for f in (np.cos, np.sin))
            along, across = c * dx + s * dy, (c * dy - s * dx) * np.float32(1.0 / width)
            total = total + np.exp(np.float32(-0.5) * across * across) / (along * along + np.float32(soft * soft))
        return np.float32(peak) * total

    def along_a_spike(self, radius: np.ndarray) -> np.ndarray:
        """Flux per square pixel at radii, where it is greatest; the PSF taken as circular."""
        light = self._round(radius**2)
        if self.diffraction is None:
            return light
        turn = self.diffraction.angle
        return light + self._spikes(radius * np.cos(turn), radius * np.sin(turn))


@lru_cache(maxsize=4)
def _light_outside(psf: PSF) -> tuple[np.ndarray, np.ndarray]:
    """Radii, and the circular PSF there, never rising outward."""
    radius = np.geomspace(2.0, 2000.0, 200)
    return radius, np.maximum.accumulate(psf.along_a_spike(radius)[::-1])[::-1]


def stamp_radius(psf: PSF, flux: float, level: float) -> float:
    """Radius in pixels (2 to 2000) where a star of that flux falls below a level, flux per pixel."""
    radius, light = _light_outside(psf)
    return float(radius[min(int(np.searchsorted(-light, -level / max(flux, 1e-30))), radius.size - 1)])


def moffat(r2: np.ndarray, fwhm: float, beta: float) -> np.ndarray:
    """Moffat profile of unit flux at squared radii `r2`."""
    rd2 = fwhm**2 / (4.0 * (2.0 ** (1.0 / beta) - 1.0))
    return (beta - 1.0) / (np.pi * rd2) * np.exp(-beta * np.log(1.0 + r2 / rd2))


def _airy(r2: np.ndarray, fwhm: float, obscuration: float) -> np.ndarray:
    """Airy pattern of unit flux of a telescope with a secondary mirror, at squared radii; beyond 40 FWHM as r^-3."""
    table = _airy_table(round(obscuration, 3))
    place = np.sqrt(r2) * (1.0 / (_AIRY_STEP * fwhm))
    inner = np.minimum(place, table.size - 2.0)
    index = inner.astype(np.int32)
    low = table.take(index)
    low = low + (inner - index) * (table.take(index + 1) - low)
    beyond = np.minimum((table.size - 2.0) / np.maximum(place, 1.0), 1.0)
    return low * (beyond * beyond * beyond * (1.0 / (fwhm * fwhm)))


@lru_cache(maxsize=16)
def _airy_table(obscuration: float) -> np.ndarray:
    """Airy pattern at steps of `_AIRY_STEP` FWHM, averaged over a filter; of unit flux with its r^-3 continuation.

    Born & Wolf 1999, Principles of Optics, 8.6.2: an annular aperture.
    """
    from scipy.special import j1

    def pattern(v: np.ndarray) -> np.ndarray:
        v = np.maximum(v, 1e-6)
        return ((2.0 * j1(v) / v - obscuration * 2.0 * j1(obscuration * v) / v) / (1.0 - obscuration**2)) ** 2

    fine = np.linspace(0.0, 4.0, 4000)
    half = float(fine[np.argmax(pattern(fine) < 0.5)])  # v at half the peak
    radius = np.arange(0.0, _AIRY_END + 1e-9, _AIRY_STEP)
    colours = np.linspace(1.0 - _AIRY_BAND, 1.0 + _AIRY_BAND, 9)
    mean = np.mean([pattern(2.0 * half * radius / colour) / colour**2 for colour in colours], axis=0)
    # The envelope takes over smoothly, so that the table's last value doesn't stand for all beyond it.
    far = radius > 0.5 * _AIRY_END
    envelope = float(np.mean(mean[far] * radius[far] ** 3))
    blend = np.clip((radius / _AIRY_END - 0.5) / 0.5, 0.0, 1.0)
    mean = mean * (1.0 - blend) + blend * envelope / np.maximum(radius, _AIRY_STEP) ** 3
    total = float(np.trapezoid(2.0 * np.pi * radius * mean, radius)) + 2.0 * np.pi * envelope / _AIRY_END
    return (mean / total).astype(np.float32)
