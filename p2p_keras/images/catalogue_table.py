"""The one reader of catalogues: any table of galaxies as pieces with the same columns, whatever file it is in.

Parquet, CSV and FITS are read piece by piece, so that memory doesn't grow with the catalogue; ECSV, VOTable, plain text
and all else that astropy reads, whole. Columns are found by name, whatever its case:

================  ==================================================  ==========================================
what              column names                                        meaning
================  ==================================================  ==========================================
``name``          name, id, objid, object, galaxy                     the galaxy's name in the output
``file``          file, filename, image, path, image_file             its image
``ra``            ra, raj2000, alpha_j2000, _ra, ra_icrs, ra_deg      degrees, or hours as text (13:22:02.4)
``dec``           dec, de, dej2000, delta_j2000, _de, de_icrs,        degrees, also as text (-12:30:10)
                  decj2000, dec_deg
``x``, ``y``      x, xpix, x_pixel, xc; y, ypix, y_pixel, yc          pixel in the file, from 0
                  x_image, y_image                                    SExtractor's, which counts from 1
``size``          size, cutout, size_px                               side of the cutout, px
``radius``        none: only a column that the caller names           arcsec
``zero_point``    zero_point, zeropoint, zp, magzero                  mag of a pixel value of one
``pixel_scale``   pixel_scale, pixscale                               arcsec
``band``          band, filter                                        filter
``hdu``           hdu, extension                                      number or name of the HDU
``mask``          mask, mask_file                                     FITS image, not 0: ignore
``profile``       profile, profile_file, prof, sb                     file of a profile measured elsewhere
``redshift``      redshift, zspec, z_spec                             (not ``z``, which may be a magnitude)
``extinction``    extinction, a_lambda                                Galactic extinction in the band, mag
``ebv``           ebv, e_bv, e(b-v)                                   Galactic E(B-V), mag
================  ==================================================  ==========================================

A column's unit is honoured: angles come in degrees, ``pixel_scale`` in arcsec, ``size`` in pixels (one in arcsec needs
a pixel scale beside it). Text stays text: a galaxy may be called 007, or by nineteen digits.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from p2p_keras.core.errors import UsageError
from p2p_keras.images.catalogue_sources import Source, read_source

__all__ = ["COLUMNS", "NUMBERS", "TEXTS", "CatalogueTable"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "name": ("name", "id", "objid", "object", "galaxy"),
    "file": ("file", "filename", "image", "path", "image_file"),
    "band": ("band", "filter"),
    "hdu": ("hdu", "extension"),
    "mask": ("mask", "mask_file"),
    "profile": ("profile", "profile_file", "prof", "sb"),
    "ra": ("ra", "raj2000", "alpha_j2000", "_ra", "ra_icrs", "ra_deg"),
    "dec": ("dec", "de", "dej2000", "delta_j2000", "_de", "de_icrs", "decj2000", "dec_deg"),
    "x": ("x", "xpix", "x_pixel", "xc", "x_image"),
    "y": ("y", "ypix", "y_pixel", "yc", "y_image"),
    "size": ("size", "cutout", "size_px"),
    "radius": (),
    "zero_point": ("zero_point", "zeropoint", "zp", "magzero"),
    "pixel_scale": ("pixel_scale", "pixscale"),
    "redshift": ("redshift", "zspec", "z_spec"),
    "extinction": ("extinction", "a_lambda"),
    "ebv": ("ebv", "e_bv", "e(b-v)"),
}
"""What a catalogue may say of a galaxy -> names of its column, the first one first."""

TEXTS = ("name", "file", "band", "hdu", "mask", "profile")
NUMBERS = tuple(key for key in COLUMNS if key not in TEXTS)

_COUNTED_FROM_ONE = ("x_image", "y_image")
_UNITS = {
    "ra": "deg",
    "dec": "deg",
    "radius": "arcsec",
    "pixel_scale": "arcsec",
    "zero_point": "mag",
    "extinction": "mag",
    "ebv": "mag",
}
_PIXELS = ("pix", "pixel", "px", "")
_HOURS = ("h", "hr", "hour", "hourangle")
_MISSING = frozenset(("", "nan", "null", "none", "--", "n/a"))


class CatalogueTable:
    """A catalogue on this machine's disk, which is read piece by piece.

    Parameters
    ----------
    path : str or path
        A file, or a folder of Parquet files.
    columns : mapping of str to str, optional
        Key of `COLUMNS` -> name of its column here, where that isn't one of the known ones.
    keys : sequence of str
        Keys of `COLUMNS` that the caller can use; other columns are left alone.
    also_known : mapping of str to sequence of str, optional
        Further names of columns by key.
    prefixes : sequence of str
        Columns whose names begin so are read too, as text, by their names in lower case.

    Attributes
    ----------
    columns : dict of str to str
        Key -> name of the catalogue's column, for those that it has.

    Raises
    ------
    UsageError
        It isn't there, can't be read, lacks a column that was named, has half a position, or a column in a unit of the
        wrong kind.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        columns: Mapping[str, str] | None = None,
        *,
        keys: Sequence[str] = tuple(COLUMNS),
        also_known: Mapping[str, Sequence[str]] | None = None,
        prefixes: Sequence[str] = (),
    ) -> None:
        self.path = os.fspath(path)
        self._keys = tuple(keys)
        try:
            self._source = self._open()
        except Exception as error:  # every reader has its own kinds
            raise _unreadable(self.path, error) from error
        self.columns = self._choose_columns(columns or {}, also_known or {})
        lower = {name.lower(): name for name in self._source.names}
        self._prefixed = {low: name for low, name in lower.items() if prefixes and low.startswith(tuple(prefixes))}
        self._factors = {key: _factor(self.path, key, self._source.units.get(c)) for key, c in self.columns.items()}
        size_unit = self._source.units.get(self.columns.get("size", ""), "")
        self._size_on_sky = size_unit not in _PIXELS
        if self._size_on_sky and "pixel_scale" not in self.columns:
            raise UsageError(
                f"{self.path}: the sizes are in {size_unit}; they must be in px, or there must be a column pixel_scale"
            )

    def has(self, *keys: str) -> bool:
        """Whether the catalogue has a column for each of these keys."""
        return all(key in self.columns for key in keys)

    def pieces(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield some ten thousand rows at a time, as arrays by key.

        Yields
        ------
        dict of str to array
            Text is an object array with ``""`` where the catalogue says nothing; numbers are float64 with NaN there,
            ``ra`` and ``dec`` in degrees. Also ``row``, int64, counting from 0, and ``problem``, text: which cells of
            the row can't be used.

        Raises
        ------
        UsageError
            The file breaks off, or can't be read further.
        """
        wanted = list(dict.fromkeys((*self.columns.values(), *self._prefixed.values())))
        first = 0
        pieces = self._source.read(wanted)
        while True:
            try:
                piece = next(pieces, None)
            except Exception as error:  # every reader has its own kinds
                raise _unreadable(self.path, error) from error
            if piece is None:
                return
            count = len(next(iter(piece.values()))) if piece else 0
            if count:
                yield self._as_asked(piece, first, count)
                first += count

    def _open(self) -> Source:
        """The file; classes for other places open it there."""
        if not os.path.exists(self.path):
            raise UsageError(f"{self.path}: no such catalogue")
        return read_source(self.path, lambda: nullcontext(self.path), lambda: open(self.path, "rb"))

    def _choose_columns(self, named: Mapping[str, str], also_known: Mapping[str, Sequence[str]]) -> dict[str, str]:
        names = self._source.names
        lower = {name.lower(): name for name in reversed(names)}
        chosen = {}
        for key, column in named.items():
            if key not in self._keys:
                raise UsageError(f"--column {key}={column}: there is no {key!r}; known are {', '.join(self._keys)}")
            if column not in names:
                raise UsageError(f"{self.path}: has no column {column!r}; it has {', '.join(names)}")
            chosen[key] = column
        for key in self._keys:
            known = (*COLUMNS[key], *also_known.get(key, ()))
            column_name = next((lower[name] for name in known if name in lower), None)
            if key not in chosen and column_name is not None:
                chosen[key] = column_name
        for one, other in (("ra", "dec"), ("x", "y")):
            if (one in chosen) != (other in chosen):
                there, missing = (one, other) if one in chosen else (other, one)
                raise UsageError(
                    f"{self.path}: has a column for {there}, but none for {missing} (--column {missing}=NAME)"
                )
        return chosen

    def _as_asked(self, piece: Mapping[str, Any], first: int, count: int) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {"row": np.arange(first, first + count, dtype=np.int64)}
        problems: dict[int, list[str]] = defaultdict(list)
        for key in self._keys:
            column = self.columns.get(key)
            if key in TEXTS:
                arrays[key] = _texts(piece[column]) if column else np.full(count, "", dtype=object)
            elif column is None:
                arrays[key] = np.full(count, np.nan)
            else:
                arrays[key], unusable = _numbers(piece[column], key, self._factors[key])
                for i, cell in unusable.items():
                    kind = "position" if key in ("ra", "dec") else "number"
                    problems[i].append(f"{column} = {cell!r} is not a {kind}")
                if column.lower() in _COUNTED_FROM_ONE:
                    arrays[key] -= 1.0
        if self._size_on_sky:
            with np.errstate(divide="ignore", invalid="ignore"):
                side = np.where(arrays["pixel_scale"] > 0, arrays["size"] / arrays["pixel_scale"], np.nan)
            for without in np.flatnonzero(np.isfinite(arrays["size"]) & np.isnan(side)):
                problems[int(without)].append("size in arcsec without a pixel_scale")
            arrays["size"] = side
        for name, column in self._prefixed.items():
            arrays[name] = _texts(piece[column])
        arrays["problem"] = np.full(count, "", dtype=object)
        for i, causes in problems.items():
            arrays["problem"][i] = "; ".join(causes)
        return arrays


def _unreadable(path: str, error: Exception) -> UsageError:
    if isinstance(error, UsageError):
        return error
    lines = str(error).strip().splitlines()
    return UsageError(f"{path}: can't be read as a table ({lines[0] if lines else type(error).__name__})")


def _factor(path: str, key: str, unit: str | None) -> float:
    """Factor from a column's unit to the one that is meant (of a size on the sky: to arcsec).

    Raises
    ------
    UsageError
        The unit is of another kind.
    """
    from astropy import units as u

    if not unit:
        return 1.0
    if key == "ra" and unit.lower() in _HOURS:
        return 15.0
    if key in ("ra", "dec") and ":" in unit:  # VizieR's "h:m:s" and "d:m:s": sexagesimal text
        return 1.0
    try:
        if key in ("size", "x", "y"):
            if unit in _PIXELS:
                return 1.0
            if key == "size" and u.Unit(unit).is_equivalent(u.arcsec):
                return float(u.Unit(unit).to(u.arcsec))
            raise ValueError("pixels")
        if key == "pixel_scale" and u.Unit(unit).is_equivalent(u.arcsec / u.pix):
            return float(u.Unit(unit).to(u.arcsec / u.pix))
        if key in _UNITS:
            return float(u.Unit(unit).to(_UNITS[key]))
    except Exception as error:
        wanted = _UNITS.get(key, "pix")
        raise UsageError(f"{path}: the column of {key} is in {unit}; it must be in {wanted}") from error
    return 1.0


def _texts(column: Any) -> np.ndarray:
    """A column as text without blanks around it, ``""`` where it is empty; whole numbers without a point."""
    values, hidden = np.ma.getdata(column), np.ma.getmaskarray(column)
    if values.dtype.kind == "f":
        texts = ["" if not np.isfinite(v) else str(int(v)) if v == int(v) else repr(float(v)) for v in values]
    else:
        texts = [v.strip() if isinstance(v, str) else _plain(v) for v in values.tolist()]
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    array[hidden] = ""
    return array


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace").strip() if isinstance(value, bytes) else str(value).strip()


def _numbers(column: Any, key: str, factor: float) -> tuple[np.ndarray, dict[int, Any]]:
    """A column as float64 with NaN where it is empty, and the cells (by their row) that can't be used."""
    values, hidden = np.ma.getdata(column), np.ma.getmaskarray(column)
    unusable: dict[int, Any] = {}
    try:
        numbers = np.where(hidden, np.nan, values.astype(float) * factor)
    except (TypeError, ValueError):  # text, of which some is empty, or in hours, or wrong
        numbers = np.full(len(values), np.nan)
        for i, value in enumerate(values.tolist()):
            text = _plain(value)
            if hidden[i] or text.lower() in _MISSING:
                continue
            try:
                numbers[i] = float(text) * factor
            except ValueError:
                number = _angle(text, key) if key in ("ra", "dec") else np.nan
                numbers[i] = number
                if np.isnan(number):
                    unusable[i] = text
    numbers[~np.isfinite(numbers)] = np.nan
    if key in ("ra", "dec"):
        outside = np.abs(numbers) > (360.0 if key == "ra" else 90.0)
        cells = values.tolist() if outside.any() else []
        unusable |= {int(i): _plain(cells[i]) for i in np.flatnonzero(outside)}
        numbers[outside] = np.nan
    return numbers, unusable


def _angle(text: str, key: str) -> float:
    """Degrees of sexagesimal text, a right ascension in hours; NaN where it is none."""
    from astropy.coordinates import Angle

    try:
        return float(Angle(text, unit="hourangle" if key == "ra" else "deg").deg)
    except Exception:  # astropy's parser has several kinds
        return float("nan")
