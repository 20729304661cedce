"""The galaxy's centre: where on a window's grid a heat map peaks."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from p2p_keras.core import ellipse
from p2p_keras.network.layers.geometry import _Float32Layer, longer_side
from p2p_keras.network.layers.per_backend import greatest

__all__ = ["WindowOffsets", "LocalSoftArgmax", "MovedCentre", "CentreJitter"]

_JITTER_RANGE = 20.0  # largest over smallest distance


@keras.saving.register_keras_serializable(package="p2p_keras")
class WindowOffsets(_Float32Layer):
    """Positions of a square window of samples around a centre.

    Parameters
    ----------
    size : int
        Samples along each side.
    divisions : float
        The samples' spacing is the image's longer side over `divisions`.
    smallest : float, default 1
        Least spacing in pixels.

    Inputs: image (batch, height, width), for its shape; centre (batch, 2) in pixels, or None for the image's middle.
    Outputs: x, y (batch, size, size) in pixels, rows first; spacing (batch, size), constant, in pixels.
    """

    def __init__(self, size: int, divisions: float, smallest: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.size, self.divisions, self.smallest = size, divisions, smallest

    def call(self, image, centre=None):
        shape = ops.shape(image)
        height, width = ops.cast(shape[1], "float32"), ops.cast(shape[2], "float32")
        spacing = ops.maximum(ops.maximum(height, width) / self.divisions, self.smallest)
        if centre is None:
            middle = ops.stack([(width - 1.0) / 2.0, (height - 1.0) / 2.0])
            centre = ops.ones((shape[0], 1)) * ops.reshape(middle, (1, 2))
        offsets = ops.arange(self.size, dtype="float32") - (self.size - 1) / 2.0
        ones = ops.ones((shape[0], self.size, self.size))
        x = ops.reshape(centre[:, 0], (-1, 1, 1)) + spacing * ops.reshape(offsets, (1, 1, -1)) * ones
        y = ops.reshape(centre[:, 1], (-1, 1, 1)) + spacing * ops.reshape(offsets, (1, -1, 1)) * ones
        return x, y, spacing * ones[:, :, 0]

    def compute_output_shape(self, image_shape, centre_shape=None):
        """Shapes of x, y and spacing."""
        window = (image_shape[0], self.size, self.size)
        return window, window, window[:2]

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "divisions": self.divisions,
            "smallest": self.smallest,
        }


@keras.saving.register_keras_serializable(package="p2p_keras")
class LocalSoftArgmax(_Float32Layer):
    """Position of a heat map's highest peak: the mean position under a softmax within `reach` cells of the maximum.

    A soft-argmax over the whole map would put the centre of two equal galaxies between them.

    Inputs: logits (batch, size, size), x, y (batch, size, size). Output: centre (batch, 2).

    Parameters
    ----------
    reach : int, default 2
    """

    def __init__(self, reach: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.reach = reach

    def call(self, logits, x, y):
        size = logits.shape[1]
        flat = ops.reshape(ops.cast(logits, "float32"), (-1, size * size))
        best = greatest(flat)
        row, column = ops.cast(best // size, "float32"), ops.cast(best % size, "float32")
        rows, columns = (
            ops.convert_to_tensor(place.astype("float32")) for place in divmod(np.arange(size * size), size)
        )
        near = (ops.abs(rows - ops.reshape(row, (-1, 1))) <= self.reach) & (
            ops.abs(columns - ops.reshape(column, (-1, 1))) <= self.reach
        )
        weight = ops.softmax(ops.where(near, flat, flat - 1e4), axis=-1)
        centre = [ops.sum(weight * ops.reshape(v, (-1, size * size)), axis=-1) for v in (x, y)]
        return ops.stack(centre, axis=-1)

    def compute_output_shape(self, logits_shape, x_shape, y_shape):
        """(batch, 2)."""
        return (logits_shape[0], 2)

    def get_config(self):
        return {**super().get_config(), "reach": self.reach}


@keras.saving.register_keras_serializable(package="p2p_keras")
class MovedCentre(_Float32Layer):
    """The centre moved by what the rings about it say: a galaxy whose nucleus can't be seen still has isophotes.

    Each ring proposes a displacement in units of its own size and in the frame in which its ellipse is a circle; the
    mean with learned weights is taken. Every ring has the same say in pixels before training.

    Inputs: centre (batch, 2) in pixels; sma (batch, radii) in pixels; e (batch, radii, 2); proposed (batch, radii, 2);
    logits (batch, radii, 1) of the weights. Output: centre (batch, 2). No gradient goes to `centre`, `sma` and `e`.
    """

    def call(self, centre, sma, e, proposed, logits):
        centre, sma, e = ops.stop_gradient(centre), ops.stop_gradient(sma), ops.stop_gradient(e)
        dx, dy = ellipse.points(sma, e[..., 0], e[..., 1], proposed[..., 0], proposed[..., 1])
        weight = ops.softmax(ops.squeeze(ops.cast(logits, "float32"), -1) - ops.log(sma), axis=1)
        return centre + ops.stack([ops.sum(weight * dx, axis=1), ops.sum(weight * dy, axis=1)], axis=-1)

    def compute_output_shape(self, centre_shape, *_):
        """(batch, 2)."""
        return tuple(centre_shape)


@keras.saving.register_keras_serializable(package="p2p_keras")
class CentreJitter(_Float32Layer):
    """During training some centres are displaced, so that the network learns to move them back.

    Inputs: centre (batch, 2) in pixels; image (batch, height, width), for its shape. Output: centre (batch, 2).

    Parameters
    ----------
    share : float
        Share of the galaxies.
    largest : float
        Largest distance, as a share of the image's longer side; distances are uniform in the logarithm over a factor
        of `_JITTER_RANGE`.
    """

    def __init__(self, share: float = 0.3, largest: float = 0.05, **kwargs):
        super().__init__(**kwargs)
        self.share, self.largest = share, largest
        self.seeds = keras.random.SeedGenerator()

    def call(self, centre, image, training=False):
        if not training:
            return centre
        chosen, direction, size = (
            ops.cast(keras.random.uniform((ops.shape(centre)[0], 1), seed=self.seeds), "float32") for _ in range(3)
        )
        side = longer_side(image)
        distance = self.largest * side * ops.exp(-float(np.log(_JITTER_RANGE)) * size)
        distance = ops.where(chosen < self.share, distance, 0.0)
        angle = 2.0 * np.pi * direction
        return centre + distance * ops.concatenate([ops.cos(angle), ops.sin(angle)], axis=1)

    def compute_output_shape(self, centre_shape, image_shape):
        """(batch, 2)."""
        return tuple(centre_shape)

    def get_config(self):
        return {**super().get_config(), "share": self.share, "largest": self.largest}
