"""The attention decoder's step computes Bahdanau's equations."""

import numpy as np
import pytest

from p2p_keras.network.layers import AttentionGRUCell


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_step(layer, x, state, attention, memory, mask):
    """The equations, from the layer's weights, in float64."""
    query_kernel, memory_kernel, v, kernel, recurrent, bias = (np.asarray(w, float) for w in layer.get_weights())
    memory = memory * mask[..., None]
    given = np.concatenate([x, attention], 1) @ kernel + bias[0]
    fed_back = state @ recurrent + bias[1]
    (xz, xr, xh), (hz, hr, hh) = np.split(given, 3, 1), np.split(fed_back, 3, 1)
    z = sigmoid(xz + hz)
    state = z * state + (1 - z) * np.tanh(xh + sigmoid(xr + hr) * hh)
    score = (v * np.tanh((memory @ memory_kernel) + (state @ query_kernel)[:, None])).sum(2)
    weight = np.where(mask, np.exp(score), 0.0)
    weight /= weight.sum(1, keepdims=True)
    return np.einsum("bj,bjc->bc", weight, memory), state, weight


def test_attention_step_is_bahdanaus(rng):
    """Weights of a network trained with TensorFlow Addons could not be carried across."""
    layer = AttentionGRUCell(6, 5)
    memory, mask = rng.normal(size=(3, 9, 7)).astype("float32"), rng.random((3, 9)) > 0.3
    state, attention = rng.normal(size=(3, 6)).astype("float32"), np.zeros((3, 7), "float32")
    layer.build((3, 2), state.shape, attention.shape)
    for weight in layer.weights:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    prepared, keys = layer.prepare(memory, mask)
    expected_state, expected_attention = state, attention
    for _ in range(64):
        x = rng.normal(size=(3, 2)).astype("float32")
        attention, state, alignments = layer(x, state, attention, prepared, keys, mask)
        expected_attention, expected_state, expected = numpy_step(
            layer, x, expected_state, expected_attention, memory, mask
        )
        np.testing.assert_allclose(alignments, expected, atol=1e-5)
        np.testing.assert_allclose(state, expected_state, atol=1e-5)
        np.testing.assert_allclose(attention, expected_attention, atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_attention_gives_nothing_to_masked_positions(policy, rng):
    """A star under a mask would be read, or an image that is masked everywhere would give NaN."""
    layer = AttentionGRUCell(6, 5, dtype=policy)
    memory, mask = rng.normal(size=(2, 9, 7)).astype("float32"), np.ones((2, 9), bool)
    mask[0, 3:7], mask[1] = False, False
    layer.build((2, 1), (2, 6), (2, 7))
    wild = np.where(mask[..., None], memory, 1e4).astype("float32")
    answers = []
    for given in (memory, wild):
        prepared, keys = layer.prepare(given, mask)
        answers.append(layer(np.ones((2, 1)), np.zeros((2, 6)), np.zeros((2, 7)), prepared, keys, mask))
    attention, _, alignments = answers[0]
    np.testing.assert_array_equal(attention, answers[1][0])
    assert np.all(np.asarray(alignments)[~mask] == 0)
    np.testing.assert_allclose(np.asarray(alignments).sum(1), [1, 0], atol=1e-6)
    assert np.all(np.asarray(attention)[1] == 0)
