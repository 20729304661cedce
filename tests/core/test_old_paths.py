"""Module paths of version 0.1 still lead somewhere."""

from __future__ import annotations

import subprocess
import sys
import warnings
from importlib import import_module

import pytest

from p2p_keras.core.old_paths import OLD_PATHS

DOCUMENTED = {
    "p2p_keras.plots": ["galaxy_figure", "plot_profile", "attention_figure", "save_figure"],
    "p2p_keras.plots.style": ["STYLE"],
    "p2p_keras.profile": ["COLUMN_UNITS", "isophotal_radius", "plain_arrays"],
    "p2p_keras.profile_files": ["read_profiles", "write_profiles", "ProfileWriter", "safe_name", "write_whole"],
    "p2p_keras.packing.measuring": ["measure_galaxy"],
    "p2p_keras.mocks.scene": ["simulate_galaxy"],
    "p2p_keras.units": ["FILL_MU"],
}


@pytest.mark.parametrize("old", DOCUMENTED)
def test_documented_names_are_still_imported(old):
    """A script written by the documentation of version 0.1 would fail at its first line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        module = import_module(old)
    assert [name for name in DOCUMENTED[old] if not hasattr(module, name)] == []


def test_every_old_path_leads_to_a_module():
    """An entry of the table would point at nothing."""
    missing = []
    for places in OLD_PATHS.values():
        for place in places:
            try:
                import_module(f"p2p_keras.{place}")
            except ModuleNotFoundError as error:
                missing.append(str(error))
    assert missing == []


def test_old_path_and_new_one_are_the_same_module():
    """A class would exist twice, and an object of one would not be of the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        old = import_module("p2p_keras.shards.schema")
    assert old is import_module("p2p_keras.data.shards.schema")


def test_documented_path_warns_where_it_is_imported():
    """A user would not learn that a path goes away, or would be sent to a line of the package."""
    code = "import p2p_keras.plots, p2p_keras.layers.pyramid"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    warned = [line for line in run.stderr.splitlines() if "FutureWarning" in line]
    assert len(warned) == 1
    assert warned[0].startswith("<string>:1:")
    assert "p2p_keras.profile.plots" in warned[0]


def test_what_never_was_is_not_found():
    """A typing error would be reported as something else than a missing module."""
    for name in ("p2p_keras.nothing", "p2p_keras.plots.nothing"):
        with pytest.raises(ModuleNotFoundError, match=name):
            import_module(name)


@pytest.mark.parametrize(
    "code",
    [
        "import keras, p2p_keras; keras.models.load_model({path!r})",
        "import p2p_keras; p2p_keras.load_network({path!r})",
    ],
    ids=["keras", "p2p_keras"],
)
def test_shipped_keras_file_loads_in_a_fresh_process(code, repository):
    """A notebook that imports Keras and the package alone could not open the shipped network."""
    path = str(repository / "saved_models" / "isophote" / "model.keras")
    subprocess.run([sys.executable, "-c", code.format(path=path)], check=True, capture_output=True)
