"""Isophotes by photutils, from a first ellipse; several sizes of it are tried."""

from __future__ import annotations

import warnings

import numpy as np

from p2p_keras.profile.isophotes.classical import Isophotes, Shape
from p2p_keras.profile.isophotes.given import Ellipses

__all__ = ["photutils_isophotes"]

_STEP = 0.1


def photutils_isophotes(
    pixels: np.ndarray, mask: np.ndarray, start: Shape, largest: float, *, fix_centre: bool, least: int
) -> Isophotes | None:
    """Fit isophotes out to `largest` (px); None where no more than `least` can be."""
    from photutils.isophote import Ellipse, EllipseGeometry

    data = np.ma.masked_array(pixels, mask=mask)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that stop early: what is left is judged by its length
        for factor in (1.0, 0.5, 2.0):
            first = factor * start.sma
            geometry = EllipseGeometry(start.x0, start.y0, first, start.ellipticity, np.deg2rad(start.pa))
            try:
                isophotes = Ellipse(data, geometry).fit_image(
                    sma0=first,
                    minsma=0.5,
                    maxsma=largest,
                    step=_STEP,
                    fflag=0.5,
                    nclip=2,
                    maxit=30,
                    fix_center=fix_centre,
                )
            except Exception:  # photutils raises many kinds where a start leads nowhere
                continue
            if len(isophotes) > least:
                rows = slice(1, None)  # the first is the central pixel
                ellipses = Ellipses(
                    np.asarray(isophotes.x0)[rows],
                    np.asarray(isophotes.y0)[rows],
                    np.asarray(isophotes.sma)[rows],
                    np.asarray(isophotes.eps)[rows],
                    np.rad2deg(np.asarray(isophotes.pa)[rows]),
                )
                return Isophotes(
                    ellipses, np.asarray(isophotes.intens)[rows], np.asarray(isophotes.int_err, dtype=float)[rows]
                )
    return None
