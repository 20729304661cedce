"""Means over the galaxies of a batch."""

from __future__ import annotations

from keras import ops

__all__ = ["ring_mean", "galaxy_mean"]


def ring_mean(values, weight):
    """Mean over galaxies of the weighted mean over radii (batch, K); galaxies without a label count as 0."""
    per_galaxy = ops.sum(values * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 0.5)
    return ops.mean(per_galaxy)


def galaxy_mean(values, weight):
    """Weighted mean over galaxies (batch,); 0 without a label."""
    return ops.sum(values * weight) / ops.maximum(ops.sum(weight), 1.0)
