"""Whole surveys on Ray: a catalogue and frames in, a HEALPix-partitioned Parquet data set of profiles out.

The flow of data: `catalogue` (rows, lazily) -> `frame_index` (which frame) -> `plan` (parts: rows that are read
together) -> `cutouts` (pixels) -> `measuring` (the model) -> part files -> `assembly` (partitions by HEALPix). `engine`
puts it on Ray; `run` does all of it, and continues an interrupted run; `reading` gives profiles back.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["Resources", "SurveySettings", "profiles_of", "run_survey"]

if TYPE_CHECKING:
    from p2p_keras.sky_survey.reading import profiles_of
    from p2p_keras.sky_survey.run import run_survey
    from p2p_keras.sky_survey.settings import Resources, SurveySettings

_LAZY = {"Resources": "settings", "SurveySettings": "settings", "profiles_of": "reading", "run_survey": "run"}


def __getattr__(name: str) -> Any:
    """Import on first use: workers and readers need no more than their own part."""
    if name in _LAZY:
        return getattr(import_module(f"p2p_keras.sky_survey.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
