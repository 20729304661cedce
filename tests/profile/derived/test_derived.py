"""Quantities derived from a profile, their uncertainties, kpc and extinction."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from astropy import units as u
from scipy.integrate import quad

from p2p_keras.core.errors import UsageError
from p2p_keras.core.growth import curve_of_growth
from p2p_keras.profile.columns import isophotal_radii, plain_arrays
from p2p_keras.profile.derived import DerivedSettings, complete_profile, derived_quantities
from p2p_keras.profile.derived.draws import NUM_DRAWS, correlation, draw_profiles
from p2p_keras.profile.derived.extinction import extinction_of, parse_extinction
from p2p_keras.profile.derived.fits import _sersic_slopes, laws_of_many, sersic_mu
from p2p_keras.profile.tables.measured import table_of_columns

ZERO = 22.5


def sersic_profile(n=1.0, re=8.0, mu_e=22.0, *, mu_err=0.02, last=40.0, q=0.7, band="r"):
    """A profile that is exactly a Sersic law, with its meta."""
    sma = np.geomspace(0.2, last, 58)
    mu = sersic_mu(sma, n, re, mu_e)
    growth = ZERO - 2.5 * np.log10(curve_of_growth(sma, 10 ** (0.4 * (ZERO - mu)), np.full(58, 1 - q)))
    columns = {"sma": sma, "mu": mu, "mu_err": np.full(58, mu_err), "ellipticity": np.full(58, 1 - q)}
    profile = table_of_columns(columns | {"pa": np.full(58, 30.0), "growth": growth})
    profile.meta.update(name="a", band=band, mag_total=float(growth[-1]) - 0.01, pixel_scale=0.4, zero_point=ZERO)
    profile.meta.update(r50=re, r90=2.3 * re, extent=last, r_iso25=float("nan"), flags=[])
    return profile


def laws_of(arrays):
    """Fits of one profile with a half-light radius of 8 arcsec, from 1.2 arcsec outward."""
    [laws] = laws_of_many({key: values[None] for key, values in arrays.items()}, np.array([8.0]), np.array([1.2]))
    return laws


@pytest.mark.parametrize("n", [0.7, 1.0, 2.5, 4.0])
def test_sersic_law_is_found_again(n):
    """Indices, radii and surface brightnesses of every galaxy would be wrong."""
    laws = laws_of(plain_arrays(sersic_profile(n)))
    assert laws["sersic_n"] == pytest.approx(n, rel=1e-3)
    assert laws["sersic_re"] == pytest.approx(8.0, rel=1e-3)
    assert laws["sersic_mu_e"] == pytest.approx(22.0, abs=1e-3)
    assert laws["sersic_rms"] < 1e-3


@pytest.mark.parametrize("n", [0.4, 0.5, 1.0, 4.0, 10.0])
def test_half_of_the_light_is_inside_re(n):
    """The effective radius of a fit would hold another share of the light than half: 0.06 % too much at n = 0.4."""
    inside, _ = quad(lambda t: 2 * t * 10 ** (-0.4 * sersic_mu(t, n, 1.0, 0.0)), 0, 1, epsabs=0, epsrel=1e-11)
    beyond = sum(
        quad(lambda t: 2 * t * 10 ** (-0.4 * sersic_mu(t, n, 1.0, 0.0)), a, b, epsabs=0, epsrel=1e-11, limit=200)[0]
        for a, b in pairwise([1, 3, 10, 100, 1e4, 1e6, 1e9])
    )
    assert inside / (inside + beyond) == pytest.approx(0.5, abs=1e-8)


@pytest.mark.parametrize("n", [0.4, 1.0, 4.0])
def test_slopes_of_sersics_law(n):
    """Fits would need more steps, and their uncertainties come from another law than the fit."""
    sma, h = np.geomspace(0.3, 30, 20), 1e-5
    change = (sersic_mu(sma, n * np.exp(h), 8.0, 22.0) - sersic_mu(sma, n * np.exp(-h), 8.0, 22.0)) / (2 * h)
    np.testing.assert_allclose(_sersic_slopes(sma, n, 8.0)[:, 2], change, atol=1e-6)


def test_exponential_disc_is_found_again():
    """Scale lengths would be off by the b_n of Sersic's law, or by 2.5 / ln 10."""
    laws = laws_of(plain_arrays(sersic_profile(1.0)))
    assert laws["disc_h"] == pytest.approx(8.0 / 1.67835, rel=1e-3)
    assert laws["disc_mu0"] == pytest.approx(22.0 - 1.0857 * 1.67835, abs=2e-3)


def test_a_law_that_does_not_fit_is_nan():
    """A fit at the limit of its range would be reported as a measurement."""
    arrays = plain_arrays(sersic_profile())
    arrays["mu"] = 20.0 + 0.3 * np.sin(5 * arrays["sma"])
    assert np.isnan(laws_of(arrays)["sersic_n"])
    assert np.isnan(laws_of({k: v[:5] for k, v in arrays.items()})["disc_h"])


def test_draws_have_the_errors_and_correlations_that_are_assumed():
    """Uncertainties would come from other draws than the documents say."""
    sma = np.geomspace(0.5, 50, 30)
    draws = draw_profiles(sma, np.full(30, 22.0), np.full(30, 0.1))
    assert draws.shape == (NUM_DRAWS, 30)
    np.testing.assert_allclose(draws.mean(axis=0), 22.0, atol=1e-9)
    np.testing.assert_allclose(draws.std(axis=0), 0.1, rtol=0.2)
    drawn, assumed = np.corrcoef(draws.T), correlation(sma)
    for lag in (1, 2, 4, 8, 16):  # equal steps in ln(sma)
        assert np.diag(drawn, lag).mean() == pytest.approx(np.diag(assumed, lag).mean(), abs=0.1)
    assert (draws == draw_profiles(sma, np.full(30, 22.0), np.full(30, 0.1))).all()


def test_correlated_errors_do_not_average_out():
    """A total magnitude would look several times too sure."""
    small = derived_quantities(
        plain_arrays(sersic_profile(mu_err=0.05)), float(sersic_profile().meta["mag_total"]), (24,)
    )
    assert 0.03 < small["mag_total_err"] < 0.08
    large = derived_quantities(
        plain_arrays(sersic_profile(mu_err=0.2)), float(sersic_profile().meta["mag_total"]), (24,)
    )
    assert 3 < large["mag_iso24_err"] / small["mag_iso24_err"] < 5
    # d r / d mu of an exponential: h / 1.0857
    assert small["r_iso24_err"] == pytest.approx(0.05 * 8.0 / 1.67835 / 1.0857, rel=0.3)


def test_isophotes_are_those_asked_for():
    """--isophotes 24,25.5 would give other ones, or radii beyond the profile."""
    profile = complete_profile(sersic_profile(last=20.0), DerivedSettings(isophotes=(24.0, 25.5)))
    h, mu0 = 8.0 / 1.67835, 22.0 - 1.0857 * 1.67835
    assert profile.meta["r_iso24"] == pytest.approx((24 - mu0) / 1.0857 * h, rel=1e-3)
    assert np.isnan(profile.meta["r_iso25.5"])
    assert profile.meta["mag_iso24"] == pytest.approx(
        np.interp(np.log(profile.meta["r_iso24"]), np.log(profile["sma"].value), profile["growth"].value)
    )


def test_kpc_at_a_redshift():
    """Lengths would be in another unit or another cosmology than is said."""
    from astropy.cosmology import Planck18

    profile = complete_profile(sersic_profile(), DerivedSettings(redshift=0.05))
    scale = Planck18.kpc_proper_per_arcmin(0.05).value / 60
    assert str(profile["sma_kpc"].unit) == "kpc"
    np.testing.assert_allclose(profile["sma_kpc"].value, profile["sma"].value * scale)
    assert profile.meta["r50_kpc"] == pytest.approx(8.0 * scale)
    assert profile.meta["cosmology"] == "Planck18"
    assert complete_profile(sersic_profile(), DerivedSettings(redshift=0.05), redshift=0.1).meta["redshift"] == 0.1
    assert "sma_kpc" not in complete_profile(sersic_profile()).colnames
    with pytest.raises(UsageError, match="cosmology"):
        complete_profile(sersic_profile(), DerivedSettings(redshift=0.05, cosmology="Planck17"))


def test_extinction_only_where_asked_for():
    """Magnitudes would be corrected behind the user's back, in one place and not in another, or by another sign."""
    plain = complete_profile(sersic_profile())
    assert plain.meta["extinction"] == 0.0
    np.testing.assert_array_equal(plain["mu"].value, sersic_profile()["mu"].value)
    fixed = complete_profile(sersic_profile(), DerivedSettings(ebv=0.1))
    for key in ("mu", "growth"):
        np.testing.assert_allclose(plain[key].value - fixed[key].value, 0.2285)
    assert plain.meta["mag_total"] - fixed.meta["mag_total"] == pytest.approx(0.2285)
    assert fixed.meta["r_iso25"] > plain.meta["r_iso25"]
    own = complete_profile(sersic_profile(), DerivedSettings(ebv=0.1), extinction=0.5)
    assert own.meta["extinction"] == 0.5


@pytest.mark.parametrize("again", [DerivedSettings(), DerivedSettings(ebv=0.1), DerivedSettings(extinction=0.2285)])
def test_completing_again_corrects_once(again):
    """A table read back and completed again would be corrected twice, or say that it isn't corrected at all."""
    once = complete_profile(sersic_profile(), DerivedSettings(ebv=0.1))
    once["intensity"] = 10.0 ** (0.4 * (23.9 - once["mu"].value)) * u.Unit("uJy / arcsec2")
    twice = complete_profile(once, again)
    for key in ("mu", "growth", "intensity"):
        np.testing.assert_allclose(twice[key].value, once[key].value, rtol=1e-12)
    for key in ("mag_total", "extinction", "r_iso25", "mu_central"):
        assert twice.meta[key] == pytest.approx(once.meta[key], rel=1e-12)


def test_another_extinction_takes_the_place_of_the_first():
    """A wrong extinction couldn't be mended: the second would be added to the first."""
    wrong = complete_profile(sersic_profile(), DerivedSettings(extinction=0.5))
    corrected, none = (complete_profile(wrong, DerivedSettings(extinction=value)) for value in (0.2, 0.0))
    np.testing.assert_allclose(corrected["mu"].value, sersic_profile()["mu"].value - 0.2)
    np.testing.assert_allclose(none["mu"].value, sersic_profile()["mu"].value)
    assert (corrected.meta["extinction"], none.meta["extinction"]) == (0.2, 0.0)
    assert corrected.meta["mag_total"] == pytest.approx(sersic_profile().meta["mag_total"] - 0.2)


def test_completing_again_keeps_the_redshift():
    """Lengths in kpc would stay those of the first fit beside others in arcsec."""
    once = complete_profile(sersic_profile(2.0), DerivedSettings(redshift=0.05, cosmology="WMAP9"))
    twice = complete_profile(once, DerivedSettings(psf_fwhm=6.0))
    assert twice.meta["cosmology"] == "WMAP9"
    assert twice.meta["disc_h_kpc"] == pytest.approx(twice.meta["disc_h"] * once.meta["kpc_per_arcsec"], rel=1e-9)


def test_extinction_of_a_band():
    """An unknown band would go uncorrected, or with another one's coefficient."""
    assert extinction_of("g", ebv=0.1) == pytest.approx(0.3303)
    assert extinction_of("g", ebv=0.1, system="panstarrs") == pytest.approx(0.3172)
    assert extinction_of("F814W") == 0.0
    assert extinction_of("r", given=parse_extinction("g=0.3,r=0.2")) == 0.2
    assert parse_extinction("0.11") == 0.11
    with pytest.raises(UsageError, match="F814W"):
        extinction_of("F814W", ebv=0.1)
    with pytest.raises(UsageError, match="'i'"):
        extinction_of("i", given={"g": 0.3})
    with pytest.raises(UsageError, match=r"0\.11"):
        parse_extinction("much")


def test_profiles_without_radii_have_no_quantities():
    """One galaxy without a profile would stop the run."""
    empty = sersic_profile()[:0]
    empty.meta.update(mag_total=float("nan"), r50=float("nan"))
    meta = complete_profile(empty, DerivedSettings(redshift=0.1, ebv=0.1)).meta
    assert all(np.isnan(meta[key]) for key in ("mag_total_err", "r50_err", "sersic_n", "disc_h", "mu_central"))


def test_uncertainties_with_draws_that_lack_a_value():
    """An isophote that some draws never reach would have a wrong error, or spoil those of other quantities."""
    profile = plain_arrays(sersic_profile(mu_err=0.3))
    level = float(profile["mu"][-1]) - 0.15  # about a third of the draws stay brighter at the last radius
    quantities = derived_quantities(profile, float(profile["growth"][-1]) - 0.01, (22.0, level))
    draws = draw_profiles(profile["sma"], profile["mu"], profile["mu_err"])
    for isophote in (22.0, level):
        radii = isophotal_radii(profile["sma"], draws, isophote)
        reached = radii[np.isfinite(radii)]
        assert (reached.size == NUM_DRAWS) == (isophote == 22.0)
        low, high = np.percentile(reached, [15.87, 84.13])
        assert quantities[f"r_iso{isophote:g}_err"] == pytest.approx(0.5 * (high - low), rel=1e-12)
    assert np.isnan(
        derived_quantities(profile, 15.0, (profile["mu"][-1] + 1.0,))[f"r_iso{profile['mu'][-1] + 1:g}_err"]
    )
