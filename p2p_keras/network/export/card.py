"""The model card: one dictionary, shown as Markdown beside the model and as JSON inside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from p2p_keras.core.contract import INPUTS, MAX_SIDE, MIN_SIDE, OUTPUTS, outputs_of
from p2p_keras.core.version import __version__

__all__ = ["FIRST_KEYS", "complete_card", "model_card_markdown"]

FIRST_KEYS = ("summary", "intended_use", "limits", "architecture", "training_data", "training", "evaluation")
"""Sections in their order; others follow as they come."""


def complete_card(card: Mapping[str, Any], name: str, version: int, outputs: Iterable[str] = OUTPUTS) -> dict[str, Any]:
    """The card with what export itself knows; entries of `card` win, except name and version."""
    known = {"software_version": __version__, "commit": "", "training_data_hash": ""}
    return {**known, **card, "model": name, "version": version, "outputs": list(outputs_of(outputs))}


def model_card_markdown(card: Mapping[str, Any], metrics: Mapping[str, Any], check: list[str]) -> str:
    """MODEL_CARD.md.

    Parameters
    ----------
    card : mapping
        As `complete_card` gives it: short values make the table at the top, the others a section each.
    metrics : mapping
        Nested numbers; each group becomes a table.
    check : list of str
        Lines of `check.report_lines`.
    """
    lines = [f"# {card['model']}, version {card['version']}", ""]
    if card.get("summary"):
        lines += [str(card["summary"]), ""]
    short = ("software_version", "commit", "training_data_hash", "licence", "license", "date", "preset", "parameters")
    rows = [(key, card[key]) for key in short if card.get(key) not in (None, "")]
    if rows:
        lines += _table(("", ""), rows)
    sections = [key for key in FIRST_KEYS[1:] if key in card]
    sections += [key for key in card if key not in {*FIRST_KEYS, *short, "model", "version", "outputs"}]
    for key in sections:
        lines += [f"## {_title(key)}", "", *_body(card[key])]
    lines += ["## Inputs and outputs", "", f"Images of {MIN_SIDE} to {MAX_SIDE} px a side, any batch size.", ""]
    lines += _table(("input", "unit"), INPUTS.items())
    lines += _table(
        ("output", "shape", "unit"),
        [
            (key, "[B, K]" if value.radial else "[B]", value.unit)
            for key, value in outputs_of(card.get("outputs", OUTPUTS)).items()
        ],
    )
    lines += [
        "Where `valid` is false an entry is a finite fill value; an image without a finite pixel is valid nowhere.",
        "",
    ]
    if metrics:
        lines += ["## Metrics", "", *_body(metrics)]
    if check:
        lines += ["## Agreement of the exported forms with Keras", "", *[f"- {line}" for line in check], ""]
    return "\n".join(lines).rstrip() + "\n"


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _table(head: tuple[str, ...], rows: Any) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return [*lines, ""]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.replace("|", "\\|").replace("\n", " ")


def _body(value: Any, depth: int = 3) -> list[str]:
    """A mapping becomes a table of its plain values and a section for each nested mapping; a list, a list."""
    if isinstance(value, Mapping):
        plain = [(key, item) for key, item in value.items() if not isinstance(item, Mapping)]
        lines = _table(("", ""), plain) if plain else []
        for key, item in value.items():
            if isinstance(item, Mapping):
                lines += [f"{'#' * depth} {_title(str(key))}", "", *_body(item, depth + 1)]
        return lines
    if isinstance(value, (list, tuple)):
        return [*[f"- {_cell(item)}" for item in value], ""]
    return [_cell(value) if not isinstance(value, str) else value, ""]
