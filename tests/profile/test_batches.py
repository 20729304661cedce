"""Profiles of a batch are those of its galaxies one by one, and the quick forms of sums, medians and fits are exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS

from p2p_keras.core.errors import UsageError
from p2p_keras.core.padded import accumulate, interpolated, medians, packed, radius_first
from p2p_keras.core.robust import median
from p2p_keras.images import GalaxyImage
from p2p_keras.profile.columns import isophotal_radii
from p2p_keras.profile.derived import DerivedSettings, complete_profile
from p2p_keras.profile.derived import fits as laws
from p2p_keras.profile.derived.complete import OwnQuantities, complete_profiles
from p2p_keras.profile.derived.draws import draw_profiles
from p2p_keras.profile.surroundings import SKY_RING, ProfileRows, surroundings, uneven_sky
from p2p_keras.profile.tables.building import measured_profiles, profile_table
from p2p_keras.profile.tables.measured import MeasuredProfile

SIDE, SCALE, ZERO = 96, 0.4, 22.5


def wcs(turn: float, system: str = "ICRS") -> WCS:
    made = WCS(naxis=2)
    made.wcs.ctype, made.wcs.crval, made.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [48.5, 48.5]
    t = np.deg2rad(turn)
    made.wcs.cd = np.diag([-SCALE, SCALE]) / 3600 @ np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    made.wcs.radesys = system
    return made


@pytest.fixture(scope="module")
def batch():
    """Outputs with a batch axis, and their images: round, thin, short, long, masked, with and without WCS."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    sma = 0.5 * np.exp(np.arange(64) * np.log(0.65 * SIDE / 0.5) / 63)
    images, outputs = [], []
    kinds = [(4.0, 30), (6.0, 45), (9.0, 60), (6.0, 2), (5.0, 0), (7.0, 40)]
    for number, (h, rows) in enumerate(kinds):
        e, pa = 0.1 + 0.1 * number, 25.0 * number
        t = np.deg2rad(pa)
        r = np.hypot(x * np.cos(t) + y * np.sin(t), (y * np.cos(t) - x * np.sin(t)) / (1 - e))
        intensity = 3.0 * np.exp(-((sma / h) ** (1.0 / (1.0 + 0.3 * number))))
        pixels = 3.0 * np.exp(-((r / h) ** (1.0 / (1.0 + 0.3 * number)))) + 0.02 * rng.normal(size=r.shape)
        pixels[5:15, 10:40] += 2.0 * (number == 1)
        pixels[20:30, :] = np.nan if number == 2 else pixels[20:30, :]
        sky = {0: None, 1: wcs(20.0), 2: wcs(-70.0, "FK5")}.get(number, wcs(10.0))
        image = GalaxyImage.from_array(pixels, zero_point=ZERO, pixel_scale=SCALE, name=f"g{number}", wcs=sky)
        if number == 5:
            image = replace(image, noise=np.full(image.shape, 0.02, np.float32))
        flux = np.cumsum(intensity * np.gradient(np.pi * sma**2 * (1 - e)))
        valid = np.arange(64) < rows
        valid[7] &= number != 1
        growth = ZERO - 2.5 * np.log10(flux)
        total = growth[max(rows - 1, 0)] - 0.02
        outputs.append(
            {
                "sma": (sma * SCALE).astype(np.float32),
                "mu": ZERO - 2.5 * np.log10(intensity / SCALE**2) + 0.03 * np.sin(np.arange(64)),
                "mu_err": np.linspace(0.01, 0.3, 64),
                "ellipticity": np.full(64, e),
                "pa": np.full(64, pa) + 0.1 * np.arange(64),
                "growth": np.where(np.arange(64) < 62, growth, np.inf),
                "valid": valid,
                "x0": np.nan if number == 4 else (SIDE - 1) / 2 + number,
                "y0": (SIDE - 1) / 2 - 0.3,
                "extent": 10.0,
                "mag_total": total,
                "sky": 0.001,
                "p_bad": 0.01 * number,
                "x0_err": 0.1,
                "y0_err": 0.2,
                "mag_total_err": 0.03,
            }
        )
        images.append(image)
    return {name: np.stack([one[name] for one in outputs]) for name in outputs[0]}, images


def assert_alike(one: MeasuredProfile, other: MeasuredProfile, fits: float = 1e-4):
    """The same table: to 1e-5 mag, fits to 1e-4."""
    assert list(one.columns) == list(other.columns)
    for name, values in other.columns.items():
        np.testing.assert_allclose(one.columns[name], values, rtol=1e-6, atol=1e-5, err_msg=name)
    assert list(one.meta) == list(other.meta)
    for key, value in other.meta.items():
        if isinstance(value, float):
            close = fits if key.startswith(("sersic", "disc")) else 1e-5
            np.testing.assert_allclose(one.meta[key], value, rtol=close, atol=close, err_msg=key)
        else:
            assert one.meta[key] == value, key


def test_a_batch_is_its_galaxies(batch):
    """A galaxy's table would depend on which others were measured with it."""
    outputs, images = batch
    together = measured_profiles(outputs, images, model="m", model_version=3)
    assert [len(profile) for profile in together] == [30, 44, 60, 2, 0, 40]
    assert together[1].meta["flags"]
    settings = DerivedSettings(isophotes=(23.5, 24.5), redshift=0.02)
    own = [OwnQuantities(), OwnQuantities(ebv=0.1), *[OwnQuantities(redshift=0.1)] * 4]
    images[1] = replace(images[1], band="r")
    complete = complete_profiles(measured_profiles(outputs, images), settings, own)
    for i, image in enumerate(images):
        table = profile_table({name: values[i] for name, values in outputs.items()}, image)
        meta = together[i].meta | {"model": "", "model_version": "", "band": image.band}
        assert_alike(replace(together[i], meta=meta), MeasuredProfile.of(table))
        alone = complete_profile(table, settings, **own[i]._asdict())
        assert_alike(complete[i], MeasuredProfile.of(alone))
    assert np.isfinite([complete[i].meta["sersic_n"] for i in (1, 2)]).all()


def test_one_that_cannot_be_completed_stops_no_other(batch):
    """A band without a known extinction would cost the galaxies that share its batch."""
    outputs, images = batch
    profiles = measured_profiles(outputs, images)
    own = [OwnQuantities(), OwnQuantities(ebv=0.1), OwnQuantities()]
    completed = complete_profiles([replace(p, meta=p.meta | {"band": "F814W"}) for p in profiles[:3]], None, own)
    assert [isinstance(one, UsageError) for one in completed] == [False, True, False]
    assert complete_profiles([], None) == []


def test_fits_are_those_of_minpack():
    """Fits of a batch would end elsewhere than the best one, or where their start leads."""
    rng = np.random.default_rng(8)
    count = 24
    sma = np.geomspace(1.5, 60.0, 40)
    n, re = np.exp(rng.uniform(np.log(0.5), np.log(7.0), count)), np.exp(rng.uniform(1.0, 3.5, count))
    mu = np.stack([laws.sersic_mu(sma, a, b, 22.0) for a, b in zip(n, re, strict=True)])
    mu += 0.1 * rng.normal(size=mu.shape)
    columns = {"sma": np.tile(sma, (count, 1)), "mu": mu, "mu_err": np.full(mu.shape, 0.05)}
    r50 = re * np.where(np.arange(count) % 5 == 0, np.nan, 1.3)
    fits = laws.laws_of_many(columns, r50, np.full(count, 1.2))
    weight = np.sqrt(np.minimum(np.gradient(sma) / 1.2, 1.0)) / np.hypot(0.05, laws.STRUCTURE)
    compared = 0
    for i, one in enumerate(fits):
        start = r50[i] if 1.5 < r50[i] < 60.0 else sma[20]
        x, converged = laws._by_minpack(sma, mu[i], weight, start)
        limits = 0.4 <= np.exp(x[2]) <= 10.0 and np.exp(x[1]) < 600.0
        assert np.isfinite(one["sersic_n"]) == (converged and limits)
        if converged and limits:
            compared += 1
            np.testing.assert_allclose(
                [one["sersic_n"], one["sersic_re"], one["sersic_mu_e"]], [*np.exp(x[:0:-1]), x[0]], rtol=1e-4
            )
        outer = sma >= r50[i]
        if outer.sum() >= laws.MIN_RADII and np.isfinite(one["disc_h"]):
            slope, level = np.polyfit(1.0857362 * sma[outer], mu[i][outer], 1, w=weight[outer])
            np.testing.assert_allclose([one["disc_h"], one["disc_mu0"]], [1.0 / slope, level], rtol=1e-6)
    assert compared > 18


def test_draws_do_not_hang_on_the_rounding_of_radii():
    """Errors of a galaxy would differ between the network's single precision and a table read back."""
    sma = 0.2 * np.exp(0.0922 * np.arange(50))
    exact = draw_profiles(sma, np.full(50, 22.0), np.full(50, 0.3))
    single = draw_profiles(sma.astype(np.float32).astype(float), np.full(50, 22.0), np.full(50, 0.3))
    np.testing.assert_allclose(single, exact, atol=1e-5)
    uneven = np.delete(sma, 10)
    assert np.std(draw_profiles(uneven, np.full(49, 22.0), np.full(49, 0.3)) - np.delete(exact, 10, axis=1)) > 0.01


@pytest.mark.parametrize("size", [7, 8, 9001, 30000, 30001])
def test_median_of_many(size):
    """The noise that flags compare with would be off."""
    rng = np.random.default_rng(size)
    values = (1e3 + rng.normal(size=size) ** 3).astype(np.float32)
    assert median(values) == pytest.approx(float(np.median(values.astype(float))), rel=1e-9)
    steps = np.sort(rng.integers(0, 3, size)).astype(np.float32)
    assert median(steps) == np.median(steps)


@pytest.mark.parametrize("slope", [0.0, 1.2, 1.6, 2.0, 6.0])
def test_sky_is_uneven_by_the_medians_of_its_sectors(slope):
    """A gradient would be told from how pixels are counted, not from how bright the sky is on either side."""
    rng = np.random.default_rng(3)
    pixels = rng.normal(size=(160, 160)).astype(np.float32) + slope / 160 * np.arange(160, dtype=np.float32)
    image = GalaxyImage.from_array(pixels, zero_point=ZERO, pixel_scale=SCALE)
    rows = ProfileRows(80.0, 78.0, 0.0, 1e4, np.geomspace(1.0, 25.0, 20), np.geomspace(90.0, 0.1, 20))
    light = surroundings(rows, (0.1, 0.05), pixels, np.isfinite(pixels), image)
    square = light.radii.square
    ring = light.good & ~light.other & (square > (SKY_RING[0] * 25.0) ** 2) & (square < (SKY_RING[1] * 25.0) ** 2)
    dx, dy = np.broadcast_arrays(light.radii.dx[None], light.radii.dy[:, None])
    sector = (dx < 0) + 2 * (dy < 0) + 4 * (np.abs(dy) > np.abs(dx))
    parts = [light.excess[ring & (sector == i)] for i in range(8)]
    levels = [np.median(part) for part in parts]
    limit = max(0.1, 8.0 * 1.25 * light.noise / np.sqrt(min(part.size for part in parts)))
    assert uneven_sky(rows, light) == (max(levels) - min(levels) > limit)


def test_padded_rows():
    """Quantities of short profiles would hold what lies behind their end."""
    rng = np.random.default_rng(2)
    values = radius_first((3, 5, 7))
    values[...] = rng.normal(size=values.shape)
    for ufunc in (np.add, np.maximum):
        np.testing.assert_allclose(accumulate(ufunc, values.copy(order="K")), ufunc.accumulate(values, axis=-1))
        np.testing.assert_allclose(accumulate(ufunc, values[0, 0].copy()), ufunc.accumulate(values[0, 0]))
    known = np.array([[1.0, 2.0, 4.0, np.nan], [3.0, np.nan, np.nan, np.nan]])
    column = np.array([[10.0, 20.0, 0.0, np.nan], [5.0, np.nan, np.nan, np.nan]])
    [row] = interpolated(np.array([[0.0, 1.5, 3.0, 9.0], [0.0, 3.0, 4.0, 9.0]]), known, column)
    np.testing.assert_allclose(row, [[10.0, 15.0, 10.0, 0.0], [5.0] * 4])
    np.testing.assert_allclose(medians(column), [10.0, 5.0])
    moved, count = packed({"a": np.array([[3.0, 1.0, 2.0, 0.0]])}, np.array([[True, False, True, True]]), sort_by="a")
    np.testing.assert_array_equal(moved["a"], [[0.0, 2.0, 3.0, np.nan]])
    assert count.tolist() == [3]
    radii = isophotal_radii(np.array([[1.0, 2.0, np.nan]]), np.array([[[20.0, 22.0, np.nan]]]), 22.0)
    assert radii[0, 0] == 2.0  # where the level is that of the last radius
