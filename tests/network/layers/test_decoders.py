"""Decoders that write captions: what is fed back, when they halt, and that there is one way to write."""

import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.core import radii
from p2p_keras.network import layers as p2p
from p2p_keras.network.layers.decoders import START_TOKEN, CaptionDecoder, has_reached_sky

BATCH, UNITS, SIDE = 3, 8, 48
IMAGE = np.zeros((BATCH, SIDE, SIDE), "float32")


class Scripted(CaptionDecoder):
    """Writes what it is told, so that the loop alone is tested."""

    def build(self, *_):
        pass

    def call(self, script, image, teacher=None):
        return self._write((script,), lambda token, state, i: (tf.gather(state[0], [i], axis=1), state), image, teacher)


def make(kind, rng, **settings):
    """A decoder with weights that aren't zero, the inputs that it takes, and a function for one step."""
    settings = {"window": 20, **settings}  # by the paper's 100 it would write sky for the most part
    z = rng.normal(size=(BATCH, UNITS)).astype("float32")
    if kind == "gru":
        decoder, inputs = p2p.GRUDecoder(UNITS, num_layers=2, **settings), (z, IMAGE)
        state, step = (z, z), lambda d, token, state: d.step(token, state)
    else:
        memory = rng.normal(size=(BATCH, 6, 5)).astype("float32")
        mask = (rng.random((BATCH, 6)) > 0.3).astype("float32")
        mask[:, 0] = 1.0
        decoder, inputs = p2p.AttentionDecoder(UNITS, 4, **settings), (z, memory, mask, IMAGE)
        state = (np.zeros((BATCH, 5), "float32"), z)

        def step(d, token, state):
            return d.step(token, state, *d.cell.prepare(memory, mask > 0), mask > 0)[:2]

    decoder(*inputs)
    for weight in decoder.weights:
        if weight.dtype == "float32":
            weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    return decoder, inputs, state, step


@pytest.mark.parametrize("kind", ["gru", "attention"])
def test_teacher_forcing_is_stepping(kind, rng):
    """A network would be trained as one thing and run as another."""
    decoder, inputs, state, step = make(kind, rng)
    teacher = rng.random((BATCH, 30)).astype("float32")
    teacher[:, 3:9] = np.nan  # there, each is fed its own output
    caption, _ = decoder(*inputs, teacher=teacher)
    token = np.full((BATCH, 1), START_TOKEN, "float32")
    for i in range(30):
        output, state = step(decoder, token, state)
        np.testing.assert_allclose(caption[:, i : i + 1], output, atol=1e-6)
        token = np.where(np.isfinite(teacher[:, i : i + 1]), teacher[:, i : i + 1], output)


@pytest.mark.parametrize("kind", ["gru", "attention"])
def test_fed_its_own_caption_it_writes_the_same(kind, rng):
    """Generation and training would differ when they are fed the same."""
    decoder, inputs, *_ = make(kind, rng, tolerance=-1.0)  # never halts
    free, length = decoder(*inputs)
    steps = int(length[0])
    assert steps == int(radii.caption_length(SIDE)) + decoder.window
    nothing = np.full((BATCH, steps), np.nan, "float32")
    np.testing.assert_allclose(decoder(*inputs, teacher=nothing)[0], free[:, :steps], atol=1e-6)
    np.testing.assert_allclose(decoder(*inputs, teacher=free[:, :steps])[0], free[:, :steps], atol=1e-6)
    assert free.shape == (BATCH, radii.CAPTION_MAX_STEPS)
    assert np.all(np.asarray(free)[:, steps:] == 1.0), "what wasn't written must be sky"


def script(*lengths, steps=160, noise=0.0):
    """Profiles of some lengths, then the sky."""
    rng = np.random.default_rng(0)
    captions = np.ones((len(lengths), steps), "float32")
    for row, length in zip(captions, lengths, strict=True):
        row[:length] = np.linspace(0.5, 0.9, length)
    return captions + rng.normal(0, noise, captions.shape).astype("float32")


def test_halting_rule():
    """Profiles would end elsewhere than by the paper's rule: 100 outputs with a standard deviation of 0.01 or less."""
    recent = np.full((2, 100), 0.7, "float32")
    recent[0, ::2], recent[0, 1::2] = 0.7 + 0.0101, 0.7 - 0.0101
    recent[1, ::2], recent[1, 1::2] = 0.7 + 0.0099, 0.7 - 0.0099
    np.testing.assert_array_equal(has_reached_sky(recent, 0.01), [False, True])

    written = script(20, 32, 0, noise=1e-3)
    image = np.zeros((3, 60, 60), "float32")
    caption, length = Scripted(1)(written, image)
    # By numpy: the first window of 100 that is flat enough.
    for row, begin in zip(written, np.asarray(length), strict=True):
        spread = np.lib.stride_tricks.sliding_window_view(row, 100).std(axis=1)
        assert begin == np.flatnonzero(spread <= 0.01)[0]
    np.testing.assert_array_equal(caption[0, 121:], 1.0)  # after it halted: the sky, not what it would have said
    np.testing.assert_allclose(caption[1, :100], written[1, :100])


def test_a_batch_changes_nothing():
    """A galaxy's profile would depend on which others were sent with it."""
    written, image = script(10, 40, noise=1e-3), np.zeros((2, 60, 60), "float32")
    together = Scripted(1)(written, image)
    alone = Scripted(1)(written[:1], image[:1])
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a[:1], b)


def test_never_flat_ends_with_the_buffer():
    """A network that never says sky would run for ever, or give no profile."""
    written = np.tile(np.float32([0.2, 0.8]), 50)[None].repeat(2, 0)
    caption, length = Scripted(1, window=8, max_steps=40)(written, np.zeros((2, 512, 300), "float32"))
    np.testing.assert_array_equal(length, 40)
    np.testing.assert_array_equal(caption, written[:, :40])


def test_dropout_only_while_training(rng):
    """Predictions would be random, or training would lack the paper's dropout."""
    decoder, inputs, *_ = make("gru", rng, dropout=0.5)
    teacher = rng.random((BATCH, 10)).astype("float32")
    first, second = (decoder(*inputs, teacher=teacher, training=False)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(decoder(*inputs, teacher=teacher, training=True)[0] - first).max() > 1e-3


def test_attention_at_radii(rng):
    """The pixels that are drawn for a radius would be those of another."""
    decoder, inputs, state, _ = make("attention", rng, tolerance=-1.0)
    sma = np.float32([[0.5, 1.4, 7.6, 20.5]]).repeat(BATCH, 0)
    z, memory, mask, _ = inputs
    caption, _ = decoder(*inputs)
    attention = p2p.AlignmentsAt(decoder)(z, memory, mask, caption, sma)
    prepared = decoder.cell.prepare(memory, mask > 0)
    token, aligned = np.full((BATCH, 1), START_TOKEN, "float32"), []
    for _ in range(21):
        token, state, alignments = decoder.step(token, state, *prepared, mask > 0)
        aligned.append(alignments)
    for k, step in enumerate((0, 1, 7, 20)):
        np.testing.assert_allclose(attention[:, k], aligned[step], atol=1e-5)
    np.testing.assert_allclose(np.asarray(attention).sum(-1), 1.0, atol=1e-5)
    masked = np.broadcast_to(mask[:, None] == 0, attention.shape)
    assert masked.any() and np.all(np.asarray(attention)[masked] == 0)
    assert caption.shape == (BATCH, radii.CAPTION_MAX_STEPS)
