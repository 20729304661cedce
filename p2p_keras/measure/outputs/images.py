"""FITS images that go with a profile: the model painted from it, what is left, and what was ignored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.atomic_files import write_whole
from p2p_keras.profile.columns import whole_or_float
from p2p_keras.profile.painting import Painted, deviating_pixels
from p2p_keras.profile.tables.text import to_fits

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["write_model_image", "write_mask_image", "implied_mask"]


def write_model_image(image: GalaxyImage, profile: QTable, painted: Painted, path: Path) -> None:
    """Write the two-dimensional model and the residual image, with the WCS of the cutout.

    HDU ``MODEL`` is the galaxy's light in the image's own unit, without sky; ``RESIDUAL`` is image - sky - model, NaN
    where the image is masked. `painted` is `p2p_keras.profile.painting.paint` of the profile on this image.
    """
    from astropy.io import fits

    sky = image.from_file_flux(float(np.nan_to_num(profile.meta["sky"])))
    header = _header(image, profile)
    residual = (image.pixels - sky - painted.model).astype(np.float32)
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(painted.model.astype(np.float32), header, name="MODEL"),
        fits.ImageHDU(residual, header, name="RESIDUAL"),
    ]
    write_whole(path, lambda part: fits.HDUList(hdus).writeto(part, overwrite=True))


def write_mask_image(image: GalaxyImage, profile: QTable, painted: Painted, path: Path) -> None:
    """Write the mask that the measurement implies: 1 where a pixel isn't the galaxy's, by `deviating_pixels`."""
    from astropy.io import fits

    mask = implied_mask(image, profile, painted)
    hdu = fits.PrimaryHDU(mask.astype(np.uint8), _header(image, profile))
    write_whole(path, lambda part: hdu.writeto(part, overwrite=True))


def implied_mask(image: GalaxyImage, profile: QTable, painted: Painted) -> np.ndarray:
    """Pixels of an image that its profile doesn't account for, (H, W) bool."""
    return deviating_pixels(image, painted, image.from_file_flux(float(np.nan_to_num(profile.meta["sky"]))))


def _header(image: GalaxyImage, profile: QTable) -> Any:
    from astropy.io import fits

    header = fits.Header() if image.wcs is None else image.wcs.to_header(relax=True)
    meta = profile.meta
    header["OBJECT"] = (to_fits(str(meta["name"]))[:58], "galaxy")
    if image.band:
        header["FILTER"] = to_fits(image.band)
    header["MAGZERO"] = (float(image.zero_point), f"{image.photometric_system} magnitude of a pixel value of 1")
    header["PIXSCALE"] = (float(image.pixel_scale), "arcsec")
    header["SKYLEVEL"] = (image.from_file_flux(float(np.nan_to_num(meta["sky"]))), "sky removed, flux per pixel")
    header["XOFFSET"] = (whole_or_float(image.x_offset), "column of the file under column 0")
    header["YOFFSET"] = (whole_or_float(image.y_offset), "row of the file under row 0")
    return header
