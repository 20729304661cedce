"""Means and medians over radii and galaxies, and the paper's figure as a Keras metric.

That is the median over radii of the absolute error, then a quantile over galaxies.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from p2p_keras.network.layers.per_backend import gathered

__all__ = ["masked_median", "GalaxyQuantile", "ring_mean", "galaxy_mean"]

_EDGES = np.logspace(-3.5, 1.0, 451).astype("float32")
_LOWER = np.concatenate([[0.0], _EDGES]).astype("float32")
_UPPER = np.append(_EDGES, _EDGES[-1])


def masked_median(values, mask):
    """Median along the last axis where `mask` is true; +inf where it is true nowhere. (batch, K) to (batch,)."""
    ranked = ops.sort(ops.where(mask, values, float("inf")), axis=-1)
    count = ops.sum(ops.cast(mask, "int32"), axis=-1)
    middle = ops.stack([ops.maximum(count - 1, 0) // 2, ops.minimum(count // 2, values.shape[-1] - 1)], axis=1)
    return ops.mean(gathered(ranked, middle), axis=1)


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
        values = ops.cast(values, "float32")
        finite = ops.isfinite(values)
        if sample_weight is not None:
            finite = finite & ops.cast(sample_weight, "bool")
        index = ops.searchsorted(ops.convert_to_tensor(_EDGES), ops.where(finite, values, 0.0))
        counts = ops.segment_sum(ops.cast(finite, "float32"), index, len(_EDGES) + 1)
        self.histogram.assign(self.histogram + counts)

    def result(self):
        """The quantile, interpolated inside its bin; the last edge (10) beyond it; NaN without galaxies."""
        counts = ops.convert_to_tensor(self.histogram)
        cumulative = ops.cumsum(counts)
        rank = self.quantile * cumulative[-1]
        index = ops.minimum(ops.searchsorted(cumulative, ops.reshape(rank, (1,)))[0], len(_EDGES))
        low, high = (ops.take(ops.convert_to_tensor(edges), index, axis=0) for edges in (_LOWER, _UPPER))
        here = ops.take(counts, index, axis=0)
        inside = (rank - (ops.take(cumulative, index, axis=0) - here)) / ops.maximum(here, 1.0)
        value = low + inside * (high - low)
        return ops.where(cumulative[-1] > 0.0, value, float("nan"))

    def get_config(self):
        """Keras' own, with `quantile`."""
        return {**super().get_config(), "quantile": self.quantile}


def ring_mean(values, weight):
    """Mean over galaxies of the weighted mean over radii (batch, K); galaxies without a label count as 0."""
    per_galaxy = ops.sum(values * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 0.5)
    return ops.mean(per_galaxy)


def galaxy_mean(values, weight):
    """Weighted mean over galaxies (batch,); 0 without a label."""
    return ops.sum(values * weight) / ops.maximum(ops.sum(weight), 1.0)
