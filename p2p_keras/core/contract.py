"""What a served model takes and gives: names, units, limits and fill values. Nothing here loads TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from p2p_keras.core.units import FILL_MU, FILL_MU_ERR, SB_UNIT

__all__ = [
    "DEFAULT_MODEL",
    "MIN_SIDE",
    "MAX_SIDE",
    "BATCH_SIZES",
    "INPUTS",
    "Output",
    "OUTPUTS",
    "FILL_ERR",
    "ERROR_OUTPUTS",
    "ALL_OUTPUTS",
    "outputs_of",
]

DEFAULT_MODEL = "isophote"
"""Name of the shipped model, by which programs find it and clients ask for it."""

MIN_SIDE = 48
MAX_SIDE = 2048
"""Sides of an image that a model takes, in pixels."""

BATCH_SIZES = (1, 8, 32, 64)
"""Batch sizes that a server warms up and, where it joins requests, pads to."""

INPUTS = {
    "image": "flux per pixel, linear; NaN or inf where masked",
    "zero_point": "mag (AB magnitude of unit flux)",
    "pixel_scale": "arcsec per pixel",
}
"""Inputs of ``serving_default`` with their units; `image` is float32 [B, H, W], the others float32 [B]."""


class Output(NamedTuple):
    """One output: its unit, whether it has a value for each radius ([B, K], else [B]), and its fill value."""

    unit: str
    radial: bool
    fill: float


OUTPUTS = {
    "sma": Output("arcsec", True, 0.0),
    "mu": Output(SB_UNIT, True, FILL_MU),
    # Nobody can take this fill for a measured uncertainty, as they could 0.
    "mu_err": Output(SB_UNIT, True, FILL_MU_ERR),
    "ellipticity": Output("", True, 0.0),
    "pa": Output("deg, counter-clockwise from +x", True, 0.0),
    "growth": Output("mag", True, FILL_MU),
    "valid": Output("", True, 0.0),
    "x0": Output("px", False, 0.0),
    "y0": Output("px", False, 0.0),
    "extent": Output("arcsec", False, 0.0),
    "mag_total": Output("mag", False, FILL_MU),
    "sky": Output("flux per pixel", False, 0.0),
}
"""Outputs of every signature that measures profiles. `valid` is bool, all others are float32."""

FILL_ERR = 999.0
"""Fill of an uncertainty among `ERROR_OUTPUTS`: nobody can take it for a measured one."""

ERROR_OUTPUTS = {
    "ellipticity_err": Output("", True, FILL_ERR),
    "pa_err": Output("deg", True, FILL_ERR),
    "growth_err": Output("mag", True, FILL_ERR),
    "p_bad": Output("probability", False, 1.0),
    "x0_err": Output("px", False, FILL_ERR),
    "y0_err": Output("px", False, FILL_ERR),
    "mag_total_err": Output("mag", False, FILL_ERR),
}
"""Outputs that a model has from version 5 of `isophote` on; float32. A model without them is as usable as before."""

ALL_OUTPUTS = OUTPUTS | ERROR_OUTPUTS


def outputs_of(names: Iterable[str]) -> dict[str, Output]:
    """Outputs of the contract among `names`, in the contract's order."""
    given = set(names)
    return {name: output for name, output in ALL_OUTPUTS.items() if name in given}
