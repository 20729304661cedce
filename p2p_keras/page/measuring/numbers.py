"""A measurement in numbers and words, as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.measure.outputs.gallery import flags_of, number_in, numbers_of, quality_word

if TYPE_CHECKING:
    from p2p_keras.page.measuring.measurement import Measurement

__all__ = ["numbers_html", "quality_html", "read_html", "read_value"]


def numbers_html(measurement: Measurement) -> str:
    """The galaxy's numbers with their errors, its quality, and each flag in words."""
    profile = measurement.profile
    if profile is None:
        return ""
    meta = profile.meta
    band = f"<span>{escape(str(meta['band']))}</span>" if meta.get("band") else ""
    cells = [
        f"<div><b>{it.value}<i>{it.unit}{f' ± {it.error}' if it.error else ''}</i></b><span>{it.name}</span></div>"
        for it in numbers_of(meta)
    ]
    parts = [
        f"<div class='head'><b>{escape(str(meta.get('name', '')))}</b>{band}{quality_html(meta)}</div>",
        f"<div class='numbers'>{''.join(cells)}</div>",
        flags_html(meta),
        *bands_html(measurement),
        *(f"<div class='note'>{escape(str(note))}</div>" for note in meta.get("notes") or []),
    ]
    return "".join(parts)


def bands_html(measurement: Measurement) -> list[str]:
    """Total colours, and what the other bands' flags are, where several were measured."""
    if not measurement.bands:
        return []
    from p2p_keras.measure.bands.colours import colour_table

    totals = {
        key.removesuffix("_total"): v
        for key, v in colour_table(measurement.bands).meta.items()
        if key.endswith("_total")
    }
    colours = ", ".join(f"{name} = {value:.2f}" for name, value in totals.items())
    parts = [f"<div class='note'>{escape(colours)} (all light)</div>"]
    assert measurement.profile is not None
    for band, profile in measurement.bands.items():
        others = [
            word for word in profile.meta.get("flags", []) if word not in measurement.profile.meta.get("flags", [])
        ]
        if others:
            parts.append(f"<div class='note'>{escape(band)}: {escape(', '.join(others).replace('_', ' '))}</div>")
    return parts


def quality_html(meta: Any) -> str:
    """The quality in a word, with the probability of a bad profile where the model gives one."""
    word = quality_word(meta)
    chance = number_in(meta, "p_bad")
    percent = "below 1" if chance < 0.01 else "above 99" if chance > 0.99 else f"{100 * chance:.0f}"
    risk = f", chance of a bad profile {percent} %" if np.isfinite(chance) else ""
    return f"<span class='{word.split()[0]}'>{word}{risk}</span>"


def flags_html(meta: Any) -> str:
    """Flags, and what each of them means."""
    items = [f"<li><b>{escape(word)}</b>{escape(meaning)}</li>" for word, meaning in flags_of(meta)]
    return f"<ul class='flags'>{''.join(items)}</ul>" if items else ""


def read_html(measurement: Measurement) -> str:
    """What was read, and where it is from."""
    image = measurement.image
    if image is None:
        return ""
    size = f"{image.shape[1]} × {image.shape[0]} px" + (f", binned by {image.binning}" if image.binning > 1 else "")
    rows = [
        ("zero point", f"{image.zero_point:.4f} {image.photometric_system}", image.zero_point_origin),
        ("pixel scale", f"{image.file_pixel_scale:.4g}″", image.pixel_scale_origin),
        ("band", image.band or "unknown", ""),
        ("HDU", image.hdu or "–", size),
        ("noise", image.noise_origin, ""),
    ]
    cells = "".join(
        f"<tr><td>{name}</td><td>{escape(value)}</td><td>{escape(origin)}</td></tr>" for name, value, origin in rows
    )
    return f"<table class='read'>{cells}</table>"


def read_value(measurement: Measurement, option: str) -> str:
    """What the file says of an option, for its field."""
    image = measurement.image
    if image is None:
        return "needed" if measurement.missing == option else ""
    known = {
        "zero_point": f"{image.zero_point:.4f}",
        "pixel_scale": f"{image.file_pixel_scale:.4g}",
        "band": image.band,
        "hdu": image.hdu,
        "x": "middle",
        "y": "middle",
    }
    return known.get(option, "")
