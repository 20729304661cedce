"""Where a profile ends: one rule for labels, for masks of the loss and for predictions.

A profile ends where it can no longer be known. Smith et al. (2021, MNRAS 503, 96) cut where the signal-to-noise ratio
in a running window falls to 4; their window of 40 points was of linear radius, ours spans a fixed factor in radius,
since the radial grid is logarithmic. The signal-to-noise ratio of a point is that of the mean intensity along its
annulus over white noise, in labels and in predictions alike; where only an uncertainty in mag is known it is 2.5 / ln
10 / mu_err. A prediction also ends where the model itself doesn't stand behind it: where 2.5 / ln 10 / mu_err falls
below `SURE_MIN`.
"""

from __future__ import annotations

import numpy as np

__all__ = ["SNR_MIN", "SURE_MIN", "WINDOW_LOG_RADIUS", "annulus_snr", "profile_extent"]

SNR_MIN = 4.0
SURE_MIN = 1.0
"""Least ratio of the intensity to the model's own uncertainty of it: mu_err of 1.09 mag."""
WINDOW_LOG_RADIUS = 0.25
"""Full width of the running window in ln(sma): a quarter e-fold, about three points of the radial grid."""


def annulus_snr(intensity, sma, ellipticity, noise, log_width=0.1, *, xp=np):
    """Signal-to-noise ratio of the mean intensity in annuli of a galaxy over white noise.

    Parameters
    ----------
    intensity : array, flux per pixel
    sma : array, pixels
    ellipticity : array, 1 - b/a
    noise : float, 1-sigma noise per pixel, in the unit of `intensity`
    log_width : float, width of the annulus in ln(sma)
    xp : module with `sqrt` and `maximum`: numpy or keras.ops

    Returns
    -------
    array of float, of the shape of `intensity`
    """
    if xp is np:
        intensity, sma, ellipticity = (np.asarray(value) for value in (intensity, sma, ellipticity))
    pixels = 2.0 * np.pi * sma**2 * (1.0 - ellipticity) * log_width
    return intensity * xp.sqrt(xp.maximum(pixels, 1.0)) / noise


def profile_extent(sma, snr):
    """Semi-major axis of the last radius of a profile.

    The extent is the last `sma` before the mean signal-to-noise ratio in the running window first falls below
    `SNR_MIN`, outward from where it is greatest: the smallest annuli hold few pixels, and a faint centre that is lost
    in them doesn't end a profile that is known further out.

    Parameters
    ----------
    sma : array (N,), increasing, any unit
        A radius of 0, the central pixel of other programs' isophotes, is no ellipse and counts as nothing.
    snr : array (N,), NaN counts as 0

    Returns
    -------
    float
        In the unit of `sma`; 0.0 when no radius qualifies.
    """
    sma = np.asarray(sma, dtype=float)
    snr = np.nan_to_num(np.asarray(snr, dtype=float), nan=0.0, posinf=1e9, neginf=0.0)
    sma, snr = sma[sma > 0.0], snr[sma > 0.0]
    if sma.size == 0:
        return 0.0
    log_r = np.log(sma)
    near = np.abs(log_r[:, None] - log_r[None, :]) <= WINDOW_LOG_RADIUS / 2.0 + 1e-9
    running = (near * snr[None, :]).sum(axis=1) / near.sum(axis=1)
    running[: int(np.argmax(running))] = running.max()
    below = np.flatnonzero(running < SNR_MIN)
    last = (below[0] if below.size else sma.size) - 1
    return float(sma[last]) if last >= 0 else 0.0
