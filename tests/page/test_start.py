"""What a user waits for before the first profile is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.page.measuring.models import Models


def test_first_view_loads_no_library_that_it_does_not_need():
    """The first profile would come a second later: matplotlib draws downloads alone, pandas reads tables alone."""
    said = subprocess.run(
        [sys.executable, "-c", "import sys, p2p_keras.page.measuring.measure_page; print(*sys.modules)"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert not {"matplotlib", "pandas", "tensorflow", "keras", "pyarrow"} & set(said)


def test_model_that_was_begun_is_the_one_that_measures():
    """The model would be loaded twice, or a wrong one's error be lost in its thread."""
    pytest.importorskip("onnxruntime")
    models = Models((None,), 1)
    models.begin()
    assert models._begun is not None
    assert models.load(None).backend is models._begun()
    wrong = Models(("no-such-model",), 1)
    wrong.begin()
    with pytest.raises(UsageError, match="no-such-model"):
        wrong.load("no-such-model")
