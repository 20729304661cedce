"""Ellipses as layers: the radial grid, points along ellipses, harmonics along them and the corrections they ask for."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from p2p_keras.core import ellipse, radii

__all__ = [
    "angle_terms",
    "longer_side",
    "RadialGrid",
    "EllipsePoints",
    "HarmonicPool",
    "IntensityHarmonics",
    "EllipseCorrection",
]

_TWO_PI = 2.0 * np.pi


def angle_terms(num_angles: int, harmonic: int = 1):
    """Cosine and sine of ``harmonic * t`` at `num_angles` equal steps of the eccentric angle, float32 (num_angles,)."""
    t = _TWO_PI * np.arange(num_angles) / num_angles
    return np.cos(harmonic * t).astype("float32"), np.sin(harmonic * t).astype("float32")


def longer_side(image):
    """Longer side of images (batch, height, width) in pixels, a float32 scalar."""
    _, height, width = ops.shape(image)
    return ops.cast(ops.maximum(height, width), "float32")


class _Float32Layer(keras.layers.Layer):
    """Base of layers without weights that compute in float32 under every precision policy: coordinates need it."""

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def build(self, *_):
        pass


@keras.saving.register_keras_serializable(package="p2p_keras")
class RadialGrid(_Float32Layer):
    """Semi-major axes in pixels of `p2p_keras.core.radii` for an image, (batch, NUM_RADII)."""

    def call(self, image):
        sma = radii.grid_px(longer_side(image), xp=ops)
        return ops.ones((ops.shape(image)[0], 1)) * ops.reshape(sma, (1, radii.NUM_RADII))

    def compute_output_shape(self, input_shape):
        """(batch, NUM_RADII)."""
        return (input_shape[0], radii.NUM_RADII)


@keras.saving.register_keras_serializable(package="p2p_keras")
class EllipsePoints(_Float32Layer):
    """Points at equal steps of the eccentric angle along an ellipse per radius.

    Inputs: centre (batch, 2) as x, y; sma (batch, radii); e (batch, radii, 2).
    Outputs: x, y (batch, radii, num_angles) in pixels; width (batch, radii), the pixel width at which `num_angles`
    bilinear samples hold all light of an annulus one grid step thick.
    """

    def __init__(self, num_angles: int, **kwargs):
        super().__init__(**kwargs)
        self.num_angles = num_angles

    def call(self, centre, sma, e):
        cos_t, sin_t = (ops.convert_to_tensor(terms) for terms in angle_terms(self.num_angles))
        e1, e2 = e[..., 0:1], e[..., 1:2]
        dx, dy = ellipse.points(ops.expand_dims(sma, -1), e1, e2, cos_t, sin_t)
        x = dx + ops.reshape(centre[:, 0], (-1, 1, 1))
        y = dy + ops.reshape(centre[:, 1], (-1, 1, 1))
        # Bilinear interpolation at random phases averages over (1.5 pixels)^2: that area times the number of samples
        # is made that of the annulus, 2 pi a^2 q dlna with dlna about 0.09.
        q = ellipse.axis_ratio(e[..., 0], e[..., 1])
        width = sma * ops.sqrt(q * (_TWO_PI * 0.09 / self.num_angles)) / 1.5
        return x, y, width

    def compute_output_shape(self, centre_shape, sma_shape, e_shape):
        """Shapes of x, y and width."""
        points = (*sma_shape, self.num_angles)
        return points, points, tuple(sma_shape)

    def get_config(self):
        return {**super().get_config(), "num_angles": self.num_angles}


@keras.saving.register_keras_serializable(package="p2p_keras")
class HarmonicPool(_Float32Layer):
    """Harmonics of a map over angle: turns scalar features into vectors that turn with the image.

    Input: maps (batch, radii, angles, channels). Output: (batch, radii, channels, 2), the mean of map times cos mt and
    times sin mt. A turn of the image is a shift in t, so the pooled vector turns by m times the angle: for m = 2 as e
    does, for m = 1 as a displacement.

    Parameters
    ----------
    harmonic : int, default 2
        m.
    """

    def __init__(self, harmonic: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.harmonic = harmonic

    def call(self, maps):
        basis = np.stack(angle_terms(maps.shape[2], self.harmonic), -1) * (2.0 / maps.shape[2])
        return ops.einsum("brtc,th->brch", maps, ops.convert_to_tensor(basis))

    def get_config(self):
        return {**super().get_config(), "harmonic": self.harmonic}

    def compute_output_shape(self, input_shape):
        """(batch, radii, channels, 2)."""
        return (input_shape[0], input_shape[1], input_shape[3], 2)


@keras.saving.register_keras_serializable(package="p2p_keras")
class IntensityHarmonics(_Float32Layer):
    """The classical correction of an ellipse from the harmonics of the intensity along it (Jedrzejewski 1987).

    Where the ellipse vector is off by a small d in the stretched frame, the intensity along it is
    ``I(t) = I0 - (dI / dln a) (d1 cos 2t + d2 sin 2t)``; so d is minus the second harmonic over the slope. Where the
    centre is off by d times the semi-major axis in that frame, the same holds with the first harmonic. Harmonics are
    weighted by attention (stars and neighbours have none), and slopes and harmonics are pooled over neighbouring radii
    at several widths, which lowers their noise where there is little light.

    Inputs: value, weight (batch, radii, angles), weight summing to one over angles; sma (batch, radii).
    Output: (batch, radii, len(widths), 2), bounded in length to 1.

    Parameters
    ----------
    widths : sequence of odd int
        Radii that are pooled.
    harmonic : int, default 2
        2 for the shape, 1 for the centre.
    """

    def __init__(self, widths=(1, 3, 7), harmonic: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.widths, self.harmonic = tuple(widths), harmonic

    def call(self, value, weight, sma):
        value, weight, sma = ops.stop_gradient(value), ops.stop_gradient(weight), ops.stop_gradient(sma)
        angles = value.shape[2]
        mean = ops.sum(weight * value, axis=-1, keepdims=True)
        harmonics = []
        residual = value - mean
        for terms in map(ops.convert_to_tensor, angle_terms(angles, self.harmonic)):
            centred = terms - ops.sum(weight * terms, axis=-1, keepdims=True)
            top = ops.sum(weight * centred * residual, axis=-1)
            harmonics.append(top / ops.maximum(ops.sum(weight * centred * centred, axis=-1), 0.05))
        mean = ops.squeeze(mean, -1)
        log_sma = ops.log(sma)
        step = log_sma[:, 1:2] - log_sma[:, 0:1]
        padded = ops.concatenate([mean[:, :1], mean, mean[:, -1:]], axis=1)
        slope = (padded[:, 2:] - padded[:, :-2]) / (2.0 * step)
        out = []
        for width in self.widths:
            # Pooled like least squares over the neighbours: sum(h * slope) / sum(slope^2).
            bottom = _running_sum(slope * slope, width)
            floor = 1e-3 * mean * mean + 1e-2  # a flat or sky-noise slope asks for no correction
            pair = [-_running_sum(h * slope, width) / (bottom + _running_sum(floor, width)) for h in harmonics]
            pair = ops.stack(pair, axis=-1)
            length = ops.sqrt(ops.sum(pair * pair, axis=-1, keepdims=True) + 1e-12)
            out.append(pair * ops.minimum(1.0, 1.0 / length))
        return ops.stack(out, axis=2)

    def compute_output_shape(self, value_shape, weight_shape, sma_shape):
        """(batch, radii, len(widths), 2)."""
        return (value_shape[0], value_shape[1], len(self.widths), 2)

    def get_config(self):
        return {**super().get_config(), "widths": self.widths, "harmonic": self.harmonic}


def _running_sum(x, width):
    """Sum over `width` neighbouring radii (width odd), zeros beyond the ends."""
    half = width // 2
    padded = ops.pad(x, [[0, 0], [half, half]])
    return sum((padded[:, i : i + radii.NUM_RADII] for i in range(1, width)), padded[:, : radii.NUM_RADII])


@keras.saving.register_keras_serializable(package="p2p_keras")
class EllipseCorrection(_Float32Layer):
    """An ellipse per radius with a correction put on, by `p2p_keras.core.ellipse.compose`, kept below |e| = `limit`.

    Inputs: e, correction (batch, radii, 2), the correction in the frame in which e is a circle. Output: e like the
    input. The default limit 0.92 is an axis ratio of 0.04, thinner than any galaxy seen through a PSF.
    """

    def __init__(self, limit: float = 0.92, **kwargs):
        super().__init__(**kwargs)
        self.limit = limit

    def call(self, e, correction):
        length = ops.sqrt(ops.sum(correction * correction, axis=-1, keepdims=True) + 1e-12)
        correction = correction * (self.limit * ops.tanh(length / self.limit) / length)
        e1, e2 = ellipse.compose(e[..., 0], e[..., 1], correction[..., 0], correction[..., 1])
        corrected = ops.stack([e1, e2], axis=-1)
        length = ops.sqrt(ops.sum(corrected * corrected, axis=-1, keepdims=True) + 1e-12)
        return corrected * ops.minimum(1.0, self.limit / length)

    def compute_output_shape(self, e_shape, correction_shape):
        """The shape of e."""
        return tuple(e_shape)

    def get_config(self):
        return {**super().get_config(), "limit": self.limit}
