"""Pixels between two ellipses of one shape, each with the part of its area that lies between them, exactly.

Seen in the plane in which the ellipse is the unit circle, a pixel is a parallelogram, and its overlap with the circle
the sum over its sides of the overlaps of the triangles (centre, corner, next corner): parts of them straight, parts
of them circular.
"""

from __future__ import annotations

import numpy as np

from p2p_keras.profile.isophotes.given import Ellipses

__all__ = ["ring_pixels", "ellipse_pixels"]


def ring_pixels(
    shape: tuple[int, int], ellipses: Ellipses, i: int, inner: float, outer: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of an image that the ring of ellipse `i` between two semi-major axes (px) touches.

    Returns
    -------
    rows, columns : int arrays (N,)
    part : float array (N,)
        Of the pixel's area, 0 to 1.
    """
    rows, columns, part = ellipse_pixels(shape, ellipses, i, outer)
    if inner > 0 and rows.size:
        part = part - _parts(rows, columns, ellipses, i, inner)
    touched = part > 1e-12
    return rows[touched], columns[touched], part[touched]


def ellipse_pixels(
    shape: tuple[int, int], ellipses: Ellipses, i: int, sma: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels that ellipse `i` touches when its semi-major axis is `sma` px; as `ring_pixels`."""
    x0, y0, turn, q = ellipses.x0[i], ellipses.y0[i], np.deg2rad(ellipses.pa[i]), ellipses.axis_ratio[i]
    reach_x = sma * np.hypot(np.cos(turn), q * np.sin(turn))
    reach_y = sma * np.hypot(np.sin(turn), q * np.cos(turn))
    left, right = max(0, int(np.floor(x0 - reach_x + 0.5))), min(shape[1], int(np.ceil(x0 + reach_x + 0.5)))
    low, high = max(0, int(np.floor(y0 - reach_y + 0.5))), min(shape[0], int(np.ceil(y0 + reach_y + 0.5)))
    if left >= right or low >= high:
        nothing = np.empty(0, dtype=np.intp)
        return nothing, nothing, np.empty(0)
    rows, columns = (grid.ravel() for grid in np.mgrid[low:high, left:right])
    part = _parts(rows, columns, ellipses, i, sma)
    touched = part > 0
    return rows[touched], columns[touched], part[touched]


def _parts(rows: np.ndarray, columns: np.ndarray, ellipses: Ellipses, i: int, sma: float) -> np.ndarray:
    """Part of each pixel's area inside an ellipse."""
    dx, dy = columns - ellipses.x0[i], rows - ellipses.y0[i]
    turn, b = np.deg2rad(ellipses.pa[i]), sma * ellipses.axis_ratio[i]
    cos_pa, sin_pa = np.cos(turn), np.sin(turn)
    u, v = (dx * cos_pa + dy * sin_pa) / sma, (dy * cos_pa - dx * sin_pa) / b
    # Half the pixel's diagonal in that plane, at most: who is farther from the circle is inside or outside as a whole.
    reach = np.hypot(0.5 * (abs(cos_pa) + abs(sin_pa)) / sma, 0.5 * (abs(cos_pa) + abs(sin_pa)) / b)
    distance = np.hypot(u, v)
    part = (distance < 1.0).astype(float)
    edge = np.flatnonzero(np.abs(distance - 1.0) <= reach)
    if edge.size:
        corner_x = np.array([-0.5, 0.5, 0.5, -0.5])
        corner_y = np.array([-0.5, -0.5, 0.5, 0.5])
        du, dv = (corner_x * cos_pa + corner_y * sin_pa) / sma, (corner_y * cos_pa - corner_x * sin_pa) / b
        area = _overlap_with_unit_circle(u[edge, None] + du, v[edge, None] + dv)
        part[edge] = np.clip(area * (sma * b), 0.0, 1.0)
    return part


def _overlap_with_unit_circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Area of polygons (N, corners), counter-clockwise, inside the unit circle."""
    x1, y1 = np.roll(x, -1, axis=1), np.roll(y, -1, axis=1)
    dx, dy = x1 - x, y1 - y
    # Where the side's line crosses the circle: |p + s d| = 1.
    a, b, c = dx * dx + dy * dy, x * dx + y * dy, x * x + y * y - 1.0
    root = b * b - a * c
    crosses = root > 0
    half = np.sqrt(np.where(crosses, root, 0.0))
    first = np.where(crosses, np.clip((-b - half) / a, 0.0, 1.0), 0.0)
    last = np.where(crosses, np.clip((-b + half) / a, 0.0, 1.0), 0.0)
    fx, fy, lx, ly = x + first * dx, y + first * dy, x + last * dx, y + last * dy
    straight = 0.5 * (fx * ly - lx * fy)

    def sector(ax: np.ndarray, ay: np.ndarray, bx: np.ndarray, by: np.ndarray) -> np.ndarray:
        return 0.5 * np.arctan2(ax * by - bx * ay, ax * bx + ay * by)

    round_part = np.where(first < last, sector(x, y, fx, fy) + sector(lx, ly, x1, y1), sector(x, y, x1, y1))
    return (np.where(first < last, straight, 0.0) + round_part).sum(axis=1)
