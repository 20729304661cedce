"""Galaxies measured in all their bands, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from p2p_keras.core.errors import InputError, P2PError
from p2p_keras.measure.bands.bands import measure_bands
from p2p_keras.measure.bands.inputs import ForcedGalaxy, read_bands
from p2p_keras.measure.bands.psf_matching import match_psfs
from p2p_keras.measure.bands.stack import ALL, stacked_image
from p2p_keras.measure.many_files import Measurer
from p2p_keras.profile.tables.measured import as_table

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["ForcedPrediction", "predict_forced"]


@dataclass(frozen=True)
class ForcedPrediction:
    """What became of one galaxy: profiles by band with the reference's image, or an error."""

    galaxy: ForcedGalaxy
    image: GalaxyImage | None = None
    profiles: dict[str, QTable] | None = None
    error: P2PError | None = None


def predict_forced(
    predictor: Measurer,
    galaxies: Iterable[ForcedGalaxy],
    reference: str,
    *,
    align: bool = False,
    skip: Callable[[str, Any], bool] | None = None,
    psfs: Mapping[str, str] | None = None,
) -> Iterator[ForcedPrediction]:
    """Measure every band of galaxies along the ellipses of the reference band.

    Parameters
    ----------
    predictor : Predictor or ServerMeasurer
        Measures the reference, and the sky of bands whose image doesn't reach beyond the galaxy.
    galaxies : iterable of ForcedGalaxy
    reference : str
        The band whose ellipses count; ``"all"``: those of the stack of all bands, weighted by their signal-to-noise
        ratio (`p2p_keras.measure.bands.stack`).
    align : bool
        See `p2p_keras.measure.bands.measure_bands`.
    skip : callable, optional
        Called with the reference's file (the first band's, of all) and the target; true: leave the galaxy out.
    psfs : mapping of str to str, optional
        PSF of each band: all are convolved to the widest (`p2p_keras.measure.bands.psf_matching`).

    Yields
    ------
    ForcedPrediction
    """
    opened: dict[str, Any] = {}
    with ExitStack() as frames:
        for galaxy in galaxies:
            first = next(iter(galaxy.files)) if reference == ALL else reference
            if skip is not None and skip(galaxy.files[first], galaxy.target):
                continue
            try:
                images = read_bands(galaxy, frames, opened)
                if psfs is not None:
                    images = match_psfs(images, psfs)
                measured = {band: _measure(predictor, image) for band, image in images.items()}
                skies = {
                    band: images[band].from_file_flux(float(profile.meta["sky"])) for band, profile in measured.items()
                }
                if reference == ALL:
                    stack = stacked_image(images, measured)
                    together = {ALL: stack, **images}
                    profiles = measure_bands(_measure(predictor, stack), together, ALL, skies=skies, align=align)
                    del profiles[ALL]
                else:
                    profiles = measure_bands(measured[reference], images, reference, skies=skies, align=align)
            except P2PError as error:
                where = galaxy.target.label
                named = error if not where or where in str(error) else InputError(where, str(error))
                yield ForcedPrediction(galaxy, error=named)
            else:
                yield ForcedPrediction(galaxy, image=images[first], profiles=profiles)


def _measure(predictor: Measurer, image: GalaxyImage) -> QTable:
    [profile] = predictor.measure([image])
    if isinstance(profile, P2PError):
        raise profile
    return as_table(profile)
