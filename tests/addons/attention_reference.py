"""Weights, inputs and answers of p2p_keras' attention step, for the comparison with tensorflow-addons.

Run by ``make test-addons``: ``python tests/addons/attention_reference.py OUT.npz``. For each case (with or without a
mask, both forms of the GRU) it saves weights, inputs and, step by step, outputs as ``CASE/NAME``.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

STEPS, BATCH, POSITIONS, MEMORY_DIM, FEATURES, UNITS, ATTENTION_UNITS = 64, 3, 50, 20, 5, 32, 24


def draw(reset_after: bool, masked: bool, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random weights and inputs; the weights larger than an initialiser's, so that the attention looks somewhere."""
    shapes = {
        "query_kernel": (UNITS, ATTENTION_UNITS),
        "memory_kernel": (MEMORY_DIM, ATTENTION_UNITS),
        "kernel": (FEATURES + MEMORY_DIM, 3 * UNITS),
        "recurrent_kernel": (UNITS, 3 * UNITS),
        "bias": (2, 3 * UNITS) if reset_after else (3 * UNITS,),
    }
    arrays = {name: rng.normal(0.0, 2.0 * shape[0] ** -0.5, shape) for name, shape in shapes.items()}
    arrays["attention_v"] = rng.normal(size=ATTENTION_UNITS)
    arrays["memory"] = rng.normal(size=(BATCH, POSITIONS, MEMORY_DIM))
    arrays["inputs"] = rng.normal(size=(STEPS, BATCH, FEATURES))
    arrays["state"] = rng.normal(size=(BATCH, UNITS))
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    if masked:
        arrays["mask"] = rng.random((BATCH, POSITIONS)) < 0.6
    return arrays


def decode(arrays: dict[str, np.ndarray], reset_after: bool) -> dict[str, np.ndarray]:
    """Outputs of the layer: each step's attention goes into the next."""
    import keras

    from p2p_keras.network.layers.attention_gru import AttentionGRUCell

    step = AttentionGRUCell(UNITS, ATTENTION_UNITS, reset_after=reset_after)
    mask = arrays.get("mask")
    state, attention = arrays["state"], np.zeros((BATCH, MEMORY_DIM), np.float32)
    step.build(arrays["inputs"].shape[1:], state.shape, attention.shape)
    step.cell.set_weights([arrays[name] for name in ("kernel", "recurrent_kernel", "bias")])
    for name in ("query_kernel", "memory_kernel", "attention_v"):
        getattr(step, name).assign(arrays[name])
    memory, keys = step.prepare(arrays["memory"], mask)
    traced: dict[str, list] = {"attentions": [], "states": [], "alignments": []}
    for inputs in arrays["inputs"]:
        attention, state, alignments = step(inputs, state, attention, memory, keys, mask)
        for name, value in zip(traced, (attention, state, alignments), strict=True):
            traced[name].append(keras.ops.convert_to_numpy(value))
    return {name: np.stack(values) for name, values in traced.items()}


def main() -> None:
    """Write the reference."""
    rng = np.random.default_rng(1409_0473)
    saved: dict[str, np.ndarray] = {}
    for reset_after in (True, False):
        for masked in (False, True):
            case = f"{'after' if reset_after else 'before'}-{'masked' if masked else 'whole'}"
            arrays = draw(reset_after, masked, rng)
            arrays |= decode(arrays, reset_after)
            saved |= {f"{case}/{name}": value for name, value in arrays.items()}
    np.savez(sys.argv[1], **saved)
    print(f"additive attention, {STEPS} steps, 4 cases -> {sys.argv[1]}")


if __name__ == "__main__":
    main()
