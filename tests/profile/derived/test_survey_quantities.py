"""Numbers that surveys quote, against laws whose numbers are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import gammainc, gammaincinv

from p2p_keras.profile.derived import DerivedSettings, complete_profile
from p2p_keras.profile.derived.survey_quantities import bar_of, inclination_of, survey_quantities
from p2p_keras.profile.tables.measured import table_of_columns

RE, MAG = 6.0, 15.0


def share(r, n):
    """Light of a Sersic law inside a radius."""
    return gammainc(2 * n, gammaincinv(2 * n, 0.5) * (r / RE) ** (1 / n))


def sersic(n, e=0.4, last=30.0, error=0.02):
    sma = 0.05 * np.exp(0.06 * np.arange(int(np.log(last / 0.05) / 0.06) + 1))
    step = 1e-4
    light = (share(sma * (1 + step), n) - share(sma * (1 - step), n)) / (4 * np.pi * sma**2 * step * (1 - e))
    mu = MAG - 2.5 * np.log10(light)
    ones = np.ones(sma.size)
    return {"sma": sma, "mu": mu, "mu_err": error * ones, "ellipticity": e * ones, "pa": 30.0 * ones}


def petrosian(n):
    def excess(r):
        around = (share(1.25 * r, n) - share(0.8 * r, n)) / (1.25**2 - 0.8**2)
        return around / share(r, n) - 0.2

    return brentq(excess, 0.5 * RE, 8.0 * RE)


@pytest.mark.parametrize("n", [1.0, 2.0, 4.0])
def test_petrosian_by_the_definition_of_sdss(n):
    """Samples cut by Petrosian magnitudes could not be compared with SDSS's."""
    quantities = survey_quantities(sersic(n, last=60.0), MAG, RE)
    radius = petrosian(n)
    assert quantities["petro_radius"] == pytest.approx(radius, rel=0.02)
    assert quantities["petro_mag"] == pytest.approx(MAG - 2.5 * np.log10(share(2 * radius, n)), abs=0.03)
    half = brentq(lambda r: share(r, n) - 0.5 * share(2 * radius, n), 0.1, 10 * RE)
    assert quantities["petro_r50"] == pytest.approx(half, rel=0.02)
    assert quantities["petro_concentration"] == pytest.approx({1.0: 2.3, 2.0: 2.75, 4.0: 3.35}[n], abs=0.2)
    assert quantities["c42"] == pytest.approx({1.0: 2.7, 2.0: 3.5, 4.0: 4.4}[n], abs=0.35)


def test_kron_of_a_disc():
    """The Kron radius of an exponential is two scale lengths."""
    quantities = survey_quantities(sersic(1.0, last=40.0), MAG, RE)
    assert quantities["kron_radius"] == pytest.approx(2 * RE / 1.678, rel=0.03)
    assert quantities["kron_mag"] == pytest.approx(MAG - 2.5 * np.log10(share(5 * RE / 1.678, 1.0)), abs=0.03)


def test_apertures_beyond_the_last_radius():
    """Where a profile ends before two Petrosian radii there would be no magnitude."""
    quantities = survey_quantities(sersic(1.0, last=14.0), MAG, RE)
    assert quantities["petro_radius"] == pytest.approx(petrosian(1.0), rel=0.03)
    assert quantities["petro_mag"] == pytest.approx(MAG, abs=0.04)


def test_errors_follow_those_of_the_profile():
    """Errors would not depend on the noise."""
    small, large = (survey_quantities(sersic(1.0, error=error), MAG, RE) for error in (0.01, 0.1))
    for key in ("petro_radius", "petro_mag", "kron_radius", "c42"):
        assert 0 < small[f"{key}_err"] < large[f"{key}_err"]


def test_mean_surface_brightness():
    """<mu>_e of a galaxy of known magnitude and size."""
    quantities = survey_quantities(sersic(1.0, e=0.5), MAG, RE)
    assert quantities["mu_mean_r50"] == pytest.approx(MAG + 2.5 * np.log10(2 * np.pi * RE**2 * 0.5), abs=1e-6)


def test_a_bar_is_found_and_an_inclined_disc_is_none():
    """Every inclined disc would be barred; or no bar found."""
    sma = np.geomspace(0.5, 40.0, 50)
    bar = np.interp(np.log(sma), np.log([0.5, 8.0, 11.0, 40.0]), [0.1, 0.6, 0.2, 0.25])
    pa = np.where(sma < 9.0, 30.0, 120.0)
    figures = bar_of({"sma": sma, "ellipticity": bar, "pa": pa}, 1.0)
    assert figures["bar_radius"] == pytest.approx(8.0, rel=0.1)
    assert figures["bar_strength"] == pytest.approx(0.3, abs=0.1)
    disc = np.interp(np.log(sma), np.log([0.5, 10.0, 40.0]), [0.05, 0.5, 0.5])
    assert np.isnan(bar_of({"sma": sma, "ellipticity": disc, "pa": np.full(50, 30.0)}, 1.0)["bar_radius"])
    twisted = bar_of({"sma": sma, "ellipticity": bar, "pa": np.linspace(0, 170, 50)}, 1.0)
    assert np.isnan(twisted["bar_radius"])


def test_inclinations():
    """Face-on is 0 and edge-on is 90 degrees."""
    assert inclination_of(0.0) == pytest.approx(0.0)
    assert inclination_of(0.8, 0.2) == pytest.approx(90.0)
    assert inclination_of(0.95, 0.2) == pytest.approx(90.0)
    assert inclination_of(0.5, 0.0) == pytest.approx(60.0)


def test_in_the_meta_where_asked_for():
    """The options would change nothing, or cost their time always."""
    profile = table_of_columns(sersic(1.0) | {"growth": MAG - 2.5 * np.log10(share(sersic(1.0)["sma"], 1.0))})
    profile.meta.update(mag_total=MAG, r50=RE, r90=2.3 * RE, pixel_scale=0.4, extent=30.0, band="r")
    plain = complete_profile(profile)
    more = complete_profile(profile, DerivedSettings(more=True, disc_thickness=0.2))
    assert "petro_mag" not in plain.meta
    assert more.meta["petro_mag"] == pytest.approx(MAG, abs=0.05)
    assert more.meta["inclination"] == pytest.approx(inclination_of(0.4), abs=0.1)


def test_no_profile_has_no_numbers():
    """Two radii would have a Petrosian magnitude."""
    arrays = {key: values[:2] for key, values in sersic(1.0).items()}
    assert all(np.isnan(v) for v in survey_quantities(arrays, np.nan, np.nan).values())


def test_errors_of_a_bar_are_its_scatter():
    """A bar's length and strength would be quoted without saying that another exposure gives others."""
    sma = np.geomspace(1.0, 40.0, 40)
    shapes = 0.15 + 0.4 * np.exp(-0.5 * (np.log(sma / 8.0) / 0.4) ** 2)
    noise, rng, figures = 0.02, np.random.default_rng(4), []
    for _ in range(200):
        seen = {"sma": sma, "ellipticity": shapes + noise * rng.normal(size=40), "pa": 30.0 + rng.normal(size=40)}
        known = {"ellipticity_err": np.full(40, noise), "pa_err": np.ones(40)}
        figures.append(bar_of(seen | known, 1.0))
    for name in ("bar_radius", "bar_strength", "bar_ellipticity"):
        values, errors = (np.array([bar[key] for bar in figures]) for key in (name, f"{name}_err"))
        assert 0.4 < np.nanstd(values) / np.nanmedian(errors) < 2.0, name
    alone = bar_of(seen, 1.0)
    assert np.isnan(alone["bar_strength_err"])
    assert alone["bar_radius_err"] > 0
