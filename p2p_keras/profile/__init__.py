"""A measured profile: its columns, table and flags, what is derived from it, and its figures."""

from __future__ import annotations

from p2p_keras.profile.columns import COLUMN_UNITS, META_KEYS, isophotal_radius, pa_from_x, plain_arrays

__all__ = ["COLUMN_UNITS", "META_KEYS", "isophotal_radius", "pa_from_x", "plain_arrays"]
