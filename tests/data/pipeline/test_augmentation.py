"""Augmentation: the image and its label stay one."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.core import ellipse
from p2p_keras.data.pipeline import augmentation


def measured(image: np.ndarray) -> tuple[float, float, float, float]:
    """Centre and ellipse vector of a Gaussian by its second moments."""
    image = np.nan_to_num(image.astype(float))
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    x0, y0 = np.average(x, weights=image), np.average(y, weights=image)
    xx, yy, xy = (np.average(p, weights=image) for p in ((x - x0) ** 2, (y - y0) ** 2, (x - x0) * (y - y0)))
    norm = xx + yy + 2 * np.sqrt(xx * yy - xy * xy)
    return x0, y0, (xx - yy) / norm, 2 * xy / norm


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirror", [False, True])
def test_label_of_a_turned_image_is_the_turned_label(make_spot, turns, mirror):
    """The network would be told a wrong centre or position angle in seven of eight images."""
    galaxy = make_spot(shape=(65, 65), x0=30.0, y0=35.0)
    e1, e2 = ellipse.vector_from_angles(0.5, 30.0)
    assert measured(galaxy.image) == pytest.approx((30.0, 35.0, e1, e2), abs=1e-3)
    image, x0, y0, e1, e2 = augmentation.turn(
        tf.constant(galaxy.image),
        tf.constant(30.0),
        tf.constant(35.0),
        tf.fill([1], np.float32(e1)),
        tf.fill([1], np.float32(e2)),
        turns=tf.constant(turns),
        mirror=tf.constant(mirror),
    )
    assert measured(image.numpy()) == pytest.approx((float(x0), float(y0), float(e1[0]), float(e2[0])), abs=1e-3)


def test_all_eight_orientations_come(make_spot):
    """Some orientations would never be trained on."""
    image = tf.constant(np.arange(9, dtype=np.float32).reshape(3, 3))
    zero, one = tf.constant(0.0), tf.zeros([1])
    seen = set()
    for turns in range(4):
        for mirror in (False, True):
            turned = augmentation.turn(
                image, zero, zero, one, one, turns=tf.constant(turns), mirror=tf.constant(mirror)
            )
            seen.add(turned[0].numpy().tobytes())
    assert len(seen) == 8


@pytest.mark.parametrize("size", [20, 33, 64, 65, 90])
@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (5, -7), (-40, 3)])
def test_crop_moves_the_galaxy_by_as_much_as_it_says(make_spot, size, dx, dy):
    """Labels of the centre would be off by the wobble."""
    galaxy = make_spot(shape=(64, 70))
    image, left, top = augmentation.crop(tf.constant(galaxy.image), tf.constant(size), tf.constant(dx), tf.constant(dy))
    assert image.shape == (size, size)
    y, x = np.mgrid[:size, :size]
    old_x, old_y = x + int(left), y + int(top)
    inside = (old_x >= 0) & (old_x < 70) & (old_y >= 0) & (old_y < 64)
    np.testing.assert_array_equal(image.numpy()[inside], galaxy.image[old_y[inside], old_x[inside]])
    assert np.isnan(image.numpy()[~inside]).all()
    assert (int(left), int(top)) == ((70 - size) // 2 - dx, (64 - size) // 2 - dy)


def test_wobble_is_the_papers():
    """Training would see galaxies only in the very middle, or at the edge."""
    drawn = [
        augmentation.draw(augmentation.Augmentation(), tf.constant(256), tf.constant([7, seed], tf.int64))
        for seed in range(300)
    ]
    shifts = np.array([[int(d["dx"]), int(d["dy"])] for d in drawn])
    assert abs(shifts.mean()) < 1.5
    assert 8.7 < shifts.std() < 11.3
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.2
    assert {int(d["turns"]) for d in drawn} == {0, 1, 2, 3}
    assert 0.4 < np.mean([bool(d["mirror"]) for d in drawn]) < 0.6
