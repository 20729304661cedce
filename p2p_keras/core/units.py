"""The only module that knows units and normalisation.

Flux is linear, with one zero point: ``mag = zero_point - 2.5 log10(flux)``, and surface brightness is
``mu = zero_point - 2.5 log10(I / pixel_scale**2)`` in mag arcsec^-2, I the mean flux per pixel along the isophote.

Inside the network everything is in noise units: flux per pixel divided by the image's own pixel noise. So a factor on
an image's flux never reaches a weight, and comes back here, in `mu_from_noise_units`, exactly.

Functions of `xp` take numpy or ``keras.ops``: the same formula serves labels, graphs and tables.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = [
    "SB_UNIT",
    "FAINT_MU",
    "FILL_MU",
    "FILL_MU_ERR",
    "MICROJANSKY_ZERO_POINT",
    "SKY_MU",
    "MAG_PER_RELATIVE_ERROR",
    "mag_from_flux",
    "flux_from_mag",
    "mu_from_intensity",
    "intensity_from_mu",
    "mu_from_noise_units",
    "log_noise_units_from_mu",
    "mag_error_from_log",
    "caption_from_mu",
    "mu_from_caption",
    "nanomaggies_factor",
    "asinh_nanomaggies",
]

SB_UNIT = "mag / arcsec2"
FAINT_MU = 26.5
"""The paper's limit for its second error figure (Smith et al. 2021, sec. 4): mu_true <= 26.5 mag arcsec^-2."""

FILL_MU = 40.0
"""Finite entry of mu and growth (mag) where `valid` is false."""

FILL_MU_ERR = 10.0
"""Finite entry of mu_err (mag) where `valid` is false."""

MICROJANSKY_ZERO_POINT = 23.9
"""AB magnitude of 1 uJy."""

SKY_MU = 30.0
"""Surface brightness (mag arcsec^-2) that stands for the sky where a caption goes on beyond its profile."""

_CAPTION_RANGE = (2.0, 30.0)  # the paper's fixed normalisation: (mu - 2) / (30 - 2)
_SOFTENINGS = (0.005, 0.1, 2.0)  # nanomaggies per pixel of 0.396 arcsec: mu of 26.2, 23.0 and 19.7
_PAPER_ZERO_POINT, _PAPER_PIXEL_SCALE = 22.5, 0.396  # its images: nanomaggies per SDSS pixel

_LOG10_FACTOR = 2.5 / math.log(10.0)
MAG_PER_RELATIVE_ERROR = _LOG10_FACTOR
"""1-sigma in mag of a relative flux error of one: 2.5 / ln 10."""


def mag_from_flux(flux, zero_point, xp=np):
    """Magnitude of a positive flux. Zero gives +inf and negative flux NaN in numpy.

    Parameters
    ----------
    flux : array of any shape
        In the unit of the zero point.
    zero_point : array
        mag of a flux of 1.
    xp : module
        numpy, or ``keras.ops``; so in the functions below.
    """
    return zero_point - _LOG10_FACTOR * xp.log(flux)


def flux_from_mag(mag, zero_point, xp=np):
    """Flux of a magnitude.

    Parameters
    ----------
    mag, zero_point : array of any shape
        NaN stays NaN.
    xp : module
    """
    return xp.exp((zero_point - mag) / _LOG10_FACTOR)


def mu_from_intensity(intensity, zero_point, pixel_scale, xp=np):
    """Surface brightness (mag arcsec^-2) of a flux per pixel; pixel_scale in arcsec per pixel.

    Parameters
    ----------
    intensity : array of any shape
        Flux per pixel; 0 gives +inf and a negative one NaN in numpy.
    zero_point : array
        mag of a pixel value of 1.
    pixel_scale : array
        Arcsec per pixel.
    xp : module
    """
    return zero_point - _LOG10_FACTOR * (xp.log(intensity) - 2.0 * xp.log(pixel_scale))


def intensity_from_mu(mu, zero_point, pixel_scale, xp=np):
    """Flux per pixel of a surface brightness (mag arcsec^-2).

    Parameters
    ----------
    mu : array of any shape
        NaN stays NaN.
    zero_point : array
        mag of a pixel value of 1.
    pixel_scale : array
        Arcsec per pixel.
    xp : module
    """
    return xp.exp((zero_point - mu) / _LOG10_FACTOR) * pixel_scale * pixel_scale


def mu_from_noise_units(log_intensity, log_noise, zero_point, pixel_scale, xp=np):
    """Surface brightness of a natural-log intensity in noise units; `log_noise` is ln(flux per pixel of one unit).

    Parameters
    ----------
    log_intensity : array of any shape
    log_noise, zero_point, pixel_scale : array
        That can be broadcast to it; zero point in mag, scale in arcsec per pixel.
    xp : module
    """
    return zero_point - _LOG10_FACTOR * (log_intensity + log_noise - 2.0 * xp.log(pixel_scale))


def log_noise_units_from_mu(mu, log_noise, zero_point, pixel_scale, xp=np):
    """Natural-log intensity in noise units of a surface brightness: the inverse of `mu_from_noise_units`.

    Parameters
    ----------
    mu : array of any shape
        mag arcsec^-2; NaN stays NaN.
    log_noise, zero_point, pixel_scale : array
        As for `mu_from_noise_units`.
    xp : module
    """
    return (zero_point - mu) / _LOG10_FACTOR + 2.0 * xp.log(pixel_scale) - log_noise


def mag_error_from_log(sigma_log):
    """Uncertainty in mag from an uncertainty of the natural logarithm of an intensity.

    Parameters
    ----------
    sigma_log : float, array or tensor
        1 sigma of ln intensity.

    Returns
    -------
    the same type, in mag
    """
    return _LOG10_FACTOR * sigma_log


def caption_from_mu(mu):
    """Normalise surface brightness as the paper's networks have it: 0 at mu = 2, 1 at mu = 30.

    Parameters
    ----------
    mu : float, array or tensor
        mag arcsec^-2. NaN stays NaN.

    Returns
    -------
    the same type
    """
    low, high = _CAPTION_RANGE
    return (mu - low) / (high - low)


def mu_from_caption(caption):
    """Surface brightness from the paper's normalised one; the inverse of `caption_from_mu`.

    Parameters
    ----------
    caption : float, array or tensor

    Returns
    -------
    the same type, in mag arcsec^-2
    """
    low, high = _CAPTION_RANGE
    return low + (high - low) * caption


def nanomaggies_factor(zero_point, pixel_scale, xp=np):
    """Factor from an image's flux per pixel to the paper's input: nanomaggies per pixel of 0.396 arcsec.

    So equal surface brightness is an equal number for any survey.

    Parameters
    ----------
    zero_point : array
        mag of a pixel value of 1.
    pixel_scale : array
        Arcsec per pixel.
    xp : module
    """
    return flux_from_mag(zero_point, _PAPER_ZERO_POINT, xp) * (_PAPER_PIXEL_SCALE / pixel_scale) ** 2


def asinh_nanomaggies(nanomaggies, xp=np):
    """Surface brightness on three scales that are linear near the sky and logarithmic above it (Lupton et al. 1999).

    Parameters
    ----------
    nanomaggies : array (...)
        Per pixel of 0.396 arcsec.

    Returns
    -------
    array (..., 3)
        asinh(f / s) / 3 for softenings s of 0.005, 0.1 and 2 nanomaggies.
    """
    return xp.arcsinh(xp.expand_dims(nanomaggies, -1) / np.array(_SOFTENINGS, np.float32)) / 3.0
