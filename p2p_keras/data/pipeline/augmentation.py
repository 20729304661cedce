"""Crop, shift, flip and turn a galaxy image; its centre and ellipses follow.

The paper wobbles the centre by a normal deviate of 10 px at 256 x 256 and turns by 0, 90, 180 or 270 degrees (Smith et
al. 2021, sec. 2.2). Shifts are by whole pixels, so that no pixel is resampled and the noise stays what it was.
"""

from __future__ import annotations

import tensorflow as tf

from p2p_keras.data.pipeline.sources import MOST_SIGMA, Augmentation

__all__ = ["Augmentation", "draw", "no_variation", "crop", "turn"]


def draw(augmentation: Augmentation, size: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Draw one variation, a pure function of the seed (int64 [2]).

    Returns
    -------
    dict
        `dx`, `dy` int32: by how many pixels the galaxy moves to the right and up (in growing x and y); `turns` int32,
        quarter turns; `mirror` bool.
    """
    normal = tf.random.stateless_normal([2], seed)
    sigma = augmentation.wobble * tf.cast(size, tf.float32)
    shift = tf.cast(tf.round(tf.clip_by_value(normal, -MOST_SIGMA, MOST_SIGMA) * sigma), tf.int32)
    choice = tf.random.stateless_uniform([2], seed + 1, maxval=4, dtype=tf.int32)
    return {
        "dx": shift[0],
        "dy": shift[1],
        "turns": choice[0] if augmentation.rotate else tf.constant(0),
        "mirror": choice[1] < 2 if augmentation.flip else tf.constant(False),
    }


def no_variation() -> dict[str, tf.Tensor]:
    """Leave the image as it is."""
    return {"dx": tf.constant(0), "dy": tf.constant(0), "turns": tf.constant(0), "mirror": tf.constant(False)}


def crop(image: tf.Tensor, size: tf.Tensor, dx: tf.Tensor, dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cut the middle out as a square, moved so that what is in it moves by (dx, dy).

    Parameters
    ----------
    image : float32 [H, W]
    size : int32 scalar, pixels a side
    dx, dy : int32 scalars

    Returns
    -------
    image : float32 [size, size]
        NaN where the original has no pixel.
    left, top : int32 scalars
        Pixel of the original at (0, 0) of the result; may be negative.
    """
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    left = (width - size) // 2 - dx
    top = (height - size) // 2 - dy
    x0, x1 = tf.clip_by_value(left, 0, width), tf.clip_by_value(left + size, 0, width)
    y0, y1 = tf.clip_by_value(top, 0, height), tf.clip_by_value(top + size, 0, height)
    before = tf.minimum(tf.stack([y0 - top, x0 - left]), size)
    after = size - before - tf.stack([y1 - y0, x1 - x0])
    margins = tf.stack([before, after], axis=1)
    inside = image[y0:y1, x0:x1]
    # Padding by nothing would still copy the image.
    padded = tf.cond(
        tf.reduce_any(margins > 0), lambda: tf.pad(inside, margins, constant_values=float("nan")), lambda: inside
    )
    return padded, left, top


def turn(
    image: tf.Tensor,
    x0: tf.Tensor,
    y0: tf.Tensor,
    e1: tf.Tensor,
    e2: tf.Tensor,
    *,
    turns: tf.Tensor,
    mirror: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mirror in x, then turn by quarters, a square image with its centre and ellipse vectors.

    A quarter turn adds 90 degrees to every position angle, so it changes the sign of (e1, e2); a mirror makes pa into
    -pa, so it changes the sign of e2 alone.

    Parameters
    ----------
    image : float32 [S, S]
    x0, y0 : float32, pixels
    e1, e2 : float32 [K], ellipse vectors
    turns : int32, number of quarter turns (x, y) -> (y, S - 1 - x)
    mirror : bool

    Returns
    -------
    image, x0, y0, e1, e2
    """
    last = tf.cast(tf.shape(image)[0] - 1, tf.float32)
    image = tf.cond(mirror, lambda: tf.reverse(image, [1]), lambda: image)
    x0 = tf.where(mirror, last - x0, x0)
    e2 = tf.where(mirror, -e2, e2)

    image = tf.switch_case(
        turns % 4,
        [
            lambda: image,
            lambda: tf.reverse(tf.transpose(image), [0]),
            lambda: tf.reverse(image, [0, 1]),
            lambda: tf.reverse(tf.transpose(image), [1]),
        ],
    )
    places = [[x0, y0], [y0, last - x0], [last - x0, last - y0], [last - y0, x0]]
    place = tf.gather(tf.stack([tf.stack(pair) for pair in places]), turns % 4)
    sign = tf.where(tf.equal(turns % 2, 1), -1.0, 1.0)
    return image, place[0], place[1], sign * e1, sign * e2
