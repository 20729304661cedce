"""Rows and columns at an image's border that a program filled with copies of others."""

from __future__ import annotations

import numpy as np

__all__ = ["copied_borders"]

_FEWEST_COPIES = 3  # rows that repeat one another; two may come from a shift by half a pixel
_LARGEST_SHARE = 0.45  # of the rows: a model that is symmetric about its middle isn't padded
# Of a row's pixels this share is higher or lower than both neighbours: two thirds in noise, few in a symmetric model,
# in which rows are equal without padding, and few where most counts are 0.
_NOISY = 0.2


def copied_borders(pixels: np.ndarray) -> np.ndarray | None:
    """Pixels in rows and columns at the border that are exact copies of other rows and columns; None if there are none.

    Programs that cut out a galaxy at a frame's edge fill what is missing by the edge's last row (``numpy.pad``:
    `edge`), by the mean of each column (`mean`, `median`), by the image mirrored (`reflect`, `symmetric`) or by its
    other side (`wrap`). Noise never repeats itself, so such pixels weren't measured. Of the two
    copies that `wrap` leaves, both are returned, since nothing tells which is the original.

    Parameters
    ----------
    pixels : array (H, W)
        NaN equals nothing: rows with NaN aren't found.

    Returns
    -------
    array of bool (H, W) or None
    """
    copied = None
    for along in (pixels, pixels.T):
        lines = np.zeros(along.shape[0], dtype=bool)
        for forward in (along, along[::-1]):
            copies = _copied_lines(forward)
            lines |= copies if forward is along else copies[::-1]
        if not lines.any() or lines.all():
            continue
        hidden = np.zeros(pixels.shape, dtype=bool)
        (hidden if along is pixels else hidden.T)[lines] = True
        copied = hidden if copied is None else copied | hidden
    return copied


def _copied_lines(lines: np.ndarray) -> np.ndarray:
    """Which rows at the beginning, row 0 among them, are copies of others, or originals of those that can't be told."""
    count = lines.shape[0]
    copied = np.zeros(count, dtype=bool)
    # One pixel tells nearly all rows that differ; only the few others are compared as a whole.
    middle = lines.shape[1] // 2
    candidates = np.flatnonzero(lines[1:, middle] == lines[0, middle]) + 1
    first = next((int(row) for row in candidates if np.array_equal(lines[row], lines[0])), None)
    if first is None or (first != 1 and not _noisy(lines[0])):
        return copied
    if first == 1:  # the border's row, again and again
        last = next((row for row in range(1, count) if not np.array_equal(lines[row], lines[0])), count) - 1
        values = np.unique(lines[0]).size
        if last + 1 >= _FEWEST_COPIES and values > 0.5 * lines.shape[1] and not _repeats(lines[last + 1 :]):
            copied[: last + 1] = True
        return copied
    if first <= 2 * _LARGEST_SHARE * count and all(
        np.array_equal(lines[row], lines[first - row]) for row in range((first + 1) // 2)
    ):
        copied[: (first + 1) // 2] = True  # mirrored about row first / 2
        return copied
    run = next(
        (row for row in range(count - first) if not np.array_equal(lines[row], lines[first + row])), count - first
    )
    if run >= _FEWEST_COPIES and first + run == count and run <= _LARGEST_SHARE * count:
        copied[:run] = copied[first:] = True
    return copied


def _noisy(line: np.ndarray) -> bool:
    steps = np.diff(line)
    return bool(np.mean(steps[1:] * steps[:-1] < 0) > _NOISY)


def _repeats(lines: np.ndarray) -> bool:
    """Whether rows equal their neighbours throughout: an image enlarged by whole pixels."""
    same = (lines[1:] == lines[:-1]).all(axis=1)
    same = same[: same.size - int(np.argmin(same[::-1]))] if same.size else same  # without the other border's padding
    return bool(same.any())
