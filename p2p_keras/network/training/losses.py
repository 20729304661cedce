"""What the isophote network is trained for, term by term."""

from __future__ import annotations

import keras
import tensorflow as tf

from p2p_keras.core import units
from p2p_keras.network.layers.physical import LAPLACE_ONE_SIGMA
from p2p_keras.network.training.centre_losses import WEIGHTS as CENTRE_WEIGHTS
from p2p_keras.network.training.centre_losses import centre_distance, centre_terms
from p2p_keras.network.training.means import galaxy_mean, ring_mean

WEIGHTS = {
    "profile": 1.0,
    "mu": 4.0,
    "copied": 1.0,
    "ellipse": 6.0,
    **CENTRE_WEIGHTS,
    "moved": 0.5,
    "sky": 2.0,
    "mag": 4.0,
}
"""Factor of every term of the loss."""

_BEYOND = 0.1  # weight of radii beyond the extent: enough that growth and total magnitude extrapolate sanely
_FAINTEST_LOG = -6.0  # ln intensity in noise units under which nothing can be learned


def loss_terms(inputs: dict, targets: dict, outputs: dict, likelihood_weight=1.0) -> dict[str, tf.Tensor]:
    """Weighted terms of the loss, scalars.

    Parameters
    ----------
    inputs, targets : dict
        A batch of `p2p_keras.data.pipeline.make_dataset`.
    outputs : dict
        Of a network of `p2p_keras.network.models.isophote`.
    likelihood_weight : float or tensor
        Eases the likelihood in: before the first profiles are found, its gradients are of no use.

    Notes
    -----
    `profile` is the negative log-likelihood of a Laplace distribution: like the paper's figure it is about the absolute
    error, and no single radius can dominate it. `mu` is the absolute error itself, clipped at 1 mag.
    """
    zero_point = tf.reshape(inputs["zero_point"], [-1, 1])
    pixel_scale = tf.reshape(inputs["pixel_scale"], [-1, 1])
    log_noise = tf.reshape(outputs["log_noise"], [-1, 1])
    log_true = units.log_noise_units_from_mu(targets["mu"], log_noise, zero_point, pixel_scale, xp=keras.ops)
    within, known = (tf.cast(targets[name], tf.float32) for name in ("within", "known"))
    seen = tf.cast((outputs["covered"] > 0.2) & (log_true > _FAINTEST_LOG), tf.float32)
    weight = known * seen * (within + _BEYOND * (1.0 - within))
    sma_px = outputs["sma"] / pixel_scale
    weight *= tf.minimum(1.0, 0.3 + 0.35 * sma_px)  # the grid crowds radii below a pixel or two
    error = tf.abs(outputs["mu"] - targets["mu"])
    scale = outputs["mu_err"] / LAPLACE_ONE_SIGMA
    terms = {
        "profile": likelihood_weight * ring_mean(tf.minimum(error, 3.0) / scale + tf.math.log(scale), weight),
        "mu": ring_mean(tf.minimum(error, 1.0), weight),
        "copied": ring_mean(tf.minimum(tf.abs(tf.math.log(outputs["copied"]) - log_true), 1.0), weight * within),
    }

    e_true = tf.stack([targets["e1"], targets["e2"]], axis=-1)
    e_weight = tf.cast(targets["geometry_known"], tf.float32) * weight
    terms["ellipse"] = tf.add_n(
        [
            ring_mean(tf.sqrt(tf.reduce_sum(tf.square(outputs[name] - e_true), axis=-1) + 1e-6), e_weight)
            for name in ("e_first", "e_second", "e")
        ]
    )

    terms.update(centre_terms(inputs, targets, outputs))
    # Some start many pixels off (`CentreJitter`): by the logarithm, lest they rule the gradient.
    off = [0.5 * tf.asinh(2.0 * centre_distance(outputs[name], targets)) for name in ("centre_moved", "centre")]
    terms["moved"] = galaxy_mean(tf.add_n(off), tf.cast(targets["centre_known"], tf.float32))
    noise = tf.exp(outputs["log_noise"])
    sky_error = tf.abs(outputs["sky_noise_units"] - targets["sky"] / noise)
    terms["sky"] = galaxy_mean(tf.minimum(sky_error, 2.0), tf.cast(targets["sky_known"], tf.float32))
    mag_error = tf.minimum(tf.abs(outputs["mag_total"] - targets["mag_total"]), 1.0)
    terms["mag"] = galaxy_mean(mag_error, tf.cast(targets["mag_known"], tf.float32))
    return {name: WEIGHTS[name] * term for name, term in terms.items()}
