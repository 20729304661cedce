"""Regions drawn on the page, as the mask that the program `predict` would be given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.atomic_files import write_whole
from p2p_keras.images.masks import region_mask
from p2p_keras.measure.outputs.regions import write_polygon_regions

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = ["Drawn"]


@dataclass(frozen=True)
class Drawn:
    """Polygons, (x, y) of their corners in pixels of the file.

    Attributes
    ----------
    masked : tuple of (array, array)
        What isn't the galaxy.
    unmasked : tuple of (array, array)
        What counts all the same, also where the file's own mask leaves it out.
    """

    masked: tuple[tuple[Any, Any], ...] = ()
    unmasked: tuple[tuple[Any, Any], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.masked or self.unmasked)

    @classmethod
    def on(cls, field: GalaxyImage, masked: Any, unmasked: Any) -> Drawn:
        """Take ``xs`` and ``ys`` of polygons in pixels of an image; lines of fewer than three points are left out."""

        def polygons(drawn: Any) -> tuple[tuple[Any, Any], ...]:
            pairs = zip(drawn["xs"], drawn["ys"], strict=True)
            kept = [(np.asarray(x, float), np.asarray(y, float)) for x, y in pairs if len(x) >= 3]
            return tuple(field.to_file(x, y) for x, y in kept)

        return cls(polygons(masked), polygons(unmasked))

    def write_mask(self, image: GalaxyImage, shape: tuple[int, int], folder: Path) -> Path:
        """Write ``mask.fits``, 1 where a pixel of the file is ignored: as drawn, and as it was on `image` before.

        Parameters
        ----------
        image : GalaxyImage
            Read without what was drawn.
        shape : (int, int)
            Of the file's image.
        folder : Path
        """
        from astropy.io import fits

        mask = np.zeros(shape, dtype=bool)
        if image.file_matrix is None and image.binning == 1:
            rows, columns = np.nonzero(~np.isfinite(image.pixels))
            x, y = (np.rint(place).astype(int) for place in image.to_file(columns, rows))
            on = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
            mask[y[on], x[on]] = True
        for polygons, value in ((self.masked, True), (self.unmasked, False)):
            if polygons:
                write_polygon_regions(polygons, folder / "drawn.reg")
                mask[region_mask(folder / "drawn.reg", shape, None)] = value
        path = folder / "mask.fits"
        hdu = fits.PrimaryHDU(mask.astype(np.uint8))
        write_whole(path, lambda part: hdu.writeto(part, overwrite=True))
        return path
