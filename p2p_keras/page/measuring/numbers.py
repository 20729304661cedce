"""A measurement in numbers and words, as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.profile.flags import FLAGS

if TYPE_CHECKING:
    from p2p_keras.page.measuring.measurement import Measurement

QUALITIES = {0: ("good", "good"), 1: ("suspect", "suspect"), 2: ("bad", "bad"), 4: ("bad", "no profile")}
_NUMBERS = (
    ("mag_total", "total magnitude", "", 2),
    ("r50", "half-light radius", "″", 2),
    ("r90", "r90", "″", 2),
    ("concentration", "r90 / r50", "", 2),
    ("r_iso25", "radius at μ = 25", "″", 2),
    ("extent", "profile's extent", "″", 1),
    ("sersic_n", "Sérsic n", "", 2),
    ("mu_central", "central μ", "", 2),
)


def numbers_html(found: Measurement) -> str:
    """The galaxy's numbers with their errors, its quality, and each flag in words."""
    profile = found.profile
    if profile is None:
        return ""
    meta = profile.meta
    band = f" <span>{escape(str(meta['band']))}</span>" if meta.get("band") else ""
    parts = [f"<div class='head'><b>{escape(str(meta.get('name', '')))}</b>{band}{quality_html(meta)}</div>"]
    cells = [_cell(meta, *row) for row in _NUMBERS if np.isfinite(_number(meta, row[0]))]
    parts.append(f"<div class='numbers'>{''.join(cells)}</div>")
    parts.append(flags_html(meta))
    parts += [f"<div class='note'>{escape(str(note))}</div>" for note in meta.get("notes") or []]
    return "".join(parts)


def quality_html(meta: Any) -> str:
    """The quality in a word, with the probability of a bad profile where the model gives one."""
    style, word = QUALITIES.get(int(meta.get("quality", 1)), QUALITIES[1])
    chance = _number(meta, "p_bad")
    said = f", chance of a bad profile {100 * chance:.0f} %" if np.isfinite(chance) else ""
    return f"<span class='{style}'>{word}{said}</span>"


def flags_html(meta: Any) -> str:
    """Flags, and what each of them means."""
    items = []
    for word in meta.get("flags") or []:
        meaning = FLAGS[word].meaning if word in FLAGS else ""
        items.append(f"<li><b>{escape(word.replace('_', ' '))}</b>{escape(meaning)}</li>")
    return f"<ul class='flags'>{''.join(items)}</ul>" if items else ""


def read_html(found: Measurement) -> str:
    """What was read, and where it is from."""
    image = found.image
    if image is None:
        return ""
    size = f"{image.shape[1]} × {image.shape[0]} px" + (f", binned by {image.binning}" if image.binning > 1 else "")
    rows = [
        ("zero point", f"{image.zero_point:.4f} {image.photometric_system}", image.zero_point_origin),
        ("pixel scale", f"{image.pixel_scale:.4g}″", image.pixel_scale_origin),
        ("band", image.band or "unknown", ""),
        ("HDU", image.hdu or "–", size),
        ("noise", image.noise_origin, ""),
    ]
    cells = "".join(
        f"<tr><td>{name}</td><td>{escape(value)}</td><td>{escape(origin)}</td></tr>" for name, value, origin in rows
    )
    return f"<table class='read'>{cells}</table>"


def _cell(meta: Any, key: str, name: str, unit: str, digits: int) -> str:
    error = _number(meta, f"{key}_err")
    after = f" <i>± {error:.{digits}f}</i>" if np.isfinite(error) else ""
    return f"<div><b>{_number(meta, key):.{digits}f}{unit}{after}</b><span>{name}</span></div>"


def _number(meta: Any, key: str) -> float:
    try:
        return float(meta.get(key, np.nan))
    except (TypeError, ValueError):
        return float("nan")
