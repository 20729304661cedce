"""The rest of the contract, for networks that answer with mu alone: the paper's and its variants."""

from __future__ import annotations

import math

import keras
from keras import layers

from p2p_keras.network import layers as p2p

__all__ = ["contract_inputs", "pyramid_of", "seen_image", "shape_head", "physical_outputs"]

_RAW_LOG_SCALE = math.log(0.05)  # of a network that says nothing of its error: calibration alone makes mu_err
_NUM_ANGLES = 32


def contract_inputs():
    """Symbolic image (batch, height, width), zero_point and pixel_scale (batch,)."""
    return tuple(
        keras.Input(shape, name=name, dtype="float32")
        for name, shape in (("image", (None, None)), ("zero_point", ()), ("pixel_scale", ()))
    )


def pyramid_of(image, sky_free):
    """The image's pyramid, and the level taken off it.

    Parameters
    ----------
    image : tensor (batch, height, width)
    sky_free : bool
        A constant sky is taken off and holes are filled (`SkyFreePyramid`); else the image goes in as it is
        (`ImagePyramid`).

    Returns
    -------
    pyramid : tuple of tensors
        What `PyramidSampler` takes before and after the points: `flux`, `good`, `log_noise` and, with `sky_free`,
        `offset`.
    removed : tensor (batch,) or None
        The level that was taken off, in the image's unit; None where nothing is.
    """
    if not sky_free:
        return p2p.ImagePyramid(name="pyramid")(image), None
    *pyramid, removed = p2p.SkyFreePyramid(name="pyramid")(image)
    return tuple(pyramid), removed


def seen_image(image, sky_free):
    """The image as an encoder is to see it, and its pyramid.

    Parameters
    ----------
    image : tensor (batch, height, width)
    sky_free : bool
        A constant sky is taken off and holes are filled, as for `isophote` (`SkyFreePyramid`); else the image is seen
        as it is, as in the paper.

    Returns
    -------
    seen : tensor (batch, height, width)
    measured : tensor (batch, height, width)
        The same, not finite where there are no data.
    pyramid, removed
        `pyramid_of`.
    """
    pyramid, removed = pyramid_of(image, sky_free)
    if not sky_free:
        return image, image, pyramid, removed
    flux, good, _, offset = pyramid
    return *p2p.SkyFreeImage(name="sky_free")(image, flux, good, offset), pyramid, removed


def shape_head(z, image, sma, units, *, detached=False):
    """One ellipse and one centre, by a hidden layer on the image's vector.

    Parameters
    ----------
    z : tensor (batch, dim)
    image : tensor (batch, height, width), for its shape
    sma : tensor (batch, K)
    units : int
        Of the hidden layer.
    detached : bool
        No gradient reaches z: the encoder is trained by the profile alone.

    Returns
    -------
    e (batch, K, 2), centre (batch, 2)
    """
    if detached:
        z = p2p.StopGradient(name="shape_detached")(z)
    hidden = layers.Dense(units, activation="silu", dtype="float32", name="shape_hidden")(z)
    answer = layers.Dense(4, kernel_initializer="zeros", dtype="float32", name="shape_answer")(hidden)
    return p2p.OneEllipse(name="shape")(answer, image, sma)


def physical_outputs(image, pyramid, removed, zero_point, pixel_scale, sma, mu, inside, e, centre, log_scale=None):
    """Outputs of a network, as training, calibration and export take them, from its mu.

    Parameters
    ----------
    image, zero_point, pixel_scale : tensors
        `contract_inputs`.
    pyramid, removed
        `seen_image`.
    sma : tensor (batch, K), pixels
    mu : tensor (batch, K), mag arcsec^-2
    inside : tensor (batch, K)
        0 where the network itself says that the profile has ended.
    e, centre : tensors
        `shape_head`.
    log_scale : tensor (batch, K), optional
        ln of the Laplace scale of the error of ln I; by default the same for all, and mu_err is what calibration on
        held-out galaxies finds at each signal-to-noise ratio.

    Returns
    -------
    dict of tensors
        `PhysicalProfile`'s, `covered`, `log_noise`, `e`.
    """
    # Only the extent needs the noise: mu comes from the network and passes through noise units unchanged.
    log_noise = pyramid[2]
    x, y, width = p2p.EllipsePoints(_NUM_ANGLES, name="points")(centre, sma, e)
    _, good, *_ = p2p.PyramidSampler(name="samples")(image, *pyramid[:3], x, y, width, *pyramid[3:])
    covered = p2p.RingsCovered(name="covered")(good, inside)
    log_intensity = p2p.NoiseIntensity(name="noise_units")(mu, log_noise, zero_point, pixel_scale)
    profile = p2p.PhysicalProfile(by_snr=True, name="physical")(
        {
            "log_intensity": log_intensity,
            "log_scale": p2p.Constant(_RAW_LOG_SCALE, name="log_scale")(mu) if log_scale is None else log_scale,
            "sma": sma,
            "e": e,
            "centre": centre,
            # These networks measure no sky beyond the level that was taken off, and no light beyond their profile.
            "sky": p2p.Constant(0.0, name="sky")(log_noise),
            "mag_correction": layers.Reshape((1,), dtype="float32", name="mag_correction")(
                p2p.Constant(0.0, name="no_correction")(log_noise)
            ),
            "log_noise": log_noise,
            **({} if removed is None else {"level": removed}),
            "zero_point": zero_point,
            "pixel_scale": pixel_scale,
        }
    )
    return {**profile, "covered": covered, "log_noise": log_noise, "e": e}
