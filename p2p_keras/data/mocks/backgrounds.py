"""Real sky for mocks: cutouts of real frames whose middle is empty, as source detection sees it.

Frames are read once (`prepare_backgrounds`), their sources, noise and seeing found, and kept as plain arrays that all
workers map into memory together.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.core.robust import median_deviation
from p2p_keras.data.mocks.frame_cache import prepare_folder, prepared
from p2p_keras.data.mocks.streams import Stream, generator

__all__ = ["BLANK_PX", "Frame", "Cutout", "prepare_backgrounds", "Backgrounds"]

BLANK_PX = 14.0
"""No detected source comes closer to the middle of a cutout than this."""
_CLEAR_PX = 4.0
"""Pixels nearer to a detected source hold its light."""
_STEP = 4


@dataclass(frozen=True)
class Frame:
    """A real frame.

    Attributes
    ----------
    name, band : str
    pixel_scale, zero_point : float
    noise : float
        1-sigma on large scales per pixel, flux: from pixels eight apart, which no resampling couples.
    pixel_noise : float
        1-sigma per pixel in quiet sky.
    fwhm : float, pixels
    """

    name: str
    band: str
    pixel_scale: float
    zero_point: float
    noise: float
    pixel_noise: float
    fwhm: float


@dataclass(frozen=True)
class Cutout:
    """A piece of a real frame.

    Attributes
    ----------
    frame : Frame
    pixels : float array (size, size)
        Flux; NaN beyond the frame's edge.
    sky : float
        Local level, flux per pixel: the mean of what source detection didn't find.
    """

    frame: Frame
    pixels: np.ndarray
    sky: float


def prepare_backgrounds(folder: str | os.PathLike, cache: str | os.PathLike) -> list[InputError]:
    """Read all FITS frames of a folder and keep them, with what was found on them, in a cache folder.

    Parameters
    ----------
    folder : path
    cache : path
        Made where missing; a cache that is there is used as it is.

    Returns
    -------
    list of InputError
        Frames that couldn't be used.

    Raises
    ------
    UsageError
        When no frame can be used.
    """
    return prepare_folder(folder, cache, _prepare, "background")


def _prepare(path: Path, name: str, cache: Path) -> Frame:
    """Find sources, sky, noise, seeing and empty places of one frame."""
    import sep
    from scipy.ndimage import distance_transform_edt

    from p2p_keras.images import read_image

    image = read_image(path)
    pixels = np.ascontiguousarray(image.pixels, dtype=np.float32)
    bad = ~np.isfinite(pixels)
    if min(pixels.shape) < 256 or bad.all():
        raise InputError(path, f"has shape {pixels.shape}; a background needs at least 256 pixels a side")
    filled = np.where(bad, np.float32(0.0), pixels)
    background = sep.Background(filled, mask=bad, bw=128, bh=128)
    sky = background.back()
    sources, segments = sep.extract(filled - sky, 1.8, err=background.globalrms, mask=bad, segmentation_map=True)
    occupied = (segments > 0) | bad
    quiet = ~occupied
    noise = _lag_noise(filled - sky, quiet, 8)
    pixel_noise = median_deviation((filled - sky)[quiet], 0.0)
    seeing = _seeing(filled - sky, sources, noise)
    fwhm = seeing if np.isfinite(seeing) else 1.4 / image.pixel_scale
    away = distance_transform_edt(~occupied)
    sky = sky + np.float32(_mean_of_the_unseen(filled - sky, away > _CLEAR_PX, pixel_noise))
    distance = away[::_STEP, ::_STEP]
    rows, columns = np.nonzero(distance > BLANK_PX)
    if rows.size == 0:
        raise InputError(path, f"has no position that is free of sources within {BLANK_PX:.0f} pixels")
    np.save(cache / f"{name}.pixels.npy", np.where(bad, np.float32(np.nan), pixels))
    np.save(cache / f"{name}.sky.npy", sky[::_STEP, ::_STEP].astype(np.float32))
    np.save(cache / f"{name}.places.npy", np.stack([rows, columns], axis=1).astype(np.int32) * _STEP)
    return Frame(
        name=name,
        band=image.band,
        pixel_scale=float(image.pixel_scale),
        zero_point=float(image.zero_point),
        noise=noise,
        pixel_noise=pixel_noise,
        fwhm=float(np.clip(fwhm, 1.5, 12.0)),
    )


def _mean_of_the_unseen(image: np.ndarray, clear: np.ndarray, noise: float) -> float:
    """Mean, over source detection's sky, of pixels that belong to no source.

    Its sky is near the mode of the pixels; sources too faint to be found lift their mean above that, and the mean is
    what lies under a galaxy.
    """
    values = image[clear]
    values = values[np.abs(values) < 5.0 * noise]
    return float(values.mean(dtype=float)) if values.size else 0.0


def _lag_noise(image: np.ndarray, quiet: np.ndarray, lag: int) -> float:
    """White-noise equivalent: 4x4 means of quiet sky against their neighbours, in units of one pixel."""
    height, width = image.shape[0] // 4 * 4, image.shape[1] // 4 * 4
    blocks = image[:height, :width].reshape(height // 4, 4, width // 4, 4).mean(axis=(1, 3))
    clean = np.all(quiet[:height, :width].reshape(height // 4, 4, width // 4, 4), axis=(1, 3))
    step = max(lag // 4, 1)
    both = clean[:, step:] & clean[:, :-step]
    difference = blocks[:, step:][both] - blocks[:, :-step][both]
    return median_deviation(difference, 0.0) / float(np.sqrt(2.0)) * 4.0


def _seeing(image: np.ndarray, sources: np.ndarray, noise: float) -> float:
    """FWHM in pixels: median over Moffat fits of the narrowest bright, round, unblended sources; NaN if too few."""
    from scipy.optimize import least_squares

    from p2p_keras.data.mocks.psf import moffat

    width = np.hypot(sources["a"], sources["b"])
    good = (sources["flag"] == 0) & (sources["b"] > 0.8 * sources["a"])
    # Bright, yet far from the brightest, which saturate.
    good &= (sources["peak"] > 40.0 * noise) & (sources["peak"] < 1000.0 * noise) & (width > 1.0)
    stars = sources[good][np.argsort(width[good])][: max(5, int(0.4 * good.sum()))][:25]
    half = 8
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    widths = []
    for star in stars:
        column, row = round(float(star["x"])), round(float(star["y"]))
        stamp = image[row - half : row + half + 1, column - half : column + half + 1]
        if row < half or column < half or stamp.shape != x.shape:
            continue

        def difference(p: np.ndarray, stamp: np.ndarray = stamp) -> np.ndarray:
            r2 = (x - p[0]) ** 2 + (y - p[1]) ** 2
            return ((p[2] * moffat(r2, p[3], p[4]) + p[5] - stamp) / noise).ravel()

        start = (star["x"] - column, star["y"] - row, star["flux"], 3.5, 3.0, 0.0)
        lower, upper = (-2.0, -2.0, 0.0, 1.0, 1.5, -np.inf), (2.0, 2.0, np.inf, 15.0, 8.0, np.inf)
        widths.append(least_squares(difference, start, bounds=(lower, upper), loss="soft_l1", max_nfev=60).x[3])
    return float(np.median(widths)) if len(widths) >= 3 else float("nan")


class Backgrounds:
    """Frames prepared by `prepare_backgrounds`.

    Parameters
    ----------
    cache : path
        Its cache folder.
    """

    def __init__(self, cache: str | os.PathLike) -> None:
        self.cache = Path(cache)
        self.frames: Sequence[Frame] = prepared(self.cache, Frame)
        self._places: dict[tuple[str, int], np.ndarray] = {}

    def choose(self, seed: int, index: int, band: str) -> Frame:
        """The frame of a galaxy: one in its band where there is one, the same field in all bands."""
        frames = [frame for frame in self.frames if frame.band == band] or list(self.frames)
        rng = generator(seed, index, Stream.BACKGROUND)
        return frames[int(rng.random() * len(frames))]

    def cutout(self, frame: Frame, seed: int, index: int, size: int) -> Cutout:
        """A cutout around a place without sources, rotated and mirrored at random."""
        rng = generator(seed, index, Stream.BACKGROUND)
        rng.random()  # the draw of `choose`
        where, turn, mirror = rng.random(), int(rng.integers(0, 4)), rng.random() < 0.5
        whole = np.load(self.cache / f"{frame.name}.pixels.npy", mmap_mode="r")
        sky = np.load(self.cache / f"{frame.name}.sky.npy", mmap_mode="r")
        # A twelfth may hang over the frame's edge, which leaves NaN.
        places = self._places_of(frame, size // 2 if rng.random() < 0.92 else 0, whole.shape)
        row, column = (int(v) for v in places[int(where * len(places))])
        pixels = np.full((size, size), np.nan)
        top, left = row - size // 2, column - size // 2
        rows = slice(max(top, 0), min(top + size, whole.shape[0]))
        columns = slice(max(left, 0), min(left + size, whole.shape[1]))
        pixels[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = whole[rows, columns]
        pixels = np.rot90(pixels, turn)
        if mirror:
            pixels = pixels[:, ::-1]
        return Cutout(frame, pixels.copy(), float(sky[row // _STEP, column // _STEP]))

    def _places_of(self, frame: Frame, margin: int, shape: tuple[int, ...]) -> np.ndarray:
        """Empty places (row, column), `margin` pixels from the frame's edges where there are such."""
        key = (frame.name, margin)
        if key not in self._places:
            places = np.load(self.cache / f"{frame.name}.places.npy")
            far = (places >= margin).all(axis=1) & (places < np.array(shape) - margin).all(axis=1)
            self._places[key] = places[far] if far.any() else places
        return self._places[key]
