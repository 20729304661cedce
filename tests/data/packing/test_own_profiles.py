"""Profiles that `predict` wrote, packed as labels: as seen on the image, whatever the format and corrections."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.core.errors import InputError
from p2p_keras.data.packing import read_profile
from p2p_keras.profile.derived import DerivedSettings, complete_profile
from p2p_keras.profile.tables.files import FORMATS, write_profiles
from p2p_keras.profile.tables.measured import table_of_columns

SEEN = {
    "sma": np.geomspace(0.5, 20.0, 12),
    "mu": np.linspace(18.0, 25.0, 12),
    "mu_err": np.full(12, 0.02),
    "ellipticity": np.full(12, 0.3),
    "pa": np.full(12, 40.0),
    "growth": np.linspace(17.0, 14.0, 12),
}


def measured(name="a"):
    profile = table_of_columns(SEEN)
    profile.meta.update(name=name, band="r", mag_total=13.9, pixel_scale=0.4, zero_point=22.5, r50=4.0, r90=9.0)
    profile.meta.update(extent=20.0, flags=[], x0=31.0, y0=33.0, pa_reference="north", pa_of_x=90.0, parity=1)
    return profile


@pytest.mark.parametrize("ending", [ending for ending in FORMATS if ending != "csv"])
def test_labels_are_as_seen_on_the_image(tmp_path, ending):
    """A network would learn surface brightnesses that its images don't have: those corrected for extinction."""
    corrected = complete_profile(measured(), DerivedSettings(extinction=0.3))
    [path] = write_profiles([corrected], tmp_path / f"a.{ending}")
    label = read_profile(path, zero_point=22.5, pixel_scale=0.4)
    np.testing.assert_allclose(label.mu, SEEN["mu"], atol=2e-5)
    np.testing.assert_allclose(label.sma, SEEN["sma"], atol=1e-5)
    assert (label.x0, label.y0) == (31.0, 33.0)
    if ending != "prof":
        assert label.pa_reference == "north"
        assert label.mag_total == pytest.approx(13.9)


@pytest.mark.parametrize("ending", [ending for ending in FORMATS if ending != "prof"])
def test_a_table_of_two_galaxies_is_no_label_of_one(tmp_path, ending):
    """Two galaxies' radii would be mixed into one profile without a word."""
    [path] = write_profiles([measured("a"), measured("b")], tmp_path / f"both.{ending}")
    with pytest.raises(InputError, match="2 galaxies"):
        read_profile(path, zero_point=22.5, pixel_scale=0.4)
