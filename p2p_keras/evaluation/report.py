"""Print and write the figures of an evaluation: text tables, JSON, and a table of all galaxies."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2p_keras.core.atomic_files import write_content
from p2p_keras.evaluation.run import Evaluation
from p2p_keras.evaluation.summary import DECILES

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = [
    "GALAXY_COLUMNS",
    "PAPER",
    "SCALARS",
    "band_table",
    "decile_table",
    "galaxy_table",
    "number",
    "percent",
    "plain",
    "summary_rows",
    "text_tables",
    "write_galaxies",
    "write_json",
]

PAPER = {"error": (0.41, 0.32, 0.53), "error_bright": (0.34, 0.24, 0.46)}
"""Median and quartiles of Pix2Prof on its own test set (Smith et al. 2021): other galaxies, so for the eye only."""

SCALARS = {
    "centre_px": "centre [px]",
    "ellipticity": "ellipticity",
    "pa_deg": "position angle, e > 0.25 [deg]",
    "mag_total": "total magnitude",
    "r50_relative": "r50, relative",
    "extent_relative": "extent, relative",
}
"""Absolute errors of single quantities, in the order of the tables."""

GALAXY_COLUMNS = {
    "error": "mag / arcsec2",
    "error_bright": "mag / arcsec2",
    "completeness": "",
    "extent_ratio": "",
    "centre_error": "pix",
    "ellipticity_error": "",
    "pa_error": "deg",
    "mag_error": "mag",
    "r50_error": "",
    "extent_px": "pix",
    "r50_px": "pix",
}
"""Columns of the table of all galaxies after model, name and band, with their units."""


def summary_rows(summaries: Sequence[dict[str, Any]]) -> list[tuple[str, list[str], str]]:
    """Rows of the table of all models: title, a cell a model, and the paper's own figure ('' where it gives none)."""
    rows = [("galaxies", [f"{s['galaxies']}" for s in summaries], "300")]
    for key, title in (("error", "error, all radii [mag]"), ("error_bright", "error, mu <= 26.5 [mag]")):
        errors = [s[key] for s in summaries]
        median, low, high = PAPER[key]
        rows += [
            (f"{title}: median", [number(e["median"]) for e in errors], f"{median}"),
            ("  quartiles", [_pair(e, "quartile_low", "quartile_high") for e in errors], f"{low} {high}"),
            ("  worst tenth from", [number(e["worst_tenth"]) for e in errors], ""),
            ("  > 0.5 mag or missing", [percent(e["share_bad"]) for e in errors], ""),
            ("  missing", [f"{e['missing']}" for e in errors], ""),
        ]
    rows += [
        ("truth's radii reached", [percent(s["completeness"]) for s in summaries], ""),
        ("truths inside 1 sigma (68 %)", [percent(s["coverage"]["one_sigma"]) for s in summaries], ""),
        ("truths inside 2 sigma (95 %)", [percent(s["coverage"]["two_sigma"]) for s in summaries], ""),
    ]
    for key, title in SCALARS.items():
        cells = [_pair(s["scalars"][key], "median", "worst_tenth") for s in summaries]
        rows.append((f"{title}: median, worst tenth", cells, ""))
    rows.append(("galaxies/s", [f"{s['galaxies_per_second']:.1f}" for s in summaries], "0.9"))
    return rows


def text_tables(summaries: Sequence[dict[str, Any]]) -> str:
    """Tables of one or several models for a terminal; the figures of a row are those of `summary`."""
    names = [summary["model"] for summary in summaries]
    blocks = [_table(["", *names], [[title, *cells] for title, cells, _ in summary_rows(summaries)])]
    for summary in summaries:
        blocks.append(f"{summary['model']}: bands\n" + _table(*band_table(summary)))
        for key, meaning in DECILES.items():
            if summary["deciles"][key]:
                title = f"{summary['model']}: tenths of radii by {meaning}\n"
                blocks.append(title + _table(*decile_table(summary, key)))
        if summary["worst"]:
            rows = [[f"{w['name']} {w['band']}".strip(), _error(w)] for w in summary["worst"]]
            blocks.append(f"{summary['model']}: worst galaxies\n" + _table(["galaxy", "error"], rows))
    return "\n\n".join(blocks)


def band_table(summary: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a model's errors by band."""
    head = ["band", "galaxies", "median error", "quartiles", "mu <= 26.5", "worst tenth", "> 0.5 mag", "inside 1 sigma"]
    rows = [
        [
            band or "?",
            f"{part['error']['count']}",
            number(part["error"]["median"]),
            _pair(part["error"], "quartile_low", "quartile_high"),
            number(part["error_bright"]["median"]),
            number(part["error"]["worst_tenth"]),
            percent(part["error"]["share_bad"]),
            percent(part["coverage"]),
        ]
        for band, part in summary["bands"].items()
    ]
    return head, rows


def decile_table(summary: dict[str, Any], key: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a model's errors in the tenths of the radii by one quantity."""
    rows = [
        [
            f"{number(part['low'])} to {number(part['high'])}",
            number(part["median_error"]),
            number(part["bias"]),
            percent(part["coverage"]),
        ]
        for part in summary["deciles"][key]
    ]
    return [key, "median error", "bias", "inside 1 sigma"], rows


def galaxy_table(evaluations: Sequence[Evaluation]) -> Table:
    """One row per galaxy and model: its errors, and why it has no profile."""
    from astropy.table import Table

    results = [(evaluation.model, result) for evaluation in evaluations for result in evaluation.results]
    table = Table()
    table["model"] = [model for model, _ in results] or [""][:0]
    for name in ("name", "band"):
        table[name] = [getattr(result, name) for _, result in results] or [""][:0]
    for name, unit in GALAXY_COLUMNS.items():
        table[name] = [float(getattr(result, name)) for _, result in results]
        table[name].unit = unit or None
    table["failure"] = [result.failure for _, result in results] or [""][:0]
    return table


def write_galaxies(evaluations: Sequence[Evaluation], path: Path) -> Path:
    """Write `galaxy_table` as ECSV."""
    from io import StringIO

    text = StringIO()
    galaxy_table(evaluations).write(text, format="ascii.ecsv")
    return write_content(path, text.getvalue())


def write_json(
    summaries: Sequence[dict[str, Any]], path: str | os.PathLike[str], about: Mapping[str, Any] | None = None
) -> Path:
    """Write the figures of all models; infinite and missing ones become null.

    Parameters
    ----------
    summaries : sequence of dict
    path : path
    about : mapping, optional
        What was evaluated (data, split), kept beside the figures.
    """
    return write_content(Path(path), json.dumps(plain({**(about or {}), "models": list(summaries)}), indent=1) + "\n")


def plain(value: Any) -> Any:
    """Values that strict JSON can hold: NaN and infinity, which it can't, become None."""
    if isinstance(value, dict):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def number(value: float) -> str:
    """Three decimals of small numbers, fewer of large ones; a dash for one that isn't known."""
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def percent(value: float) -> str:
    """A share as per cent; a dash for one that isn't known."""
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"


def _error(galaxy: dict[str, Any]) -> str:
    return number(galaxy["error"]) if math.isfinite(galaxy["error"]) else galaxy["cause"] or "no profile"


def _pair(figures: dict[str, float], one: str, other: str) -> str:
    return f"{number(figures[one])} {number(figures[other])}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    """Plain columns: the first to the left, numbers to the right; no frame, so that scripts can cut it."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: list[str]) -> str:
        first, *others = cells
        padded = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        return "  ".join([first.ljust(widths[0]), *padded]).rstrip()

    return "\n".join([line(head), "-" * (sum(widths) + 2 * (len(widths) - 1)), *(line(row) for row in rows)])
