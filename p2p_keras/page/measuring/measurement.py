"""Measure a `Request`: with the same readers and measurers as the program `predict`, so with the same numbers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.errors import InputError, MissingCalibrationError, P2PError
from p2p_keras.images.cutout import MAX_SIDE
from p2p_keras.images.frame import open_frame
from p2p_keras.images.reading import as_galaxy_image, read_image
from p2p_keras.measure.outputs.images import implied_mask
from p2p_keras.measure.outputs.measurers import measurer_of
from p2p_keras.page.measuring.drawn_mask import Drawn
from p2p_keras.page.measuring.request import Request
from p2p_keras.profile.derived import complete_profile
from p2p_keras.profile.painting import paint

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage
    from p2p_keras.page.measuring.models import Models

__all__ = ["MAX_PIXELS", "Measurement", "measure", "LAYERS", "layer_of"]

LAYERS = ("image", "model", "residual", "ignored")

MAX_PIXELS = 20_000 * 20_000
"""Images beyond this size aren't opened: their reading would hold up everybody else on the page."""


@dataclass(frozen=True)
class Measurement:
    """What became of a request.

    Attributes
    ----------
    request : Request
    field : GalaxyImage or None
        The whole image of the file, binned where it is large, for the eye; its calibration may be made up.
    image : GalaxyImage or None
        What was measured: a cutout of it.
    profile : QTable or None
    error : str
        The sentence that `predict` would say; '' where there is a profile.
    missing : str
        The option that the error asks for, '' for none.
    bands : dict of str to QTable
        Profiles of all bands that were measured along the same ellipses; `profile` is that of ``request.band``.
    """

    request: Request
    field: GalaxyImage | None = None
    image: GalaxyImage | None = None
    profile: QTable | None = None
    error: str = ""
    missing: str = ""
    bands: dict[str, QTable] = dataclass_field(default_factory=dict)


def measure(
    request: Request,
    models: Models,
    field: GalaxyImage | None = None,
    *,
    drawn: Drawn | None = None,
    folder: Path | None = None,
) -> Measurement:
    """Read and measure; nothing that a user can mend is raised.

    Parameters
    ----------
    request : Request
    models : Models
    field : GalaxyImage, optional
        Of an earlier measurement on the same image of the same file.
    drawn : Drawn, optional
        Regions to leave out; the mask that is made of them is written to `folder`, and the request that comes back
        names it.
    folder : Path, optional
    """
    from astropy.utils.exceptions import AstropyWarning

    image = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            shape = _shape(request)
            try:
                image = as_galaxy_image(request.path, **request.image_options())
                field = field or _field(request, image, shape)
                if drawn and folder is not None:
                    request = replace(request, mask=str(drawn.write_mask(image, shape, folder)))
                    image = as_galaxy_image(request.path, **request.image_options())
            except P2PError:
                field = field or _field(request, None, shape)
                raise
            measurer = measurer_of(request.measurer_options(), lambda: models.load(request.model))
            if request.band_files:
                bands = _measure_bands(request, measurer)
                return Measurement(request, field, image, bands[str(request.band)], bands=bands)
            profile = measurer.measure([image])[0]
            if isinstance(profile, P2PError):
                raise profile
            return Measurement(request, field, image, complete_profile(profile))
    except P2PError as error:
        sentence = str(error).replace(request.path, request.shown or request.path) if request.path else str(error)
        for band, path in request.band_files:
            sentence = sentence.replace(path, request.shown_bands()[band])
        return Measurement(request, field, image, error=sentence, missing=_missing(error))


def _measure_bands(request: Request, measurer: Any) -> dict[str, QTable]:
    """All bands along the ellipses of the reference, as ``predict --forced``.

    Raises
    ------
    P2PError
    """
    from p2p_keras.measure.bands import forced_inputs, predict_forced

    options = {key: value for key, value in request.image_options().items() if key != "band"}
    words = [f"{band}={path}" for band, path in request.band_files]
    galaxies = forced_inputs(words, str(request.reference), None, None, **options)
    one = next(predict_forced(measurer, galaxies, str(request.reference), align=request.align))
    if one.profiles is None:
        raise one.error or P2PError("no band was measured")
    return {band: complete_profile(profile) for band, profile in one.profiles.items()}


def _missing(error: P2PError) -> str:
    if not isinstance(error, MissingCalibrationError):
        return ""
    return "pixel_scale" if "--pixel-scale" in str(error) else "zero_point"


def _shape(request: Request) -> tuple[int, int]:
    with open_frame(request.path) as frame:
        height, width = frame.shape(hdu=request.hdu, plane=request.plane, band=request.band)
    if height * width > MAX_PIXELS:
        raise InputError(request.path, f"an image of {width} x {height} px is too large for the page; use predict")
    return height, width


def _field(request: Request, image: GalaxyImage | None, shape: tuple[int, int]) -> GalaxyImage | None:
    """The whole image that a request's target lies on; None where even that can't be read.

    Without a target in a file that isn't large it is what is measured.
    """
    whole = replace(request, x=None, y=None, ra=None, dec=None, size=None)
    targeted = (request.x, request.ra, request.size) != (None, None, None)
    options = whole.image_options()
    height, width = shape
    large = max(height, width) > MAX_SIDE
    if image is not None and not targeted and not large:
        return image
    if large:
        options |= {"x": (width - 1) / 2, "y": (height - 1) / 2, "size": max(height, width)}
    try:
        return _readable(request.path, options)
    except P2PError:
        return None


def _readable(path: str, options: dict[str, Any]) -> GalaxyImage:
    """An image for the eye: what its header lacks is made up."""
    for made_up in ({}, {"zero_point": 22.5}, {"pixel_scale": 1.0}, {"zero_point": 22.5, "pixel_scale": 1.0}):
        try:
            return read_image(path, **(made_up | options))
        except MissingCalibrationError:
            continue
    raise MissingCalibrationError(path, "its calibration can't be made up")


def layer_of(name: str, measurement: Measurement) -> np.ndarray | None:
    """A layer on the grid of what was measured; None for the image itself, or where there is no profile."""
    image, profile = measurement.image, measurement.profile
    if name == LAYERS[0] or image is None or profile is None:
        return None
    painted = paint(profile, image)
    if painted is None:
        return None
    sky = image.from_file_flux(float(np.nan_to_num(profile.meta["sky"])))
    if name == "model":
        return painted.model
    if name == "residual":
        return image.pixels - sky - painted.model
    ignored = np.where(implied_mask(image, profile, painted), np.nan, image.pixels)
    return np.asarray(ignored, dtype=np.float32)
