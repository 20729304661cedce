"""A galaxy on a card: a small picture with ellipses and its profile beside it, as SVG that weighs some kilobytes.

For pages that show hundreds of galaxies; `p2p_keras.profile.plots.galaxy` draws one of them for a paper.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.plots.image_panel import SMALLEST_SHOWN, marked_ellipses, pixel_geometry, shown_window, stretched
from p2p_keras.profile.plots.style import BLUE, ORANGE, VERMILION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["picture_svg", "profile_svg"]

_LOOK = {
    "isophotes": (BLUE, 0.8, ""),
    "extent": (VERMILION, 1.5, ""),
    "r50": (ORANGE, 1.5, "4 3"),
}
_MASKED = 217
_CURVE_POINTS = 61


def picture_svg(image: GalaxyImage, profile: QTable, *, side: int = 180) -> str:
    """Draw the galaxy on an asinh stretch with its ellipses.

    Parameters
    ----------
    image : GalaxyImage
    profile : QTable
        Measured on it; an empty one draws the image alone.
    side : int
        Of the picture, CSS pixels.

    Returns
    -------
    str
        An ``<svg>`` element that needs nothing else.
    """
    geometry = pixel_geometry(profile, image)
    (left, right), (bottom, top) = shown_window(image, geometry)
    columns = slice(max(round(left + 0.5), 0), min(round(right + 0.5), image.shape[1]))
    rows = slice(max(round(bottom + 0.5), 0), min(round(top + 0.5), image.shape[0]))
    levels = stretched(np.asarray(image.pixels, dtype=float), profile)[rows, columns]
    scale = side / max(right - left, top - bottom)

    def path(x: np.ndarray, y: np.ndarray) -> str:
        return " ".join(f"{px:.1f},{py:.1f}" for px, py in zip((x - left) * scale, (top - y) * scale, strict=True))

    lines = []
    for kind, radii in marked_ellipses(profile).items():
        color, width, dash = _LOOK[kind]
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        for sma in radii:
            if kind == "isophotes" and not sma / image.pixel_scale > SMALLEST_SHOWN:
                continue
            x, y = geometry.outline(sma / image.pixel_scale)
            thin = max(1, len(x) // _CURVE_POINTS)
            points = path(x[::thin], y[::thin])
            lines.append(f'<polyline points="{points}" stroke="{color}" stroke-width="{width}"{dashes}/>')
    corner = (columns.start - 0.5 - left) * scale, (top - rows.stop + 0.5) * scale
    size = f'width="{levels.shape[1] * scale:.1f}" height="{levels.shape[0] * scale:.1f}"'
    return (
        f'<svg viewBox="0 0 {side} {side}" width="{side}" height="{side}" role="img" style="background:#d9d9d9">'
        f'<image x="{corner[0]:.1f}" y="{corner[1]:.1f}" {size} preserveAspectRatio="none" '
        f'href="{_picture(levels, 3 * side // 2)}"/>'
        f'<g fill="none">{"".join(lines)}</g>{_bar(image.pixel_scale / scale, side)}</svg>'
    )


def profile_svg(profile: QTable, *, width: int = 200, height: int = 180) -> str:
    """Draw surface brightness with its error against radius, both axes labelled.

    Parameters
    ----------
    profile : QTable
    width, height : int
        CSS pixels.
    """
    arrays = plain_arrays(profile)
    opening = f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" font-size="10">'
    good = np.isfinite(arrays["mu"]) & (arrays["sma"] > 0)
    if not good.any():
        return f'{opening}<text x="{width / 2}" y="{height / 2}" text-anchor="middle">no profile</text></svg>'
    sma, mu = arrays["sma"][good], arrays["mu"][good]
    error = np.minimum(np.nan_to_num(arrays.get("mu_err", np.zeros(good.shape))[good]), 1.0)
    left, right, top, bottom = 28.0, width - 4.0, 4.0, height - 18.0
    low, high = np.log(0.85 * sma[0]), np.log(1.2 * sma[-1])
    bright, faint = float((mu - error).min()) - 0.3, float((mu + error).max()) + 0.3

    def x(radius: Any) -> Any:
        return left + (np.log(radius) - low) / (high - low) * (right - left)

    def y(value: Any) -> Any:
        return top + (value - bright) / (faint - bright) * (bottom - top)

    def path(radii: np.ndarray, values: np.ndarray) -> str:
        return " ".join(f"{px:.1f},{py:.1f}" for px, py in zip(x(radii), y(values), strict=True))

    band = f"{path(sma, mu - error)} {path(sma[::-1], (mu + error)[::-1])}"
    marks = [f'<rect x="{left}" y="{top}" width="{right - left:.1f}" height="{bottom - top:.1f}" stroke="#444"/>']
    words = []
    for value in _ticks(bright, faint):
        marks.append(f'<path d="M{left} {y(value):.1f}h4" stroke="#444"/>')
        words.append(f'<text x="{left - 3}" y="{y(value) + 3:.1f}" text-anchor="end">{value:g}</text>')
    for value in (m * 10.0**e for e in range(-2, 4) for m in (1, 2, 5)):
        if low < np.log(value) < high:
            marks.append(f'<path d="M{x(value):.1f} {bottom}v-4" stroke="#444"/>')
            if not str(value).startswith(("2", "0.2")) or high - low < 4.5:
                words.append(f'<text x="{x(value):.1f}" y="{bottom + 12}" text-anchor="middle">{value:g}</text>')
    r50 = float(profile.meta.get("r50", np.nan))
    if np.isfinite(r50) and r50 > 0:
        marks.append(f'<path d="M{x(r50):.1f} {top}V{bottom}" stroke="{ORANGE}" stroke-dasharray="4 3"/>')
    return (
        f'{opening}<g fill="none">{"".join(marks)}</g><polygon points="{band}" fill="{BLUE}" opacity="0.25"/>'
        f'<polyline points="{path(sma, mu)}" fill="none" stroke="{BLUE}" stroke-width="1.6"/>'
        f'<g fill="#333">{"".join(words)}</g></svg>'
    )


def _ticks(low: float, high: float) -> Iterable[float]:
    step = 1.0 if high - low < 6 else 2.0 if high - low < 13 else 5.0
    return np.arange(np.ceil(low / step) * step, high, step)


def _picture(levels: np.ndarray, largest: int) -> str:
    """Levels from 0 (faint) to 1 as a picture, dark where it is bright; NaN a grey of its own."""
    from PIL import Image

    with np.errstate(invalid="ignore"):
        grey = 255.0 - 255.0 * np.clip(levels, 0.0, 1.0)
    picture = Image.fromarray(np.where(np.isfinite(grey), grey, _MASKED).astype(np.uint8)[::-1])
    if max(picture.size) > largest:
        factor = largest / max(picture.size)
        width, height = (max(1, round(n * factor)) for n in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=72, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _bar(arcsec_per_px: float, side: int) -> str:
    """A bar of a round number of arcsec."""
    steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600]
    length = max([step for step in steps if step <= 0.3 * side * arcsec_per_px], default=steps[0])
    label = f"{length / 60:g}′" if length >= 60 else f"{length}″"
    left, width, low = 0.06 * side, length / arcsec_per_px, 0.94 * side
    return (
        f'<path d="M{left:.1f} {low:.1f}h{width:.1f}" stroke="#fff" stroke-width="5" opacity="0.7"/>'
        f'<path d="M{left:.1f} {low:.1f}h{width:.1f}" stroke="#111" stroke-width="2"/>'
        f'<text x="{left + width / 2:.1f}" y="{low - 5:.1f}" text-anchor="middle" font-size="11" '
        f'paint-order="stroke" stroke="#fff" stroke-width="3" stroke-opacity="0.7" fill="#111">{label}</text>'
    )
