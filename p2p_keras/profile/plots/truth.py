"""What counts as a true profile in figures: a labelled galaxy, a profile table, or a mapping of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from p2p_keras.profile.columns import plain_arrays

__all__ = ["label_arrays"]


def label_arrays(truth: Any) -> tuple[np.ndarray, np.ndarray]:
    """Semi-major axes (arcsec) and surface brightness (mag arcsec^-2) of a truth, up to its extent where it has one.

    Parameters
    ----------
    truth : LabelledGalaxy, QTable, or mapping with ``sma`` and ``mu``
    """
    if hasattr(truth, "colnames"):
        arrays = plain_arrays(truth)
        return arrays["sma"], arrays["mu"]
    if isinstance(truth, Mapping):
        sma, mu, extent = truth["sma"], truth["mu"], truth.get("extent", np.nan)
    else:
        sma, mu, extent = truth.sma, truth.mu, getattr(truth, "extent", np.nan)
    sma, mu = np.asarray(sma, dtype=float), np.asarray(mu, dtype=float)
    if np.isfinite(extent):
        within = sma <= float(extent) * (1.0 + 1e-5)
        sma, mu = sma[within], mu[within]
    return sma, mu
