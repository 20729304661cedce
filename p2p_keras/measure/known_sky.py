"""What is known of an image's sky before it is measured: a level, or that nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.errors import InputError, P2PError, UsageError

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = ["sky_option", "KnownSky"]

UNKNOWN = "unknown"
"""The zero of the image says nothing of its sky, however near it lies."""

_FAR = 1000.0
"""A level so many times the noise tells a model that the zero of the image is no sky (version 4 and later)."""

_TRUSTED = 500.0
"""A model that finds the sky so many times the noise off such a level can't do without the image's zero."""


def sky_option(text: Any) -> float | str | None:
    """A level in flux per pixel, ``unknown``, or None, from what the user wrote.

    Raises
    ------
    UsageError
        Anything else.
    """
    if text is None or text == UNKNOWN:
        return text
    try:
        level = float(text)
    except (TypeError, ValueError):
        level = float("nan")
    if not np.isfinite(level):
        raise UsageError(f"sky {text!r}: expected a level in flux per pixel, or {UNKNOWN}")
    return level


class KnownSky:
    """Measures as another does, images whose sky is known or known to be unknown.

    Parameters
    ----------
    measurer : Predictor or ServerMeasurer
    sky : float or "unknown"
        A level in flux per pixel is subtracted first, and the model finds what is left. ``unknown``: the image is put
        on a level so high that no model takes its zero for the sky. The profile's ``sky`` is the whole level removed in
        either case, in the image's own unit; the image itself is left as it is.

    Raises
    ------
    UsageError
        `sky` is neither.
    """

    def __init__(self, measurer: Any, sky: float | str) -> None:
        self.measurer, self.sky = measurer, sky_option(sky)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.measurer, name)

    def measure(self, images: Sequence[GalaxyImage]) -> list[Any]:
        """Profiles of images of one shape; an error in the place of one that can't be measured."""
        levels = [self._level(image) for image in images]
        shifted = [
            replace(image, pixels=(np.asarray(image.pixels, np.float64) - level).astype(np.float32))
            for image, (level, _) in zip(images, levels, strict=True)
        ]
        answers: list[Any] = []
        for image, (level, noise), profile in zip(images, levels, self.measurer.measure(shifted), strict=True):
            if not isinstance(profile, P2PError):
                subtracted = image.from_file_flux(profile.meta["sky"])
                if self.sky == UNKNOWN and abs(subtracted - _FAR * noise) > _TRUSTED * noise:
                    profile = InputError(
                        image.source or image.name,
                        "this model takes the sky of an image to be 0: sky=unknown needs version 4 or later",
                    )
                else:
                    profile.meta["sky"] = float(profile.meta["sky"] + level / image.binning**2)
            answers.append(profile)
        return answers

    def _level(self, image: GalaxyImage) -> tuple[float, float]:
        """What is subtracted from an image, and its noise."""
        if self.sky != UNKNOWN:
            return image.from_file_flux(float(self.sky or 0.0)), 0.0
        good = np.asarray(image.pixels, np.float64)
        steps = np.abs(np.diff(good, axis=1))
        noise = 1.0483 * float(np.nanmedian(steps)) if np.isfinite(steps).any() else 0.0
        noise = noise or float(np.nanstd(good)) or 1.0  # of white noise; an image of few values may show none
        return float(np.nanmedian(good)) - _FAR * noise, noise
