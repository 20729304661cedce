"""Lengths in kpc at a redshift, by an astropy cosmology."""

from __future__ import annotations

import functools

import numpy as np

from p2p_keras.core.errors import UsageError

__all__ = ["DEFAULT_COSMOLOGY", "cosmology_named", "distances"]

DEFAULT_COSMOLOGY = "Planck18"


@functools.cache
def cosmology_named(name: str = DEFAULT_COSMOLOGY):
    """One of astropy's cosmologies (Planck18, Planck15, WMAP9, ...).

    Raises
    ------
    UsageError
        There is none of this name.
    """
    from astropy import cosmology

    if name not in cosmology.available:
        raise UsageError(f"unknown cosmology {name!r}; there are {', '.join(sorted(cosmology.available))}")
    return getattr(cosmology, name)


@functools.lru_cache(maxsize=4096)
def distances(redshift: float, cosmology: str = DEFAULT_COSMOLOGY) -> dict[str, float]:
    """Proper kpc per arcsec and distance modulus (mag) at a redshift, NaN where it isn't positive.

    The redshift is taken as the cosmological one: below some 0.01 peculiar motions matter.
    """
    if not redshift > 0:
        return {"kpc_per_arcsec": float("nan"), "distance_modulus": float("nan")}
    model = cosmology_named(cosmology)
    scale = model.kpc_proper_per_arcmin(redshift).to_value("kpc / arcsec")
    return {"kpc_per_arcsec": float(scale), "distance_modulus": float(np.asarray(model.distmod(redshift).value))}
