"""One galaxy's image with all that is needed to turn its flux into mag arcsec^-2 and its pixels into sky positions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from p2p_keras.core.errors import InputError, MissingCalibrationError, UsageError
from p2p_keras.images.cutout import MIN_SIDE

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["GalaxyImage", "check_calibration", "mask_of_shape", "as_sigma"]


@dataclass(frozen=True, eq=False)
class GalaxyImage:
    """A galaxy image in one band, its target in the middle.

    Attributes
    ----------
    pixels : float32 array (H, W), H and W from 48 to 2048
        Linear flux per pixel, [row, column] = [y, x]; NaN where a pixel is masked, blank or outside the frame.
    zero_point : float
        AB magnitude of a pixel value of one (Vega where the survey's own is, which `notes` says).
    pixel_scale : float
        Arcsec per pixel, for lengths and for areas: see Notes.
    band : str
        Filter, ``""`` where unknown.
    name : str
        The galaxy's name in tables: the file's name without endings unless the caller gave one.
    source : str
        The file, for messages.
    x_offset, y_offset : float
        Place in the file of `pixels`' pixel (0, 0), an integer unless the image was binned or resampled: see
        `to_file`. Negative where NaN was added before it.
    wcs : astropy.wcs.WCS or None
        Celestial WCS of `pixels` (not of the file).
    wcs_pixel_scale : float
        Arcsec per pixel of the WCS at the image's centre, NaN without WCS; it differs from `pixel_scale` where the
        caller overrode it.
    zero_point_origin, pixel_scale_origin : str
        Which keywords they are from; ``"given"`` where the caller set them.
    notes : tuple of str
        What was cut, padded, assumed or looks odd; to be shown to the user.
    noise : float32 array (H, W) or None
        1-sigma noise per pixel, where a map of it was found or given; NaN where a pixel is masked. The network finds
        its own noise and never sees it.
    noise_origin : str
        Where `noise` is from: an HDU, a file; ``"gain"`` where `p2p_keras.images.noise.noise_map` makes it of the
        header's gain; ``"pixels"`` where there is neither.
    electrons_per_unit, read_noise : float
        Electrons per unit of `pixels` (NaN where unknown) and read noise in electrons (0 where unknown).
    hdu : str
        The HDU that was read, with its name and plane; ``""`` for arrays.
    photometric_system : str
        ``"AB"`` or ``"Vega"``, of `zero_point`.
    ab_offset : (float, str) or None
        AB less Vega magnitude of the band and where it is from.
    binning : int
        Pixels of the file along a side of one of `pixels`.
    file_matrix : tuple of 4 floats or None
        Steps in the file (dx/du, dx/dv, dy/du, dy/dv) per step in `pixels`, where it isn't one for one.

    Notes
    -----
    There is one `pixel_scale`. It makes areas (``mu = zero_point - 2.5 log10(I / pixel_scale**2)``) and lengths (sma,
    r50, extent = pixels times `pixel_scale`). Some mosaics were interpolated to a coarser or finer grid without
    rescaling the flux: their values are still per *original* pixel. An override by the original pixel's scale then
    makes mu right, while radii in arcsec are wrong by the factor ``pixel_scale / wcs_pixel_scale``, and `mag_total` and
    `growth` are too faint by ``-5 log10(pixel_scale / wcs_pixel_scale)``. All of them are right if the grid's own scale
    is kept and the zero point is given as ``zero_point + 5 log10(original_scale / grid_scale)``; `notes` then says the
    number.
    """

    pixels: np.ndarray
    zero_point: float
    pixel_scale: float
    band: str = ""
    name: str = ""
    source: str = ""
    x_offset: float = 0
    y_offset: float = 0
    wcs: WCS | None = None
    wcs_pixel_scale: float = math.nan
    zero_point_origin: str = "given"
    pixel_scale_origin: str = "given"
    notes: tuple[str, ...] = ()
    noise: np.ndarray | None = None
    noise_origin: str = "pixels"
    electrons_per_unit: float = math.nan
    read_noise: float = 0.0
    hdu: str = ""
    photometric_system: str = "AB"
    ab_offset: tuple[float, str] | None = None
    binning: int = 1
    file_matrix: tuple[float, float, float, float] | None = None

    @classmethod
    def from_array(
        cls,
        pixels: Any,
        *,
        zero_point: float | None = None,
        pixel_scale: float | None = None,
        name: str = "array",
        mask: Any = None,
        band: str = "",
        wcs: WCS | None = None,
        sigma: Any = None,
    ) -> GalaxyImage:
        """Take an array in memory as an image; limits of size as for files (binned above 2048, NaN-padded to 48).

        Parameters
        ----------
        pixels : array (H, W)
            Linear flux per pixel; NaN, inf or a masked array's mask: ignore the pixel. Pixels of exactly 0 where noise
            makes that unlikely, and of one value far from all others (-999), are ignored too, and `notes` say so.
            Never changed in place.
        zero_point : float
            AB magnitude of a pixel value of one. Required.
        pixel_scale : float
            Arcsec per pixel. Required unless `wcs` is given.
        name, band : str
        mask : array (H, W), optional
            Non-zero: ignore the pixel.
        wcs : astropy.wcs.WCS, optional
            WCS of `pixels`. Where it says that they aren't square, they are resampled to square ones.
        sigma : array (H, W), optional
            1-sigma noise per pixel.

        Raises
        ------
        MissingCalibrationError
            No zero point or no pixel scale.
        InputError
            Not two-dimensional, all NaN, all zero, or a mask of another shape.
        """
        check_calibration(zero_point, pixel_scale)
        array, hidden = _plain_array(pixels, name)
        if mask is not None:
            hidden = mask_of_shape(mask, array.shape, name) | hidden
        if zero_point is None:
            raise MissingCalibrationError(
                name, "an array has no header: give its zero_point (mag of a pixel value of 1)"
            )
        from p2p_keras.images.stamp import cut_stamp

        noise = None if sigma is None else as_sigma(sigma, array.shape, name)
        whole = None if wcs is None else wcs.celestial
        stamp = cut_stamp(array, wcs=whole, source=name, hidden=hidden, sigma=noise)
        if pixel_scale is None and not math.isfinite(stamp.wcs_scale):
            raise MissingCalibrationError(name, "an array has no header: give its pixel_scale (arcsec per pixel)")
        return cls(
            zero_point=float(zero_point),
            pixel_scale=stamp.binning * (stamp.wcs_scale if pixel_scale is None else float(pixel_scale)),
            band=band,
            name=name,
            source=name,
            pixel_scale_origin="WCS" if pixel_scale is None else "given",
            noise_origin="pixels" if noise is None else "given",
            **stamp.image_fields(),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of `pixels`."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def pa_reference(self) -> str:
        """What `pa_to_sky` counts from: ``"north"`` (through east) with a WCS, else ``"+x"`` (counter-clockwise)."""
        return "+x" if self.sky_wcs[0] is None else "north"

    @property
    def sky_wcs(self) -> tuple[WCS | None, float, float]:
        """What tells places on the sky: a WCS, and its pixel (x, y) under pixel (0, 0) of `pixels`."""
        return self.wcs, 0.0, 0.0

    def without_empty_margins(self) -> Self:
        """The image without rows and columns that are NaN throughout, as many on either side, down to 48 px.

        Padding then changes no profile: radii and the look for the target go with the image's size. The target stays
        in the middle.
        """
        if all(np.isfinite(self.pixels[edge]).any() for edge in (0, (slice(None), 0))):
            return self  # as nearly always
        rows = _empty_margin(np.isfinite(self.pixels).any(axis=1))
        columns = _empty_margin(np.isfinite(self.pixels).any(axis=0))
        if rows == columns == 0:
            return self
        height, width = self.shape
        wcs = self.wcs
        if wcs is not None:
            from p2p_keras.images.sky_geometry import shifted_wcs

            wcs = shifted_wcs(wcs, columns, rows)
        inner = (slice(rows, height - rows), slice(columns, width - columns))
        x_offset, y_offset = self.to_file(columns, rows)
        return replace(
            self,
            pixels=self.pixels[inner],
            noise=None if self.noise is None else self.noise[inner],
            x_offset=x_offset,
            y_offset=y_offset,
            wcs=wcs,
        )

    @property
    def file_pixel_scale(self) -> float:
        """Arcsec per pixel of the file, where the image was binned; else `pixel_scale`."""
        return self.pixel_scale / self.binning

    def to_file(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Position in the file of a position in `pixels`.

        Parameters
        ----------
        x, y : float or array
            Column and row in `pixels`, from 0 at the centre of the first pixel; returned in those of the file.
        """
        if self.file_matrix is None:
            return x + self.x_offset, y + self.y_offset
        a, b, c, d = self.file_matrix
        return a * x + b * y + self.x_offset, c * x + d * y + self.y_offset

    def from_file_flux(self, flux: float) -> float:
        """Flux per pixel of `pixels` from a flux per pixel of the file."""
        return flux * self.binning**2

    def from_file(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Position in `pixels` of a position in the file; the inverse of `to_file`.

        Parameters
        ----------
        x, y : float or array
            Column and row in the file, from 0.
        """
        x, y = x - self.x_offset, y - self.y_offset
        if self.file_matrix is None:
            return x, y
        a, b, c, d = self.file_matrix
        determinant = a * d - b * c
        return (d * x - b * y) / determinant, (a * y - c * x) / determinant

    def pixel_to_sky(self, x: Any, y: Any) -> tuple[Any, Any]:
        """ICRS right ascension and declination (degrees) of a position in `pixels`; NaN without a WCS.

        Parameters
        ----------
        x, y : float or array
            Pixels, from 0. Floats give floats, arrays give arrays.
        """
        wcs, x_start, y_start = self.sky_wcs
        if wcs is None:
            ra = dec = np.full(np.broadcast_shapes(np.shape(x), np.shape(y)), np.nan)
        else:
            from p2p_keras.images.sky_geometry import pixel_to_icrs_degrees

            ra, dec = pixel_to_icrs_degrees(wcs, np.asarray(x) + x_start, np.asarray(y) + y_start)
        return (float(ra), float(dec)) if np.ndim(ra) == 0 else (ra, dec)

    def pa_to_sky(self, pa_from_x_deg: Any, x: float, y: float) -> Any:
        """Position angle by `pa_reference` of an axis of the image.

        With a WCS the angle is east of north on the sky at pixel (x, y), whatever the image's rotation or flip.

        Parameters
        ----------
        pa_from_x_deg : float or array
            Degrees counter-clockwise from +x. NaN stays NaN.
        x, y : float
            Where, in pixels of `pixels`.

        Returns
        -------
        float or array
            Degrees, in [0, 180).
        """
        from p2p_keras.core.ellipse import half_turn
        from p2p_keras.images.sky_geometry import sky_position_angle

        wcs, x_start, y_start = self.sky_wcs
        if wcs is None:
            angle = half_turn(pa_from_x_deg)
        else:
            angle = sky_position_angle(wcs, pa_from_x_deg, x + x_start, y + y_start)
        return float(angle) if np.ndim(angle) == 0 else angle


def _empty_margin(filled: np.ndarray) -> int:
    """Rows that can go on either side of an image, of which `filled` says whether anything is in each."""
    if not filled.any():
        return 0
    return max(0, min(int(np.argmax(filled)), int(np.argmax(filled[::-1])), (filled.size - MIN_SIDE) // 2))


def check_calibration(zero_point: float | None, pixel_scale: float | None) -> None:
    """Raise `UsageError` for a zero point or pixel scale that can't be one."""
    if zero_point is not None and not math.isfinite(zero_point):
        raise UsageError(f"zero point {zero_point}: it must be a finite magnitude")
    if pixel_scale is not None and not (math.isfinite(pixel_scale) and pixel_scale > 0):
        raise UsageError(f"pixel scale {pixel_scale}: it must be a positive number of arcsec per pixel")


def mask_of_shape(mask: Any, shape: tuple[int, ...], source: object) -> np.ndarray:
    """Check a mask's shape and return it as bool, true = ignore."""
    array = np.asarray(mask)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.shape != tuple(shape[-2:]):
        raise InputError(source, f"the mask is {_size(array.shape)}, the image {_size(shape[-2:])}: they must be alike")
    return array != 0


def as_sigma(sigma: Any, shape: tuple[int, ...], source: object) -> np.ndarray:
    """Check the shape of a map of 1-sigma noise; NaN where it is no positive number."""
    array = np.asarray(sigma, dtype=np.float64)
    if array.shape != tuple(shape[-2:]):
        raise InputError(
            source, f"the noise map is {_size(array.shape)}, the image {_size(shape[-2:])}: they must be alike"
        )
    return np.where(np.isfinite(array) & (array > 0), array, np.nan)


def _plain_array(pixels: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels as a float (H, W) array, and the mask that a masked array brought along."""
    hidden = np.ma.getmaskarray(pixels) if isinstance(pixels, np.ma.MaskedArray) else None
    try:
        array = np.asarray(pixels)
        if array.dtype.kind not in "fiub":
            raise TypeError(array.dtype)
        array = array.astype(np.float64 if array.dtype.itemsize > 4 or array.dtype.kind != "f" else np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(name, "the image isn't an array of numbers") from error
    while array.ndim > 2 and array.shape[0] == 1:
        array, hidden = array[0], None if hidden is None else hidden[0]
    if array.ndim != 2 or min(array.shape) < 2:
        raise InputError(name, f"the array's shape is {array.shape}: a two-dimensional image (H, W) is needed")
    return array, np.zeros(array.shape, bool) if hidden is None else hidden


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in reversed(shape)) + " px"
