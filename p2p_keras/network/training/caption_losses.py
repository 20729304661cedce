"""What networks that write captions are trained for: the paper's squared error, and beside it ellipse and centre."""

from __future__ import annotations

from typing import Any

from keras import ops

from p2p_keras.network.layers.geometry import longer_side
from p2p_keras.network.training.captions import caption_targets
from p2p_keras.network.training.centre_losses import centre_distance
from p2p_keras.network.training.metrics import galaxy_mean, ring_mean

__all__ = ["WEIGHTS", "loss_terms", "shape_terms"]

WEIGHTS = {"caption": 1.0, "ellipse": 1e-3, "centre": 1e-3}
"""Factor of every term of the loss. A caption right to 0.1 mag has a squared error of 1e-5: ellipse and centre, whose
errors are absolute, would rule the encoder with factors near one; Adam trains their own weights alike with any."""


def loss_terms(inputs: dict, targets: dict, outputs: dict, likelihood_weight=1.0) -> dict[str, Any]:
    """Weighted terms of the loss, scalars.

    Parameters
    ----------
    inputs, targets : dict
        A batch of `p2p_keras.data.pipeline.make_dataset`.
    outputs : dict
        `caption`, `e` and `centre` of a network, written by itself or with a teacher.
    likelihood_weight : float or tensor
        Of no effect: there is no likelihood.

    Notes
    -----
    `caption` is the mean squared error of every step whose truth is known, in the caption's normalised units; the sky
    after the profile's end counts as the paper has it.
    """
    truth, known = caption_targets(targets, inputs["image"])
    caption = outputs["caption"][:, : ops.shape(truth)[1]]
    weight = ops.cast(known, "float32")
    squared = ops.sum(weight * ops.square(caption - truth)) / ops.maximum(ops.sum(weight), 1.0)
    terms = {"caption": squared, **shape_terms(targets, outputs, inputs["image"])}
    return {name: WEIGHTS[name] * term for name, term in terms.items()}


def shape_terms(targets: dict, outputs: dict, image) -> dict[str, Any]:
    """Errors of the one ellipse and the one centre, as shares of one and of a hundredth of the image's side."""
    e_true = ops.stack([targets["e1"], targets["e2"]], axis=-1)
    use = ops.cast(targets["geometry_known"] & targets["within"], "float32")
    e_error = ops.sqrt(ops.sum(ops.square(outputs["e"] - e_true), axis=-1) + 1e-6)
    distance = galaxy_mean(centre_distance(outputs["centre"], targets), ops.cast(targets["centre_known"], "float32"))
    return {"ellipse": ring_mean(e_error, use), "centre": distance / (0.01 * longer_side(image))}
