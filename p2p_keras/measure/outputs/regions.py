"""DS9 region files of a galaxy: its ellipses, and what the measurement has left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.atomic_files import write_whole
from p2p_keras.profile.columns import pa_from_x, plain_arrays

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["write_ellipse_regions", "write_mask_regions", "write_polygon_regions"]

MAX_ELLIPSES = 24
_HEAD = (
    "# Region file format: DS9 version 4.1",
    "global color=green width=1 select=1 edit=1 move=0 delete=1 include=1",
)
Polygon = tuple[Any, Any]


def write_ellipse_regions(image: GalaxyImage, profile: QTable, path: Path) -> None:
    """Write a profile's ellipses, `MAX_ELLIPSES` of them at most, the last one among them.

    On the sky (ICRS) where the image has a WCS, so that they fall onto any image of the galaxy; else in pixels of the
    file, which DS9 counts from 1.
    """
    arrays, meta = plain_arrays(profile), profile.meta
    count = arrays["sma"].size
    rows = (
        np.unique(np.rint(np.linspace(0, count - 1, min(count, MAX_ELLIPSES))).astype(int))
        if count
        else np.empty(0, int)
    )
    lines = [*_HEAD, "icrs" if image.wcs is not None else "image"]
    for i in rows:
        a, b = arrays["sma"][i], arrays["sma"][i] * (1.0 - arrays["ellipticity"][i])
        if image.wcs is not None:
            # DS9's angle of a region on the sky is that of its first axis from west through north: pa + 90.
            angle = (arrays["pa"][i] + 90.0) % 360.0
            place, sizes = f"{meta['ra']:.7f},{meta['dec']:.7f}", f'{a:.4f}",{b:.4f}"'
        else:
            angle = float(pa_from_x(arrays["pa"][i], meta))
            scale = image.file_pixel_scale
            place, sizes = f"{meta['x0'] + 1:.3f},{meta['y0'] + 1:.3f}", f"{a / scale:.3f},{b / scale:.3f}"
        lines.append(
            f"ellipse({place},{sizes},{angle:.3f}) # text={{{a:.2f}}}"
            if i == rows[-1]
            else f"ellipse({place},{sizes},{angle:.3f})"
        )
    _write(lines, path)


def write_mask_regions(image: GalaxyImage, mask: np.ndarray, path: Path) -> None:
    """Write the outlines of masked pixels as polygons, in pixels of the file (DS9 counts from 1).

    As ``--mask FILE.reg`` reads them, those whose middle lies inside are left out.
    """
    from contourpy import contour_generator

    padded = np.pad(np.asarray(mask, dtype=float), 1)
    outlines = [np.asarray(line) for line in contour_generator(z=padded, name="serial").lines(0.5)]
    # Column 1 of the padded mask is column 0 of the image.
    polygons = [image.to_file(line[:-1, 0] - 1.0, line[:-1, 1] - 1.0) for line in outlines if len(line) >= 4]
    write_polygon_regions(polygons, path)


def write_polygon_regions(polygons: Sequence[Polygon], path: Path) -> None:
    """Write polygons, (x, y) of their corners in pixels of the file from 0, as regions of a mask.

    Parameters
    ----------
    polygons : sequence of (array, array)
    path : Path
    """
    lines = [*_HEAD, "image"]
    for x, y in polygons:
        corners = ",".join(f"{px + 1.0:.2f},{py + 1.0:.2f}" for px, py in zip(x, y, strict=True))
        lines.append(f"polygon({corners})")
    _write(lines, path)


def _write(lines: list[str], path: Path) -> None:
    def write(part: Path) -> None:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")

    write_whole(path, write)
