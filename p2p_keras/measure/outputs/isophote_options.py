"""Options of `predict` for measuring along ellipses that are given, and for photometry along the model's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from p2p_keras.core.errors import UsageError

__all__ = ["OPTIONS", "isophote_options", "along_ellipses", "parse_radii"]

OPTIONS = (
    click.option(
        "--ellipses",
        type=click.Path(exists=True, dir_okay=False),
        metavar="TABLE",
        help="Measure along the ellipses of this table instead of a network's: a table of this package, "
        "photutils, isoster, AutoProf or SGA.",
    ),
    click.option(
        "--fixed",
        metavar="X0,Y0,E,PA",
        help="Measure along ellipses of one centre and shape, without a network: centre in pixels of the file "
        "from 0, 1 - b/a, position angle in degrees from +x.",
    ),
    click.option(
        "--radii",
        metavar="START:STOP:FACTOR|LIST",
        help="Semi-major axes for --ellipses and --fixed, in arcsec: 1:60:1.1, or 1,2,5,10.  [default: those of "
        "the table]",
    ),
    click.option(
        "--statistic",
        type=click.Choice(["mean", "median", "clipped"]),
        help="Statistic of the pixels along each ellipse, for --ellipses and --fixed.  [default: mean]",
    ),
    click.option(
        "--pixels",
        type=click.Choice(["sampled", "exact", "photutils"]),
        help="For --ellipses and --fixed: `sampled` interpolates along the ellipse, `exact` takes the whole ring "
        "up to the neighbouring radii, with each pixel weighted by its area in it; `photutils` interpolates at the "
        "points that photutils uses, and gives its numbers exactly.  [default: sampled]",
    ),
    click.option(
        "--psf",
        metavar="FWHM|FILE",
        help="FWHM of the PSF in arcsec, or a FITS image of it. Sersic and disc fits, and r50_psf_free, then "
        "describe the galaxy before convolution.",
    ),
    click.option(
        "--match-psf",
        is_flag=True,
        help="With --forced and --psf BAND=FWHM|FILE,...: convolve all bands to the widest PSF.",
    ),
    click.option(
        "--model-kind",
        type=click.Choice(["ellipses", "harmonics"]),
        default="ellipses",
        help="Isophotes of the --model-image: ellipses, or (with --photometry) boxy and discy by the measured "
        "harmonics.",
    ),
    click.option(
        "--regions",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Write DS9 region files: the ellipses as NAME.reg, and what was ignored as NAME-mask.reg.",
    ),
    click.option(
        "--all-quantities",
        is_flag=True,
        help="Add Petrosian and Kron radii and magnitudes, C42, the mean mu inside r50, and radius and strength "
        "of a bar.",
    ),
    click.option(
        "--disc-thickness",
        type=click.FloatRange(0.0, 0.9),
        metavar="Q0",
        help="Add the inclination of a disc whose axis ratio seen edge-on is Q0, such as 0.2.",
    ),
    click.option(
        "--photometry",
        is_flag=True,
        help="Also measure the pixels along the profile's ellipses: intensity, harmonics a3 to b4, errors of the "
        "shapes.",
    ),
)


def isophote_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command, as a decorator."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def along_ellipses(options: Mapping[str, Any]) -> Any:
    """What measures along the ellipses that the options give; None where they give none.

    Raises
    ------
    UsageError
        The options contradict each other, or can't be read.
    """
    given = [f"--{name}" for name in ("ellipses", "fixed") if options.get(name) is not None]
    if not given:
        for name in ("radii", "statistic", "pixels"):
            if options.get(name) is not None:
                raise UsageError(f"--{name} goes with --ellipses or --fixed: a model has its own radii")
        return None
    if len(given) == 2:
        raise UsageError("give either --ellipses or --fixed, not both")
    for name, option in (("model", "--model"), ("server", "--server"), ("forced", "--forced")):
        if options.get(name):
            raise UsageError(f"{given[0]} measures without a network: it doesn't go with {option}")
    if options.get("sky") == "unknown":
        raise UsageError(f"{given[0]} subtracts a --sky that you give as a number; `unknown` is only for a model")
    from p2p_keras.measure.along import AlongSettings
    from p2p_keras.measure.ellipse_measurers import AlongEllipses

    settings = AlongSettings(
        radii=None if options.get("radii") is None else parse_radii(options["radii"]),
        sky=options.get("sky"),
        statistic=options.get("statistic") or "mean",
        method=options.get("pixels") or "sampled",
    )
    ellipses = options["ellipses"] if options.get("ellipses") is not None else parse_shape(options["fixed"])
    return AlongEllipses(ellipses, settings)


def parse_radii(text: str) -> Any:
    """Read ``START:STOP:FACTOR`` or a list, arcsec; STOP itself is the last radius where a step falls on it.

    Raises
    ------
    UsageError
        It is neither, or isn't positive and increasing.
    """
    import numpy as np

    wanted = f"--radii {text}: expected START:STOP:FACTOR in arcsec, as 1:60:1.1, or increasing radii as 1,2,5"
    try:
        if ":" not in text:
            radii = np.array([float(part) for part in text.split(",") if part.strip()])
        else:
            start, stop, factor = (float(part) for part in text.split(":"))
            if not (start > 0 and stop >= start and factor > 1.0):
                raise UsageError(wanted)
            radii = start * factor ** np.arange(int(np.floor(np.log(stop / start) / np.log(factor) + 1e-9)) + 1)
    except ValueError as error:
        raise UsageError(wanted) from error
    if not radii.size or not (radii > 0).all() or not (np.diff(radii) > 0).all() or not np.isfinite(radii).all():
        raise UsageError(wanted)
    return radii


def parse_shape(text: str) -> tuple[float, float, float, float]:
    """Read ``X0,Y0,E,PA``.

    Raises
    ------
    UsageError
        It isn't four numbers, or E isn't an ellipticity.
    """
    try:
        x0, y0, ellipticity, pa = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--fixed {text}: expected X0,Y0,E,PA, such as 127.5,127.5,0.3,40") from error
    if not 0.0 <= ellipticity < 1.0:
        raise UsageError(f"--fixed {text}: the ellipticity 1 - b/a is {ellipticity:g}, it must be from 0 to below 1")
    return x0, y0, ellipticity, pa
