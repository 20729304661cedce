"""A zero point and where it is from; exposure times, and what is said where a header leaves a choice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from p2p_keras.core.errors import MissingCalibrationError
from p2p_keras.images.flux_units import PixelUnit
from p2p_keras.images.pixel_scale import header_number

__all__ = [
    "PLAUSIBLE_ZERO_POINT",
    "OPTION",
    "EXPOSURE_KEYWORDS",
    "ZeroPoint",
    "exposure_time",
    "both_values",
    "needed_exposure",
    "vega_note",
]

PLAUSIBLE_ZERO_POINT = (5.0, 50.0)
OPTION = "set it with --zero-point (zero_point= in Python)"
EXPOSURE_KEYWORDS = ("EXPTIME", "CELL.EXPOSURE", "TEXPTIME", "EXPOSURE", "EFFEXPTM", "XPOSURE", "TOTEXPT", "EXP_TIME")


@dataclass(frozen=True)
class ZeroPoint:
    """A zero point and where it is from.

    Attributes
    ----------
    value : float
        Magnitude of a pixel value of one.
    origin : str
        Which keywords said so.
    system : str
        ``"AB"`` or ``"Vega"``.
    band : str
        Band that it is of, where it was found by bands.
    notes : list of str
        What a careful user wants to know about it.
    """

    value: float
    origin: str
    system: str = "AB"
    band: str = ""
    notes: list[str] = field(default_factory=list)


def vega_note(why: str) -> str:
    """The note on a zero point that is a Vega magnitude; `why` names the evidence."""
    return f"the zero point is a Vega magnitude ({why}), and so is mu; --to-ab converts it"


def exposure_time(header: Mapping[str, Any]) -> float:
    """Seconds of exposure, NaN where the header doesn't say."""
    for keyword in EXPOSURE_KEYWORDS:
        seconds = header_number(header, keyword)
        if 0 < seconds < math.inf:
            return seconds
    return math.nan


def both_values(header: Any, origin: str, value: float, unit: PixelUnit) -> str:
    """Say what the zero point is for counts per second and, with the exposure time, for counts.

    Parameters
    ----------
    header : mapping
    origin : str
        Keyword that states the zero point.
    value : float
        For counts per second, mag.
    unit : PixelUnit
        The image's, which doesn't say which of them it is.
    """
    seconds = exposure_time(header)
    counts = f", for counts {value + 2.5 * math.log10(seconds):.3f} (EXPTIME = {seconds:g} s)" if seconds > 0 else ""
    return (
        f"{origin}: the zero point for counts per second is {value:.3f}{counts}, but BUNIT ({unit.text or 'absent'}) "
        f"doesn't say if the pixels are counts or counts per second; {OPTION}"
    )


def needed_exposure(header: Any, source: object, needed_by: str) -> float:
    """Seconds of exposure; `MissingCalibrationError` where the header doesn't say, with what needs it.

    Parameters
    ----------
    header : mapping
    source : str or path, for errors
    needed_by : str
        What needs it, for the message.

    Raises
    ------
    MissingCalibrationError
        The header has no exposure time.
    """
    seconds = exposure_time(header)
    if math.isnan(seconds):
        raise MissingCalibrationError(
            source, f"{needed_by} needs the exposure time, and {', '.join(EXPOSURE_KEYWORDS)} don't give it; {OPTION}"
        )
    return seconds
