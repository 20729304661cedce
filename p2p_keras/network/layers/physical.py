"""From noise units and pixels to mag, arcsec and degrees: the network's edge, in float32."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops

from p2p_keras.core import extent, growth, radii, units
from p2p_keras.core.contract import ERROR_OUTPUTS
from p2p_keras.network.layers.geometry import _Float32Layer

__all__ = [
    "ONE_SIGMA_SHARE",
    "LAPLACE_ONE_SIGMA",
    "CALIBRATION_KNOTS",
    "SNR_KNOTS",
    "SCALE_KNOTS",
    "PhysicalProfile",
    "interpolated",
    "log_flux_inside",
    "ValidProfile",
]

ONE_SIGMA_SHARE = 0.6827
LAPLACE_ONE_SIGMA = -float(np.log(1.0 - ONE_SIGMA_SHARE))
"""68.27 % of a Laplace distribution lies within 1.148 of its scale."""

CALIBRATION_KNOTS = np.log(np.array([0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0], "float32"))
"""ln of the raw 1-sigma uncertainty (mag) at which calibration factors are fitted on held-out galaxies."""

SNR_KNOTS = np.log(np.array([1.0, 4.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0], "float32"))
"""ln of the signal-to-noise ratio over white noise at which further factors are fitted."""

SCALE_KNOTS = np.log(np.array([0.15, 0.25, 0.32, 0.396, 0.5], "float32"))
"""ln of the pixel scale (arcsec) at which further factors are fitted."""

_MIN_COVERED = 0.3  # share of a ring's samples that must be good for it to be valid


@keras.saving.register_keras_serializable(package="p2p_keras")
class PhysicalProfile(keras.layers.Layer):
    """Profile in physical units from a decoder's answer in noise units.

    Inputs: a dict of
    log_intensity, log_scale (batch, K): natural log of the net intensity in noise units, and ln of the Laplace scale of
    its error; sma (batch, K) in pixels; e (batch, K, 2); centre (batch, 2); sky, log_noise (batch,); mag_correction
    (batch, 1), added to the magnitude inside the last ellipse; zero_point, pixel_scale (batch,); optionally level
    (batch,) in the image's unit, what was taken off the image before `sky` was found.
    Output: a dict of sma (arcsec), mu, mu_err, ellipticity, pa, growth (batch, K), x0, y0, mag_total, sky (batch,), as
    `p2p_keras.core.contract` names them, without fills; and snr (batch, K), the signal-to-noise ratio of the annulus
    over white noise (`extent.annulus_snr`).

    The layer's only weights are the calibration: ln factors on mu_err at `CALIBRATION_KNOTS` of its raw value, which
    are no part of the training but fitted on held-out galaxies, so that 68 % of truths fall inside; and further ln
    factors, with `by_snr` at `SNR_KNOTS` (the same error is surer where there is more light) and with `by_scale` at
    `SCALE_KNOTS`: the network doesn't see the pixel scale, and what it can't know of a PSF that is hardly sampled it
    can know of one that is.

    Parameters
    ----------
    by_snr, by_scale : bool
        See above.
    gated_total : bool
        `mag_total` counts each ring's light by s^2 / (s^2 + SNR_MIN^2), s the annulus' signal-to-noise ratio: what
        lies beyond the extent is left to `mag_correction`, since faint intensities times large areas are noise.
    """

    def __init__(self, by_snr: bool = False, gated_total: bool = False, by_scale: bool = False, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.by_snr, self.gated_total, self.by_scale = by_snr, gated_total, by_scale

    @property
    def knots(self):
        """Knots of each table of the calibration, by the name of its weight; the first is over ln of the raw error."""
        tables = {"calibration": CALIBRATION_KNOTS}
        if self.by_snr:
            tables["calibration_by_snr"] = SNR_KNOTS
        if self.by_scale:
            tables["calibration_by_scale"] = SCALE_KNOTS
        return tables

    def build(self, *_):
        for name, knots in self.knots.items():
            setattr(self, name, self.add_weight(name=name, shape=(len(knots),), initializer="zeros", trainable=False))

    def call(self, inputs):
        zero_point = ops.reshape(inputs["zero_point"], (-1, 1))
        pixel_scale = ops.reshape(inputs["pixel_scale"], (-1, 1))
        log_noise = ops.reshape(inputs["log_noise"], (-1, 1))
        log_intensity = ops.clip(inputs["log_intensity"], -14.0, 25.0)
        mu = units.mu_from_noise_units(log_intensity, log_noise, zero_point, pixel_scale, xp=ops)
        scale = ops.exp(ops.clip(inputs["log_scale"], -8.0, 2.0))
        e = ops.stop_gradient(inputs["e"])
        modulus = ops.sqrt(ops.sum(e * e, axis=-1))
        ellipticity = 2.0 * modulus / (1.0 + modulus)
        pa = ops.mod(ops.arctan2(e[..., 1], e[..., 0]) * (90.0 / np.pi), 180.0)
        pa = ops.where(pa >= 180.0, 0.0, pa)

        log_flux = log_flux_inside(inputs["sma"], log_intensity, ellipticity)
        # Flux inside is intensity per pixel times pixels: the same conversion as mu, at a pixel scale of one.
        growth_mag = units.mu_from_noise_units(log_flux, log_noise, zero_point, ops.ones_like(pixel_scale), xp=ops)
        snr = extent.annulus_snr(ops.exp(log_intensity), inputs["sma"], ellipticity, 1.0, xp=ops)
        log_total = log_flux[:, -1:]
        if self.gated_total:
            log_gate = -ops.softplus(2.0 * (math.log(extent.SNR_MIN) - ops.stop_gradient(ops.log(snr))))
            log_total = log_flux_inside(inputs["sma"], log_intensity + log_gate, ellipticity)[:, -1:]
        total_mag = units.mu_from_noise_units(log_total, log_noise, zero_point, ops.ones_like(pixel_scale), xp=ops)
        mag_total = ops.reshape(total_mag + inputs["mag_correction"], (-1,))
        log_error = ops.log(LAPLACE_ONE_SIGMA * units.mag_error_from_log(scale))
        position = {
            "calibration": log_error,
            "calibration_by_snr": ops.stop_gradient(ops.log(snr)),
            "calibration_by_scale": ops.log(pixel_scale),
        }
        for name, knots in self.knots.items():
            log_error = log_error + interpolated(position[name], knots, getattr(self, name))
        sky = inputs["sky"] * ops.exp(inputs["log_noise"])
        if "level" in inputs:
            sky = sky + inputs["level"]
        return {
            "snr": ops.minimum(snr, 1e6),
            "sma": inputs["sma"] * pixel_scale,
            "mu": mu,
            "mu_err": ops.exp(log_error),
            "ellipticity": ellipticity,
            "pa": pa,
            "growth": growth_mag,
            "x0": ops.reshape(inputs["centre"][:, 0:1], (-1,)),
            "y0": ops.reshape(inputs["centre"][:, 1:2], (-1,)),
            "mag_total": mag_total,
            "sky": sky,
        }

    def compute_output_shape(self, input_shape):
        """Shapes of the outputs."""
        ring, batch = tuple(input_shape["sma"]), (input_shape["sma"][0],)
        names = ("snr", "sma", "mu", "mu_err", "ellipticity", "pa", "growth")
        return {**dict.fromkeys(names, ring), **dict.fromkeys(("x0", "y0", "mag_total", "sky"), batch)}

    def get_config(self):
        names = ("by_snr", "gated_total", "by_scale")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def interpolated(position, knots, values):
    """`values` at `knots` interpolated at `position`, constant beyond both ends."""
    position = ops.clip(position, float(knots[0]), float(knots[-1]))
    # Linear interpolation as a sum of hat functions: no gather, no branch.
    out = ops.zeros_like(position)
    for i, knot in enumerate(map(float, knots)):
        below = float(knots[i] - knots[i - 1]) if i else 1.0
        above = float(knots[i + 1] - knots[i]) if i + 1 < len(knots) else 1.0
        hat = ops.minimum(1.0 - (knot - position) / below, 1.0 - (position - knot) / above)
        out = out + ops.maximum(hat, 0.0) * values[i]
    return out


def _so_far():
    """(K, K): times it, values of rings become sums of all rings from the centre to each."""
    return ops.convert_to_tensor(np.triu(np.ones((radii.NUM_RADII, radii.NUM_RADII), "float32")))


def log_flux_inside(sma, log_intensity, ellipticity):
    """ln of `growth.curve_of_growth`, scaled so that float32 holds both ends; (batch, K)."""
    peak = ops.max(log_intensity, axis=1, keepdims=True)
    intensity = ops.exp(log_intensity - peak)
    area = growth.ellipse_area(sma, ellipticity)
    area = ops.max(
        ops.expand_dims(area, 1) * ops.transpose(_so_far()), axis=2
    )  # running maximum: areas are made monotone
    middle = 0.5 * (intensity[:, 1:] + intensity[:, :-1])
    rings = ops.concatenate([intensity[:, :1] * area[:, :1], middle * (area[:, 1:] - area[:, :-1])], axis=1)
    return ops.log(ops.matmul(rings, _so_far())) + peak


@keras.saving.register_keras_serializable(package="p2p_keras")
class ValidProfile(_Float32Layer):
    """The contract's outputs: `valid`, `extent`, and finite fill values where a profile isn't valid.

    Inputs: the dict of `PhysicalProfile`; covered (batch, K), the share of good samples per ring; log_step source
    `sma`.
    A radius is valid up to the extent (`p2p_keras.core.extent`, with the profile's `snr` where the model is sure
    enough of it) and where the image covers its ring. Models saved before there was `snr` have 2.5 / ln 10 / mu_err in
    its place.
    """

    def call(self, profile, covered):
        snr = ops.minimum(units.MAG_PER_RELATIVE_ERROR / profile["mu_err"], 1e6)
        if "snr" in profile:
            snr = ops.minimum(profile["snr"], snr * (extent.SNR_MIN / extent.SURE_MIN))
        log_sma = ops.log(profile["sma"])
        step = ops.reshape(log_sma[:, 1:2] - log_sma[:, 0:1], (-1, 1, 1))
        index = ops.arange(radii.NUM_RADII, dtype="float32")
        apart = ops.abs(ops.expand_dims(index, 1) - ops.expand_dims(index, 0))
        near = ops.cast(apart * step <= extent.WINDOW_LOG_RADIUS / 2.0 + 1e-5, "float32")
        running = ops.sum(near * ops.expand_dims(snr, 1), axis=2) / ops.sum(near, axis=2)
        # Inside its greatest value the ratio counts as that: 1 where the maximum lies further out, or here.
        greatest = ops.cast(running >= ops.max(running, axis=1, keepdims=True), "float32")
        known = (running >= extent.SNR_MIN) & (covered >= _MIN_COVERED)
        peak_known = ops.max(running, axis=1, keepdims=True) >= extent.SNR_MIN
        inside_peak = ops.matmul(greatest, ops.transpose(_so_far()) - ops.eye(radii.NUM_RADII)) > 0.5
        known = ops.cast(known | (peak_known & inside_peak), "float32")
        # 1 up to the first radius that isn't known: the number of unknown radii so far is 0.
        valid = ops.matmul(1.0 - known, _so_far()) < 0.5
        # A core that is masked doesn't end the profile further out, but has no row itself.
        valid = valid & (covered >= _MIN_COVERED)
        fills = {
            "mu": units.FILL_MU,
            "mu_err": units.FILL_MU_ERR,
            "ellipticity": 0.0,
            "pa": 0.0,
            "growth": units.FILL_MU,
        }
        fills |= {name: output.fill for name, output in ERROR_OUTPUTS.items() if name in profile and output.radial}
        filled = {name: ops.where(valid, profile[name], fill) for name, fill in fills.items()}
        last = ops.max(ops.where(valid, profile["sma"], 0.0), axis=1)
        rest = {name: profile[name] for name in ("sma", "x0", "y0", "mag_total", "sky")}
        rest |= {name: profile[name] for name, output in ERROR_OUTPUTS.items() if name in profile and not output.radial}
        return {**rest, **filled, "valid": valid, "extent": last}

    def compute_output_spec(self, profile, covered):
        """Specs of the outputs: float32 but for `valid`."""
        ring, batch = tuple(covered.shape), (covered.shape[0],)
        names = ("sma", "mu", "mu_err", "ellipticity", "pa", "growth", "valid")
        shapes = {
            **dict.fromkeys(names, ring),
            **dict.fromkeys(("x0", "y0", "mag_total", "sky", "extent"), batch),
            **{name: ring if output.radial else batch for name, output in ERROR_OUTPUTS.items() if name in profile},
        }
        return {
            name: keras.KerasTensor(shape, "bool" if name == "valid" else "float32") for name, shape in shapes.items()
        }
