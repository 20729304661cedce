"""What a path on the command line is: results to judge, or images. Loads no pandas and, for an image, no astropy."""

from __future__ import annotations

from pathlib import Path

from p2p_keras.core.errors import P2PError

__all__ = ["looks_like_results", "is_survey"]

_TABLES = {"ecsv", "csv", "parquet", "prof"}
"""Endings of results that no image has."""
_BLOCK = 2880


def looks_like_results(path: Path) -> bool:
    """Whether a path is a table or a result's folder, not an image or a folder of images."""
    if path.is_dir():
        return is_survey(path) or any(file.suffix.lower().lstrip(".") in _TABLES for file in path.iterdir())
    suffix = path.suffix.lower().lstrip(".")
    return path.is_file() and (suffix in _TABLES or (suffix == "fits" and _is_table(path)))


def is_survey(path: Path) -> bool:
    """Whether a folder is the result of a survey."""
    return (path / "dataset").is_dir() or (path / "hats.properties").is_file()


def _is_table(path: Path) -> bool:
    """Whether a FITS file has a table and no image before it."""
    with open(path, "rb") as file:
        if b"NAXIS   =                    0" not in file.read(_BLOCK):
            return False  # it begins with an image: said without astropy, whose import takes a second
    from p2p_keras.images.hdus import axes_of, open_fits

    try:
        with open_fits(str(path)) as hdus:
            return len(hdus) > 1 and not axes_of(hdus[0]) and type(hdus[1]).__name__ == "BinTableHDU"
    except P2PError:
        return False
