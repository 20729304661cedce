"""The paper's figure as a Keras metric: median over radii of the absolute error, then a quantile over galaxies."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

__all__ = ["masked_median", "GalaxyQuantile"]

_EDGES = np.logspace(-3.5, 1.0, 451).astype("float32")
_LOWER = np.concatenate([[0.0], _EDGES]).astype("float32")
_UPPER = np.append(_EDGES, _EDGES[-1])


def masked_median(values, mask):
    """Median along the last axis where `mask` is true; +inf where it is true nowhere. (batch, K) to (batch,)."""
    ranked = tf.sort(tf.where(mask, values, tf.fill(tf.shape(values), np.float32(np.inf))), axis=-1)
    count = tf.reduce_sum(tf.cast(mask, tf.int32), axis=-1)
    low = tf.gather(ranked, tf.maximum(count - 1, 0) // 2, batch_dims=1)
    high = tf.gather(ranked, tf.minimum(count // 2, tf.shape(values)[-1] - 1), batch_dims=1)
    return 0.5 * (low + high)


@keras.saving.register_keras_serializable(package="p2p_keras")
class GalaxyQuantile(keras.metrics.Metric):
    """Quantile over galaxies of one figure each, from a histogram, so that an epoch fits in memory.

    The bins are 0.01 dex wide. Inside a bin the figures are taken as evenly spread, so that the quantile of many
    galaxies moves with them and not from edge to edge.

    Parameters
    ----------
    quantile : float
        0.5 for the median, 0.9 for where the worst tenth begins.
    """

    def __init__(self, quantile: float, name: str | None = None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.quantile = quantile
        self.histogram = self.add_weight(name="histogram", shape=(len(_EDGES) + 1,), initializer="zeros")

    def update_state(self, values, sample_weight=None):
        """Add galaxies: values (batch,); those that aren't finite or have no weight are left out."""
        values = tf.cast(values, tf.float32)
        finite = tf.math.is_finite(values)
        if sample_weight is not None:
            finite &= tf.cast(sample_weight, tf.bool)
        index = tf.searchsorted(_EDGES, tf.where(finite, values, tf.zeros_like(values)))
        counts = tf.math.unsorted_segment_sum(tf.cast(finite, tf.float32), index, len(_EDGES) + 1)
        self.histogram.assign(self.histogram + counts)

    def result(self):
        """The quantile, interpolated inside its bin; the last edge (10) beyond it; NaN without galaxies."""
        counts = tf.convert_to_tensor(self.histogram)
        cumulative = tf.cumsum(counts)
        rank = self.quantile * cumulative[-1]
        index = tf.minimum(tf.searchsorted(cumulative, tf.reshape(rank, [1]))[0], len(_EDGES))
        low, high = (tf.gather(edges, index) for edges in (_LOWER, _UPPER))
        inside = (rank - (cumulative[index] - counts[index])) / tf.maximum(counts[index], 1.0)
        value = low + inside * (high - low)
        return tf.where(cumulative[-1] > 0.0, value, np.float32(np.nan))

    def get_config(self):
        """Every argument under its own name."""
        return {**super().get_config(), "quantile": self.quantile}
