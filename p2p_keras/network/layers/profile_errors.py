"""Uncertainties of all that is measured beside mu, and the probability that the profile is wrong."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from p2p_keras.core import units
from p2p_keras.network.layers.geometry import _Float32Layer, longer_side
from p2p_keras.network.layers.physical import LAPLACE_ONE_SIGMA, interpolated
from p2p_keras.network.layers.radial import CopiedFeatures

__all__ = ["RANDOM_PA_ERROR", "ERROR_KNOTS", "FIRST_GUESS", "ProfileErrors", "TrustFeatures"]

RANDOM_PA_ERROR = 61.4
"""68.27 % of random position angles lie within this many degrees of any given one."""

ERROR_KNOTS = {
    "ellipticity_err": np.log(np.array([0.003, 0.01, 0.03, 0.1], "float32")),
    "pa_err": np.log(np.array([0.3, 1.0, 3.0, 10.0, 40.0], "float32")),
    "growth_err": np.log(np.array([0.003, 0.01, 0.03, 0.1, 0.3], "float32")),
    "centre_err": np.log(np.array([0.03, 0.1, 0.3, 1.0, 3.0], "float32")),
    "mag_total_err": np.log(np.array([0.003, 0.01, 0.03, 0.1, 0.3], "float32")),
}
"""ln of the raw 1-sigma uncertainty, in the unit of each, at which calibration factors are fitted."""


FIRST_GUESS = (-3.5, -3.5, -1.0, -3.0, -2.5)
"""Before training: ln of the scales of ellipse, growth, centre and total magnitude, and log-odds of a bad profile."""


@keras.saving.register_keras_serializable(package="p2p_keras")
class ProfileErrors(keras.layers.Layer):
    """1-sigma uncertainties of ellipse, curve of growth, centre and total magnitude, and `p_bad`, in physical units.

    Inputs: of_rings (batch, K, 2), ln of the Laplace scales of each component of the ellipse vector and of the curve
    of growth (mag); of_galaxy (batch, 3), ln of those of each coordinate of the centre (px) and of the total magnitude,
    and the log-odds that the profile is bad, all from `FIRST_GUESS` on; e (batch, K, 2), the ellipse vectors.
    Output: a dict of ellipticity_err, pa_err (degrees), growth_err (mag) (batch, K); x0_err, y0_err (px),
    mag_total_err (mag), p_bad (batch,); and `e_scale`, `growth_scale` (batch, K), `centre_scale`, `mag_scale`,
    `bad_logit` (batch,) before calibration, which training supervises.

    The ellipticity is 2 m / (1 + m) and the angle half of the vector's, m its length; so their errors follow from
    that of a component. The error of the angle tends to that of a random one where m is below its own error.

    The layer's only weights are the calibration, fitted on held-out galaxies: ln factors at `ERROR_KNOTS`, and the
    slope and offset of the log-odds (Platt 1999).
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def build(self, *_):
        for name, knots in ERROR_KNOTS.items():
            weight = self.add_weight(
                name=f"calibration_{name}", shape=(len(knots),), initializer="zeros", trainable=False
            )
            setattr(self, f"calibration_{name}", weight)
        self.calibration_bad = self.add_weight(
            name="calibration_bad", shape=(2,), initializer=keras.initializers.Constant([1.0, 0.0]), trainable=False
        )

    def _calibrated(self, name, error):
        log_error = ops.log(error)
        factor = interpolated(log_error, ERROR_KNOTS[name], getattr(self, f"calibration_{name}"))
        return ops.exp(log_error + factor)

    def call(self, of_rings, of_galaxy, e):
        """Uncertainties, before and after calibration."""
        answers = [of_rings[:, :, 0], of_rings[:, :, 1], of_galaxy[:, 0], of_galaxy[:, 1]]
        e_scale, growth_scale, centre_scale, mag_scale = (
            ops.exp(ops.clip(answer + guess, -9.0, 4.0)) for answer, guess in zip(answers, FIRST_GUESS, strict=False)
        )
        logit = of_galaxy[:, 2] + FIRST_GUESS[4]
        e = ops.stop_gradient(e)
        modulus = ops.sqrt(ops.sum(e * e, axis=-1) + 1e-12)
        component = LAPLACE_ONE_SIGMA * e_scale
        ellipticity_err = 2.0 * component / ops.square(1.0 + modulus)
        turned = component / modulus * (90.0 / np.pi)
        pa_err = turned / (1.0 + turned / RANDOM_PA_ERROR)
        centre = self._calibrated("centre_err", LAPLACE_ONE_SIGMA * centre_scale)
        return {
            "ellipticity_err": self._calibrated("ellipticity_err", ellipticity_err),
            "pa_err": ops.minimum(self._calibrated("pa_err", pa_err), RANDOM_PA_ERROR),
            "growth_err": self._calibrated("growth_err", LAPLACE_ONE_SIGMA * growth_scale),
            "x0_err": centre,
            "y0_err": centre,
            "mag_total_err": self._calibrated("mag_total_err", LAPLACE_ONE_SIGMA * mag_scale),
            "p_bad": ops.sigmoid(self.calibration_bad[0] * logit + self.calibration_bad[1]),
            "e_scale": e_scale,
            "growth_scale": growth_scale,
            "centre_scale": centre_scale,
            "mag_scale": mag_scale,
            "bad_logit": logit,
        }

    def compute_output_shape(self, of_rings_shape, of_galaxy_shape, e_shape):
        """Shapes of the outputs."""
        ring = tuple(of_rings_shape[:2])
        of_rings = ("ellipticity_err", "pa_err", "growth_err", "e_scale", "growth_scale")
        of_galaxy = ("x0_err", "y0_err", "mag_total_err", "p_bad", "centre_scale", "mag_scale", "bad_logit")
        return {**dict.fromkeys(of_rings, ring), **dict.fromkeys(of_galaxy, ring[:1])}


@keras.saving.register_keras_serializable(package="p2p_keras")
class TrustFeatures(_Float32Layer):
    """What the network knows of its own answer: of order one, and the same for an image turned or scaled in flux.

    Inputs: a dict of mu (batch, K), mag arcsec^-2; log_scale, covered (batch, K), ln of the error's scale and the share
    of good samples; copied_features (batch, K, features) of `CopiedFeatures`; e, e_first (batch, K, 2); centre_heat
    (batch, cells), logits; centre_nearest, centre_moved, centre (batch, 2), px; sky (batch,), noise units; image
    (batch, H, W), for its shape. Output: (batch, NUM_FEATURES).

    Parameters
    ----------
    faint_mu : float
        Radii brighter than this count, as in the error that `p_bad` is about.
    """

    NUM_FEATURES = 14

    def __init__(self, faint_mu: float = units.FAINT_MU, **kwargs):
        super().__init__(**kwargs)
        self.faint_mu = faint_mu

    def call(self, inputs):
        """What may tell a wrong profile from a right one."""
        bright = ops.sigmoid(4.0 * (self.faint_mu - inputs["mu"])) * ops.cast(inputs["covered"] > 0.2, "float32")
        number = ops.sum(bright, axis=-1)

        def of_bright(values):
            return ops.sum(bright * values, axis=-1) / (number + 1e-3)

        side = longer_side(inputs["image"])
        peak = ops.max(ops.softmax(inputs["centre_heat"], axis=-1), axis=-1)
        cells = int(np.sqrt(inputs["centre_heat"].shape[-1]))
        # The heat map's second opinion: the highest logit farther than three cells from the highest one.
        highest = ops.max(inputs["centre_heat"], axis=-1)
        row, column = (ops.convert_to_tensor(n.astype("float32")) for n in divmod(np.arange(cells * cells), cells))
        # No argmax: Keras makes it of operations that ONNX lacks.
        here = ops.cast(inputs["centre_heat"] >= ops.expand_dims(highest, -1), "float32")
        number_here = ops.sum(here, axis=-1, keepdims=True)
        best_row = ops.sum(here * row, axis=-1, keepdims=True) / number_here
        best_column = ops.sum(here * column, axis=-1, keepdims=True) / number_here
        far = (ops.abs(row - best_row) > 3.0) | (ops.abs(column - best_column) > 3.0)
        second = ops.max(ops.where(far, inputs["centre_heat"], highest[:, None] - 30.0), axis=-1)

        def distance(one, other):
            return ops.log(1.0 + ops.sqrt(ops.sum(ops.square(inputs[one] - inputs[other]), axis=-1) + 1e-6))

        middle = ops.sqrt(ops.sum(ops.square(inputs["centre"] / side - 0.5), axis=-1) + 1e-6)
        other_light = inputs["copied_features"][:, :, CopiedFeatures.OTHER_LIGHT]
        turned = ops.sqrt(ops.sum(ops.square(inputs["e"] - inputs["e_first"]), axis=-1) + 1e-12)
        columns = [
            of_bright(inputs["log_scale"]) / 2.0,
            ops.max(bright * (inputs["log_scale"] + 8.0), axis=-1) / 4.0 - 1.0,
            number / 32.0 - 1.0,
            of_bright(other_light),
            ops.max(bright * other_light, axis=-1),
            of_bright(inputs["covered"]),
            inputs["covered"][:, 0],
            peak,
            (highest - second) / 8.0,
            distance("centre_moved", "centre_nearest"),
            distance("centre", "centre_moved"),
            4.0 * middle,
            10.0 * of_bright(turned),
            ops.arcsinh(inputs["sky"]),
        ]
        return ops.stack(columns, axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, NUM_FEATURES)."""
        return (input_shape["mu"][0], self.NUM_FEATURES)

    def get_config(self):
        return {**super().get_config(), "faint_mu": self.faint_mu}
