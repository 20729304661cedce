"""Options of `predict` for what is derived from a profile: radii, lengths in kpc, corrections for extinction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["DERIVED", "OPTIONS", "derived_options"]

DERIVED = (
    "isophotes",
    "psf_fwhm",
    "psf",
    "all_quantities",
    "disc_thickness",
    "redshift",
    "cosmology",
    "extinction",
    "ebv",
    "extinction_system",
    "catalogue_extinction",
)
"""Names of all options for derived quantities, in the order of the help; `isophote_options` has some of them."""

OPTIONS = (
    click.option(
        "--redshift", type=float, help="Redshift, for lengths in kpc too. A catalogue's column takes precedence."
    ),
    click.option("--cosmology", default="Planck18", help="Name of an astropy cosmology, for lengths in kpc."),
    click.option(
        "--extinction",
        metavar="MAG",
        help="Correct for this Galactic extinction A_lambda, in mag: 0.11, or by band g=0.33,r=0.23.  [default: "
        "no correction]",
    ),
    click.option(
        "--catalogue-extinction",
        is_flag=True,
        help="Correct for the extinction in the catalogue's columns `extinction` or `ebv`.  [default: no correction]",
    ),
    click.option(
        "--ebv",
        type=float,
        help="Correct for this Galactic E(B-V) (SFD), with the coefficients of Schlafly & Finkbeiner (2011).",
    ),
    click.option(
        "--extinction-system",
        type=click.Choice(["sdss", "panstarrs", "decam", "2mass"]),
        default="sdss",
        help="Photometric system of the bands, for the coefficients.",
    ),
    click.option(
        "--isophotes",
        default="25",
        metavar="MU,...",
        help="Also give radii and magnitudes at these surface brightnesses.",
    ),
    click.option(
        "--psf-fwhm",
        type=float,
        help="FWHM of the PSF, in arcsec: Sersic and disc fits leave out smaller radii.  [default: 3 px]",
    ),
)


def derived_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command, as a decorator."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
