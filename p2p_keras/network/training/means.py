"""Means over the galaxies of a batch."""

from __future__ import annotations

import tensorflow as tf

__all__ = ["ring_mean", "galaxy_mean"]


def ring_mean(values, weight):
    """Mean over galaxies of the weighted mean over radii (batch, K); galaxies without a label count as 0."""
    per_galaxy = tf.reduce_sum(values * weight, axis=1) / tf.maximum(tf.reduce_sum(weight, axis=1), 0.5)
    return tf.reduce_mean(per_galaxy)


def galaxy_mean(values, weight):
    """Weighted mean over galaxies (batch,); 0 without a label."""
    return tf.reduce_sum(values * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)
