"""A profile of any length -> targets on the one radial grid."""

from __future__ import annotations

import math

import tensorflow as tf

from p2p_keras.core import radii, units

__all__ = ["interpolate", "ellipse_vectors", "targets_on_grid"]


def interpolate(grid: tf.Tensor, sma: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Interpolate linearly in ln(sma), never beyond the label nor across a NaN in it.

    Parameters
    ----------
    grid : float32 [K], where to, arcsec
    sma : float32 [N], increasing, arcsec
    values : float32 [N, C]

    Returns
    -------
    values : float32 [K, C]
        0 where not known.
    known : bool [K, C]
    """
    at, knots = tf.math.log(grid), tf.math.log(sma)
    inside = (at >= knots[0] - radii.SAME_RADIUS) & (at <= knots[-1] + radii.SAME_RADIUS)
    right = tf.clip_by_value(tf.searchsorted(knots, at, side="right"), 0, tf.shape(knots)[0] - 1)
    left = tf.maximum(right - 1, 0)
    x0, x1 = tf.gather(knots, left), tf.gather(knots, right)
    weight = tf.clip_by_value(tf.math.divide_no_nan(at - x0, x1 - x0), 0.0, 1.0)
    # On a knot the neighbour doesn't count, so that it may be NaN.
    weight = tf.where(at - x0 < radii.SAME_RADIUS, 0.0, tf.where(x1 - at < radii.SAME_RADIUS, 1.0, weight))[:, None]
    y0, y1 = tf.gather(values, left), tf.gather(values, right)
    interpolated = tf.where(weight == 0.0, y0, tf.where(weight == 1.0, y1, (1.0 - weight) * y0 + weight * y1))
    known = inside[:, None] & tf.math.is_finite(interpolated)
    return tf.where(known, interpolated, 0.0), known


def ellipse_vectors(ellipticity: tf.Tensor, pa: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`ellipse.vector_from_angles` as TensorFlow operations; pa in degrees from +x, NaN gives NaN."""
    modulus = ellipticity / (2.0 - ellipticity)
    two_pa = pa * (math.pi / 90.0)
    # The angle of a circle may be NaN: it has none.
    circle = tf.equal(ellipticity, 0.0)
    return (
        tf.where(circle, 0.0, modulus * tf.cos(two_pa)),
        tf.where(circle, 0.0, modulus * tf.sin(two_pa)),
    )


def targets_on_grid(galaxy: dict[str, tf.Tensor], size: tf.Tensor) -> dict[str, tf.Tensor]:
    """Targets of one galaxy at the radii of an image of `size` pixels.

    Parameters
    ----------
    galaxy : dict
        As `parsing.parse_galaxy` gives it.
    size : int32 scalar
        The longer side, in pixels, of the image that the network sees.

    Returns
    -------
    dict
        `mu`, `known`, `within`, `e1`, `e2`, `geometry_known`, each [K].
    """
    grid = radii.grid_px(tf.cast(size, tf.float32), xp=tf.math) * galaxy["pixel_scale"]
    e1, e2 = ellipse_vectors(galaxy["ellipticity"], galaxy["pa"])
    values, known = interpolate(grid, galaxy["sma"], tf.stack([galaxy["mu"], e1, e2], axis=1))
    extent = tf.where(tf.math.is_finite(galaxy["extent"]), galaxy["extent"], galaxy["sma"][-1])
    return {
        "mu": tf.where(known[:, 0], values[:, 0], units.FILL_MU),
        "known": known[:, 0],
        "within": grid <= extent * (1.0 + radii.SAME_RADIUS),
        "e1": values[:, 1],
        "e2": values[:, 2],
        "geometry_known": known[:, 1] & known[:, 2],
    }
