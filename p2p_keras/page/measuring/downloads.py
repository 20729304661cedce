"""What can be taken away from a measurement: the files that `predict` would write of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from p2p_keras.core.atomic_files import safe_name
from p2p_keras.core.errors import InputError
from p2p_keras.measure.outputs.images import implied_mask, write_model_image
from p2p_keras.measure.outputs.regions import write_ellipse_regions, write_mask_regions
from p2p_keras.profile.painting import Painted, paint
from p2p_keras.profile.tables.files import write_table

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["ENDINGS", "file_name", "download"]

TABLES = ("ecsv", "fits", "csv", "prof")
ENDINGS = {
    **{kind: f".{kind}" for kind in TABLES},
    "figure": ".pdf",
    "ellipses": ".reg",
    "mask": "-mask.reg",
    "model": "-model.fits",
    "given mask": "-mask.fits",
}
"""What there is, and how the file's name ends after the galaxy's; the mask that was drawn is the page's to give."""


def file_name(profile: QTable, kind: str) -> str:
    """Name of a download."""
    return safe_name(str(profile.meta.get("name", "galaxy"))) + ENDINGS[kind]


def download(image: GalaxyImage, profile: QTable, kind: str) -> bytes:
    """Bytes of a file of `ENDINGS`.

    Raises
    ------
    InputError
        A profile of fewer than two radii can't be painted.
    """
    if kind == "figure":
        from p2p_keras.profile.plots.galaxy import galaxy_figure
        from p2p_keras.profile.plots.style import figure_bytes

        return figure_bytes(galaxy_figure(image, profile), kind="pdf")
    if kind in TABLES:
        return _written(lambda path: write_table(profile, path, kind))
    if kind == "ellipses":
        return _written(lambda path: write_ellipse_regions(image, profile, path))
    painted = _painted(image, profile)
    if kind == "model":
        return _written(lambda path: write_model_image(image, profile, painted, path))
    return _written(lambda path: write_mask_regions(image, implied_mask(image, profile, painted), path))


def _painted(image: GalaxyImage, profile: QTable) -> Painted:
    painted = paint(profile, image)
    if painted is None:
        raise InputError(image.source, "a profile of fewer than two radii can't be painted")
    return painted


def _written(write: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="p2p-keras-") as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()
