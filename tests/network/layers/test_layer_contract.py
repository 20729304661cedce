"""Every layer can be saved, loaded and run under each precision policy."""

import keras
import numpy as np
import pytest

from p2p_keras.core.radii import NUM_RADII as K
from p2p_keras.network import layers as p2p

pytestmark = pytest.mark.backends


def _random(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def _positive(*shape):
    return np.abs(_random(*shape)) + 0.1


def _sma():
    return np.geomspace(0.5, 80, K, dtype="float32")[None].repeat(2, 0)


def _uniform(*shape):
    return np.full(shape, 1.0 / shape[-1], "float32")


CASES = {
    "AlignmentsAt": (
        {"decoder": p2p.AttentionDecoder(6, 5, name="decoder")},
        lambda: (_random(2, 6), _random(2, 9, 7), _positive(2, 9), _random(2, 40), _sma()),
    ),
    "AddToAll": ({}, lambda: (_random(2, K, 8), _random(2, 8))),
    "AddUpsampled": ({}, lambda: (_random(2, 5, 4, 3), _random(2, 3, 2, 3))),
    "AngularAttention": ({}, lambda: (_random(2, K, 8), _random(2, K, 16), _positive(2, K, 16))),
    "AttentionDecoder": (
        {"units": 6, "attention_units": 5, "window": 10, "tolerance": 0.02, "max_steps": 60, "dropout": 0.1},
        lambda: (_random(2, 6), _random(2, 9, 7), _positive(2, 9), _random(2, 48, 48)),
    ),
    "AttentionGRUCell": (
        {"units": 6, "attention_units": 5, "reset_after": False},
        lambda: (_random(2, 1), _random(2, 6), _random(2, 7), _random(2, 9, 7), _random(2, 9, 5), _random(2, 9) > 0),
    ),
    "CaptionToGrid": ({}, lambda: (_random(2, 200), _positive(2), _sma())),
    "CentreJitter": ({"share": 0.5, "largest": 0.1}, lambda: (_random(2, 2), _random(2, 64, 48))),
    "Circles": ({}, lambda: (_sma(),)),
    "Constant": ({"value": 0.5}, lambda: (_random(2, K),)),
    "CopiedFeatures": (
        {},
        lambda: (
            _random(2, K, 8),
            _uniform(2, K, 8),
            _random(2, K),
            _positive(2, K),
            _positive(2, K),
            _positive(2, K),
            _sma(),
            0.1 * _random(2, K, 2),
            _random(2, K, 3, 2),
        ),
    ),
    "CrossAttention": ({"dim": 8, "num_heads": 2}, lambda: (_random(2, K, 8), _random(2, 9, 8), _positive(2, 9))),
    "EllipseCorrection": ({"limit": 0.9}, lambda: (0.2 * _random(2, K, 2), 0.1 * _random(2, K, 2))),
    "EllipsePoints": ({"num_angles": 16}, lambda: (_random(2, 2), _sma(), 0.1 * _random(2, K, 2))),
    "GRUDecoder": (
        {"units": 6, "num_layers": 2, "window": 10, "tolerance": 0.02, "max_steps": 60, "dropout": 0.1},
        lambda: (_random(2, 6), _random(2, 48, 48)),
    ),
    "GatedVectors": ({}, lambda: (_random(2, K, 3, 2), _random(2, K, 3))),
    "HarmonicPool": ({"harmonic": 1}, lambda: (_random(2, K, 16, 3),)),
    "ImagePyramid": ({}, lambda: (_random(2, 64, 96),)),
    "SkyFreePyramid": ({}, lambda: (5.0 + _random(2, 64, 96),)),
    "SkyFreeImage": ({}, lambda: (_random(2, 60, 90), _random(2, 8192), 1.0 + _positive(2, 8192), _random(2))),
    "ImageTokens": ({"stride": 16}, lambda: (_random(2, 64, 40), _random(2, 4, 3, 5))),
    "IntensityHarmonics": ({"widths": (1, 5), "harmonic": 1}, lambda: (_random(2, K, 16), _uniform(2, K, 16), _sma())),
    "LocalSoftArgmax": ({"reach": 3}, lambda: (_random(2, 9, 9), _random(2, 9, 9), _random(2, 9, 9))),
    "LookFeatures": ({}, lambda: (_random(2, K, 8), _positive(2, K, 8), _positive(2, K), _sma())),
    "MeanOverAngle": ({}, lambda: (_random(2, K, 8),)),
    "MendedIntensity": ({}, lambda: (_random(2, K, 2), _positive(2, K), _positive(2, K))),
    "MovedCentre": (
        {},
        lambda: (_random(2, 2), _sma(), 0.1 * _random(2, K, 2), _random(2, K, 2), _random(2, K, 1)),
    ),
    "NoiseIntensity": ({}, lambda: (_random(2, K), _random(2), _random(2), _positive(2))),
    "OneEllipse": ({}, lambda: (_random(2, 4), _random(2, 64, 48), _sma())),
    "AsinhImage": ({}, lambda: (_random(2, 64, 48), _random(2), _positive(2))),
    "PaperImage": ({}, lambda: (_random(2, 64, 48), _random(2), _positive(2))),
    "ParallelAnswer": ({}, lambda: (_random(2, K, 2),)),
    "PolarConv2D": ({"filters": 5, "kernel_size": 3}, lambda: (_random(2, 8, 8, 3),)),
    "PolarDown": ({"filters": 6}, lambda: (_random(2, 8, 8, 3),)),
    "PolarResidual": ({"filters": 4}, lambda: (_random(2, 8, 8, 4),)),
    "PolarUp": ({"filters": 4}, lambda: (_random(2, 4, 4, 6), _random(2, 8, 8, 4))),
    "PositionBias": ({"sigma": 1.5}, lambda: (_random(2, 16),)),
    "ProfileErrors": ({}, lambda: (_random(2, K, 2), _random(2, 3), 0.1 * _random(2, K, 2))),
    "RadialPool": ({}, lambda: (_random(2, 7, 5), _random(2, 7, 1))),
    "RadialGrid": ({}, lambda: (_random(2, 64, 48),)),
    "RadialPosition": ({}, lambda: (_random(2, K, 8),)),
    "RadialTransformer": ({"dim": 16, "num_heads": 2, "expansion": 3}, lambda: (_random(2, K, 16),)),
    "RadiusQueries": ({}, lambda: (_sma(),)),
    "RingPool": ({}, lambda: (_random(2, K // 2, 8, 3),)),
    "RingsCovered": ({}, lambda: (_random(2, K, 8), _positive(2, K))),
    "SkyLevel": (
        {},
        lambda: (_random(2, K), _positive(2, K), _positive(2, K), _sma(), _random(2, K), _random(2, 1)),
    ),
    "StopGradient": ({}, lambda: (_random(2, K),)),
    "SumVectors": ({}, lambda: (_random(2, K, 3, 2),)),
    "WindowOffsets": ({"size": 8, "divisions": 32}, lambda: (_random(2, 64, 64), _random(2, 2))),
}

HALF_PRECISION = {
    "AddToAll",
    "AttentionGRUCell",
    "CrossAttention",
    "PolarConv2D",
    "PolarDown",
    "PolarResidual",
    "PolarUp",
    "RadialPosition",
    "RadialTransformer",
}
"""Layers that compute in the precision of their policy; all others are float32 under each."""


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_layer(name, policy):
    """A saved model could not be loaded, or training in mixed precision would crash or give NaN."""
    settings, make = CASES[name]
    layer_class = getattr(p2p, name)
    floats_only = "dtype" in layer_class(**settings, dtype="float32").get_config()
    assert floats_only
    layer = layer_class(**settings, dtype=policy) if name in HALF_PRECISION else layer_class(**settings)
    inputs = make()
    outputs = layer(*inputs)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    for key, value in settings.items():
        kept = keras.saving.serialize_keras_object(value) if isinstance(value, keras.layers.Layer) else value
        assert again.get_config()[key] == kept
    again(*inputs)
    again.set_weights(layer.get_weights())
    specs = layer.compute_output_spec(*[keras.KerasTensor(v.shape, "float32") for v in inputs])
    pairs = zip(*map(keras.tree.flatten, (outputs, again(*inputs), specs)), strict=True)
    for first, second, spec in pairs:
        first, second = (keras.ops.convert_to_numpy(v).astype("float32") for v in (first, second))
        np.testing.assert_array_equal(first, second)
        assert np.isfinite(first).all()
        assert all(want in (None, have) for want, have in zip(spec.shape, first.shape, strict=True))


def test_every_layer_has_a_case():
    """A new layer would go untested."""
    tested = set(CASES) | {
        "PhysicalProfile",
        "ValidProfile",
        "PyramidSampler",
        "TrustFeatures",
    }  # see the tests of their numbers
    assert tested == set(p2p.__all__)
