"""What is varied at random in training images, and by how much: for tf.data and for our own reader alike."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MOST_SIGMA", "Augmentation"]

MOST_SIGMA = 3.0
"""Beyond so many sigma a galaxy would stand at the edge of its image."""


@dataclass(frozen=True)
class Augmentation:
    """What is varied at random.

    Attributes
    ----------
    wobble : float
        1-sigma of the centre's shift in x and in y, as a fraction of the image's side: the paper's 10 px of 256.
    rotate : bool
        Turn by 0, 90, 180 or 270 degrees, alike often.
    flip : bool
        Mirror half of the images; with `rotate`, all eight orientations are alike often.
    """

    wobble: float = 10.0 / 256.0
    rotate: bool = True
    flip: bool = True
