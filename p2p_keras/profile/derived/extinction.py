"""Galactic extinction by dust, where the user asks for its correction; nothing is looked up in maps.

R_lambda = A_lambda / E(B-V), E(B-V) on the scale of Schlegel, Finkbeiner & Davis (1998, SFD):

* SDSS, Pan-STARRS, 2MASS: Schlafly & Finkbeiner (2011, ApJ 737, 103), table 6, R_V = 3.1.
* DECam (DESI Legacy Surveys): the coefficients of the survey's own catalogues, data release 9.
"""

from __future__ import annotations

from collections.abc import Mapping

from p2p_keras.core.errors import UsageError
from p2p_keras.images.bands import short_band

__all__ = ["COEFFICIENTS", "parse_extinction", "extinction_of", "extinction_in_band"]

COEFFICIENTS: Mapping[str, Mapping[str, float]] = {
    "sdss": {"u": 4.239, "g": 3.303, "r": 2.285, "i": 1.698, "z": 1.263},
    "panstarrs": {"g": 3.172, "r": 2.271, "i": 1.682, "z": 1.322, "y": 1.087},
    "decam": {"u": 3.995, "g": 3.214, "r": 2.165, "i": 1.592, "z": 1.211, "Y": 1.064},
    "2mass": {"J": 0.723, "H": 0.460, "Ks": 0.310},
}
"""A_lambda / E(B-V) by photometric system and band."""


def parse_extinction(text: str | None) -> float | dict[str, float] | None:
    """Read ``"0.11"`` (any band) or ``"g=0.33,r=0.23"``.

    Raises
    ------
    UsageError
        It is neither.
    """
    if text is None:
        return None
    try:
        if "=" not in text:
            return float(text)
        parts = (part.split("=") for part in text.split(","))
        return {band.strip(): float(value) for band, value in parts}
    except ValueError as error:
        raise UsageError(f"--extinction {text}: expected magnitudes, as 0.11 or g=0.33,r=0.23") from error


def extinction_of(
    band: str,
    *,
    given: float | Mapping[str, float] | None = None,
    ebv: float | None = None,
    system: str = "sdss",
) -> float:
    """Extinction A_lambda (mag) of a band; 0 where none is asked for.

    Parameters
    ----------
    band : str
    given : float or mapping of band to float, optional
        A_lambda itself.
    ebv : float, optional
        E(B-V); needs a band with a known coefficient.
    system : str
        One of `COEFFICIENTS`.

    Raises
    ------
    UsageError
        The band is unknown, or isn't among the given ones.
    """
    if isinstance(given, Mapping):
        if band not in given:
            raise UsageError(f"no extinction was given for the band {band!r} (only for {', '.join(given)})")
        return float(given[band])
    if given is not None:
        return float(given)
    return 0.0 if ebv is None else coefficient_of(band, system) * ebv


def coefficient_of(band: str, system: str) -> float:
    """A_lambda / E(B-V) of a band.

    Parameters
    ----------
    band : str
        As headers name it.
    system : str
        One of `COEFFICIENTS`.

    Raises
    ------
    UsageError
        The system has no such band.
    """
    known = COEFFICIENTS[system]
    short = short_band(band)
    name = next((name for name in (band, short, {"K": "Ks"}.get(short, short)) if name in known), None)
    if name is None:
        raise UsageError(
            f"A/E(B-V) of the band {band!r} isn't known in the system {system} ({', '.join(known)}): give --extinction"
        )
    return known[name]


def extinction_in_band(a_lambda: float, of_band: str, band: str, *, system: str = "sdss") -> float:
    """Extinction (mag) of a band, from that of another along the same line of sight.

    Parameters
    ----------
    a_lambda : float
        Extinction in `of_band`, mag.
    of_band, band : str
    system : str
        One of `COEFFICIENTS`, whose coefficients are taken.

    Raises
    ------
    UsageError
        The system lacks one of two different bands.
    """
    if band == of_band:
        return a_lambda
    return a_lambda * coefficient_of(band, system) / coefficient_of(of_band, system)
