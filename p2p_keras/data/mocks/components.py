"""Components of a galaxy: surface brightness as a function of the place in the sky, before the PSF.

Lengths are in arcsec, flux in units of the galaxy's own (its r-band total before dust is 1). Each component has
``flux(band)``, its analytic total, and ``light(x, y, band)``, flux per square arcsec at offsets from the centre;
float32 in, float32 out, since the exponentials are most of the time of a mock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

from p2p_keras.data.mocks.inclined_disc import Disc
from p2p_keras.data.mocks.light import RADII, Colour, band_factor, planar_integral, rotated
from p2p_keras.data.mocks.texture import Texture

__all__ = ["Spheroid", "EdgeOn", "Bar", "Dust", "Knots", "Smooth", "Galaxy"]

_TURNS = 64
"""Angles at which a spheroid that isn't of similar ellipses is integrated over its rings."""


@dataclass(frozen=True)
class Spheroid:
    """Sersic or core-Sersic spheroid with boxy or discy isophotes, a twist and an ellipticity gradient.

    Laws: Graham & Driver 2005, PASA 22, 118 (Sersic); Graham et al. 2003, AJ 125, 2951 (core-Sersic, sharp in alpha).

    Parameters
    ----------
    total : float, flux in r
    re : float, semi-major axis of half the light in r, arcsec
    n : float, Sersic index
    q, pa : float, axis ratio and angle (radians from +x) at `re`
    core, gamma : float, break radius in arcsec (0: none) and inner slope
    a4 : float, relative amplitude of cos 4t in radius; positive is discy
    twist, q_slope : float, change of the angle (radians) and of q per e-fold in radius
    colour : Colour
    re_slope : float
        ln re falls by this from one band to the next redder one: colour gradient.
    shells : tuple of (radius / re, angle, half width of angle, relative brightness)
    """

    total: float
    re: float
    n: float
    q: float
    pa: float
    colour: Colour
    core: float = 0.0
    gamma: float = 0.0
    a4: float = 0.0
    twist: float = 0.0
    q_slope: float = 0.0
    re_slope: float = 0.0
    shells: tuple[tuple[float, float, float, float], ...] = ()

    def _re(self, band: str) -> float:
        return self.re * float(np.exp(-self.re_slope * ("g", "r", "i", "z").index(band) + self.re_slope))

    def _law(self, s: np.ndarray) -> np.ndarray:
        """Intensity (any unit) at radius over re."""
        b = 2.0 * self.n - 1.0 / 3.0 + 0.009876 / self.n  # Prugniel & Simien 1997
        inverse = s.dtype.type(1.0 / self.n)
        if self.core <= 0.0:
            return np.exp(-b * (np.power(s, inverse) - 1.0))
        alpha, rb = 3.0, self.core / self.re
        cusp = 1.0 + (rb / np.maximum(s, 1e-3)) ** alpha
        outer = np.exp(-b * (np.power(s**alpha + rb**alpha, 1.0 / (alpha * self.n)) - 1.0))
        return (np.power(cusp, self.gamma / alpha) * outer).astype(s.dtype)

    @cached_property
    def _norm(self) -> float:
        return planar_integral(RADII, self._law(RADII))

    @cached_property
    def _share(self) -> float:
        """Light over that of the same law on similar ellipses: what changing flattening, discs and shells add or take.

        A twist adds nothing: it turns circles as they are.
        """
        if not (self.q_slope or self.a4 or self.shells):
            return 1.0
        radius = self.re * RADII[::2, None]
        angle = (np.arange(_TURNS) + 0.5) * (2.0 * np.pi / _TURNS)
        x, y = (radius * np.cos(angle)).astype(np.float32), (radius * np.sin(angle)).astype(np.float32)
        plain = replace(self, q_slope=0.0, a4=0.0, shells=())
        own, similar = (
            planar_integral(radius[:, 0], part._of_unit_norm(x, y, self.re).mean(axis=1, dtype=float))
            for part in (self, plain)
        )
        return own / similar

    def flux(self, band: str) -> float:
        """Total in a band."""
        return self.total * band_factor(self.colour, band) * self._share

    def light(self, x: np.ndarray, y: np.ndarray, band: str) -> np.ndarray:
        """Flux per square arcsec at offsets from the centre, arcsec."""
        re = self._re(band)
        norm = self._norm * re * re * self.q
        light = self._of_unit_norm(x, y, re) * (self.total * band_factor(self.colour, band) / norm)
        return light.astype(np.float32)

    def _of_unit_norm(self, x: np.ndarray, y: np.ndarray, re: float) -> np.ndarray:
        """Intensity in units of the law's own."""
        q: float | np.ndarray = self.q
        if self.twist or self.q_slope:
            depth = np.clip(0.5 * np.log((x * x + y * y) / np.float32(re * re) + 1e-4), -1.8, 1.2)
            angle = (self.pa + self.twist * depth).astype(np.float32)
            c, s = np.cos(angle), np.sin(angle)
            along, across = c * x + s * y, c * y - s * x
            q = np.clip(self.q + self.q_slope * depth, 0.25, 1.0).astype(np.float32)
        else:
            along, across = rotated(x, y, self.pa)
        across = across / q
        r2 = along * along + across * across + 1e-12
        radius = np.sqrt(r2)
        if self.a4:
            c2 = along * along / r2
            radius = radius * (1.0 - self.a4 * (8.0 * c2 * (c2 - 1.0) + 1.0))
        image = self._law((radius / np.float32(re)).astype(np.float32))
        for place, angle_, width, strength in self.shells:
            # Sharp outside, fading inward, within a cone (Malin & Carter 1983, ApJ 274, 534).
            edge = radius / np.float32(re) - place
            cosine = (along * np.cos(angle_) + across * np.sin(angle_)) / radius
            cone = np.exp((cosine - 1.0) / (0.5 * width**2))
            image = image + strength * self._law(np.array([place]))[0] * cone * np.exp(
                -np.abs(edge) / np.where(edge > 0, 0.03 * place, 0.18 * place)
            )
        return image


@lru_cache(maxsize=1)
def _edge_on_law() -> tuple[np.ndarray, np.ndarray]:
    """Radii over h, and r K1(r) there.

    K1 costs 50 ns a point. Read linearly off these 1200 radii, closer near the centre where the law is curved, it is
    good to 1e-4 of its peak.
    """
    from scipy.special import k1

    radius = 30.0 * np.linspace(0.0, 1.0, 1200) ** 2
    return radius, np.concatenate([[1.0], radius[1:] * k1(radius[1:])])


@dataclass(frozen=True)
class EdgeOn:
    """Disc seen edge-on: ``(R / h) K1(R / h) sech^2(z / z0)`` (van der Kruit & Searle 1981, A&A 95, 105), with warp."""

    total: float
    h: float
    z0: float
    pa: float
    colour: Colour
    warp: tuple[float, float] = (0.0, 0.0)
    flare: float = 0.0

    def flux(self, band: str) -> float:
        """Total in a band."""
        return self.total * band_factor(self.colour, band)

    def light(self, x: np.ndarray, y: np.ndarray, band: str) -> np.ndarray:
        """Flux per square arcsec at offsets from the centre, arcsec."""
        along, across = rotated(x, y, self.pa)
        r = np.abs(along) / np.float32(self.h)
        if self.warp[1]:
            across = across - np.sign(along) * self.warp[1] * self.h * np.maximum(r - self.warp[0], 0.0) ** 2
        radial = np.interp(r, *_edge_on_law()).astype(np.float32)
        z0 = np.float32(self.z0) * (1.0 + np.float32(self.flare) * r)
        decay = np.exp(-2.0 * np.abs(across) / z0)
        vertical = 4.0 * decay / (1.0 + decay) ** 2
        # Integral over the sky: int (R/h) K1 dR = pi h / 2 on each side, int sech^2 dz = 2 z0.
        return (
            radial * vertical / (1.0 + self.flare * r) * (self.flux(band) / (2.0 * np.pi * self.h * self.z0))
        ).astype(np.float32)


@dataclass(frozen=True)
class Bar:
    """Bar in the plane of a disc: flat inside, falling at its end, on generalised ellipses; ansae at its tips.

    ``(1 - r^2)^(n + 1/2)`` of Ferrers with boxiness c (Athanassoula et al. 1990, MNRAS 245, 130; Gadotti 2011).
    """

    total: float
    length: float
    axis_ratio: float
    angle: float
    disc_q: float
    disc_pa: float
    colour: Colour
    boxiness: float = 2.5
    index: float = 1.0
    ansae: float = 0.0

    @cached_property
    def _norm(self) -> float:
        from scipy.special import gamma

        # Area of |x|^c + |y|^c <= 1, times the mean of the law over it.
        c = self.boxiness
        area = 4.0 * gamma(1.0 + 1.0 / c) ** 2 / gamma(1.0 + 2.0 / c)
        r = np.linspace(0.0, 1.0, 400)
        mean = float(np.trapezoid(2.0 * r * (1.0 - r * r) ** (self.index + 0.5), r))
        return area * mean * (1.0 + self.ansae)

    def flux(self, band: str) -> float:
        """Total in a band."""
        return self.total * band_factor(self.colour, band)

    def light(self, x: np.ndarray, y: np.ndarray, band: str) -> np.ndarray:
        """Flux per square arcsec at offsets from the centre, arcsec."""
        along, across = rotated(x, y, self.disc_pa)
        u, v = rotated(along, across / np.float32(self.disc_q), self.angle)
        u = u / np.float32(self.length)
        v = v / np.float32(self.length * self.axis_ratio)
        c = np.float32(self.boxiness)
        radius = np.power(np.abs(u) ** c + np.abs(v) ** c, 1.0 / c)
        image: np.ndarray = np.maximum(1.0 - radius * radius, 0.0) ** np.float32(self.index + 0.5)
        if self.ansae:
            # Two blobs at the tips hold `ansae` of the bar's own light (Martinez-Valpuesta et al. 2007, AJ 134, 1863).
            w = np.float32(0.09)
            blob = np.exp(-0.5 * (((np.abs(u) - 0.92) / w) ** 2 + (v * np.float32(self.axis_ratio) / (1.4 * w)) ** 2))
            norm = 2.0 * 2.0 * np.pi * w * 1.4 * w / self.axis_ratio
            image = image + blob * (self.ansae * self._norm / (1.0 + self.ansae) / norm)
        area = self.length**2 * self.axis_ratio * self.disc_q
        return (image * np.float32(self.flux(band) / (self._norm * area))).astype(np.float32)


@dataclass(frozen=True)
class Dust:
    """A dust lane: a factor on all light of an inclined or edge-on disc.

    Optical depth falls exponentially along the disc and as a Gaussian across it, around a line that bends to the near
    side (Xilouris et al. 1999, A&A 344, 868: dust 1.4 times longer and half as thick as the stars).

    Parameters
    ----------
    tau : float, peak optical depth in r
    length, thickness, offset : float, arcsec
    pa : float
    texture : Texture or None
        Clouds and gaps: its logarithm of the optical depth, in units of `length`.
    """

    tau: float
    length: float
    thickness: float
    offset: float
    pa: float
    texture: Texture | None = None

    def factor(self, x: np.ndarray, y: np.ndarray, band: str) -> np.ndarray:
        """What is left of the light at offsets from the centre, arcsec."""
        along, across = rotated(x, y, self.pa)
        s = along / np.float32(self.length)
        line = self.offset * np.sqrt(np.maximum(1.0 - (s / 2.5) ** 2, 0.0))
        # Galactic extinction in g, r, i, z over that in r (Schlafly & Finkbeiner 2011, R_V = 3.1).
        tau = self.tau * {"g": 1.44, "r": 1.0, "i": 0.74, "z": 0.55}[band]
        exponent = -np.abs(s) - 0.5 * ((across - line) / self.thickness) ** 2
        if self.texture is not None:
            v = across / np.float32(self.length)
            exponent = exponent + np.float32(self.texture.strength) * self.texture.values(s, v, s)
        return np.exp(-tau * np.exp(np.minimum(exponent, 1.0))).astype(np.float32)


@dataclass(frozen=True)
class Knots:
    """Round Gaussian knots: HII regions, clumps, and the puffs that make up a tidal tail.

    Parameters
    ----------
    x, y, sigma, total : float arrays (N,)
        Arcsec and flux in r.
    colour : Colour
    """

    x: np.ndarray
    y: np.ndarray
    sigma: np.ndarray
    total: np.ndarray
    colour: Colour

    def flux(self, band: str) -> float:
        """Total in a band."""
        return float(self.total.sum()) * band_factor(self.colour, band)


Smooth = Spheroid | Disc | EdgeOn | Bar


@dataclass(frozen=True)
class Galaxy:
    """A galaxy as drawn: what it is made of, with a flux of 1 in r.

    Attributes
    ----------
    kind : str
    mag : float
        Magnitude in r that its unit flux stands for.
    smooth : tuple of components on the pixel grid
    knots : tuple of Knots
    dust : tuple of Dust
    nucleus : float
        Flux in r of a point source at the centre.
    nucleus_colour : Colour
    """

    kind: str
    mag: float
    smooth: tuple[Smooth, ...]
    knots: tuple[Knots, ...] = ()
    dust: tuple[Dust, ...] = ()
    nucleus: float = 0.0
    nucleus_colour: Colour = field(default_factory=dict)

    def flux(self, band: str) -> float:
        """Total of all parts in a band, before dust."""
        parts: tuple[Smooth | Knots, ...] = (*self.smooth, *self.knots)
        return sum(part.flux(band) for part in parts) + self.nucleus * band_factor(self.nucleus_colour, band)
