"""Galaxies measured in all their bands, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from p2p_keras.core.errors import InputError, P2PError
from p2p_keras.measure.along import with_photometry
from p2p_keras.measure.bands.bands import measure_bands
from p2p_keras.measure.bands.inputs import TOGETHER, ForcedGalaxy, read_bands
from p2p_keras.measure.bands.joint import JOINT, with_joint_ellipses, with_joint_errors
from p2p_keras.measure.bands.psf_matching import match_psfs
from p2p_keras.measure.bands.stack import stacked_image
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
    photometry: bool = False,
) -> Iterator[ForcedPrediction]:
    """Measure every band of galaxies along the ellipses of the reference band.

    Parameters
    ----------
    predictor : Predictor or ServerMeasurer
        Measures the reference, and the sky of bands whose image doesn't reach beyond the galaxy.
    galaxies : iterable of ForcedGalaxy
    reference : str
        The band whose ellipses count; ``"all"``: those of the stack of all bands, weighted by their signal-to-noise
        ratio (`p2p_keras.measure.bands.stack`); ``"joint"``: those that fit all bands together, from the stack's on
        (`p2p_keras.measure.bands.joint`).
    align : bool
        See `p2p_keras.measure.bands.measure_bands`.
    skip : callable, optional
        Called with the reference's file (the first band's, of all) and the target; true: leave the galaxy out.
    psfs : mapping of str to str, optional
        PSF of each band: all are convolved to the widest (`p2p_keras.measure.bands.psf_matching`).
    photometry : bool
        Also measure harmonics and what else `p2p_keras.measure.along.with_photometry` adds, in each band.

    Yields
    ------
    ForcedPrediction
    """
    opened: dict[str, Any] = {}
    with ExitStack() as frames:
        for galaxy in galaxies:
            first = next(iter(galaxy.files)) if reference in TOGETHER else reference
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
                if reference in TOGETHER:
                    stack = stacked_image(images, measured)
                    together = {reference: stack, **images}
                    base = _measure(predictor, stack)
                    if reference == JOINT:
                        base = with_joint_ellipses(base, together, reference, align=align)
                    profiles = measure_bands(base, together, reference, skies=skies, align=align)
                    del profiles[reference]
                else:
                    profiles = measure_bands(measured[reference], images, reference, skies=skies, align=align)
                if photometry or reference == JOINT:
                    seen = {band: with_photometry(one, images[band]) for band, one in profiles.items()}
                    if reference == JOINT:
                        seen = with_joint_errors(seen if photometry else profiles, seen)
                    profiles = seen
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
