"""Quantities derived from a measured profile, with uncertainties from draws of it.

`complete_profile` does all of it: extinction, total magnitude, radii, isophotes, Sersic and disc fits, kpc.
"""

from __future__ import annotations

from p2p_keras.profile.derived.complete import DerivedSettings, complete_profile
from p2p_keras.profile.derived.draws import draw_profiles
from p2p_keras.profile.derived.quantities import derived_quantities

__all__ = ["DerivedSettings", "complete_profile", "derived_quantities", "draw_profiles"]
