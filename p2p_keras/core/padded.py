"""Profiles of several galaxies as arrays: a row of radii per galaxy, filled up with NaN behind its last radius."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

__all__ = ["stacked", "packed", "at_index", "interpolated", "medians", "accumulate", "radius_first"]


def stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of any lengths (N_b,) as one float array (B, K), K the longest; NaN behind the end of each."""
    out = np.full((len(rows), max((len(row) for row in rows), default=0)), np.nan)
    for filled, row in zip(out, rows, strict=True):
        filled[: len(row)] = row
    return out


def packed(
    columns: Mapping[str, np.ndarray], keep: np.ndarray, sort_by: str | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Move what is kept to the front of each row.

    Parameters
    ----------
    columns : mapping of arrays (B, K)
    keep : bool array (B, K)
    sort_by : str, optional
        A column by which each row is put in order, equals as they come.

    Returns
    -------
    columns : dict of float arrays (B, K)
        NaN behind what was kept.
    count : int array (B,)
    """
    count = keep.sum(axis=1)
    kept = np.arange(keep.shape[1]) < count[:, None]
    key = np.where(keep, 0.0 if sort_by is None else columns[sort_by], np.inf)
    if np.array_equal(keep, kept) and (sort_by is None or not np.any(key[:, 1:] < key[:, :-1])):  # as nearly always
        return {name: np.where(keep, values, np.nan) for name, values in columns.items()}, count
    order = np.argsort(key, axis=1, kind="stable")
    moved = {name: np.take_along_axis(np.asarray(values, float), order, axis=1) for name, values in columns.items()}
    return {name: np.where(kept, values, np.nan) for name, values in moved.items()}, count


def at_index(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The entry of each row: values (..., N), index (...) -> (...)."""
    return np.take_along_axis(values, index[..., None], axis=-1)[..., 0]


def interpolated(at: np.ndarray, known: np.ndarray, *columns: np.ndarray) -> list[np.ndarray]:
    """`numpy.interp` of each row: constant beyond both ends.

    Parameters
    ----------
    at : array (B, M)
    known : array (B, K), increasing, NaN at the end
        One entry at least in each row.
    *columns : arrays (B, K)
        Of which the values are wanted.

    Returns
    -------
    list of arrays (B, M)
    """
    last = np.maximum(np.isfinite(known).sum(axis=1) - 1, 0)[:, None]
    low = np.clip((known[:, None, :] <= at[:, :, None]).sum(axis=2) - 1, 0, np.maximum(last - 1, 0))
    high = np.minimum(low + 1, last)
    left, right = np.take_along_axis(known, low, axis=1), np.take_along_axis(known, high, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(right > left, np.clip((at - left) / (right - left), 0.0, 1.0), 0.0 * at)
    found = []
    for column in columns:
        first, second = np.take_along_axis(column, low, axis=1), np.take_along_axis(column, high, axis=1)
        found.append(first + part * (second - first))
    return found


def medians(values: np.ndarray) -> np.ndarray:
    """Median of the numbers of each row (B, K) that are finite, (B,); NaN where there are none."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=1)  # NaN comes last
    count = np.isfinite(ordered).sum(axis=1)
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, values.shape[1] - 1)
    return 0.5 * (at_index(ordered, low) + at_index(ordered, high))


_FEW_ROWS = 8


def accumulate(ufunc: np.ufunc, values: np.ndarray) -> np.ndarray:
    """``ufunc.accumulate`` along the last axis, in place; returns its argument.

    numpy's takes seven times as long for many rows of few radii. Quickest where a radius's values lie together in
    memory: see `radius_first`.
    """
    if values.size < _FEW_ROWS * values.shape[-1]:
        return ufunc.accumulate(values, axis=-1, out=values)
    for before, here in pairwise(np.moveaxis(values, -1, 0)):
        ufunc(before, here, out=here)
    return values


def radius_first(shape: tuple[int, ...]) -> np.ndarray:
    """An empty array of this shape (..., N) in whose memory the values of a radius lie together."""
    return np.moveaxis(np.empty((shape[-1], *shape[:-1])), 0, -1)
