"""What a network that gives all radii at once is trained for: the likelihood of mu, its error, ellipse and centre."""

from __future__ import annotations

from typing import Any

from keras import ops

from p2p_keras.core import units
from p2p_keras.network.layers.physical import LAPLACE_ONE_SIGMA
from p2p_keras.network.training.caption_losses import shape_terms
from p2p_keras.network.training.metrics import ring_mean

__all__ = ["WEIGHTS", "loss_terms"]

WEIGHTS = {"profile": 1.0, "mu": 4.0, "ellipse": 2.0, "centre": 0.5}
"""Factor of every term of the loss."""

_BEYOND = 0.1  # weight of radii beyond the extent, as for `isophote`


def loss_terms(inputs: dict, targets: dict, outputs: dict, likelihood_weight=1.0) -> dict[str, Any]:
    """Weighted terms of the loss, scalars.

    Parameters
    ----------
    inputs, targets : dict
        A batch of `p2p_keras.data.pipeline.make_dataset`.
    outputs : dict
        Of a network with `mu`, `mu_err`, `e` and `centre`.
    likelihood_weight : float or tensor
        Eases the likelihood in.

    Notes
    -----
    `profile` is the negative log-likelihood of a Laplace distribution as for `isophote`; `mu` is the absolute error.
    """
    within, known = targets["within"], targets["known"]
    # Beyond the extent a label may end: there is the sky, as in a caption.
    truth = ops.where(known, targets["mu"], units.SKY_MU)
    weight = ops.where(within, ops.cast(known, "float32"), _BEYOND)
    error = ops.abs(outputs["mu"] - truth)
    scale = outputs["mu_err"] / LAPLACE_ONE_SIGMA
    terms = {
        "profile": likelihood_weight * ring_mean(ops.minimum(error, 3.0) / scale + ops.log(scale), weight),
        "mu": ring_mean(error, weight),
        **shape_terms(targets, outputs, inputs["image"]),
    }
    return {name: WEIGHTS[name] * term for name, term in terms.items()}
