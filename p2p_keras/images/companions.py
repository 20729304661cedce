"""Noise maps and masks that belong to an image: in its own file, beside it, or named by the caller."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2p_keras.core.errors import InputError
from p2p_keras.images.choosing import ImageChoice, choose_image, companion_hdus
from p2p_keras.images.hdus import full_header
from p2p_keras.images.inputs import is_fits_name
from p2p_keras.images.planes import CubePlane, cube_index
from p2p_keras.images.roles import (
    MASK,
    NOISE_ROLES,
    SIGMA,
    VARIANCE,
    WEIGHT,
    image_stem,
    is_part_of_noise,
    role_of_file,
)

_FILE_HDU = re.compile(r"^(.+)\[([^\[\]]+)\]$")


@dataclass(frozen=True)
class Companion:
    """A noise map or a mask.

    Attributes
    ----------
    role : str
        One of `p2p_keras.images.roles.NOISE_ROLES`, or ``"mask"``.
    where : str
        How to call it in messages and in ``noise_origin``.
    pixels : section or array (H, W)
    header : astropy.io.fits.Header
    given : bool
        Named by the caller: what is wrong with it is an error, not a note.
    """

    role: str
    where: str
    pixels: Any
    header: Any
    given: bool = False


def split_file_hdu(text: str | os.PathLike[str]) -> tuple[str, str | None]:
    """``"a.fits[ERR]"`` -> ``("a.fits", "ERR")``; a file that has such a name is one."""
    name = os.fspath(text)
    match = _FILE_HDU.match(name)
    if match is None or os.path.exists(name):
        return name, None
    return match[1], match[2].strip()


def in_file(file: Any, choice: ImageChoice) -> list[Companion]:
    """Companions among the HDUs of an image's own file: one noise map, the kind that is trusted most, and one mask.

    Parameters
    ----------
    file : HDUList
    choice : ImageChoice
        The image; a plane of a cube has no companions of its own.
    """
    if len(file) < 2 or choice.plane is not None:
        return []
    companions = companion_hdus(file, choice.number)
    chosen = []
    noise = [(n, role) for n, role in companions if role in NOISE_ROLES and not is_part_of_noise(file[n].name)]
    if noise:
        chosen.append(min(noise, key=lambda pair: NOISE_ROLES.index(pair[1])))
    chosen += [(n, role) for n, role in companions if role == MASK][:1]
    return [
        Companion(
            role, f"HDU {n}{f' ({file[n].name})' if file[n].name else ''}", section_of(file, n), full_header(file, n)
        )
        for n, role in chosen
    ]


def beside(source: str) -> list[tuple[str, str]]:
    """Files that are named as noise map or mask of an image's file, as (path, role): one of each."""
    if role_of_file(source) in (*NOISE_ROLES, MASK):
        return []
    folder = os.path.dirname(source) or "."
    try:
        changed = os.stat(folder).st_mtime_ns
    except OSError:
        return []
    known = _companion_files(folder, changed)
    if not known:
        return []
    mine = known.get(image_stem(source), ())
    noise = sorted((f for f in mine if f[1] in NOISE_ROLES), key=lambda f: (NOISE_ROLES.index(f[1]), f[0]))
    masks = sorted(f for f in mine if f[1] == MASK)
    return [*noise[:1], *masks[:1]]


@functools.lru_cache(maxsize=256)
def _companion_files(folder: str, changed: int) -> dict[str, tuple[tuple[str, str], ...]]:
    """Companions in a folder by the stem of their image; listed once as long as the folder doesn't change."""
    del changed  # of the key alone
    by_stem: dict[str, list[tuple[str, str]]] = {}
    for entry in os.scandir(folder):
        if not is_fits_name(entry.name):
            continue
        role = role_of_file(entry.name)
        if role in (*NOISE_ROLES, MASK):
            by_stem.setdefault(image_stem(entry.name), []).append((os.path.join(folder, entry.name), role))
    return {stem: tuple(files) for stem, files in by_stem.items()}


def from_file(
    name: str | os.PathLike[str],
    role: str,
    opened: Callable[[str], Any],
    shape: tuple[int, int],
    *,
    plane: int | str | None = None,
    band: str | None = None,
    given: bool = True,
) -> Companion:
    """Take a companion from a file that is named as one.

    Parameters
    ----------
    name : str or path
        ``FILE`` or ``FILE[HDU]``. Without HDU: the one that its name says is of this role, else the file's only image.
    role : str
    opened : callable
        Opens a file and keeps it open.
    shape : (int, int)
        Of the image.
    plane, band
        As the image's: a cube of noise maps has the same planes.
    given : bool

    Raises
    ------
    InputError
        It can't be read, has no such HDU, or another shape than the image.
    """
    path, hdu = split_file_hdu(name)
    file = opened(path)
    choice = _choose(file, hdu, role, path, shape, plane, band)
    section = section_of(file, choice.number, choice.plane)
    header = full_header(file, choice.number)
    size = tuple(section.shape[-2:])
    if size != tuple(shape):
        kind = "mask" if role == MASK else "noise map"
        raise InputError(
            path, f"the {kind} is {size[1]} x {size[0]} px, the image {shape[1]} x {shape[0]} px: they must be alike"
        )
    if role == WEIGHT and any(str(key).startswith("FPA.") for key in header):
        role = VARIANCE  # what Pan-STARRS calls weight (.wt) is the variance
    where = f"{Path(path).name}" + (f"[{hdu}]" if hdu else f", HDU {choice.number}" if len(file) > 1 else "")
    return Companion(role, where, section, header, given)


def _choose(
    file: Any, hdu: str | None, role: str, path: str, shape: tuple[int, int], plane: Any, band: str | None
) -> ImageChoice:
    from p2p_keras.images.choosing import hdus_of_role

    if hdu is None:
        named = hdus_of_role(file, role, shape)
        if named:
            return ImageChoice(named[0])
        flat = hdus_of_role(file, None, shape)
        if len(flat) == 1 or (flat and role != MASK):
            return ImageChoice(flat[0])
        if len(flat) > 1:
            from p2p_keras.images.hdus import list_hdus

            raise InputError(
                path, f"several HDUs could be the mask ({list_hdus(file)}): name one, as {path}[{flat[-1]}]"
            )
    return choose_image(file, hdu if hdu is not None else None, None, path, plane=plane, band=band)


def section_of(file: Any, number: int, plane: int | None = None) -> Any:
    """Section of an HDU of which only what is cut out is read; of a cube that of one plane.

    Parameters
    ----------
    file : HDUList
    number : int
        HDU.
    plane : int, optional
        Of a cube, from 0.
    """
    hdu = file[number]
    if plane is None:
        return hdu.section
    return CubePlane(hdu.section, cube_index(tuple(hdu.shape), plane))


__all__ = [
    "MASK",
    "SIGMA",
    "Companion",
    "beside",
    "from_file",
    "in_file",
    "section_of",
    "split_file_hdu",
]
