"""Ellipses from the tables of those who measure galaxies, to measure along them.

===========================  =================================  ====================================================
table                        known by                           conventions
===========================  =================================  ====================================================
p2p_keras                    ``sma``, ``mu``                    arcsec; pa by `pa_reference`; centre in meta
AutoProf's .prof             ``R``, ``ellip``                   arcsec; pa from +y; centre in the .aux file beside it
photutils' IsophoteList      ``sma``, ``ellipticity``, ``pa``   pixels; degrees from +x; a centre a row
isoster's                    ``sma``, ``eps``, ``pa``           pixels; radians from +x; a centre a row
SGA's profiles               ``sma_r`` (any band), ``pa``       pixels of ``refpixscale``; pa from north; one shape
SGA's catalogue              ``diam`` or ``d26``, ``ba``        arcmin; pa from north; one ellipse a galaxy
===========================  =================================  ====================================================
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.profile.isophotes.given import Ellipses
from p2p_keras.profile.tables.autoprof import prof_centre, prof_columns

if TYPE_CHECKING:
    from astropy.table import Table

    from p2p_keras.images import GalaxyImage

__all__ = ["GivenEllipses", "pa_on_image", "read_ellipses", "ellipses_for"]

SGA_PIXEL_SCALE = 0.262
"""Arcsec per pixel of the Legacy Surveys' coadds, where an SGA table doesn't say."""

_NAN = float("nan")


@dataclass(frozen=True)
class GivenEllipses:
    """Ellipses of one galaxy as a table has them.

    Attributes
    ----------
    sma : float array (K,), increasing
        Semi-major axes.
    sma_unit : str
        ``"arcsec"`` or ``"pix"``.
    ellipticity, pa : float arrays (K,)
        1 - b/a, and degrees from `pa_reference`: ``"+x"`` or ``"+y"`` (counter-clockwise), or ``"north"`` (through
        east).
    x0, y0 : float arrays (K,)
        Centres in pixels of the image's file, from 0; NaN: at `ra` and `dec`, or in the middle of the image.
    ra, dec : float
        Degrees; NaN where unknown.
    name : str
    """

    sma: np.ndarray
    ellipticity: np.ndarray
    pa: np.ndarray
    sma_unit: str = "arcsec"
    pa_reference: str = "+x"
    x0: np.ndarray | float = _NAN
    y0: np.ndarray | float = _NAN
    ra: float = _NAN
    dec: float = _NAN
    name: str = ""

    def at_radii(self, sma: np.ndarray, pixel_scale: float) -> GivenEllipses:
        """The same shapes at other radii (arcsec), interpolated in ln(sma) and constant beyond both ends."""
        from p2p_keras.core.ellipse import angles_from_vector, vector_from_angles

        own = self.sma * (pixel_scale if self.sma_unit == "pix" else 1.0)
        at, known = np.log(np.asarray(sma, dtype=float)), np.log(own)
        vectors = vector_from_angles(self.ellipticity, self.pa)
        ellipticity, pa = angles_from_vector(*(np.interp(at, known, vector) for vector in vectors))
        x0, y0 = (np.interp(at, known, np.broadcast_to(centre, own.shape)) for centre in (self.x0, self.y0))
        return replace(
            self, sma=np.asarray(sma, float), sma_unit="arcsec", ellipticity=ellipticity, pa=pa, x0=x0, y0=y0
        )

    def on_image(self, image: GalaxyImage) -> Ellipses:
        """The ellipses in pixels of an image (of its cutout, where it is one).

        Raises
        ------
        InputError
            Position angles count from north and the image has no WCS, or a number is none.
        """
        x0, y0 = (np.broadcast_to(np.asarray(v, dtype=float), self.sma.shape) for v in (self.x0, self.y0))
        x0, y0 = image.from_file(x0, y0)
        height, width = image.shape
        middle = (width - 1) / 2, (height - 1) / 2
        if image.wcs is not None and np.isfinite(self.ra + self.dec):
            from p2p_keras.images.sky_geometry import icrs_to_pixel

            x, y = icrs_to_pixel(image.wcs, self.ra, self.dec)
            middle = float(x), float(y)
        x0, y0 = np.where(np.isfinite(x0), x0, middle[0]), np.where(np.isfinite(y0), y0, middle[1])
        scale = float(image.binning) if self.sma_unit == "pix" else image.pixel_scale
        pa = pa_on_image(image, self.pa, self.pa_reference, float(np.median(x0)), float(np.median(y0)))
        try:
            return Ellipses.of(x0, y0, self.sma / scale, self.ellipticity, pa)
        except ValueError as error:
            raise InputError(image.source, f"its ellipses can't be used: {error}") from None


def pa_on_image(image: GalaxyImage, pa: np.ndarray, reference: str, x0: float, y0: float) -> np.ndarray:
    """Position angles counter-clockwise from +x of the image, in [0, 180), of those counted from `reference`.

    Raises
    ------
    InputError
        They count from north and the image has no WCS.
    """
    if reference == "+y":
        return (np.asarray(pa) + 90.0) % 180.0
    if reference != "north":
        return np.asarray(pa) % 180.0
    if image.pa_reference != "north":
        raise InputError(image.source, "its profile's position angles count from north, but the image has no WCS")
    height, width = image.pixels.shape
    x, y = (x0, y0) if np.isfinite(x0 + y0) else ((width - 1) / 2, (height - 1) / 2)
    # The map is an offset and, by the image's parity, a sign: two angles tell both.
    north_of_x = image.pa_to_sky(0.0, x, y)
    turned = (image.pa_to_sky(30.0, x, y) - north_of_x) % 180.0
    sign = 1.0 if turned < 90.0 else -1.0
    return sign * (np.asarray(pa) - north_of_x) % 180.0


def read_ellipses(table: str | os.PathLike[str] | Table, *, band: str = "") -> list[GivenEllipses]:
    """Read the ellipses of one galaxy or of many.

    Parameters
    ----------
    table : path, or astropy table
        One of the kinds above; a photutils ``IsophoteList`` by its ``to_table()``.
    band : str
        Which of an SGA table's bands, where it has several; by default r, or the first.

    Returns
    -------
    list of GivenEllipses
        One per galaxy, with its name where the table has one. Rows that say nothing (photutils' central pixel, NaN) are
        left out.

    Raises
    ------
    InputError
        It can't be read, or is none of these.
    """
    source: Any = table
    if isinstance(table, (str, os.PathLike)):
        path = Path(table)
        source = path
        if not path.is_file():
            raise InputError(path, "there is no such table of ellipses")
        try:
            tables = _of_file(path, band)
        except InputError:
            raise
        except Exception as error:  # whatever the many table readers raise
            raise InputError(path, f"can't be read as a table of ellipses ({error})") from None
    else:
        source = "the table of ellipses"
        tables = _of_table(table, source, band)
    tables = [_usable(ellipses) for ellipses in tables]
    tables = [ellipses for ellipses in tables if ellipses.sma.size]
    if not tables:
        raise InputError(source, "has no ellipse with a radius, an ellipticity and a position angle")
    return tables


def ellipses_for(given: list[GivenEllipses], name: str) -> GivenEllipses | None:
    """Those of a galaxy by its name; of one galaxy alone they are anybody's. None where there are none."""
    if len(given) == 1:
        return given[0]
    wanted = name.strip().casefold()
    return next((ellipses for ellipses in given if ellipses.name.strip().casefold() == wanted), None)


def _of_file(path: Path, band: str) -> list[GivenEllipses]:
    if path.suffix.lower() == ".prof":
        columns = prof_columns(path)
        x0, y0 = prof_centre(path)
        if not {"R", "ellip", "pa"} <= columns.keys():
            raise InputError(path, f"expected the columns R, ellip and pa; it has {', '.join(columns)}")
        from_x = GivenEllipses(columns["R"], columns["ellip"], columns["pa"], "arcsec", "+y", x0, y0, name=path.stem)
        return [from_x]
    from astropy.table import Table

    from p2p_keras.profile.tables.reading import FORMATS, read_profiles

    ending = path.suffix.lower().lstrip(".")
    if ending in ("fits", "fit", "gz", "fz"):
        from astropy.io import fits

        with fits.open(path) as hdus:
            names = [hdu.name for hdu in hdus]
            if not {"GALAXIES", "PROFILES"} <= set(names):  # a table of another program: its first
                number = next(i for i, hdu in enumerate(hdus) if isinstance(hdu, fits.BinTableHDU))
                return _of_table(Table.read(hdus[number]), path, band)
    if ending in FORMATS:
        try:
            profiles = read_profiles(path)
        except InputError:  # a table of another program
            profiles = []
        if profiles:
            return [_of_profile(profile) for profile in profiles]
    return _of_table(Table.read(path), path, band)


def _of_profile(profile: Table) -> GivenEllipses:
    from p2p_keras.profile.columns import plain_arrays

    arrays, meta = plain_arrays(profile), profile.meta
    centre: dict[str, Any] = {key: arrays.get(key, float(meta.get(key, _NAN))) for key in ("x0", "y0")}
    # A place on the sky goes with the galaxy to other images; pixels are those of one file.
    place: dict[str, Any] = {key: float(meta.get(key, _NAN)) for key in ("ra", "dec")}
    if np.isfinite(place["ra"] + place["dec"]) and "x0" not in arrays:
        centre = {"x0": _NAN, "y0": _NAN}
    return GivenEllipses(
        arrays["sma"],
        arrays["ellipticity"],
        arrays["pa"],
        pa_reference=str(meta.get("pa_reference", "+x")),
        name=str(meta.get("name", "")),
        **centre,
        **place,
    )


def _of_table(table: Table, source: Any, band: str) -> list[GivenEllipses]:
    columns = {str(name).lower(): name for name in table.colnames}

    def values(key: str, unit: str = "") -> np.ndarray:
        column = table[columns[key]]
        if unit and getattr(column, "unit", None) is not None:
            from astropy import units as u

            column = u.Quantity(column).to_value(unit)
        return np.ma.filled(np.ma.asarray(getattr(column, "value", column), dtype=float), np.nan)

    if {"sma", "mu", "ellipticity", "pa"} <= columns.keys():
        return [_of_profile(table)]
    if {"sma", "pa"} <= columns.keys() and {"eps", "ellipticity"} & columns.keys():
        centre: dict[str, Any] = {key: values(key) if key in columns else _NAN for key in ("x0", "y0")}
        if "ellipticity" in columns:  # photutils
            return [GivenEllipses(values("sma"), values("ellipticity"), values("pa", "deg"), "pix", "+x", **centre)]
        unit = getattr(table[columns["pa"]], "unit", None)
        pa = values("pa", "deg") if unit is not None else np.rad2deg(values("pa"))
        return [GivenEllipses(values("sma"), values("eps"), pa, "pix", "+x", **centre)]
    lists = [key for key in columns if key.startswith("sma_") and np.ndim(table[columns[key]]) == 2]
    if lists:
        return [_of_sga_profile(table, columns, lists, i, band) for i in range(len(table))]
    size = next((key for key in ("d26", "diam") if key in columns), None)
    if size and {"ba", "pa"} <= columns.keys():
        radius, ba, pa = values(size, "arcmin") * 30.0, values("ba"), values("pa", "deg")
        names = _texts(table, columns, ("galaxy", "name", "sga_id"))
        places = {key: values(key, "deg") if key in columns else np.full(len(table), np.nan) for key in ("ra", "dec")}
        return [
            GivenEllipses(
                radius[i : i + 1], 1.0 - ba[i : i + 1], pa[i : i + 1], "arcsec", "north",
                ra=float(places["ra"][i]), dec=float(places["dec"][i]), name=names[i],
            )
            for i in range(len(table))
        ]  # fmt: skip
    raise InputError(
        source,
        "is not a table of ellipses: expected sma, ellipticity (or eps) and pa; R, ellip and pa; or diam, ba and "
        f"pa; it has {', '.join(table.colnames)}",
    )


def _of_sga_profile(table: Table, columns: dict[str, str], lists: list[str], i: int, band: str) -> GivenEllipses:
    """One row of an SGA ellipse table: radii in pixels as a list, one shape for all of them."""
    row = table[i]
    chosen = next((key for key in (f"sma_{band.lower()}", "sma_r") if key in lists), lists[0])
    sma = np.asarray(row[columns[chosen]], dtype=float)

    def number(*keys: str, otherwise: float = _NAN) -> float:
        key = next((key for key in keys if key in columns), None)
        return float(row[columns[key]]) if key else otherwise

    scale = number("refpixscale", otherwise=SGA_PIXEL_SCALE)
    ones = np.ones(sma.shape)
    return GivenEllipses(
        sma * scale,
        number("eps_moment", "eps") * ones,
        number("pa_moment", "pa") * ones,
        "arcsec",
        "north",
        ra=number("ra_moment", "ra"),
        dec=number("dec_moment", "dec"),
        name=_texts(table, columns, ("galaxy", "name", "sga_id"))[i],
    )


def _texts(table: Table, columns: dict[str, str], keys: tuple[str, ...]) -> list[str]:
    key = next((key for key in keys if key in columns), None)
    return [str(value).strip() for value in table[columns[key]]] if key else [""] * len(table)


def _usable(ellipses: GivenEllipses) -> GivenEllipses:
    """Rows with a radius and a shape, by increasing radius, each radius once."""
    columns = [np.asarray(v, dtype=float) for v in (ellipses.sma, ellipses.ellipticity, ellipses.pa)]
    good = np.all([np.isfinite(column) for column in columns], axis=0) & (columns[0] > 0)
    _, first = np.unique(np.where(good, columns[0], -1.0), return_index=True)
    keep = np.array([i for i in first if good[i]], dtype=int)
    centre: dict[str, Any] = {}
    for key in ("x0", "y0"):
        value = np.asarray(getattr(ellipses, key), dtype=float)
        centre[key] = value[keep] if value.ndim else value
    return replace(ellipses, sma=columns[0][keep], ellipticity=columns[1][keep], pa=columns[2][keep], **centre)
