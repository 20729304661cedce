"""What telescope, camera and pipeline do to an image: halos, spikes, noise, sky, saturation, cosmic rays, masks."""

from __future__ import annotations

import numpy as np

from p2p_keras.core.units import flux_from_mag
from p2p_keras.data.mocks.light import band_factor
from p2p_keras.data.mocks.streams import clipped_normal, log_uniform
from p2p_keras.data.mocks.surroundings import Surroundings
from p2p_keras.data.mocks.surveys import Conditions

__all__ = [
    "add_glare",
    "noise_field",
    "add_noise",
    "count_photons",
    "draw_sky",
    "saturate",
    "add_cosmic_rays",
    "add_trail",
    "draw_mask",
]


def add_glare(
    image: np.ndarray, objects: Surroundings, conditions: Conditions, band: str, rng: np.random.Generator
) -> None:
    """Halos and diffraction spikes of stars bright enough to show them, in place.

    Halo: 0.3 to 1.5 % of the light in a wide reflection (Slater et al. 2009, PASP 121, 1267: ghosts of the aureole).
    Spikes fall as the distance to the power of two, as diffraction by a straight vane does.
    """
    side = image.shape[0]
    middle = 0.5 * (side - 1)
    number, strength = conditions.spikes
    angle = rng.uniform(0.0, np.pi) if rng.random() < 0.6 else 0.25 * np.pi * rng.integers(0, 2)
    halo_share, halo_radius = log_uniform(rng, 0.002, 0.012), log_uniform(rng, 8.0, 30.0) / conditions.pixel_scale
    for star in objects.stars:
        flux = float(flux_from_mag(star.mag, conditions.zero_point)) * band_factor(star.colour, band)
        if flux / conditions.fwhm**2 < 0.4 * conditions.saturation:
            continue
        dx = (np.arange(side) - middle - star.x / conditions.pixel_scale).astype(np.float32)[None, :]
        dy = (np.arange(side) - middle - star.y / conditions.pixel_scale).astype(np.float32)[:, None]
        level = halo_share * flux / (np.pi * halo_radius**2)
        if level > 0.05 * conditions.noise:
            edge = np.float32(1.0 / (0.12 * halo_radius))
            r = np.sqrt(dx * dx + dy * dy)
            image += np.float32(level) / (1.0 + np.exp(np.clip((r - np.float32(halo_radius)) * edge, -40.0, 40.0)))
        width = 0.35 * conditions.fwhm
        soft = (2.0 * conditions.fwhm) ** 2
        peak = 0.004 * strength * flux / (width * 2.5)
        if peak / soft < 0.2 * conditions.noise:
            continue
        for k in range((number + 1) // 2):
            t = angle + np.pi * k / ((number + 1) // 2)
            c, s = np.float32(np.cos(t)), np.float32(np.sin(t))
            along, across = dx * c + dy * s, (dy * c - dx * s) / np.float32(width)
            image += np.float32(peak) * np.exp(-0.5 * across * across) / (along * along + np.float32(soft))


def noise_field(shape: tuple[int, int], conditions: Conditions, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Noise of unit strength on large scales, correlated where the survey resamples.

    Returns
    -------
    field : float32 array
        Its mean over a large area has the variance of white noise of sigma 1.
    pixel_sigma : float
        Its 1-sigma per pixel: less than 1 where neighbours are correlated.
    """
    ratio = conditions.smoothing
    if ratio <= 0.0:
        return rng.standard_normal(shape, dtype=np.float32), 1.0
    if rng.random() < 0.5:
        # A stack of many dithered exposures: every pixel is a like mixture of its neighbours.
        from scipy.ndimage import convolve1d

        a = 0.08 + 0.2 * min(max(ratio - 0.8, 0.0), 0.8)
        kernel = np.array([a, 1.0 - 2.0 * a, a], dtype=np.float32)
        white = rng.standard_normal((shape[0] + 2, shape[1] + 2), dtype=np.float32)
        field = convolve1d(convolve1d(white, kernel, axis=0), kernel, axis=1)[1:-1, 1:-1]
        return field, float(np.sum(kernel**2))
    # One exposure interpolated linearly onto a grid of another scale, slightly turned: the noise shows a moire.
    from scipy.ndimage import map_coordinates

    ratio = max(ratio, 1.0)
    angle = rng.normal(0.0, 0.02)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / np.float32(ratio)
    reach = int(max(shape) / ratio * (1.0 + abs(angle)) + 6)
    white = rng.standard_normal((reach, reach), dtype=np.float32)
    c, s = np.cos(angle), np.sin(angle)
    phase = rng.uniform(0.0, 1.0, 2)
    edge = abs(s) * max(shape) / ratio + 1.0
    field = map_coordinates(
        white, (c * y + s * x + phase[0] + (edge if s < 0 else 0), c * x - s * y + phase[1] + (edge if s > 0 else 0)),
        order=1, mode="wrap",
    )  # fmt: skip
    return (field / np.float32(ratio)).astype(np.float32), 2.0 / 3.0 / ratio


def add_noise(image: np.ndarray, conditions: Conditions, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The image with the sky's, the reader's and the objects' own noise, and the 1-sigma per pixel in quiet sky."""
    field, pixel_sigma = noise_field(image.shape, conditions, rng)
    variance = conditions.noise**2 + np.maximum(image, 0.0) / conditions.gain
    return image + field * np.sqrt(variance), conditions.noise * pixel_sigma


def count_photons(
    image: np.ndarray, conditions: Conditions, rng: np.random.Generator
) -> tuple[np.ndarray, float, float]:
    """The image as counted photons, its sky subtracted in half of the images: whole multiples of a photon's flux.

    Returns
    -------
    image : float array
    noise : float
        1-sigma per pixel where there is sky alone.
    sky : float
        Level that is left.
    """
    photons = float(conditions.sky_electrons or 0.0)
    sky = photons / conditions.gain
    counted = rng.poisson(np.maximum(image * conditions.gain, 0.0) + photons) / conditions.gain
    left = rng.random() < 0.5
    return counted if left else counted - sky, float(np.sqrt(photons) / conditions.gain), sky if left else 0.0


def draw_sky(
    side: int, x0: float, y0: float, conditions: Conditions, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Residual sky after a survey's subtraction: level, gradient, curvature, blotches; and its value at the target."""
    scatter = conditions.sky_scatter
    grid = np.linspace(-1.0, 1.0, side)
    x, y = grid[None, :], grid[:, None]
    level = rng.normal(0.0, scatter) * (4.0 if rng.random() < 0.1 else 1.0)
    gx, gy = rng.normal(0.0, 0.6 * scatter, 2) * (5.0 if rng.random() < 0.08 else 1.0)
    sky = level + gx * x + gy * y
    if rng.random() < 0.5:
        a, b, c = rng.normal(0.0, 0.3 * scatter, 3)
        sky = sky + a * (x * x - 0.33) + b * (y * y - 0.33) + c * x * y
    if rng.random() < 0.3:
        # Blotches, as a spline through a mesh of boxes leaves them: a few low modes.
        modes = np.cos(np.pi * np.arange(1, 7)[:, None] * 0.5 * (grid + 1.0)[None, :])
        sky = sky + modes.T @ rng.normal(0.0, 0.08 * scatter, (6, 6)) @ modes
    sky = np.broadcast_to(sky, (side, side))
    row, column = int(np.clip(round(y0), 0, side - 1)), int(np.clip(round(x0), 0, side - 1))
    return sky, float(sky[row, column])


def saturate(image: np.ndarray, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
    """Clip at the saturation level and let the charge bleed along columns, in place; where pixels are saturated."""
    bad = image > conditions.saturation
    if not bad.any():
        return bad
    for column in np.flatnonzero(bad.any(axis=0)):
        rows = np.flatnonzero(bad[:, column])
        excess = float((image[rows, column] - conditions.saturation).sum()) / conditions.saturation
        length = int(min(excess * 0.6, 0.6 * image.shape[0]))
        if length > 3 and rows.size >= 2:
            up = int(rng.integers(length // 3, 2 * length // 3 + 1))
            low, high = max(rows[0] - up, 0), min(rows[-1] + length - up, image.shape[0] - 1)
            image[low : high + 1, column] = conditions.saturation * rng.uniform(0.9, 1.0, high + 1 - low)
            bad[low : high + 1, column] = True
    np.minimum(image, conditions.saturation, out=image)
    return bad


def add_cosmic_rays(image: np.ndarray, conditions: Conditions, rng: np.random.Generator) -> None:
    """Hits that rejection missed, in a sixth of the images, in place: short tracks sharper than the PSF."""
    if rng.random() > 0.16:
        return
    side = image.shape[0]
    for _ in range(int(rng.poisson(4.0 * (side / 256.0) ** 2))):
        x, y = rng.uniform(0.0, side, 2)
        angle, length = rng.uniform(0.0, np.pi), 1.0 + rng.exponential(4.0)
        steps = np.arange(0.0, min(length, 40.0), 0.5)
        column = np.clip(np.rint(x + steps * np.cos(angle)).astype(int), 0, side - 1)
        row = np.clip(np.rint(y + steps * np.sin(angle)).astype(int), 0, side - 1)
        image[row, column] += conditions.noise * log_uniform(rng, 8.0, 300.0)


def add_trail(image: np.ndarray, conditions: Conditions, rng: np.random.Generator) -> None:
    """A satellite's trail in one image of sixty, in place."""
    if rng.random() > 0.016:
        return
    side = image.shape[0]
    angle, offset = rng.uniform(0.0, np.pi), rng.uniform(-0.5, 0.5) * side
    grid = np.arange(side) - 0.5 * side
    across = grid[None, :] * np.sin(angle) - grid[:, None] * np.cos(angle) - offset
    width = conditions.fwhm * rng.uniform(0.5, 1.2)
    image += conditions.noise * log_uniform(rng, 1.0, 40.0) * np.exp(-0.5 * (across / width) ** 2)


def draw_mask(
    image: np.ndarray,
    saturated: np.ndarray,
    objects: Surroundings,
    conditions: Conditions,
    x0: float,
    y0: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Pixels without data: True where the image becomes NaN. The target's centre always stays."""
    side = image.shape[0]
    masked = np.zeros(image.shape, dtype=bool)
    rows, columns = np.arange(side)[:, None], np.arange(side)[None, :]
    if rng.random() < 0.3:
        masked |= saturated
    if rng.random() < 0.05:
        # The edge of a frame, straight or oblique.
        angle = rng.choice([0.0, 0.5, 1.0, 1.5]) * np.pi if rng.random() < 0.6 else rng.uniform(0.0, 2.0 * np.pi)
        across = (columns - 0.5 * side) * np.cos(angle) + (rows - 0.5 * side) * np.sin(angle)
        masked |= across > side * rng.uniform(0.12, 0.5)
    if rng.random() < 0.03:
        width, height = (int(side * rng.uniform(0.1, 0.4)) for _ in range(2))
        right, top = rng.random(2) < 0.5
        corner = ((columns >= side - width) if right else (columns < width)) & (
            (rows >= side - height) if top else (rows < height)
        )
        masked |= corner
    if rng.random() < 0.04:
        for column in rng.integers(0, side, rng.integers(1, 4)):
            masked[:, column : column + int(rng.integers(1, 3))] = True
    if rng.random() < 0.06:
        # A user's or a pipeline's masks of stars.
        for star in objects.stars:
            flux = float(flux_from_mag(star.mag, conditions.zero_point))
            radius = conditions.fwhm * clipped_normal(
                rng, 0.6 + 0.5 * np.log10(max(flux / conditions.noise, 1.0)), 0.1, 0.5, 6.0
            )
            cx, cy = (0.5 * (side - 1) + v / conditions.pixel_scale for v in (star.x, star.y))
            if flux > 30.0 * conditions.noise:
                masked |= (columns - cx) ** 2 + (rows - cy) ** 2 < radius**2
    if rng.random() < 0.03:
        masked |= rng.random(image.shape) < log_uniform(rng, 1e-4, 0.02)
    masked &= (columns - x0) ** 2 + (rows - y0) ** 2 > (2.0 * conditions.fwhm) ** 2
    return masked
