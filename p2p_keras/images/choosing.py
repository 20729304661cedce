"""Finding the HDU, and the plane of it, that is the image of the sky; and those that go with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from astropy.io import fits
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError
from p2p_keras.images.bands import BROAD_BANDS, band_from_header, short_band
from p2p_keras.images.hdus import axes_of, full_header, list_hdus, size_text
from p2p_keras.images.planes import find_plane, plane_bands
from p2p_keras.images.roles import MASK, NOISE_ROLES, OTHER, SCIENCE, role_of_header
from p2p_keras.images.sky_geometry import celestial_wcs, icrs_to_pixel

__all__ = [
    "ImageChoice",
    "choose_image",
    "science_hdus",
    "images_of_sky",
    "companion_hdus",
    "hdus_of_role",
    "band_hdus",
]


@dataclass(frozen=True)
class ImageChoice:
    """Which array of a file is the image.

    Attributes
    ----------
    number : int
        Of the HDU.
    plane : int or None
        Of a cube, from 0.
    notes : list of str
        What else there is, where the choice isn't the obvious one.
    """

    number: int
    plane: int | None = None
    notes: list[str] = field(default_factory=list)


def choose_image(
    file: fits.HDUList,
    wanted: int | str | None,
    sky_target: tuple[float, float] | None,
    source: str,
    *,
    plane: int | str | None = None,
    band: str | None = None,
    wcs_of: Callable[[int], WCS | None] | None = None,
) -> ImageChoice:
    """Find the array to read; `InputError` where there is no image, or none that says that it is one.

    HDUs that their name or header calls noise, weight, mask, exposure, PSF, model or preview
    (`p2p_keras.images.roles`) are never chosen unless they are `wanted`. Of the others those go first that are called
    an image (SCI, IMAGE, DATA; IMAGETYP, HDUCLAS2), then the file's order counts. A plane named by its band is looked
    for in a cube's bands and among HDUs of one band each.

    Parameters
    ----------
    file : HDUList
    wanted : int, str or None
        The caller's HDU.
    sky_target : (float, float) or None
        Then the first image that shows it.
    source : str
    plane : int, str or None
        Of a cube: a number from 0, or a band. For images of one band each: the band.
    band : str, optional
        Picks the plane of that band where `plane` isn't given.
    wcs_of : callable, optional
        Gives the celestial WCS of an HDU, for callers who keep them: reading one takes a millisecond.
    """
    if wanted is not None:
        number = _named_hdu(file, wanted, source)
        return ImageChoice(number, _plane_of(file, number, plane, band, source))
    with_data = [number for number, hdu in enumerate(file) if math.prod(axes_of(hdu)) > 0 and axes_of(hdu)]
    if not with_data:
        raise InputError(source, f"no HDU has an image ({list_hdus(file)})")
    images = [number for number in with_data if _is_image(axes_of(file[number]))]
    if not images:
        _check_plane(axes_of(file[with_data[0]]), source, f"HDU {with_data[0]}")
    roles = {number: _role(file, number) for number in images}
    credible = [number for number, role in roles.items() if role in ("", SCIENCE)]
    if not credible:
        raise InputError(
            source, f"no HDU is named or described as an image of the sky ({list_hdus(file)}): choose one with --hdu"
        )
    best = [number for number in credible if roles[number] == SCIENCE] or credible
    best, of_band = _of_band(file, best, plane, band)
    number = best[0]
    if sky_target is not None and len(best) > 1:
        for candidate in best:
            wcs = wcs_of(candidate) if wcs_of else celestial_wcs(file[candidate].header, file)
            if wcs is not None and _contains(wcs, axes_of(file[candidate]), sky_target):
                number = candidate
                break
    chosen = _plane_of(file, number, None if of_band else plane, band, source)
    return ImageChoice(
        number, chosen, _choice_notes(file, number, images, best, roles, by_target=sky_target is not None)
    )


def science_hdus(file: fits.HDUList) -> list[int]:
    """Numbers of the HDUs that have an image of two dimensions and aren't called errors, weights or masks."""
    return [n for n, hdu in enumerate(file) if _is_plane(axes_of(hdu)) and _role(file, n) in ("", SCIENCE)]


def images_of_sky(file: fits.HDUList, source: str) -> list[int]:
    """Numbers of the HDUs that may be searched for targets: all images, the one that `choose_image` takes first.

    Parameters
    ----------
    file : HDUList
    source : str
        For errors.

    Raises
    ------
    InputError
        There is none.
    """
    images = [n for n, hdu in enumerate(file) if _is_image(axes_of(hdu)) and _role(file, n) in ("", SCIENCE)]
    if not images:
        choose_image(file, None, None, source)  # says why
    named = [n for n in images if _role(file, n) == SCIENCE]
    return named or images


def companion_hdus(file: fits.HDUList, number: int) -> list[tuple[int, str]]:
    """HDUs with the noise or mask of an image, as (number, role): of its shape, EXTVER and band, those behind first.

    Parameters
    ----------
    file : HDUList
    number : int
        HDU of the image.
    """
    image = file[number]
    companions = []
    for n, hdu in enumerate(file):
        axes = axes_of(hdu)
        if n == number or len(axes) < 2 or axes[-2:] != axes_of(image)[-2:] or math.prod(axes[:-2]) != 1:
            continue
        role = _role(file, n)
        bands = [short_band(str(h.header.get("BAND") or "")) for h in (hdu, image)]
        if role in (*NOISE_ROLES, MASK) and hdu.ver == image.ver and bands[0] == bands[1]:
            companions.append((n, role))
    return sorted(companions, key=lambda pair: (pair[0] < number, pair[0]))


def hdus_of_role(file: fits.HDUList, role: str | None, shape: tuple[int, int]) -> list[int]:
    """HDUs with an image of this shape and role; of any role for None.

    Parameters
    ----------
    file : HDUList
    role : str or None
        One of `p2p_keras.images.roles`.
    shape : (int, int)
        (H, W).
    """
    return [
        n
        for n, hdu in enumerate(file)
        if _is_plane(axes_of(hdu)) and axes_of(hdu)[-2:] == tuple(shape) and (role is None or _role(file, n) == role)
    ]


def band_hdus(file: fits.HDUList) -> dict[str, tuple[int, int | None]]:
    """HDU and plane of each band, in a file of several: a cube that names its bands, or an HDU for each."""
    places: dict[str, tuple[int, int | None]] = {}
    credible = [n for n, hdu in enumerate(file) if _is_image(axes_of(hdu)) and _role(file, n) in ("", SCIENCE)]
    for number in credible:
        axes = axes_of(file[number])
        count = math.prod(axes[:-2])
        if count > 1:
            for plane, band in enumerate(plane_bands(full_header(file, number), count)):
                places.setdefault(band, (number, plane))
        elif band := _band_of_hdu(file, number):
            places.setdefault(band, (number, None))
    return places


def _role(file: fits.HDUList, number: int) -> str:
    hdu = file[number]
    axes = axes_of(hdu)
    if len(axes) == 3 and axes[0] in (3, 4) and hdu.header.get("BITPIX") == 8:
        return OTHER  # a coloured preview
    return role_of_header("" if hdu.name.upper() == "PRIMARY" else hdu.name, hdu.header)


def _band_of_hdu(file: fits.HDUList, number: int) -> str:
    """Band of one HDU: by its own header, or its name where that is one."""
    own = band_from_header(file[number].header)
    name = short_band(file[number].name)
    return own or (name if name in BROAD_BANDS else "")


def _of_band(file: fits.HDUList, best: list[int], plane: int | str | None, band: str | None) -> tuple[list[int], bool]:
    """Those HDUs of one band each that are of the band asked for; and whether there are any."""
    asked = plane if plane is not None else band
    flat = [number for number in best if math.prod(axes_of(file[number])[:-2]) == 1]
    if asked is None or len(flat) < 2 or isinstance(asked, int) or str(asked).strip().isdigit():
        return best, False
    matching = [number for number in flat if _band_of_hdu(file, number) == short_band(str(asked))]
    return (matching, True) if matching else (best, False)


def _plane_of(file: fits.HDUList, number: int, plane: int | str | None, band: str | None, source: str) -> int | None:
    """Plane of an HDU that is to be read, None where it has but one."""
    axes = axes_of(file[number])
    where = f"HDU {number} ({size_text(axes)})"
    count = math.prod(axes[:-2]) if len(axes) > 2 else 1
    if count > 1 and min(axes[-2:]) >= 2:
        header = full_header(file, number)
        if plane is None and band is not None and short_band(band) in plane_bands(header, count):
            plane = band
        return find_plane(header, count, plane, source, where)
    _check_plane(axes, source, f"HDU {number}")
    if plane is None or str(plane).strip() == "0":
        return None
    own = (_band_of_hdu(file, number), band_from_header(full_header(file, number)))
    if short_band(str(plane)) not in own:
        others = ", ".join(band_hdus(file)) or "none that is named"
        raise InputError(source, f"there is no plane {str(plane)!r}: HDU {number} is one image; bands: {others}")
    return None


def _choice_notes(
    file: fits.HDUList, number: int, images: list[int], best: list[int], roles: dict[int, str], *, by_target: bool
) -> list[str]:
    if len(images) == 1:
        return []
    if len(best) > 1 and not by_target:
        others = ", ".join(_called(file, n) for n in best if n != number)
        return [f"HDU {_called(file, number)} was read; other images are {others} (choose with --plane or --hdu)"]
    if images[0] != number and roles[images[0]] not in ("", SCIENCE):
        passed = ", ".join(f"{_called(file, n)} ({roles[n]})" for n in images if n < number)
        return [f"HDU {_called(file, number)} was read; before it there is {passed}"]
    return []


def _called(file: fits.HDUList, number: int) -> str:
    name, band = file[number].name, _band_of_hdu(file, number)
    called = f"{number} ({name})" if name else str(number)
    return f"{called} of band {band}" if band else called


def _contains(wcs: WCS, axes: tuple[int, ...], sky_target: tuple[float, float]) -> bool:
    x, y = icrs_to_pixel(wcs, *sky_target)
    height, width = axes[-2:]
    return -0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5


def _named_hdu(file: fits.HDUList, wanted: int | str, source: str) -> int:
    key: Any = wanted
    if isinstance(wanted, str):
        text = wanted.strip()
        extname, _, version = text.partition(",")
        key = int(text) if text.isdigit() else (extname.strip(), int(version)) if version.strip().isdigit() else text
    try:
        number = key if isinstance(key, int) else _number_of(file, key)
        if number < 0:
            raise IndexError(number)
        file[number]
    except (KeyError, IndexError) as error:
        raise InputError(source, f"there is no HDU {wanted!r} (it has {list_hdus(file)})") from error
    return number


def _number_of(file: fits.HDUList, key: str | tuple[str, int]) -> int:
    """Number of the HDU of a name, or of a name and version; a plain file is a list of one (`plain_fits`)."""
    if isinstance(file, fits.HDUList):
        return file.index_of(key)
    name, version = (key, 1) if isinstance(key, str) else key
    names = [hdu.name.upper() for hdu in file]
    if name.upper() not in names or version != 1:
        raise KeyError(key)
    return names.index(name.upper())


def _is_image(axes: tuple[int, ...]) -> bool:
    """Whether an array of this shape is an image or a cube of images."""
    return len(axes) >= 2 and min(axes[-2:]) >= 2


def _is_plane(axes: tuple[int, ...]) -> bool:
    return _is_image(axes) and all(n == 1 for n in axes[:-2])


def _check_plane(axes: tuple[int, ...], source: str, where: str) -> None:
    if _is_plane(axes):
        return
    if not axes:
        raise InputError(source, f"{where} has no image")
    raise InputError(source, f"{where} is one-dimensional ({size_text(axes)}): an image of two dimensions is needed")
