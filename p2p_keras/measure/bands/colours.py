"""Colour profiles of bands that were measured along the same ellipses."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.profile.columns import plain_arrays

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["colour_table"]


def colour_table(profiles: Mapping[str, QTable], name: str = "") -> QTable:
    """Colours of neighbouring bands against radius.

    Parameters
    ----------
    profiles : mapping of str to QTable
        By band, from blue to red, all from one call of `p2p_keras.measure.bands.measure_bands`.
    name : str
        The galaxy's.

    Returns
    -------
    QTable
        ``sma`` (arcsec), and for each pair such as g and r ``g-r`` and ``g-r_err`` (mag); NaN where a band's light is
        lost in the noise. ``meta``: ``name``, ``reference`` and the total colours, ``g-r_total``.
    """
    from astropy import units as u
    from astropy.table import QTable

    first = next(iter(profiles.values()))
    table = QTable({"sma": plain_arrays(first)["sma"] * u.arcsec})
    table.meta.update(name=name, reference=str(first.meta.get("forced", "")))
    for (blue, one), (red, other) in pairwise(profiles.items()):
        a, b = plain_arrays(one), plain_arrays(other)
        table[f"{blue}-{red}"] = (a["mu"] - b["mu"]) * u.mag
        table[f"{blue}-{red}_err"] = np.hypot(a["mu_err"], b["mu_err"]) * u.mag
        table.meta[f"{blue}-{red}_total"] = float(one.meta["mag_total"] - other.meta["mag_total"])
    return table
