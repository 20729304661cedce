"""What the isophote network is trained for, term by term."""

from __future__ import annotations

from typing import Any

from keras import ops

from p2p_keras.core import accuracy, units
from p2p_keras.core.extent import SNR_MIN
from p2p_keras.network.layers.physical import LAPLACE_ONE_SIGMA, log_flux_inside
from p2p_keras.network.training.centre_losses import WEIGHTS as CENTRE_WEIGHTS
from p2p_keras.network.training.centre_losses import centre_distance, centre_terms
from p2p_keras.network.training.metrics import galaxy_mean, masked_median, ring_mean

__all__ = ["WEIGHTS", "loss_terms"]

WEIGHTS = {
    "profile": 1.0,
    "mu": 4.0,
    "copied": 1.0,
    "ellipse": 6.0,
    **CENTRE_WEIGHTS,
    "moved": 0.5,
    "sky": 10.0,
    "mag": 4.0,
    "errors": 0.25,
    "bad": 0.5,
}
"""Factor of every term of the loss."""

_BEYOND = 0.1  # weight of radii beyond the extent: enough that growth and total magnitude extrapolate sanely
_SKY_KNOWN_TO = 0.03  # noise units: up to here an error of the sky counts in full
_MOST_OFF = 3.0  # mag: an error of mu counts up to this; in the outskirts, what can be true reaches as far
_SHOWN_FROM = 0.5 * SNR_MIN  # somewhat beyond where a profile ends
_FAINTEST_LOG = -6.0  # ln intensity in noise units under which nothing can be learned


def loss_terms(inputs: dict, targets: dict, outputs: dict, likelihood_weight=1.0) -> dict[str, Any]:
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
    error, and no single radius can dominate it. `mu` is the absolute error itself; both clip it at 3 mag.
    """
    zero_point = ops.reshape(inputs["zero_point"], (-1, 1))
    pixel_scale = ops.reshape(inputs["pixel_scale"], (-1, 1))
    log_noise = ops.reshape(outputs["log_noise"], (-1, 1))
    log_true = units.log_noise_units_from_mu(targets["mu"], log_noise, zero_point, pixel_scale, xp=ops)
    within, known = (ops.cast(targets[name], "float32") for name in ("within", "known"))
    covered = ops.cast(outputs["covered"] > 0.2, "float32")
    sma_px = outputs["sma"] / pixel_scale
    crowding = ops.minimum(1.0, 0.3 + 0.35 * sma_px)  # the grid crowds radii below a pixel or two
    # Which radii count most must not hang on the truth alone: where a profile ends, those of the brighter truths
    # would count and those of the fainter ones not, and the network would be right in being too bright.
    shown = ops.cast(ops.stop_gradient(outputs["snr"]) >= _SHOWN_FROM, "float32")
    near = ops.maximum(within, shown)
    usable = known * covered * crowding
    weight = usable * (near + _BEYOND * (1.0 - near))
    faintest = units.mu_from_noise_units(_FAINTEST_LOG, log_noise, zero_point, pixel_scale, xp=ops)
    error = ops.abs(outputs["mu"] - ops.minimum(targets["mu"], faintest))
    scale = outputs["mu_err"] / LAPLACE_ONE_SIGMA
    terms = {
        "profile": likelihood_weight * ring_mean(ops.minimum(error, _MOST_OFF) / scale + ops.log(scale), weight),
        "mu": ring_mean(ops.minimum(error, _MOST_OFF), weight),
        "copied": ring_mean(ops.minimum(ops.abs(ops.log(outputs["copied"]) - log_true), _MOST_OFF), weight * within),
    }

    e_true = ops.stack([targets["e1"], targets["e2"]], axis=-1)
    seen = ops.cast(log_true > _FAINTEST_LOG, "float32")
    e_weight = ops.cast(targets["geometry_known"], "float32") * usable * seen
    e_weight = e_weight * (within + _BEYOND * (1.0 - within))
    terms["ellipse"] = sum(
        ring_mean(ops.sqrt(ops.sum(ops.square(outputs[name] - e_true), axis=-1) + 1e-6), e_weight)
        for name in ("e_first", "e_second", "e")
    )

    terms.update(centre_terms(inputs, targets, outputs))
    # Some start many pixels off (`CentreJitter`): by the logarithm, lest they rule the gradient.
    off = [0.5 * ops.arcsinh(2.0 * centre_distance(outputs[name], targets)) for name in ("centre_moved", "centre")]
    terms["moved"] = galaxy_mean(sum(off), ops.cast(targets["centre_known"], "float32"))
    noise = ops.exp(outputs["log_noise"])
    # The level is taken off before the network sees the image: what counts is what is left of it.
    sky_error = ops.abs(outputs["sky"] - targets["sky"]) / noise
    # By the logarithm: skies that can be known to a hundredth of the noise decide the outskirts. Those that can't be
    # seen, where a galaxy fills the image, would drown them.
    sky_error = _SKY_KNOWN_TO * ops.arcsinh(ops.minimum(sky_error, 2.0) / _SKY_KNOWN_TO)
    terms["sky"] = galaxy_mean(sky_error, ops.cast(targets["sky_known"], "float32"))
    mag_error = ops.minimum(ops.abs(outputs["mag_total"] - targets["mag_total"]), 1.0)
    terms["mag"] = galaxy_mean(mag_error, ops.cast(targets["mag_known"], "float32"))
    terms["errors"], terms["bad"] = error_terms(targets, outputs, e_true, e_weight, error)
    return {name: WEIGHTS[name] * term for name, term in terms.items()}


def error_terms(targets, outputs, e_true, e_weight, error):
    """Likelihood of the uncertainties of all but mu, and the cross-entropy of `p_bad`; zeros where there are none.

    Errors count as they are, without a gradient to what is measured: a network that only says what it doesn't know.
    """
    if "bad_logit" not in outputs:
        return ops.zeros(()), ops.zeros(())

    def likelihood(distance, scale):
        return ops.stop_gradient(distance) / scale + ops.log(scale)

    e_error = ops.mean(ops.abs(outputs["e"] - e_true), axis=-1)
    growth_error, growth_weight = growth_errors(targets, outputs)
    true_centre = ops.stack([targets["x0"], targets["y0"]], axis=-1)
    centre_error = ops.mean(ops.abs(outputs["centre"] - true_centre), axis=-1)
    mag_error = ops.abs(outputs["mag_total"] - targets["mag_total"])
    terms = [
        ring_mean(likelihood(e_error, outputs["e_scale"]), e_weight),
        ring_mean(likelihood(growth_error, outputs["growth_scale"]), growth_weight),
        galaxy_mean(
            likelihood(ops.minimum(centre_error, 50.0), outputs["centre_scale"]),
            ops.cast(targets["centre_known"], "float32"),
        ),
        galaxy_mean(
            likelihood(ops.minimum(mag_error, 3.0), outputs["mag_scale"]), ops.cast(targets["mag_known"], "float32")
        ),
    ]
    known = ops.cast(ops.any(targets["known"], axis=-1), "float32")
    bad = ops.cast(is_bad(targets, ops.stop_gradient(error)), "float32")
    logit = outputs["bad_logit"]
    # Cross-entropy of logits, in the form that doesn't overflow.
    entropy = ops.maximum(logit, 0.0) - logit * bad + ops.log1p(ops.exp(-ops.abs(logit)))
    return sum(terms), galaxy_mean(entropy, known)


def is_bad(targets, error):
    """Whether each profile is bad (batch,), by its absolute error (batch, K) in mag: what `p_bad` is trained on.

    The error is the median where mu <= 26.5, as far as the true profile reaches; over all of it where it is fainter.
    Where there is nothing to measure, since no radius of the truth stands out of the noise, every profile is bad.
    """
    within = targets["known"] & targets["within"]
    bright = within & (targets["mu"] <= units.FAINT_MU)
    judged = ops.where(ops.any(bright, axis=-1, keepdims=True), bright, within)
    return masked_median(error, judged) > accuracy.BAD_PROFILE  # of nothing it is infinite


def growth_errors(targets, outputs):
    """Absolute error of the curve of growth (mag), capped at 3, and where it counts: both (batch, K).

    The true curve is that of the true surface brightness along the true ellipses, as far in as all of it is known.
    """
    length = ops.sqrt(ops.square(targets["e1"]) + ops.square(targets["e2"]))
    ellipticity = 2.0 * length / (1.0 + length)
    log_flux = log_flux_inside(outputs["sma"], -targets["mu"] / units.MAG_PER_RELATIVE_ERROR, ellipticity)
    true = -units.MAG_PER_RELATIVE_ERROR * log_flux
    usable = ops.cast(targets["known"] & targets["geometry_known"], "float32")
    usable = ops.cumprod(usable, axis=1) * ops.cast(targets["within"], "float32")
    return ops.minimum(ops.abs(outputs["growth"] - true), 3.0), usable
