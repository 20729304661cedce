"""One image of all bands, in which the galaxy stands out best: its ellipses are those of all bands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.core.units import flux_from_mag
from p2p_keras.measure.bands.places import PlaceMap
from p2p_keras.profile.isophotes.noise import measure_noise

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["ALL", "stacked_image"]

ALL = "all"
"""What ``--reference`` calls it."""


def stacked_image(images: Mapping[str, GalaxyImage], measured: Mapping[str, QTable]) -> GalaxyImage:
    """The S/N-weighted mean of a galaxy's bands, on the grid of the first.

    Each band's sky is taken off and its flux brought to one zero point and pixel; its weight is its light over its
    noise squared, which gives the sum the highest signal-to-noise ratio of all (the galaxy being of one colour).
    A pixel that any band masks is masked: the mean of fewer bands would have another colour, and the galaxy a step.

    Parameters
    ----------
    images : mapping of str to GalaxyImage
        By band, from one galaxy.
    measured : mapping of str to QTable
        The profile of each: sky and total magnitude.

    Raises
    ------
    InputError
        No band has light above its noise, or they can't be brought together.
    """
    from scipy import ndimage

    base = next(iter(images.values()))
    y, x = np.mgrid[: base.shape[0], : base.shape[1]].astype(float)
    total, weights = np.zeros(base.shape), 0.0
    good = np.ones(base.shape, dtype=bool)
    for band, image in images.items():
        meta = measured[band].meta
        sky, magnitude = float(np.nan_to_num(meta["sky"])), float(meta["mag_total"])
        # Flux per pixel of the base's area and zero point.
        unit = float(flux_from_mag(image.zero_point, base.zero_point)) * (base.pixel_scale / image.pixel_scale) ** 2
        pixels = (np.asarray(image.pixels, dtype=float) - sky) * unit
        noise = measure_noise(pixels).sigma
        if not (np.isfinite(magnitude) and np.isfinite(noise) and noise > 0):
            continue
        light = float(flux_from_mag(magnitude, base.zero_point))
        weight = light / noise**2
        finite = np.isfinite(pixels)
        if image is base:
            values, seen = np.where(finite, pixels, 0.0), finite
        else:
            at_x, at_y = PlaceMap(base, image)(x.ravel(), y.ravel())
            places = [at_y.reshape(base.shape), at_x.reshape(base.shape)]
            values = ndimage.map_coordinates(np.where(finite, pixels, 0.0), places, order=1, mode="constant")
            seen = ndimage.map_coordinates(finite.astype(float), places, order=1, mode="constant", cval=0.0) > 0.99
        total += weight * values
        weights += weight
        good &= seen
    if not weights > 0 or not good.any():
        raise InputError(base.source, "no band has light above its noise: there is no stack of all")
    pixels = np.where(good, total / weights, np.nan).astype(np.float32)
    return replace(base, pixels=pixels, band=ALL)
