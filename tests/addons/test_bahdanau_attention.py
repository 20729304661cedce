"""Our additive-attention GRU step against the reference implementation: BahdanauAttention in an AttentionWrapper."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

CASES = ("after-whole", "after-masked", "before-whole", "before-masked")
STEPS = 64


@pytest.fixture(scope="module")
def reference():
    """Weights, inputs and outputs of p2p_keras (tests/addons/attention_reference.py)."""
    path = os.environ.get("P2P_ADDONS_ATTENTION")
    if not path:
        pytest.fail("P2P_ADDONS_ATTENTION names no file: run this lane by `make test-addons`")
    with np.load(path) as arrays:
        return dict(arrays)


def decode(given: dict[str, np.ndarray], reset_after: bool) -> dict[str, np.ndarray]:
    """The same steps by tensorflow-addons."""
    import tensorflow_addons as tfa

    attention_units, (batch, units) = len(given["attention_v"]), given["state"].shape
    mechanism = tfa.seq2seq.BahdanauAttention(attention_units)
    mechanism.setup_memory(given["memory"], memory_mask=given.get("mask"))
    cell = tf.keras.layers.GRUCell(units, reset_after=reset_after)
    wrapper = tfa.seq2seq.AttentionWrapper(cell, mechanism, output_attention=False, alignment_history=False)
    state = wrapper.get_initial_state(batch_size=batch, dtype=tf.float32)
    state = state.clone(cell_state=tf.constant(given["state"]))
    wrapper(tf.constant(given["inputs"][0]), state)  # makes the weights
    cell.set_weights([given[name] for name in ("kernel", "recurrent_kernel", "bias")])
    mechanism.query_layer.set_weights([given["query_kernel"]])
    mechanism.memory_layer.set_weights([given["memory_kernel"]])
    mechanism.attention_v.assign(given["attention_v"])
    mechanism.setup_memory(given["memory"], memory_mask=given.get("mask"))  # its keys, by the new weights
    traced: dict[str, list] = {"attentions": [], "states": [], "alignments": []}
    for inputs in given["inputs"]:
        output, state = wrapper(tf.constant(inputs), state)
        np.testing.assert_array_equal(output, state.cell_state)
        for name, value in zip(traced, (state.attention, state.cell_state, state.alignments), strict=True):
            traced[name].append(value.numpy())
    return {name: np.stack(values) for name, values in traced.items()}


@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_tensorflow_addons(reference, case):
    """What is called Bahdanau's attention would be another, and published weights could not be carried across."""
    given = {name.partition("/")[2]: value for name, value in reference.items() if name.startswith(f"{case}/")}
    ours = {name: given.pop(name) for name in ("attentions", "states", "alignments")}
    assert len(ours["states"]) == STEPS
    theirs = decode(given, reset_after=case.startswith("after"))
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=1e-5, err_msg=name)
    # Random weights must make it look somewhere, and somewhere else at each step, or the comparison says little.
    assert theirs["alignments"].max() > 0.3
    assert len(set(theirs["alignments"].argmax(axis=2).ravel())) > 5
    if "mask" in given:
        assert (ours["alignments"][:, ~given["mask"]] == 0).all()
