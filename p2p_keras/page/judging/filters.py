"""What a reader types to choose rows: ``r50 > 5, quality = 0, flags has near_edge``."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from p2p_keras.core.errors import UsageError

__all__ = ["HINT", "chosen_rows"]

_CONDITION = re.compile(r"^\s*(\w+)\s*(<=|>=|!=|==|=|<|>|has|lacks)\s*(.*?)\s*$")
HINT = "r50 > 5, quality = 0, flags has near_edge, name has NGC"


def chosen_rows(frame: pd.DataFrame, text: str) -> np.ndarray:
    """Rows that fulfil every condition; all of them for an empty text.

    Parameters
    ----------
    frame : pandas.DataFrame
    text : str
        Conditions ``COLUMN <|<=|=|!=|>=|> VALUE`` and ``COLUMN has|lacks TEXT``, separated by commas. Upper and lower
        case are alike in texts. A row without a value fulfils none but ``!=`` and ``lacks``.

    Returns
    -------
    bool array (N,)

    Raises
    ------
    UsageError
        A part is no condition, or names no column.
    """
    rows = np.ones(len(frame), dtype=bool)
    for part in filter(str.strip, text.split(",")):
        match = _CONDITION.match(part)
        if match is None:
            raise UsageError(f"{part.strip()!r} is no condition: expected such as {HINT}")
        name, sign, value = match.groups()
        if name not in frame:
            raise UsageError(f"{part.strip()!r}: there is no column {name}")
        rows &= _fulfils(frame[name], sign, value, part.strip())
    return rows


def _fulfils(column: pd.Series, sign: str, value: str, part: str) -> np.ndarray:
    if sign in ("has", "lacks"):
        holds = column.astype(str).str.contains(value.strip("'\""), case=False, regex=False).to_numpy(bool)
        return holds if sign == "has" else ~holds
    if not pd.api.types.is_numeric_dtype(column):
        same = (column.astype(str).str.lower() == value.strip("'\"").lower()).to_numpy(bool)
        if sign in ("=", "=="):
            return same
        if sign == "!=":
            return ~same
        raise UsageError(f"{part!r}: {column.name} holds text; use =, !=, has or lacks")
    try:
        number = float(value)
    except ValueError:
        raise UsageError(f"{part!r}: expected a number after {sign}") from None
    values = column.to_numpy(dtype=float, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        compared = {
            "<": values < number, "<=": values <= number, ">": values > number, ">=": values >= number,
            "=": values == number, "==": values == number, "!=": values != number,
        }  # fmt: skip
    return compared[sign]
