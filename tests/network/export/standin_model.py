"""A small Keras model with the product's inputs and outputs: circular means about the image's centre.

It has what the real one has and converters stumble over: free height and width, a pyramid, bilinear gathers, masked
pixels, a recurrent layer and convolutions over radius.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from p2p_keras.core import radii, units
from p2p_keras.core.contract import OUTPUTS

ANGLES = 16


@keras.saving.register_keras_serializable(package="p2p_keras_tests")
class RingMeans(keras.layers.Layer):
    """Mean flux along circles of the radial grid, from the image and its 2x2 means; and where the grid lies."""

    def call(self, image):
        """Image [B, H, W] -> radii px [B, K], mean [B, K], noise [B]."""
        shape = tf.shape(image)
        longer = tf.cast(tf.maximum(shape[1], shape[2]), tf.float32)
        step = tf.math.log(radii.SMA_MAX_FRACTION * longer / radii.SMA_MIN_PX) / (radii.NUM_RADII - 1)
        sma = radii.SMA_MIN_PX * tf.exp(tf.range(radii.NUM_RADII, dtype=tf.float32) * step)
        finite = tf.math.is_finite(image)
        good = tf.cast(finite, tf.float32)
        flux = tf.where(finite, image, tf.zeros_like(image))
        quiet = flux - tf.roll(flux, 1, axis=2)
        noise = tf.sqrt(tf.reduce_mean(tf.minimum(quiet * quiet, 1.0), axis=[1, 2])) + 1e-4
        height, width = shape[1] // 2 * 2, shape[2] // 2 * 2
        blocks = tf.reshape(flux[:, :height, :width], [shape[0], height // 2, 2, width // 2, 2])
        weights = tf.reshape(good[:, :height, :width], [shape[0], height // 2, 2, width // 2, 2])
        coarse = tf.reduce_sum(blocks, axis=[2, 4]) / tf.maximum(tf.reduce_sum(weights, axis=[2, 4]), 1.0)
        angle = tf.range(ANGLES, dtype=tf.float32) * (6.2831853 / ANGLES)
        y = tf.reshape(sma, [-1, 1]) * tf.sin(angle) + tf.cast(shape[1] - 1, tf.float32) / 2.0
        x = tf.reshape(sma, [-1, 1]) * tf.cos(angle) + tf.cast(shape[2] - 1, tf.float32) / 2.0
        fine_mean = self._mean(flux, good, y, x)
        coarse_good = tf.ones_like(coarse)
        coarse_mean = self._mean(coarse, coarse_good, (y - 0.5) / 2.0, (x - 0.5) / 2.0)
        far = tf.cast(sma > 8.0, tf.float32)
        mean = fine_mean * (1.0 - far) + coarse_mean * far
        return tf.repeat(tf.reshape(sma, [1, -1]), shape[0], axis=0), mean, noise

    @staticmethod
    def _mean(flux, good, y, x):
        shape = tf.shape(flux)
        y0, x0 = tf.floor(y), tf.floor(x)
        total, weight = 0.0, 0.0
        for dy in (0.0, 1.0):
            for dx in (0.0, 1.0):
                row, column = y0 + dy, x0 + dx
                inside = (row >= 0) & (column >= 0) & (row <= tf.cast(shape[1] - 1, tf.float32))
                inside &= column <= tf.cast(shape[2] - 1, tf.float32)
                row = tf.clip_by_value(tf.cast(row, tf.int32), 0, shape[1] - 1)
                column = tf.clip_by_value(tf.cast(column, tf.int32), 0, shape[2] - 1)
                share = (1.0 - tf.abs(y - y0 - dy)) * (1.0 - tf.abs(x - x0 - dx)) * tf.cast(inside, tf.float32)
                index = tf.reshape(row * shape[2] + column, [-1])
                pixels = tf.gather(tf.reshape(flux, [shape[0], -1]), index, axis=1)
                usable = tf.gather(tf.reshape(good, [shape[0], -1]), index, axis=1)
                usable = tf.reshape(usable, [-1, radii.NUM_RADII, ANGLES]) * share
                total += tf.reduce_sum(tf.reshape(pixels, [-1, radii.NUM_RADII, ANGLES]) * usable, axis=2)
                weight += tf.reduce_sum(usable, axis=2)
        return total / tf.maximum(weight, 1e-3)

    def compute_output_shape(self, shape):
        """Shapes of radii, mean and noise."""
        return (shape[0], radii.NUM_RADII), (shape[0], radii.NUM_RADII), (shape[0],)


@keras.saving.register_keras_serializable(package="p2p_keras_tests")
class PhysicalUnits(keras.layers.Layer):
    """Ring means with the network's correction -> the outputs of the contract."""

    def call(self, image, zero_point, pixel_scale, sma, mean, noise, correction):
        """See the class."""
        zero_point, scale = tf.reshape(zero_point, [-1, 1]), tf.reshape(pixel_scale, [-1, 1])
        noise = tf.reshape(noise, [-1, 1])
        intensity = tf.maximum(mean, 1e-2 * noise) * tf.exp(0.1 * correction[:, :, 0])
        mu = units.mu_from_intensity(intensity, zero_point, scale, xp=tf.math)
        valid = mean > noise
        per_image = tf.reduce_sum(tf.cast(valid, tf.float32), axis=1)
        flux = tf.cumsum(intensity * sma * sma, axis=1)
        shape = tf.shape(image)
        growth = units.mag_from_flux(flux, zero_point, xp=tf.math)
        return {
            "sma": sma * scale,
            "mu": mu,
            "mu_err": tf.nn.softplus(correction[:, :, 1]),
            "ellipticity": tf.sigmoid(correction[:, :, 2]),
            "pa": 180.0 * tf.sigmoid(correction[:, :, 3]),
            "growth": growth,
            "valid": valid,
            "x0": 0.0 * per_image + tf.cast(shape[2] - 1, tf.float32) / 2.0,
            "y0": 0.0 * per_image + tf.cast(shape[1] - 1, tf.float32) / 2.0,
            "extent": tf.reduce_max(sma * scale * tf.cast(valid, tf.float32), axis=1),
            "mag_total": growth[:, -1],
            "sky": tf.reshape(noise, [-1]),
        }

    def compute_output_shape(self, image, *_):
        """Shapes of the outputs."""
        return {name: (image[0], radii.NUM_RADII) if o.radial else (image[0],) for name, o in OUTPUTS.items()}

    def compute_output_spec(self, image, *_):
        """Shapes and types of the outputs."""
        shapes = self.compute_output_shape(image.shape)
        return {k: keras.KerasTensor(s, "bool" if k == "valid" else "float32") for k, s in shapes.items()}


def build_standin(seed: int = 0) -> keras.Model:
    """The model, with random weights."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None), name="image", dtype="float32")
    zero_point = keras.Input((), name="zero_point", dtype="float32")
    pixel_scale = keras.Input((), name="pixel_scale", dtype="float32")
    sma, mean, noise = RingMeans(name="rings")(image)
    x = keras.layers.Reshape((radii.NUM_RADII, 1))(mean)
    x = keras.layers.LayerNormalization()(keras.layers.Dense(16)(x))
    x = keras.layers.Conv1D(16, 5, padding="same", activation="silu")(x)
    x = keras.layers.Bidirectional(keras.layers.GRU(8, return_sequences=True, use_cudnn=False))(x)
    correction = keras.layers.Dense(4, name="correction")(x)
    outputs = PhysicalUnits(name="units")(image, zero_point, pixel_scale, sma, mean, noise, correction)
    inputs = {"image": image, "zero_point": zero_point, "pixel_scale": pixel_scale}
    return keras.Model(inputs, outputs, name="standin")
