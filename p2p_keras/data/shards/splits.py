"""Which split a galaxy belongs to: a function of its name alone.

Since nothing but the name decides, a galaxy never changes split when others are added, all its bands stay together, and
simulated and packed data agree. SHA-256 is used because Python's own `hash` differs from run to run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from p2p_keras.core.errors import UsageError

__all__ = ["SPLITS", "DEFAULT_FRACTIONS", "parse_fractions", "check_fractions", "position_of", "split_of"]

SPLITS = ("train", "val", "test")

DEFAULT_FRACTIONS: Mapping[str, float] = {"train": 0.9, "val": 0.05, "test": 0.05}
"""Near the paper's 5367 : 192 : 300 (Smith et al. 2021, sec. 2), with as large a validation as test split."""


def parse_fractions(text: str) -> dict[str, float]:
    """Read fractions such as ``"train=0.9,val=0.05,test=0.05"`` or ``"0.9,0.05,0.05"`` (train, val, test).

    Raises
    ------
    UsageError
        When the text can't be read or the fractions don't sum to 1.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    fractions: dict[str, float] = {}
    try:
        for default_name, part in zip(
            SPLITS[: len(parts)] if len(parts) <= len(SPLITS) else parts,
            parts,
            strict=True,
        ):
            name, _, value = part.rpartition("=")
            fractions[name.strip() or default_name] = float(value)
    except ValueError:
        raise UsageError(f"split fractions {text!r}: write them as train=0.9,val=0.05,test=0.05") from None
    return check_fractions(fractions)


def check_fractions(fractions: Mapping[str, float]) -> dict[str, float]:
    """Fractions as a plain dict, or UsageError unless they are non-negative and sum to 1."""
    if not fractions or any(not 0.0 <= f <= 1.0 for f in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-6:
        raise UsageError(f"split fractions {dict(fractions)} must lie between 0 and 1 and sum to 1")
    return dict(fractions)


def position_of(name: str) -> float:
    """Place a galaxy in [0, 1), uniform over names: the first 53 bits of SHA-256 of its UTF-8 name."""
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / float(1 << 53)


def split_of(name: str, fractions: Mapping[str, float] = DEFAULT_FRACTIONS) -> str:
    """Return the split of a galaxy.

    Parameters
    ----------
    name : str
        The galaxy's name, without its band.
    fractions : mapping of split to fraction, optional
        In a fixed order; must sum to 1. Changing them moves only galaxies near the borders.

    Returns
    -------
    str
        A key of `fractions`.

    Examples
    --------
    >>> split_of("NGC4467") == split_of("NGC4467")
    True
    """
    fractions = check_fractions(fractions)
    place = position_of(name)
    edge = 0.0
    last = ""
    for split, fraction in fractions.items():
        edge += fraction
        if fraction > 0.0:
            last = split
        if place < edge:
            return split
    return last  # the sum of the fractions rounded to just under 1
