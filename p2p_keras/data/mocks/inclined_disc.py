"""An inclined disc and its spiral structure, as `components` describes components."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from p2p_keras.data.mocks.light import RADII, Colour, band_factor, planar_integral, rotated
from p2p_keras.data.mocks.texture import Texture

__all__ = ["Arms", "Disc"]


@dataclass(frozen=True)
class Arms:
    """Spiral structure of a disc: a brightness factor whose mean over azimuth is near one.

    Grand-design arms are sharp, ``exp(k cos phase)`` normalised (k is `sharpness`); `modes` of (m, tan pitch, phase,
    amplitude) make a log-normal flocculent pattern. Waves of constant pitch alone look like interference: `ripples` of
    (kx, ky, phase, angle) shift the phase of every wave smoothly over the disc, by `angle` radians, so that arms bend,
    fork and end as real ones do, and a `texture` breaks them into patches and spurs. Pitch angles: Kennicutt 1981, AJ
    86, 1847; contrasts: Elmegreen et al. 2011, ApJ 737, 32.
    """

    number: int = 0
    tan_pitch: float = 0.3
    phase: float = 0.0
    amplitude: float = 0.0
    sharpness: float = 2.0
    inner: float = 0.5
    outer: float = 4.0
    wander: float = 0.0
    modes: tuple[tuple[int, float, float, float], ...] = ()
    dust: float = 0.0
    ripples: tuple[tuple[float, float, float, float], ...] = ()
    texture: Texture | None = None

    def factor(self, x: np.ndarray, y: np.ndarray, radius: np.ndarray, contrast: float) -> np.ndarray:
        """Brightness factor in the plane of the disc; lengths in scale lengths."""
        from scipy.special import i0e

        f32 = np.float32
        log_r = np.log(radius + f32(0.02))
        inverse = 1.0 / (radius + f32(1e-3))
        u = (x * inverse) + (y * inverse) * np.complex64(1j)
        powers = {1: u}

        def wave(m: int, tan_pitch: float, phase: float, wander: np.ndarray | float = 0.0) -> np.ndarray:
            """cos(m theta - m ln(r) / tan(pitch) + phase), without an arctangent: that alone would take 5 ms."""
            for k in range(2, m + 1):
                if k not in powers:
                    powers[k] = powers[k - 1] * u
            turn = f32(phase) - log_r * f32(m / tan_pitch) - wander
            return np.cos(turn) * powers[m].real - np.sin(turn) * powers[m].imag

        start = np.exp(np.minimum((self.inner - radius) * f32(6.0 / self.inner), f32(60.0)))
        end = np.exp(np.minimum((radius - self.outer) * f32(2.0), f32(60.0)))
        fade = 1.0 / ((1.0 + start) * (1.0 + end))
        out = np.ones_like(radius)
        field = self.texture.values(x, y, radius) if self.texture is not None else None
        ripple: np.ndarray | float = 0.0
        for kx, ky, phase, angle in self.ripples:
            ripple = ripple + f32(angle) * np.sin(f32(kx) * x + f32(ky) * y + f32(phase))
        if self.number and self.amplitude:
            wander = ripple + (f32(self.wander) * np.sin(f32(3.1) * radius + f32(self.phase)) if self.wander else 0.0)
            crest = wave(self.number, self.tan_pitch, self.phase, wander)
            k = self.sharpness
            shape = np.exp(f32(k) * (crest - 1.0)) * f32(1.0 / i0e(k))
            strength: np.ndarray | np.float32 = f32(min(self.amplitude * contrast, 0.95))
            if field is not None:
                # An arm is bright here and gone there, most of all far out.
                strength = strength * (f32(1.0) + f32(0.3) * field * np.minimum(radius, f32(2.0)) * f32(0.5))
                strength = np.clip(strength, f32(0.0), f32(0.95))
            out += strength * fade * (shape - 1.0)
            if self.dust:
                # Lanes on the arms' inner (concave) edge: a quarter of an arm's width behind the crest.
                lane = np.exp(f32(8.0) * (wave(self.number, self.tan_pitch, self.phase + 0.9, wander) - 1.0))
                if field is not None:
                    lane = lane * np.exp(f32(-0.6) * field)  # dust lies where the young stars don't shine
                out *= np.exp(f32(-self.dust * contrast) * fade * lane)
        if self.modes:
            pattern = np.zeros_like(radius)
            variance = 0.0
            for m, tan_pitch, phase, amplitude in self.modes:
                # Every wave is strong in some patches and absent in others.
                patch = f32(0.6) + f32(0.4) * np.sin(f32(2.5) * ripple + f32(7.0 * phase)) if self.ripples else 1.0
                pattern += f32(amplitude * contrast) * patch * wave(m, tan_pitch, phase, ripple)
                variance += 0.5 * (amplitude * contrast) ** 2 * (0.44 if self.ripples else 1.0)
            out *= np.exp(fade * pattern - f32(0.5 * variance) * fade * fade)
        if self.texture is not None and field is not None:
            sigma = f32(min(self.texture.strength * contrast, 1.2)) * fade
            out *= np.exp(sigma * field - f32(0.5) * sigma * sigma)
        return out.astype(np.float32)


_COARSE_FROM = 64
"""On grids at least so large arms are drawn on every second row and column: a fifth of a mock's time is in them, and
where they are narrower than two pixels they are drawn again finely (`rendering`)."""


@dataclass(frozen=True)
class Disc:
    """Inclined disc: broken exponential with arms, rings, lopsidedness and warp, seen in projection.

    Broken exponential: Erwin et al. 2008, AJ 135, 20, eq. 5.

    Parameters
    ----------
    total : float, flux in r
    h : float, inner scale length, arcsec
    q, pa : float, projected axis ratio and angle of the major axis
    break_radius, h_outer, sharpness : float
        In units of h; break_radius 0: none.
    hole : float
        Radius within which the disc fades (units of h), as behind some bars; 0: none.
    rings : tuple of (radius, width, strength), units of h and of the local disc
    lopsided : tuple of (amplitude, angle)
        m = 1, growing outward (Rix & Zaritsky 1995, ApJ 447, 82).
    warp : tuple of (start in h, twist in radians per h)
    h_slope : float
        ln h falls by this from one band to the next redder one.
    arm_contrast : mapping of band to the strength of the arms relative to r
    """

    total: float
    h: float
    q: float
    pa: float
    colour: Colour
    break_radius: float = 0.0
    h_outer: float = 1.0
    sharpness: float = 4.0
    hole: float = 0.0
    rings: tuple[tuple[float, float, float], ...] = ()
    lopsided: tuple[float, float] = (0.0, 0.0)
    warp: tuple[float, float] = (0.0, 0.0)
    h_slope: float = 0.0
    arms: Arms | None = None

    def _h(self, band: str) -> float:
        return self.h * float(np.exp(-self.h_slope * ("g", "r", "i", "z").index(band) + self.h_slope))

    def _law(self, s: np.ndarray) -> np.ndarray:
        """Intensity at radius over h."""
        exponent = -s
        if self.break_radius > 0.0:
            k = s.dtype.type(self.sharpness)
            turn = np.logaddexp(k * (s - s.dtype.type(self.break_radius)), s.dtype.type(0.0))
            turn = turn - np.logaddexp(-k * s.dtype.type(self.break_radius), s.dtype.type(0.0))
            exponent = exponent + turn * s.dtype.type((1.0 - 1.0 / self.h_outer) / self.sharpness)
        out = np.exp(exponent)
        if self.hole > 0.0:
            out = out * (1.0 - 0.9 * np.exp(-((s / s.dtype.type(self.hole)) ** 2)))
        for place, width, strength in self.rings:
            out = out + strength * np.exp(-place) * np.exp(-0.5 * ((s - place) / width) ** 2)
        return out.astype(s.dtype)

    @cached_property
    def _norm(self) -> float:
        return planar_integral(RADII, self._law(RADII))

    def flux(self, band: str) -> float:
        """Total in a band."""
        return self.total * band_factor(self.colour, band)

    def light(self, x: np.ndarray, y: np.ndarray, band: str) -> np.ndarray:
        """Flux per square arcsec at offsets from the centre, arcsec."""
        return self.light_and_smooth(x, y, band)[0]

    def light_and_smooth(self, x: np.ndarray, y: np.ndarray, band: str) -> tuple[np.ndarray, np.ndarray]:
        """The same, with its arms and without."""
        h = np.float32(self._h(band))
        if self.warp[1]:
            rough = np.hypot(x, y) / h
            angle = self.pa + self.warp[1] * np.clip(rough - self.warp[0], 0.0, 2.0)
            c, s = np.cos(angle), np.sin(angle)
            along, across = (c * x + s * y) / h, (c * y - s * x) / (h * np.float32(self.q))
        else:
            along, across = rotated(x / h, y / h, self.pa)
            across = across / np.float32(self.q)
        radius = np.sqrt(along * along + across * across)
        image = self._law(radius)
        if self.lopsided[0]:
            cosine = along * np.cos(self.lopsided[1]) + across * np.sin(self.lopsided[1])
            image = image * (1.0 + self.lopsided[0] * cosine / np.sqrt(1.5 + radius * radius))
        image = image * np.float32(self.flux(band) / (self._norm * float(h) ** 2 * self.q))
        image = image.astype(np.float32, copy=False)
        if self.arms is None:
            return image, image
        # Arms are young: stronger in the blue.
        contrast = {"g": 1.15, "r": 1.0, "i": 0.9, "z": 0.85}[band]
        along, across = np.broadcast_arrays(along, across)
        if image.ndim == 2 and min(image.shape) >= _COARSE_FROM:
            coarse = self.arms.factor(along[::2, ::2], across[::2, ::2], radius[::2, ::2], contrast)
            factor = _between(coarse, image.shape)
        else:
            factor = self.arms.factor(along, across, radius, contrast)
        return image * factor, image


def _between(coarse: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A grid of which every second row and column is known, the others halfway between their neighbours."""
    height, width = shape
    rows = np.empty((height, coarse.shape[1]), dtype=coarse.dtype)
    rows[::2] = coarse
    following = np.concatenate([coarse[1:], coarse[-1:]])
    rows[1::2] = (0.5 * (coarse + following))[: height // 2]
    out = np.empty(shape, dtype=coarse.dtype)
    out[:, ::2] = rows
    following = np.concatenate([rows[:, 1:], rows[:, -1:]], axis=1)
    out[:, 1::2] = (0.5 * (rows + following))[:, : width // 2]
    return out
