"""Presets of surveys and telescopes: pixel scale, depth, PSF, zero point, resampling; sources beside the numbers."""

from p2p_keras.data.mocks.presets.ground import GROUND
from p2p_keras.data.mocks.presets.space import SPACE
from p2p_keras.data.mocks.presets.survey import Survey
from p2p_keras.data.mocks.presets.wide import WIDE

SURVEYS: dict[str, Survey] = {**WIDE, **SPACE, **GROUND}

__all__ = ["GROUND", "SPACE", "SURVEYS", "WIDE", "Survey"]
