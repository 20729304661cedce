"""Ellipses fitted to all bands of a galaxy together.

A stack has one weight for each band, the same at all radii, and adds up their pixels. Here each band's own harmonics
say, at each radius, how far the ellipse is off, and count by what they know there
(`p2p_keras.profile.isophotes.classical.fit_bands`): blue light where it is bright, red light where that is. No pixel
is resampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core.ellipse import angles_from_vector, vector_from_angles
from p2p_keras.measure.bands.bands import lay_bands
from p2p_keras.profile.columns import ALL_COLUMN_UNITS, plain_arrays
from p2p_keras.profile.isophotes.classical import BandImage, Shape, fit_bands, radii_to
from p2p_keras.profile.isophotes.sampling import ReadImage
from p2p_keras.profile.painting import Isophotes
from p2p_keras.profile.tables.building import sky_position_angle
from p2p_keras.profile.tables.measured import MeasuredProfile

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["JOINT", "with_joint_ellipses", "with_joint_errors"]

JOINT = "joint"
"""What ``--reference`` calls it."""

_ERRORS = ("ellipticity_err", "pa_err")


def with_joint_ellipses(
    reference: QTable, images: Mapping[str, GalaxyImage], reference_band: str, *, align: bool = False
) -> QTable:
    """A profile along the ellipses that fit all bands best.

    Parameters
    ----------
    reference : QTable
        Profile of the image `reference_band`, a stack: the fit begins with its ellipses, leaves out what deviates
        from them in any band, and ends at its last radius.
    images : mapping of str to GalaxyImage
        By band, the stack among them, which isn't fitted: its light is that of the others.
    reference_band : str
    align : bool
        As of `p2p_keras.measure.bands.measure_bands`.

    Returns
    -------
    QTable
        A copy with the fitted centre, ``ellipticity`` and ``pa``; its brightness is that along the ellipses it had.

    Raises
    ------
    InputError
        The reference has no profile, or an image can't be brought together with it.
    """
    base = images[reference_band]
    laid = lay_bands(reference, images, reference_band, align=align)
    known = laid.isophotes
    middle = int(np.searchsorted(known.sma, 0.5 * known.sma[-1]))
    ellipticity, pa = angles_from_vector(known.e1[middle], known.e2[middle])
    start = Shape(known.x0, known.y0, float(known.sma[middle]), float(ellipticity), float(pa))
    bands = [
        BandImage(ReadImage(pixels.image.pixels, pixels.ignored), laid.backs[band])
        for band, pixels in laid.pixels.items()
        if band != reference_band
    ]
    joint_fit = fit_bands(bands, start, radii_to(float(known.sma[-1])))
    x0, y0 = float(joint_fit.x0[0]), float(joint_fit.y0[0])
    fitted = Isophotes(x0, y0, joint_fit.sma, *vector_from_angles(joint_fit.ellipticity, joint_fit.pa))
    ellipticity, pa = angles_from_vector(*fitted.shape_at(known.sma))
    pa, pa_of_x, parity = sky_position_angle(base, pa, x0, y0)
    profile = MeasuredProfile.of(reference)
    columns = {name: values for name, values in profile.columns.items() if name not in _ERRORS}
    x_file, y_file = base.to_file(x0, y0)
    ra, dec = base.pixel_to_sky(x0, y0)
    meta = {"x0": float(x_file), "y0": float(y_file), "ra": float(ra), "dec": float(dec)}
    meta |= {"pa_of_x": pa_of_x, "parity": parity}
    return MeasuredProfile(
        {**profile.meta, **meta}, {**columns, "ellipticity": ellipticity, "pa": np.asarray(pa)}
    ).table()


def with_joint_errors(profiles: Mapping[str, QTable], measured: Mapping[str, QTable]) -> dict[str, QTable]:
    """Profiles of bands with the errors of shapes that all bands say together.

    Parameters
    ----------
    profiles : mapping of str to QTable
        By band, along common ellipses.
    measured : mapping of str to QTable
        The same with the errors that the pixels of each band say alone
        (`p2p_keras.measure.along.with_photometry`): independent ones, so their inverse squares add up.

    Returns
    -------
    dict of str to QTable
        ``ellipticity_err`` and ``pa_err`` are NaN where no band knows any.
    """
    errors = {}
    for name in _ERRORS:
        known = [np.fmax(plain_arrays(one)[name], 1e-12) for one in measured.values()]
        certainty = np.nansum([error**-2.0 for error in known], axis=0)
        errors[name] = np.where(certainty > 0, 1.0 / np.sqrt(np.maximum(certainty, 1e-300)), np.nan)
    with_errors = {}
    for band, profile in profiles.items():
        plain = MeasuredProfile.of(profile)
        columns = {**plain.columns, **errors}
        ordered = {name: columns[name] for name in ALL_COLUMN_UNITS if name in columns}
        with_errors[band] = MeasuredProfile(plain.meta, ordered).table()
    return with_errors
