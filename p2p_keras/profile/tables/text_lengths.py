"""How long the texts of a Parquet file are, under the keys by which astropy writes and looks for it.

A column of a numpy array has one length for all its texts, Parquet's has none: without these keys astropy reads every
row first, and warns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["length_key", "text_lengths"]


def length_key(column: str) -> str:
    """Key in the file's metadata."""
    return f"table::len::{column}"


def text_lengths(table: pa.Table) -> dict[str, str]:
    """Keys and values (characters of the longest text, at least 1) of all text columns of a table."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = {}
    for field in table.schema:
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            longest = pc.max(pc.utf8_length(table[field.name])).as_py()
            lengths[length_key(field.name)] = str(max(1, longest or 0))
    return lengths
