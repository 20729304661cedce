"""What may be shown in place of the image: the profile painted, what is left, what was ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.measure.outputs.images import implied_mask
from p2p_keras.profile.painting import paint

if TYPE_CHECKING:
    from p2p_keras.page.measuring.measurement import Measurement

__all__ = ["LAYERS", "layer_of"]

LAYERS = ("image", "model", "residual", "ignored")


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
