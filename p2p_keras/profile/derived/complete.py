"""Everything that can be said of a measured profile, put into its meta; and its corrections, where asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from p2p_keras.core.errors import P2PError
from p2p_keras.core.padded import stacked
from p2p_keras.profile.columns import ERROR_META, ISOPHOTE_MU, extinction_corrected, isophotal_radius
from p2p_keras.profile.derived.distance import DEFAULT_COSMOLOGY, distances
from p2p_keras.profile.derived.extinction import extinction_of
from p2p_keras.profile.derived.fits import inner_limit, laws_of_many
from p2p_keras.profile.derived.psf import psf_of
from p2p_keras.profile.derived.psf_fits import fit_with_psf
from p2p_keras.profile.derived.quantities import quantities_of_many
from p2p_keras.profile.derived.survey_quantities import more_quantities
from p2p_keras.profile.tables.measured import MeasuredProfile

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["DerivedSettings", "complete_profile", "OwnQuantities", "complete_profiles"]

_LENGTHS = ("r50", "r90", "extent", "sersic_re", "disc_h")


@dataclass(frozen=True)
class DerivedSettings:
    """What to derive, the same for all galaxies of a run.

    Attributes
    ----------
    isophotes : tuple of float
        Surface brightnesses (mag arcsec^-2) for radii and magnitudes inside.
    psf_fwhm : float, optional
        Arcsec: where the fits begin, see `p2p_keras.profile.derived.fits.inner_limit`.
    psf : str, optional
        FWHM in arcsec, or a FITS image of the PSF: the laws are convolved with it and fitted to all radii
        (`p2p_keras.profile.derived.psf_fits`).
    more : bool
        Petrosian and Kron quantities, C42, bar (`p2p_keras.profile.derived.survey_quantities`).
    disc_thickness : float, optional
        With `more`: inclination of a disc whose axis ratio from the edge is this.
    redshift : float, optional
    cosmology : str
        Name of an astropy cosmology.
    extinction : float or mapping of band to float, optional
        A_lambda, mag, to correct for.
    ebv : float, optional
        E(B-V), to correct for.
    extinction_system : str
        One of `p2p_keras.profile.derived.extinction.COEFFICIENTS`.
    """

    isophotes: tuple[float, ...] = (ISOPHOTE_MU,)
    psf_fwhm: float | None = None
    psf: str | None = None
    more: bool = False
    disc_thickness: float | None = None
    redshift: float | None = None
    cosmology: str = DEFAULT_COSMOLOGY
    extinction: float | Mapping[str, float] | None = None
    ebv: float | None = None
    extinction_system: str = "sdss"


def complete_profile(
    profile: QTable,
    settings: DerivedSettings | None = None,
    *,
    redshift: float | None = None,
    extinction: float | None = None,
    ebv: float | None = None,
) -> QTable:
    """Add the derived quantities to a profile's meta, lengths in kpc, and correct for extinction where asked for.

    Parameters
    ----------
    profile : QTable
        As `p2p_keras.profile` makes it; not changed.
    settings : DerivedSettings, optional
    redshift, extinction, ebv : float, optional
        This galaxy's own, before those of `settings`.

    Returns
    -------
    QTable
        A copy. With an extinction, ``mu``, ``growth`` and ``mag_total`` are brighter by it and ``extinction`` in meta
        says so; where it says so already, the new extinction takes the place of the old one, and without a new one the
        old one stays. With a redshift, which stays likewise, there are a column ``sma_kpc`` and ``r50_kpc``,
        ``kpc_per_arcsec``, ``distance_modulus``, ... in meta. ``mag_total_err`` and the like:
        `p2p_keras.profile.derived.derived_quantities`; ``sersic_n`` and the like:
        `p2p_keras.profile.derived.fits.laws_of_many`.

    Raises
    ------
    UsageError
        The extinction of this band isn't known, or the cosmology.
    """
    own = OwnQuantities(redshift, extinction, ebv)
    [completed] = complete_profiles([MeasuredProfile.of(profile)], settings, [own])
    if isinstance(completed, P2PError):
        raise completed
    return completed.table()


class OwnQuantities(NamedTuple):
    """What is known of one galaxy, before what `DerivedSettings` say of all."""

    redshift: float | None = None
    extinction: float | None = None
    ebv: float | None = None


def complete_profiles(
    profiles: Sequence[MeasuredProfile],
    settings: DerivedSettings | None = None,
    own: Sequence[OwnQuantities] | None = None,
) -> list[MeasuredProfile | P2PError]:
    """`complete_profile` of several profiles at once, in plain arrays; its error in the place of one that has one."""
    settings = settings or DerivedSettings()
    answers: list[MeasuredProfile | P2PError] = []
    ready: list[MeasuredProfile] = []
    known = own or [OwnQuantities()] * len(profiles)
    for profile, of_this in zip(profiles, known, strict=True):
        try:
            ready.append(_corrected(profile, settings, of_this))
            answers.append(ready[-1])
        except P2PError as error:
            answers.append(error)
    if not ready:
        return answers
    columns = {key: stacked([profile.columns[key] for profile in ready]) for key in _COLUMNS}
    levels = tuple(dict.fromkeys((ISOPHOTE_MU, *settings.isophotes)))
    mag_total, r50 = (np.array([profile.meta[key] for profile in ready], dtype=float) for key in ("mag_total", "r50"))
    scales = [float(profile.meta["pixel_scale"]) * int(profile.meta.get("binning", 1)) for profile in ready]
    inner = np.array([inner_limit(scale, settings.psf_fwhm) for scale in scales], dtype=float)
    derived = quantities_of_many(columns, mag_total, levels)
    laws = laws_of_many(columns, r50, inner)
    places = [i for i, answer in enumerate(answers) if isinstance(answer, MeasuredProfile)]
    for i, profile, quantities, fits, scale, limit in zip(
        places, ready, derived, laws, scales, inner.tolist(), strict=True
    ):
        # Where the model knows an uncertainty itself, draws of its profile know it less well.
        keep = ERROR_META if "p_bad" in profile.meta else ()
        profile.meta.update({key: value for key, value in quantities.items() if key not in keep})
        profile.meta.update(fits)
        try:
            _optional(profile, settings, known[i], scale, limit, levels)
        except P2PError as error:
            answers[i] = error
    return answers


_COLUMNS = ("sma", "mu", "mu_err", "ellipticity", "growth")


def _corrected(profile: MeasuredProfile, settings: DerivedSettings, known: OwnQuantities) -> MeasuredProfile:
    """A copy, corrected for extinction where that is asked for."""
    arrays, meta = dict(profile.columns), dict(profile.meta)
    own = known.extinction is not None or known.ebv is not None
    given, reddening = (known.extinction, known.ebv) if own else (settings.extinction, settings.ebv)
    there = a_lambda = extinction_corrected(meta)
    if given is not None or reddening is not None:
        band = str(meta.get("band", ""))
        a_lambda = extinction_of(band, given=given, ebv=reddening, system=settings.extinction_system)
    if a_lambda != there:
        _correct(arrays, meta, a_lambda - there)
    meta["extinction"] = a_lambda
    return MeasuredProfile(meta, arrays)


def _optional(
    profile: MeasuredProfile,
    settings: DerivedSettings,
    known: OwnQuantities,
    scale: float,
    inner: float,
    levels: Sequence[float],
) -> None:
    """Add what only some runs ask for: fits through a PSF, more quantities, lengths in kpc."""
    arrays, meta = profile.columns, profile.meta
    if settings.psf is not None:
        meta.update(fit_with_psf(arrays, float(meta["r50"]), psf_of(settings.psf, scale)))
    if settings.more:
        meta.update(more_quantities(arrays, meta, inner, settings.disc_thickness))
    z, cosmology = settings.redshift if known.redshift is None else known.redshift, settings.cosmology
    if z is None and "redshift" in meta:
        z, cosmology = meta["redshift"], meta.get("cosmology", cosmology)
    if z is not None:
        meta.update(redshift=float(z), cosmology=cosmology, **distances(float(z), cosmology))
        arrays["sma_kpc"] = arrays["sma"] * meta["kpc_per_arcsec"]
        for key in (*_LENGTHS, *(f"r_iso{level:g}" for level in levels)):
            meta[f"{key}_kpc"] = float(meta[key] * meta["kpc_per_arcsec"])


def _correct(arrays: dict[str, np.ndarray], meta: dict, a_lambda: float) -> None:
    """Make a profile brighter by some magnitudes."""
    for key in ("mu", "growth"):
        arrays[key] = arrays[key] - a_lambda
    for key in ("intensity", "intensity_err"):
        if key in arrays:
            arrays[key] = arrays[key] * 10.0 ** (0.4 * a_lambda)
    meta["mag_total"] = meta["mag_total"] - a_lambda
    meta["r_iso25"] = isophotal_radius(arrays["sma"], arrays["mu"], ISOPHOTE_MU)
