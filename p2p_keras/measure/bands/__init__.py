"""Every band of a galaxy along the ellipses of one of them, so that colours are right.

`measure_bands` gives a profile for each band on one grid of radii; `colour_table` their colours.
"""

from __future__ import annotations

from p2p_keras.measure.bands.bands import measure_bands
from p2p_keras.measure.bands.colours import colour_table
from p2p_keras.measure.bands.inputs import ForcedGalaxy, forced_inputs, read_bands
from p2p_keras.measure.bands.run import ForcedPrediction, predict_forced

__all__ = [
    "ForcedGalaxy",
    "ForcedPrediction",
    "colour_table",
    "forced_inputs",
    "measure_bands",
    "predict_forced",
    "read_bands",
]
