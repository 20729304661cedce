"""Print and write the figures of an evaluation."""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from p2p_keras.errors import InputError
from p2p_keras.evaluation.summary import DECILES

PAPER = {"error": (0.41, 0.32, 0.53), "error_bright": (0.34, 0.24, 0.46)}
"""Median and quartiles of Pix2Prof on its own test set (Smith et al. 2021): other galaxies, so for the eye only."""


def text_tables(summaries: Sequence[dict[str, Any]]) -> str:
    """Tables of one or several models for a terminal; the figures of a row are those of `summary`."""
    names = [summary["model"] for summary in summaries]
    rows: list[tuple[str, list[str]]] = [("galaxies", [f"{s['galaxies']}" for s in summaries])]
    for key, title in (("error", "error, all radii [mag]"), ("error_bright", "error, mu <= 26.5 [mag]")):
        rows.append((f"{title}: median", [_number(s[key]["median"]) for s in summaries]))
        rows.append(
            (
                "  quartiles",
                [f"{_number(s[key]['quartile_low'])} {_number(s[key]['quartile_high'])}" for s in summaries],
            )
        )
        rows.append(("  worst tenth from", [_number(s[key]["worst_tenth"]) for s in summaries]))
        rows.append(("  > 0.5 mag or missing", [_percent(s[key]["share_bad"]) for s in summaries]))
        rows.append(("  missing", [f"{s[key]['missing']}" for s in summaries]))
    rows.append(("truth's radii reached", [_percent(s["completeness"]) for s in summaries]))
    rows.append(("truths inside 1 sigma (68 %)", [_percent(s["coverage"]["one_sigma"]) for s in summaries]))
    rows.append(("truths inside 2 sigma (95 %)", [_percent(s["coverage"]["two_sigma"]) for s in summaries]))
    scalars = {
        "centre_px": "centre [px]",
        "ellipticity": "ellipticity",
        "pa_deg": "position angle [deg]",
        "mag_total": "total magnitude",
        "r50_relative": "r50, relative",
        "extent_relative": "extent, relative",
    }
    for key, title in scalars.items():
        cells = [
            f"{_number(s['scalars'][key]['median'])} {_number(s['scalars'][key]['worst_tenth'])}" for s in summaries
        ]
        rows.append((f"{title}: median, worst tenth", cells))
    rows.append(("galaxies/s", [f"{s['galaxies_per_second']:.1f}" for s in summaries]))
    blocks = [_table(["", *names], [[title, *cells] for title, cells in rows])]
    for summary in summaries:
        for key, meaning in DECILES.items():
            if summary["deciles"][key]:
                blocks.append(_decile_table(summary, key, meaning))
    return "\n\n".join(blocks)


def write_json(summaries: Sequence[dict[str, Any]], path: str | os.PathLike[str], **about: Any) -> Path:
    """Write the figures of all models; infinite and missing ones become null.

    Parameters
    ----------
    about : what was evaluated (data, split), kept beside the figures.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(plain({**about, "models": list(summaries)}), indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(path, f"can't be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def plain(value: Any) -> Any:
    """Values that strict JSON can hold: NaN and infinity, which it can't, become None."""
    if isinstance(value, dict):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _decile_table(summary: dict[str, Any], key: str, meaning: str) -> str:
    rows = [
        [
            f"{_number(part['low'])} to {_number(part['high'])}",
            _number(part["median_error"]),
            _number(part["bias"]),
            _percent(part["coverage"]),
        ]
        for part in summary["deciles"][key]
    ]
    title = f"{summary['model']}: tenths of radii by {meaning}"
    return title + "\n" + _table([key, "median error", "bias", "inside 1 sigma"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    """Plain columns: the first to the left, numbers to the right; no frame, so that scripts can cut it."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: list[str]) -> str:
        first, *others = cells
        padded = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        return "  ".join([first.ljust(widths[0]), *padded]).rstrip()

    return "\n".join([line(head), "-" * (sum(widths) + 2 * (len(widths) - 1)), *(line(row) for row in rows)])


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"
