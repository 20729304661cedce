"""A measured profile in plain arrays and values; the astropy table of it is made where one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.profile.columns import ALL_COLUMN_UNITS, COLUMN_DESCRIPTIONS, META_KEYS, plain_arrays, unit_of

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.profile.tables.profile_object import Profile

__all__ = ["MeasuredProfile", "as_table", "as_plain", "table_of_columns", "plain_meta"]


@dataclass(frozen=True, eq=False)
class MeasuredProfile:
    """One galaxy's profile: what its table holds, at a hundredth of the table's cost.

    Attributes
    ----------
    meta : dict
        Plain values: text, numbers, lists and dicts of them.
    columns : dict of float arrays (N,)
        In the units of `p2p_keras.profile.columns.ALL_COLUMN_UNITS`.
    """

    meta: dict[str, Any]
    columns: dict[str, np.ndarray]

    @classmethod
    def of(cls, profile: QTable | MeasuredProfile) -> MeasuredProfile:
        """The plain form of a profile; one that is plain already as it is."""
        if isinstance(profile, MeasuredProfile):
            return profile
        return cls(plain_meta(profile.meta), plain_arrays(profile))

    @property
    def name(self) -> str:
        """The galaxy's name."""
        return str(self.meta.get("name", ""))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def table(self) -> Profile:
        """The profile as an `astropy.table.QTable`, with a copy of its meta."""
        table = table_of_columns(self.columns)
        table.meta.update(self.meta)
        return table


def as_table(answer: Any) -> Any:
    """The table of a `MeasuredProfile`; what a measurer gave as a table, or an error, as it is."""
    return answer.table() if isinstance(answer, MeasuredProfile) else answer


def as_plain(answer: Any) -> Any:
    """The `MeasuredProfile` of a table; what is none (an error, a plain profile) as it is."""
    return MeasuredProfile.of(answer) if hasattr(answer, "colnames") else answer


def table_of_columns(columns: Mapping[str, np.ndarray]) -> Profile:
    """Make a table of plain arrays by the names, units and descriptions of a profile's columns."""
    from astropy import units as u
    from astropy.table import Column

    from p2p_keras.profile.tables.profile_object import Profile

    made = []
    for name, unit in ALL_COLUMN_UNITS.items():
        if name in columns:
            column = u.Quantity(columns[name], unit_of(unit)) if unit else Column(columns[name])
            column.info.name, column.info.description = name, COLUMN_DESCRIPTIONS[name]
            made.append(column)
    # All at once: column by column takes longer.
    return Profile(made, copy=False)


def plain_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Meta of one profile as plain Python values, in the order of `META_KEYS`, whatever else was added last."""
    keys = [key for key in META_KEYS if key in meta] + [key for key in meta if key not in _META_KEYS]
    return {key: _plain_value(meta[key]) for key in keys if key != "__serialized_columns__"}


_META_KEYS = frozenset(META_KEYS)


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain_value(v) for v in value]
    if isinstance(value, dict):
        return {str(key): _plain_value(v) for key, v in value.items()}
    return value
