"""What the search for the centre is trained for, with the rest of the network or alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops

from p2p_keras.network.training.metrics import galaxy_mean

__all__ = ["WEIGHTS", "OUTPUTS", "loss_terms", "centre_terms", "centre_distance"]

WEIGHTS = {"centre": 0.5, "heat": 0.3}
"""Factor of both terms of the loss."""

OUTPUTS = ("centre_nearest", "centre_near", "centre_heat")
"""What of the network's outputs is trained for, where the search is trained alone."""

_FARTHEST = 8.0  # px: what is farther off is the heat map's to learn


def loss_terms(inputs: dict, targets: dict, outputs: dict, likelihood_weight=1.0) -> dict[str, Any]:
    """Weighted terms of the loss, scalars; as `p2p_keras.network.training.losses.loss_terms`, of the centre alone.

    Parameters
    ----------
    inputs, targets : dict
        A batch of `p2p_keras.data.pipeline.make_dataset`.
    outputs : dict
        `OUTPUTS` of a network of `p2p_keras.network.models.isophote`.
    likelihood_weight : float or tensor
        Of no effect: there is no likelihood.
    """
    return {name: WEIGHTS[name] * term for name, term in centre_terms(inputs, targets, outputs).items()}


def centre_terms(inputs: dict, targets: dict, outputs: dict) -> dict[str, Any]:
    """`centre`, the distances in px of the two finer steps, and `heat`, the cross-entropy of the first; unweighted."""
    known = ops.cast(targets["centre_known"], "float32")
    off = [ops.minimum(centre_distance(outputs[name], targets), _FARTHEST) for name in OUTPUTS[:2]]
    return {
        "centre": sum(galaxy_mean(distance, known) for distance in off),
        "heat": galaxy_mean(_heat_loss(outputs["centre_heat"], _true_centre(targets), inputs["image"]), known),
    }


def centre_distance(centre, targets: dict):
    """Distance in px of a centre (batch, 2) from the true one: (batch,), with a gradient at zero too."""
    return ops.sqrt(ops.sum(ops.square(centre - _true_centre(targets)), axis=-1) + 1e-4)


def _true_centre(targets):
    return ops.stack([targets["x0"], targets["y0"]], axis=-1)


def _heat_loss(logits, centre, image):
    """Cross-entropy of the coarse heat map with a Gaussian of 0.6 cells about the true centre, (batch,)."""
    cells = math.isqrt(logits.shape[-1])
    shape = ops.cast(ops.shape(image), "float32")
    spacing = ops.maximum(ops.maximum(shape[1], shape[2]) / (2.0 * cells), 2.0)  # the network's `centre_cells`
    offsets = (np.arange(cells, dtype="float32") - (cells - 1) / 2.0).reshape(1, -1)
    x = (centre[:, 0:1] - (shape[2] - 1.0) / 2.0) / spacing - offsets
    y = (centre[:, 1:2] - (shape[1] - 1.0) / 2.0) / spacing - offsets
    log_target = -0.5 * (ops.expand_dims(y * y, 2) + ops.expand_dims(x * x, 1)) / 0.6**2
    target = ops.softmax(ops.reshape(log_target, (-1, cells * cells)), axis=-1)
    return ops.categorical_crossentropy(target, logits, from_logits=True)
