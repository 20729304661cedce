"""A small model that fulfils the contract of a SavedModel without any training: means in circular rings.

Its formulas are simple enough to check a profile by hand, and it exports in seconds as SavedModel and ONNX file.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from p2p_keras.images import GalaxyImage


@dataclass(frozen=True)
class FakeModels:
    """Folder of models (NAME/VERSION), the SavedModel and the ONNX file of one network."""

    root: Path
    saved_model: Path
    onnx: Path


def build_ring_model():
    """A tf.function from image, zero_point and pixel_scale to every output of the contract."""
    import tensorflow as tf

    spec = [
        tf.TensorSpec([None, None, None], tf.float32, name="image"),
        tf.TensorSpec([None], tf.float32, name="zero_point"),
        tf.TensorSpec([None], tf.float32, name="pixel_scale"),
    ]

    @tf.function(input_signature=spec)
    def rings(image, zero_point, pixel_scale):
        shape = tf.shape(image)
        batch, height, width = shape[0], shape[1], shape[2]
        size = tf.cast(tf.stack([width, height]), tf.float32)
        log_step = tf.math.log(0.65 / 0.5 * tf.reduce_max(size)) / 63.0
        sma = 0.5 * tf.exp(tf.range(64, dtype=tf.float32) * log_step)
        x0, y0 = (size[0] - 1.0) / 2.0, (size[1] - 1.0) / 2.0
        x = tf.range(size[0], dtype=tf.float32) - x0
        y = tf.range(size[1], dtype=tf.float32) - y0
        r = tf.reshape(tf.sqrt(y[:, None] ** 2 + x[None, :] ** 2), [1, -1])
        ring = tf.exp(-0.5 * ((r - sma[:, None]) / tf.maximum(0.5, 0.06 * sma[:, None])) ** 2)
        good = tf.math.is_finite(image)
        flux = tf.reshape(tf.where(good, image, tf.zeros_like(image)), [batch, -1])
        weight = tf.reshape(tf.cast(good, tf.float32), [batch, -1])
        pixels = tf.matmul(weight, ring, transpose_b=True)
        intensity = tf.matmul(flux, ring, transpose_b=True) / tf.maximum(pixels, 1e-3)
        square = tf.matmul(flux * flux, ring, transpose_b=True) / tf.maximum(pixels, 1e-3)
        sky = intensity[:, 63:]
        noise = tf.sqrt(tf.maximum(square[:, 63:] - sky * sky, 1e-12))
        intensity = intensity - sky
        error = noise / tf.sqrt(tf.maximum(pixels, 1.0))
        bright = tf.cast((intensity > 4.0 * error) & (pixels > 0.1), tf.float32)
        valid = tf.math.cumprod(bright, axis=1) > 0.5
        log_i = tf.math.log(tf.maximum(intensity, 1e-12))
        zero, scale = zero_point[:, None], pixel_scale[:, None]
        mag = 2.5 / tf.math.log(10.0)
        mu = zero - mag * (log_i - 2.0 * tf.math.log(scale))
        area = 3.14159265 * sma * sma
        inner = tf.concat([area[:1], area[1:] - area[:-1]], 0)
        grown = tf.cumsum(tf.maximum(intensity, 0.0) * inner, axis=1)
        growth = zero - mag * tf.math.log(tf.maximum(grown, 1e-12))
        last = tf.reduce_max(tf.where(valid, sma * scale, tf.zeros_like(mu)), axis=1)
        total = tf.reduce_max(tf.where(valid, grown, tf.zeros_like(grown)), axis=1)
        ones = tf.ones_like(zero_point)

        def known(value, fill):
            return tf.where(valid, value, fill * tf.ones_like(value))

        return {
            "sma": sma * scale,
            "mu": known(mu, 40.0),
            "mu_err": known(mag * error / tf.maximum(intensity, 1e-12), 40.0),
            "ellipticity": known(tf.zeros_like(mu) + 0.1, 0.0),
            "pa": known(tf.zeros_like(mu) + 30.0, 0.0),
            "growth": known(growth, 40.0),
            "valid": valid,
            "x0": x0 * ones,
            "y0": y0 * ones,
            "extent": last,
            "mag_total": zero_point - mag * tf.math.log(tf.maximum(total, 1e-12)),
            "sky": tf.reshape(sky, [-1]),
        }

    return rings


@pytest.fixture(scope="session")
def fake_models(made_once) -> FakeModels:
    """Models ``isophote/1``, ``isophote/2``, ``isophote/10`` and ``isophote/model.onnx``, all the same network."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("tf2onnx")
    root = made_once("ring-models", _write_ring_models)
    return FakeModels(root, root / "isophote" / "10", root / "isophote" / "model.onnx")


def _write_ring_models(root: Path) -> None:
    import tensorflow as tf
    import tf2onnx

    rings = build_ring_model()
    module = tf.Module()
    module.rings = rings
    first = root / "isophote" / "1"
    tf.saved_model.save(module, str(first), signatures={"serving_default": rings})
    for version in ("2", "10"):
        shutil.copytree(first, root / "isophote" / version)
    onnx = str(root / "isophote" / "model.onnx")
    tf2onnx.convert.from_function(rings, input_signature=rings.input_signature, opset=17, output_path=onnx)


def galaxy_pixels(shape=(96, 96), *, flux=400.0, scale_px=6.0, noise=0.02, sky=0.0, seed=1, x0=None, y0=None):
    """A round exponential disc of central intensity ``flux / (2 pi scale^2)`` on noise, float32."""
    height, width = shape
    y, x = np.mgrid[:height, :width]
    r = np.hypot(x - ((width - 1) / 2 if x0 is None else x0), y - ((height - 1) / 2 if y0 is None else y0))
    disc = flux / (2 * np.pi * scale_px**2) * np.exp(-r / scale_px)
    return (disc + sky + noise * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


@pytest.fixture(name="galaxy_pixels")
def galaxy_pixels_fixture():
    """`galaxy_pixels`, for tests that put a second one onto an image."""
    return galaxy_pixels


@pytest.fixture
def make_galaxy():
    """Factory of `GalaxyImage`s with the settings of `galaxy_pixels`."""

    def make(shape=(96, 96), *, zero_point=22.5, pixel_scale=0.4, name="disc", **settings) -> GalaxyImage:
        pixels = galaxy_pixels(shape, **settings)
        return GalaxyImage.from_array(pixels, zero_point=zero_point, pixel_scale=pixel_scale, name=name)

    return make


@pytest.fixture
def write_galaxy(tmp_path):
    """Factory of FITS files of `galaxy_pixels`, in nanomaggies with a WCS turned by `rotation` degrees."""
    from astropy.io import fits
    from astropy.wcs import WCS

    def write(name, shape=(96, 96), *, rotation=0.0, pixel_scale=0.4, header=None, **settings) -> Path:
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [150.0, 2.0]
        wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
        turn = np.deg2rad(rotation)
        step = pixel_scale / 3600
        wcs.wcs.cd = step * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        cards = wcs.to_header()
        cards["BUNIT"] = "nanomaggy"
        cards["FILTER"] = "r"
        cards.update(header or {})
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fits.PrimaryHDU(galaxy_pixels(shape, **settings), cards).writeto(path)
        return path

    return write
