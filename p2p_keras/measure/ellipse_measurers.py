"""What measures the images of a run: along given ellipses in the place of a model, or a model's with photometry."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from p2p_keras.core.errors import InputError, P2PError
from p2p_keras.measure.along import AlongSettings, given_ellipses, profile_along, with_photometry
from p2p_keras.profile.tables.ellipses import GivenEllipses, ellipses_for, read_ellipses
from p2p_keras.profile.tables.measured import as_table

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["AlongEllipses", "WithPhotometry"]


class AlongEllipses:
    """Measures images along given ellipses, in the place of a model (`p2p_keras.measure.many_files.Measurer`).

    Parameters
    ----------
    ellipses : path, table, or (x0, y0, ellipticity, pa)
        As `measure_along` takes them; of a table of many galaxies, those of the image's name.
    settings : AlongSettings
    """

    def __init__(self, ellipses: Any, settings: AlongSettings | None = None) -> None:
        self.settings = settings or AlongSettings()
        self._ellipses = ellipses
        self._tables: dict[str, list[GivenEllipses]] = {}
        if isinstance(ellipses, (str, os.PathLike)):
            self._tables[""] = read_ellipses(ellipses)  # said now, not at the first galaxy

    def measure(self, images: Sequence[GalaxyImage]) -> list[QTable | P2PError]:
        """Profiles of images, or why there is none."""
        profiles: list[QTable | P2PError] = []
        for image in images:
            try:
                profiles.append(profile_along(image, self._of(image), self.settings))
            except P2PError as error:
                profiles.append(error)
        return profiles

    def _of(self, image: GalaxyImage) -> GivenEllipses:
        if not isinstance(self._ellipses, (str, os.PathLike)):
            return given_ellipses(self._ellipses, image)
        if image.band not in self._tables:
            self._tables[image.band] = read_ellipses(self._ellipses, band=image.band)
        given = ellipses_for(self._tables[image.band], image.name)
        if given is None:
            raise InputError(image.source, f"{self._ellipses} has ellipses of other galaxies, none of {image.name!r}")
        return given


class WithPhotometry:
    """A measurer whose profiles get what the pixels along their ellipses say (`with_photometry`)."""

    def __init__(self, measurer: Any) -> None:
        self.measurer = measurer

    def measure(self, images: Sequence[GalaxyImage]) -> list[QTable | P2PError]:
        """Profiles of images of one shape."""
        return [
            profile if isinstance(profile, P2PError) else with_photometry(as_table(profile), image)
            for profile, image in zip(self.measurer.measure(images), images, strict=True)
        ]
