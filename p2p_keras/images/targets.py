"""Which galaxy of a file is meant: where it is, how it is named, what is known of it beside the pixels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Unpack

from p2p_keras.core.errors import UsageError
from p2p_keras.images.image_options import FileOptions, TargetOptions

__all__ = ["Target", "IMAGE_OPTIONS", "TARGET_FIELDS", "InputFile", "files_as_inputs", "check_position", "sky_position"]


@dataclass(frozen=True)
class Target:
    """One galaxy to be cut out of a file; None: as the header says, or the default.

    Attributes
    ----------
    name : str, optional
        The galaxy's name in tables; by default the file's name without endings.
    ra, dec, x, y, size, hdu, plane, zero_point, pixel_scale, band, mask, mask_bits, sigma, variance, weight,
    companions, to_ab
        As `p2p_keras.images.read_image` takes them.
    redshift : float, optional
    extinction : float, optional
        Galactic extinction in this band, mag, as a catalogue gives it.
    ebv : float, optional
        Galactic E(B-V), mag.
    label : str
        How to call it in messages beside the file: a catalogue's row.
    problem : str
        Why it can't be measured (a cell of the catalogue that is no number); '' for a good one.
    """

    name: str | None = None
    ra: float | str | None = None
    dec: float | str | None = None
    x: float | None = None
    y: float | None = None
    size: int | None = None
    hdu: int | str | None = None
    zero_point: float | None = None
    pixel_scale: float | None = None
    band: str | None = None
    mask: Any = None
    plane: int | str | None = None
    mask_bits: int | str | None = None
    sigma: Any = None
    variance: Any = None
    weight: Any = None
    companions: bool | None = None
    to_ab: bool | None = None
    redshift: float | None = None
    extinction: float | None = None
    ebv: float | None = None
    label: str = ""
    problem: str = ""

    def or_else(self, defaults: Mapping[str, Any]) -> Target:
        """Fill in what this target leaves open.

        Parameters
        ----------
        defaults : mapping
            Values by field. If the target has a position, that of the defaults isn't used, not even one coordinate.

        Returns
        -------
        Target
        """
        placed = any(getattr(self, key) is not None for key in ("ra", "dec", "x", "y"))
        skipped = ("ra", "dec", "x", "y") if placed else ()
        return replace(
            self,
            **{k: v for k, v in defaults.items() if v is not None and k not in skipped and getattr(self, k) is None},
        )

    def image_options(self) -> dict[str, Any]:
        """What `read_image` and `Frame.image` take of it."""
        return {key: getattr(self, key) for key in IMAGE_OPTIONS}


IMAGE_OPTIONS = tuple(FileOptions.__annotations__)
TARGET_FIELDS = tuple(field.name for field in fields(Target))


@dataclass(frozen=True)
class InputFile:
    """A file and the galaxies to be measured in it.

    Attributes
    ----------
    path : str
    targets : tuple of Target
        None: those of `candidates` whose position lies on the image, which is known when the file is open.
    candidates : tuple of Target
    """

    path: str
    targets: tuple[Target, ...] | None = (Target(),)
    candidates: tuple[Target, ...] = ()


def files_as_inputs(paths: Iterable[str | os.PathLike[str]], **options: Unpack[TargetOptions]) -> list[InputFile]:
    """One target a file, with the same options for all.

    Parameters
    ----------
    paths : iterable of path
    **options
        Of `p2p_keras.images.image_options.TargetOptions`.

    Raises
    ------
    UsageError
        The options contradict each other.
    """
    if unknown := sorted(set(options) - set(TARGET_FIELDS)):
        raise TypeError(f"unknown options {', '.join(unknown)}")
    target = Target(**options)
    check_position(target.ra, target.dec, target.x, target.y)
    return [InputFile(os.fspath(path), (target,)) for path in paths]


def check_position(ra: Any, dec: Any, x: Any, y: Any) -> None:
    """Raise `UsageError` for half a position, or for two.

    Parameters
    ----------
    ra, dec, x, y : float, str or None
    """
    if (ra is None) != (dec is None) or (x is None) != (y is None):
        raise UsageError("a target needs both coordinates: RA and Dec, or x and y")
    if ra is not None and x is not None:
        raise UsageError("give the target by RA and Dec or by x and y, not by both")


def sky_position(ra: Any, dec: Any, x: Any, y: Any) -> tuple[float, float] | None:
    """Check a target's place and return its (ra, dec) in degrees; None where it is given in pixels or not at all.

    Parameters
    ----------
    ra, dec : float, str or None
        ICRS, degrees; text may be sexagesimal, of hours and degrees.
    x, y : float or None
        Pixels.

    Raises
    ------
    UsageError
        It is half a position, two positions, or none at all.
    """
    from astropy.coordinates import Angle

    check_position(ra, dec, x, y)
    if ra is None:
        return None
    try:
        ra_deg = Angle(ra, unit="hourangle").deg if isinstance(ra, str) and not _is_number(ra) else float(ra)
        dec_deg = Angle(dec, unit="deg").deg if isinstance(dec, str) and not _is_number(dec) else float(dec)
    except ValueError as error:
        raise UsageError(f"RA {ra!r}, Dec {dec!r}: not a position") from error
    if not (-360.0 <= ra_deg <= 360.0 and -90.0 <= dec_deg <= 90.0):
        raise UsageError(f"RA {ra}, Dec {dec}: this is not a position (in degrees)")
    return float(ra_deg), float(dec_deg)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
