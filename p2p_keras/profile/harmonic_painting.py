"""The two-dimensional model of a galaxy whose isophotes aren't ellipses: boxy, discy, lopsided."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core.ellipse import angles_from_vector
from p2p_keras.profile.columns import HARMONICS, plain_arrays
from p2p_keras.profile.isophotes.given import STEP
from p2p_keras.profile.painting import Isophotes, Painted

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["with_harmonics"]


def with_harmonics(painted: Painted, profile: QTable, image: GalaxyImage) -> Painted:
    """Add a profile's third and fourth harmonics to what was painted along its ellipses.

    ``a_n`` and ``b_n`` are amplitudes over sma times the gradient, so the light they add at polar angle phi from the
    major axis is ``sma |dI/dsma| (a_n sin n phi + b_n cos n phi)``. Each counts by S^2 / (1 + S^2), S being its
    signal-to-noise ratio: harmonics of noise are no structure. Beyond the last radius they fade with the light. A box
    of an ellipticity of 0.1 is left with less than half of its residual, one of 0.4 with two thirds: in the polar
    angle of a thin ellipse a box has sixth harmonics too.

    Parameters
    ----------
    painted : Painted
        `p2p_keras.profile.painting.paint` of the profile.
    profile : QTable
        With the columns a3 to b4 and their errors (``photometry=True``); without them `painted` comes back.
    image : GalaxyImage
    """
    arrays = plain_arrays(profile)
    if not set(HARMONICS) <= arrays.keys() or arrays["sma"].size < 2:
        return painted
    isophotes = Isophotes.of(profile, image)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    radius = painted.radius
    e1, e2 = isophotes.shape_at(radius)
    pa = np.deg2rad(angles_from_vector(e1, e2)[1])
    phi = np.arctan2(y - isophotes.y0, x - isophotes.x0) - pa
    log_r, known = np.log(np.maximum(radius, isophotes.sma[0])), np.log(isophotes.sma)
    order = np.argsort(log_r, axis=None)
    painted_log = np.log(np.maximum(painted.model, 1e-30)).ravel()[order]
    log_i = [np.interp(known + shift, log_r.ravel()[order], painted_log) for shift in (0.0, np.log1p(STEP))]
    # The gradient over which they were divided: to an ellipse of a tenth more radius. It is sma |dI/dsma| / I.
    steepness = np.interp(log_r, known, np.abs(np.expm1(log_i[1] - log_i[0])) / STEP)
    factor = np.zeros(radius.shape)
    for name in HARMONICS:
        value, error = arrays[name], arrays.get(f"{name}_err", np.zeros_like(arrays[name]))
        with np.errstate(divide="ignore", invalid="ignore"):
            sure = np.nan_to_num(value**2 / (value**2 + error**2))
        at = np.interp(log_r, known, np.nan_to_num(value) * sure)
        wave = np.sin if name[0] == "a" else np.cos
        factor += at * wave(int(name[1]) * phi)
    # Below the first radius nothing is known; and light is never negative.
    factor = np.where(radius >= isophotes.sma[0], factor * steepness, 0.0)
    return replace(painted, model=painted.model * np.clip(1.0 + factor, 0.0, 3.0))
