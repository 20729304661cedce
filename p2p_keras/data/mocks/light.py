"""What the light of all components shares: colours of bands, coordinates along an axis, integrals over the sky."""

from __future__ import annotations

import numpy as np

__all__ = ["Colour", "OLD", "MIDDLE", "YOUNG", "RADII", "band_factor", "planar_integral", "rotated", "jitter"]

Colour = dict[str, float]
"""Magnitude of each band minus that in r."""

OLD: Colour = {"g": 0.75, "r": 0.0, "i": -0.38, "z": -0.66}
"""Elliptical galaxies, Fukugita et al. 1995, PASP 107, 945, Table 3."""
MIDDLE: Colour = {"g": 0.52, "r": 0.0, "i": -0.27, "z": -0.45}
YOUNG: Colour = {"g": 0.18, "r": 0.0, "i": -0.05, "z": -0.10}

RADII = np.geomspace(1e-4, 60.0, 600)
"""Radii, in scale lengths or effective radii, at which laws without a closed integral are integrated."""


def band_factor(colour: Colour, band: str) -> float:
    """Flux in a band over that in r."""
    return 10.0 ** (-0.4 * colour.get(band, 0.0))


def planar_integral(radius: np.ndarray, intensity: np.ndarray) -> float:
    """Integral of 2 pi r I dr."""
    return float(np.trapezoid(2.0 * np.pi * radius**2 * intensity, np.log(radius)))


def rotated(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across an axis at `angle` (radians from +x)."""
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


def jitter(colour: Colour, rng: np.random.Generator, sigma: float = 0.07) -> Colour:
    """A colour with scatter, the bands together."""
    factor = 1.0 + rng.normal(0.0, sigma / 0.6)
    return {band: value * factor for band, value in colour.items()}
