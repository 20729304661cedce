"""Splits by the hash of a galaxy's name."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p_keras.core.errors import UsageError
from p2p_keras.data.shards import split_of
from p2p_keras.data.shards.splits import DEFAULT_FRACTIONS, parse_fractions


def test_known_names_stay_where_they_are():
    """A new version of the software would move test galaxies into the training set."""
    known = {
        "NGC4467": "train",
        "NGC3610": "train",
        "galaxy-1": "val",
        "galaxy-14": "val",
        "galaxy-2": "test",
        "galaxy-16": "test",
    }
    assert {name: split_of(name) for name in known} == known


def test_shares_are_the_fractions():
    """A split would be empty or far too large: five standard deviations of a binomial."""
    count = 5000
    seen = Counter(split_of(f"galaxy {i}") for i in range(count))
    for split, fraction in DEFAULT_FRACTIONS.items():
        assert abs(seen[split] - count * fraction) < 5 * (count * fraction * (1 - fraction)) ** 0.5


@given(st.text(), st.floats(0, 1))
def test_a_smaller_training_share_only_gives_galaxies_away(name, share):
    """Changing the fractions would shuffle all galaxies anew."""
    if split_of(name, {"train": share, "test": 1 - share}) == "train":
        assert split_of(name, {"train": 1.0}) == "train"
        assert split_of(name, {"train": min(1.0, share + 0.1), "test": max(0.0, 0.9 - share)}) == "train"


@pytest.mark.parametrize("text", ["0.5,0.2", "train=2,val=-1", "a,b", "train=", ""])
def test_fractions_that_make_no_sense(text):
    """A typing error would silently lose galaxies."""
    with pytest.raises(UsageError, match="fractions"):
        parse_fractions(text)


def test_fractions_are_read():
    """The option of the programs would not do what it says."""
    assert parse_fractions("0.8, 0.1, 0.1") == {"train": 0.8, "val": 0.1, "test": 0.1}
    assert parse_fractions("test=0.25,train=0.75") == {"test": 0.25, "train": 0.75}
