"""FITS files -> `GalaxyImage`: pixels with their mask, zero point, pixel scale, band and place on the sky.

This package knows files and headers and nothing of networks. It loads astropy, but no TensorFlow.
"""

from __future__ import annotations

from p2p_keras.images.frame import Frame, open_frame
from p2p_keras.images.galaxy_image import GalaxyImage
from p2p_keras.images.inputs import find_inputs
from p2p_keras.images.reading import read_image
from p2p_keras.images.targets import InputFile, Target

__all__ = ["Frame", "GalaxyImage", "InputFile", "Target", "find_inputs", "open_frame", "read_image"]
