"""Which files are the bands of a galaxy: ``g=a.fits r=b.fits``, or a catalogue with a column for each band."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Unpack

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.images import Target
from p2p_keras.images.image_options import TargetOptions
from p2p_keras.measure.bands.joint import JOINT
from p2p_keras.measure.bands.stack import ALL

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = ["TOGETHER", "ForcedGalaxy", "forced_inputs", "read_bands"]

TOGETHER = (ALL, JOINT)
"""References that are no band, but all of them."""


@dataclass(frozen=True)
class ForcedGalaxy:
    """A galaxy with a file for each band, and where it is in them.

    Attributes
    ----------
    files : mapping of str to str
        Band -> file.
    target : Target
    arrays : mapping of str to dict, optional
        Band -> ``hdu`` and ``plane``, where one file holds several.
    """

    files: Mapping[str, str]
    target: Target
    arrays: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def parse_bands(arguments: Sequence[str]) -> dict[str, str]:
    """Read ``BAND=FILE`` arguments.

    Raises
    ------
    UsageError
        One is of another kind, or a band comes twice.
    """
    files: dict[str, str] = {}
    for argument in arguments:
        band, equals, file = str(argument).partition("=")
        if not equals or not band or not file:
            raise UsageError(f"{argument}: with --forced the images are given as BAND=FILE, such as g=a.fits r=b.fits")
        if band in files:
            raise UsageError(f"the band {band} is given twice")
        files[band] = file
    return files


def forced_inputs(
    arguments: Sequence[str],
    reference: str,
    catalogue: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    *,
    extinction_columns: bool = False,
    **options: Unpack[TargetOptions],
) -> list[ForcedGalaxy]:
    """Galaxies to measure in all bands.

    Parameters
    ----------
    arguments : sequence of str
        ``BAND=FILE``: the galaxy's image in each band, or with a catalogue of positions a frame in each band. Or files
        that hold all bands of a galaxy each: a cube with named bands, or an HDU for each.
    reference : str
        The band whose ellipses count, or one of `TOGETHER`.
    catalogue : path, optional
        Rows with positions on those frames; or with columns ``file_g``, ``file_r``, ... and no arguments.
    columns : mapping, optional
        See `p2p_keras.images.catalogue.read_catalogue`.
    extinction_columns : bool
        See `p2p_keras.images.catalogue.catalogue_inputs`.
    **options
        Of `p2p_keras.images.image_options.TargetOptions`, for all.

    Raises
    ------
    UsageError
        There are fewer than two bands, or the reference isn't among them.
    """
    from p2p_keras.images.catalogue import asked_rows, beside, read_catalogue, target_of
    from p2p_keras.images.inputs import find_images, stem_of

    if arguments and catalogue is None and all(_is_file_of_bands(argument) for argument in arguments):
        return [_of_one_file(os.fspath(path), reference, options) for path in find_images(arguments).paths]
    bands = parse_bands(arguments)
    if catalogue is None:
        _check_bands(bands, reference)
        target = Target(**options)
        name = target.name or _common_stem([stem_of(file) for file in bands.values()])
        return [
            ForcedGalaxy(
                bands, replace(target, name=name or stem_of(bands.get(reference) or next(iter(bands.values()))))
            )
        ]
    galaxies = []
    for row in asked_rows(read_catalogue(catalogue, columns), columns, extinction_columns):
        files = {
            key.partition("_")[2]: beside(str(value), catalogue)
            for key, value in row.items()
            if key.startswith(("file_", "image_"))
        }
        if files and bands:
            raise UsageError(f"{catalogue}: the catalogue names its files in columns, so don't give other files")
        files = files or bands
        _check_bands(files, reference)
        default = _common_stem([stem_of(file) for file in files.values()]) or f"galaxy_{row['row']}"
        if bands:
            default = f"{stem_of(bands.get(reference) or next(iter(bands.values())))}_{row['row']}"
        galaxies.append(ForcedGalaxy(files, target_of(row, catalogue, default).or_else(options)))
    return galaxies


def read_bands(galaxy: ForcedGalaxy, frames: ExitStack, opened: dict[str, Any]) -> dict[str, GalaxyImage]:
    """Read a galaxy's images; frames stay open for the next galaxy.

    Parameters
    ----------
    galaxy : ForcedGalaxy
    frames : ExitStack
        Closes the files in the end.
    opened : dict
        Frames opened before, by path; changed.

    Raises
    ------
    InputError
        One of the bands can't be read.
    """
    from p2p_keras.images import open_frame

    target = galaxy.target
    if target.problem:
        raise InputError(target.label, target.problem)
    images = {}
    for band, path in galaxy.files.items():
        if path not in opened:
            if len(opened) >= 8:
                frames.close()
                opened.clear()
            opened[path] = frames.enter_context(open_frame(path))
        images[band] = opened[path].image(**target.image_options() | {"band": band} | dict(galaxy.arrays.get(band, {})))
    return images


def _is_file_of_bands(argument: str) -> bool:
    """Whether an argument names files, as against ``BAND=FILE``."""
    text = os.fspath(argument)
    return os.path.exists(text) or ("=" not in text and (text.startswith("@") or glob.has_magic(text)))


def _of_one_file(path: str, reference: str, options: Mapping[str, Any]) -> ForcedGalaxy:
    """All bands of a galaxy in one file; what is wrong with it is told when its turn comes."""
    from p2p_keras.images import open_frame
    from p2p_keras.images.bands import short_band
    from p2p_keras.images.inputs import stem_of

    target = Target(**options)
    target = replace(target, name=target.name or stem_of(path))
    try:
        with open_frame(path) as frame:
            arrays = frame.bands()
        if len(arrays) < 2:
            raise InputError(path, "its header names no bands: give BAND=FILE, or a cube whose header names its bands")
        if reference not in TOGETHER and reference not in arrays and short_band(reference) not in arrays:
            raise InputError(path, f"the reference band {reference!r} isn't among its bands {', '.join(arrays)}")
    except InputError as error:
        cause = error.cause if error.source == path else str(error)
        return ForcedGalaxy({reference: path}, replace(target, label=path, problem=cause))
    return ForcedGalaxy(dict.fromkeys(arrays, path), target, arrays)


def _check_bands(files: Mapping[str, str], reference: str) -> None:
    if len(files) < 2:
        raise UsageError("--forced needs at least two bands: g=a.fits r=b.fits")
    if reference not in TOGETHER and reference not in files:
        raise UsageError(f"the reference band {reference!r} isn't among the bands {', '.join(files)}")


def _common_stem(stems: Sequence[str]) -> str:
    """What the files' names begin with alike: ngc1-g, ngc1-r -> ngc1."""
    first, last = min(stems), max(stems)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    common = first[:same].rstrip("-_.")
    return common if len(common) >= 2 else ""
