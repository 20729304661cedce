"""Small, serialisable Keras layers; each can be used and tested alone."""

from p2p_keras.layers.attention import AngularAttention, RadialTransformer
from p2p_keras.layers.attention_gru import AttentionGRUCell
from p2p_keras.layers.centre import LocalSoftArgmax, WindowOffsets
from p2p_keras.layers.geometry import EllipseCorrection, EllipsePoints, HarmonicPool, IntensityHarmonics, RadialGrid
from p2p_keras.layers.look import LookFeatures
from p2p_keras.layers.physical import PhysicalProfile, ValidProfile
from p2p_keras.layers.polar import PolarConv2D, PolarDown, PolarResidual, PolarUp
from p2p_keras.layers.pyramid import ImagePyramid
from p2p_keras.layers.radial import (
    Circles,
    CopiedFeatures,
    GatedVectors,
    MendedIntensity,
    PositionBias,
    RadialPosition,
    RingPool,
    SumVectors,
)
from p2p_keras.layers.sampling import PyramidSampler
from p2p_keras.layers.sky import SkyLevel

__all__ = [
    "AngularAttention",
    "AttentionGRUCell",
    "Circles",
    "CopiedFeatures",
    "EllipseCorrection",
    "EllipsePoints",
    "GatedVectors",
    "HarmonicPool",
    "ImagePyramid",
    "IntensityHarmonics",
    "LocalSoftArgmax",
    "LookFeatures",
    "MendedIntensity",
    "PhysicalProfile",
    "PolarConv2D",
    "PolarDown",
    "PolarResidual",
    "PolarUp",
    "PositionBias",
    "PyramidSampler",
    "RadialGrid",
    "RadialPosition",
    "RadialTransformer",
    "RingPool",
    "SkyLevel",
    "SumVectors",
    "ValidProfile",
    "WindowOffsets",
]
