"""Small, serialisable Keras layers; each can be used and tested alone."""

from p2p_keras.network.layers.attention import AngularAttention, RadialTransformer
from p2p_keras.network.layers.attention_gru import AttentionGRUCell
from p2p_keras.network.layers.beside_mu import Constant, NoiseIntensity, OneEllipse, RingsCovered, StopGradient
from p2p_keras.network.layers.caption import CaptionToGrid
from p2p_keras.network.layers.centre import CentreJitter, LocalSoftArgmax, MovedCentre, WindowOffsets
from p2p_keras.network.layers.decoders import AlignmentsAt, AttentionDecoder, GRUDecoder
from p2p_keras.network.layers.geometry import (
    EllipseCorrection,
    EllipsePoints,
    HarmonicPool,
    IntensityHarmonics,
    RadialGrid,
)
from p2p_keras.network.layers.paper_image import AsinhImage, PaperImage
from p2p_keras.network.layers.physical import PhysicalProfile, ValidProfile
from p2p_keras.network.layers.polar import PolarConv2D, PolarDown, PolarResidual, PolarUp
from p2p_keras.network.layers.profile_errors import ProfileErrors, TrustFeatures
from p2p_keras.network.layers.pyramid import ImagePyramid
from p2p_keras.network.layers.radial import (
    Circles,
    CopiedFeatures,
    GatedVectors,
    MeanOverAngle,
    MendedIntensity,
    PositionBias,
    RadialPool,
    RadialPosition,
    RingPool,
    SumVectors,
)
from p2p_keras.network.layers.sampling import LookFeatures, PyramidSampler
from p2p_keras.network.layers.sky import SkyLevel
from p2p_keras.network.layers.sky_free_pyramid import SkyFreeImage, SkyFreePyramid
from p2p_keras.network.layers.tokens import (
    AddToAll,
    AddUpsampled,
    CrossAttention,
    ImageTokens,
    ParallelAnswer,
    RadiusQueries,
)

__all__ = [
    "AsinhImage",
    "AddToAll",
    "AddUpsampled",
    "AlignmentsAt",
    "AngularAttention",
    "AttentionDecoder",
    "AttentionGRUCell",
    "CaptionToGrid",
    "CentreJitter",
    "Circles",
    "Constant",
    "CopiedFeatures",
    "CrossAttention",
    "EllipseCorrection",
    "EllipsePoints",
    "GRUDecoder",
    "GatedVectors",
    "HarmonicPool",
    "ImagePyramid",
    "ImageTokens",
    "IntensityHarmonics",
    "LocalSoftArgmax",
    "LookFeatures",
    "MeanOverAngle",
    "MendedIntensity",
    "MovedCentre",
    "NoiseIntensity",
    "OneEllipse",
    "PaperImage",
    "ParallelAnswer",
    "PhysicalProfile",
    "PolarConv2D",
    "PolarDown",
    "PolarResidual",
    "PolarUp",
    "PositionBias",
    "ProfileErrors",
    "PyramidSampler",
    "RadialGrid",
    "RadialPool",
    "RadialPosition",
    "RadialTransformer",
    "RadiusQueries",
    "RingPool",
    "RingsCovered",
    "SkyFreeImage",
    "SkyFreePyramid",
    "SkyLevel",
    "StopGradient",
    "SumVectors",
    "TrustFeatures",
    "ValidProfile",
    "WindowOffsets",
]
