"""The profile table: rows, derived quantities, position angles, flags."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS
from scipy import ndimage

from p2p_keras.core.growth import radius_of_light
from p2p_keras.images import GalaxyImage
from p2p_keras.profile.altered_pixels import clipped_sky
from p2p_keras.profile.columns import COLUMN_UNITS, META_KEYS, isophotal_radius, pa_from_x, plain_arrays
from p2p_keras.profile.flags import FLAGS, quality_of
from p2p_keras.profile.missing_sky import no_sky
from p2p_keras.profile.tables.building import profile_table

SCALE, ZERO = 0.4, 22.5


def exponential_outputs(shape, *, flux=400.0, h=6.0, e=0.3, pa=30.0, x0=None, y0=None, mu_err=0.05, last=None, sky=0.0):
    """Exact raw outputs for an exponential disc of semi-major scale length `h` px; rows up to `last` px are valid."""
    sma = 0.5 * np.exp(np.arange(64) * np.log(0.65 * max(shape) / 0.5) / 63)
    central = flux / (2 * np.pi * h**2 * (1 - e))
    mu = ZERO - 2.5 * np.log10(central * np.exp(-sma / h) / SCALE**2)
    inside = flux * (1 - np.exp(-sma / h) * (1 + sma / h))
    fill = np.ones(64)
    return {
        "sma": sma * SCALE,
        "mu": mu,
        "mu_err": mu_err * fill,
        "ellipticity": e * fill,
        "pa": pa * fill,
        "growth": ZERO - 2.5 * np.log10(inside),
        "valid": sma <= (0.45 * max(shape) if last is None else last),
        "x0": (shape[1] - 1) / 2 if x0 is None else x0,
        "y0": (shape[0] - 1) / 2 if y0 is None else y0,
        "extent": 0.45 * max(shape) * SCALE,
        "mag_total": ZERO - 2.5 * np.log10(flux),
        "sky": sky,
    }


def paint(shape, *, flux=400.0, h=6.0, e=0.3, pa=30.0, x0=None, y0=None, noise=0.02, seed=0, sky=0.0):
    """Pixels of the same disc on noise."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    x -= (shape[1] - 1) / 2 if x0 is None else x0
    y -= (shape[0] - 1) / 2 if y0 is None else y0
    t = np.deg2rad(pa)
    major, minor = x * np.cos(t) + y * np.sin(t), y * np.cos(t) - x * np.sin(t)
    r = np.hypot(major, minor / (1 - e))
    disc = flux / (2 * np.pi * h**2 * (1 - e)) * np.exp(-r / h)
    return disc + sky + noise * np.random.default_rng(seed).normal(size=shape)


def image_of(pixels, *, wcs=None, **kwargs):
    return GalaxyImage.from_array(pixels, zero_point=ZERO, pixel_scale=SCALE, name="disc", wcs=wcs, **kwargs)


def turned_wcs(turn_deg, *, flip=False):
    """TAN projection whose north is `turn_deg` from +y; flipped: east to the right."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [150.0, 2.0], [48.5, 48.5]
    t = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    wcs.wcs.cd = np.diag([SCALE if flip else -SCALE, SCALE]) / 3600 @ turn
    return wcs


def test_only_valid_finite_rows_come_back():
    """Fill values of radii that the model doesn't stand behind would be taken for measurements."""
    outputs = exponential_outputs((96, 96))
    outputs["valid"][5] = False
    outputs["mu"][7] = np.nan
    profile = profile_table(outputs, image_of(paint((96, 96))), model="m", model_version=3)
    assert profile.colnames == list(COLUMN_UNITS)
    assert len(profile) == outputs["valid"].sum() - 1
    assert np.all(np.diff(profile["sma"].value) > 0)
    assert profile.meta["extent"] == profile["sma"][-1].value
    assert list(profile.meta) == list(META_KEYS)
    assert (profile.meta["model"], profile.meta["model_version"]) == ("m", "3")


def test_half_light_radius_of_an_exponential():
    """r50, r90 and the concentration would be off for every galaxy."""
    meta = profile_table(exponential_outputs((96, 96)), image_of(paint((96, 96)))).meta
    assert meta["r50"] == pytest.approx(1.67835 * 6 * SCALE, rel=2e-3)
    assert meta["r90"] == pytest.approx(3.88972 * 6 * SCALE, rel=2e-3)
    assert meta["concentration"] == pytest.approx(meta["r90"] / meta["r50"])
    central = ZERO - 2.5 * np.log10(400 / (2 * np.pi * 36 * 0.7) / SCALE**2)
    assert meta["r_iso25"] == pytest.approx((25 - central) / 1.0857 * 6 * SCALE, rel=2e-3)


def test_what_cannot_be_had_is_nan():
    """A profile that ends early would report a wrong r90 instead of none, or stop a night's run."""
    short = profile_table(exponential_outputs((96, 96), last=8.0), image_of(paint((96, 96)))).meta
    assert np.isnan(short["r90"])
    assert np.isnan(short["concentration"])
    assert np.isnan(short["r50"])
    assert np.isnan(short["r_iso25"])
    assert np.isnan(short["ra"])
    outputs = exponential_outputs((96, 96))
    outputs |= {"valid": np.zeros(64, bool), "mag_total": np.nan, "x0": np.inf}
    empty = profile_table(outputs, image_of(paint((96, 96))))
    assert len(empty) == 0
    assert empty.meta["quality"] == 4
    assert empty.meta["flags"] == ["out_of_distribution", "no_profile"]
    assert all(np.isnan(empty.meta[key]) for key in ("r50", "r90", "extent", "mag_total", "x0"))


def test_unresolved_half_light():
    """A point-like galaxy would have no half-light radius, or that of the first row."""
    assert radius_of_light(np.array([1.0, 2.0]), np.array([0.0, -0.1]), -0.1, 0.5) == pytest.approx(0.74, abs=0.01)
    assert isophotal_radius(np.array([1.0, 2.0, 4.0]), np.array([24.0, 25.5, 24.5])) == pytest.approx(2 ** (1 / 1.5))


@pytest.mark.parametrize(("turn", "flip"), [(0, False), (25, False), (-70, False), (0, True), (40, True)])
def test_position_angle_is_east_of_north(turn, flip):
    """Position angles would be wrong for every image that isn't north up, east left."""
    wcs = turned_wcs(turn, flip=flip)
    profile = profile_table(exponential_outputs((96, 96), pa=30.0), image_of(paint((96, 96)), wcs=wcs))
    assert profile.meta["pa_reference"] == "north"
    end = [47.5 + np.cos(np.deg2rad(30.0)), 47.5 + np.sin(np.deg2rad(30.0))]
    centre, end = wcs.pixel_to_world(47.5, 47.5), wcs.pixel_to_world(*end)
    expected = centre.position_angle(end).deg % 180
    np.testing.assert_allclose(profile["pa"].value, expected, atol=0.05)
    np.testing.assert_allclose(pa_from_x(profile["pa"].value, profile.meta), 30.0, atol=0.05)


def test_centre_is_in_pixels_of_the_file():
    """A centre from a cutout would point elsewhere in the user's frame."""
    from dataclasses import replace

    image = replace(image_of(paint((96, 96))), x_offset=1000, y_offset=500)
    meta = profile_table(exponential_outputs((96, 96)), image).meta
    assert (meta["x0"], meta["y0"]) == (1047.5, 547.5)
    assert (meta["x_offset"], meta["y_offset"]) == (1000, 500)


def test_a_clean_galaxy_has_no_flags():
    """Flags that are always set would be worth nothing."""
    meta = profile_table(exponential_outputs((96, 96)), image_of(paint((96, 96)))).meta
    assert (meta["flags"], meta["quality"]) == ([], 0)


def neighbour(flux, x, y, h=3.0):
    return paint((96, 96), flux=flux, h=h, e=0.0, x0=x, y0=y, noise=0)


def with_hole(pixels):
    pixels[45:51, 45:51] = np.nan
    return pixels


@pytest.mark.parametrize(
    ("word", "pixels", "settings"),
    [
        ("bright_neighbour", lambda: paint((96, 96)) + neighbour(300, 68, 60), {}),
        ("bright_neighbour", lambda: paint((96, 96)) + neighbour(3000, 88, 88, h=2.0), {"last": 30.0}),
        ("near_edge", lambda: paint((96, 96), x0=12), {"x0": 12.0}),
        ("truncated", lambda: paint((96, 96), h=20), {"last": 62.0, "h": 20, "e": 0.0}),
        ("low_snr", lambda: paint((96, 96), flux=4), {"mu_err": 0.4, "flux": 4}),
        ("saturated", lambda: np.minimum(paint((96, 96), h=3), 5.0), {"h": 3}),
        ("masked_centre", lambda: with_hole(paint((96, 96))), {}),
        ("out_of_distribution", lambda: paint((96, 96), x0=12), {"x0": 12.0}),
        ("unresolved", lambda: paint((96, 96), h=0.9), {"h": 0.9}),
        ("uneven_sky", lambda: paint((96, 96)) + np.linspace(-0.6, 0.6, 96), {"last": 24.0}),
        ("masked_centre", lambda: with_hole(paint((96, 96))), {"x0": 51.0, "y0": 49.0}),
        ("truncated", lambda: paint((96, 96), h=20), {"last": 40.0, "h": 20, "e": 0.0}),
        ("bright_neighbour", lambda: paint((96, 96)) + neighbour(300, 80, 70), {"last": 30.0}),
        ("nonlinear", lambda: np.arcsinh(paint((96, 96)) / 0.1) * 0.1, {}),
        ("nonlinear", lambda: np.log10(np.maximum(paint((96, 96)) + 0.1, 0.02)), {"sky": -1.0}),
        ("nonlinear", lambda: np.sqrt(paint((96, 96)) + 0.2), {"sky": 0.45}),
        ("clipped_sky", lambda: np.maximum(paint((96, 96)), 0.0), {}),
        ("no_sky", lambda: np.where(paint((96, 96), noise=0.0) > 0.03, paint((96, 96)), np.nan), {}),
        ("no_profile", lambda: paint((96, 96)), {"last": 0.51}),
    ],
)
def test_flag_is_set(word, pixels, settings):
    """A galaxy whose profile can't be trusted would come without a warning."""
    meta = profile_table(exponential_outputs((96, 96), **settings), image_of(pixels())).meta
    assert word in meta["flags"]
    assert meta["quality"] >= FLAGS[word].quality


@pytest.mark.parametrize("stretch", [True, False])
def test_a_small_core_in_a_large_image_tells_a_stretched_one(stretch):
    """A galaxy with few pixels above the noise would be called good though its image is a picture."""
    shape = (512, 512)
    pixels = paint(shape, flux=800.0, h=5.0) + paint(shape, flux=300.0, h=60.0, noise=0.0)
    pixels = np.arcsinh(pixels / 0.1) * 0.1 if stretch else pixels
    outputs = exponential_outputs(shape, flux=300.0, h=60.0, last=230.0)
    assert ("nonlinear" in profile_table(outputs, image_of(pixels)).meta["flags"]) == stretch


@pytest.mark.parametrize("step", [0.0, 0.02, 0.05, 0.1])
def test_linear_images_are_not_called_nonlinear(step):
    """Images of counts, or compressed in coarse steps, would be refused as pictures."""
    pixels = paint((96, 96))
    pixels = np.round(pixels / step) * step if step else pixels
    assert "nonlinear" not in profile_table(exponential_outputs((96, 96)), image_of(pixels)).meta["flags"]


def photons(mean, *, exposure=0.0):
    """Counts of so many photons per pixel in the sky, over an exposure that varies by this factor."""
    light = mean * (1.0 + paint((96, 96), noise=0.0))
    along = np.arange(96)
    seconds = (1 + exposure * np.sin(along / 30.0)) * (1 + exposure * np.cos(along / 41.0))[:, None]
    return np.random.default_rng(4).poisson(light) / seconds


def moved(pixels, *, order):
    """Resampled to a grid a third to two thirds of a pixel further."""
    return ndimage.shift(pixels, (0.37, 0.61), order=order, mode="nearest")


def turned(pixels):
    """With corners of exactly 0, as pictures have them."""
    return ndimage.rotate(pixels, 30.0, reshape=False, order=1)


def binned(pixels):
    """Sums of 2 x 2 pixels."""
    return pixels.reshape(pixels.shape[0] // 2, 2, pixels.shape[1] // 2, 2).sum(axis=(1, 3))


CUT = {
    "negative set to 0": lambda: np.maximum(paint((96, 96)), 0.0),
    "a floor of its own": lambda: np.maximum(paint((96, 96), sky=3.0), 2.98),
    "more than half of the sky at 0": lambda: np.maximum(paint((96, 96)) - 0.015, 0.0),
    "whole numbers without sign": lambda: np.maximum(np.round(paint((96, 96)) / 0.01), 0.0),
    "negative masked": lambda: np.where(paint((96, 96)) < 0, np.nan, paint((96, 96))),
    "absolute values": lambda: np.abs(paint((96, 96))),
    "all below 1.5 sigma set to 0": lambda: np.where(paint((96, 96)) < 0.03, 0.0, paint((96, 96))),
    "beside a region without data": lambda: np.where(np.arange(96) < 30, 0.0, np.maximum(paint((96, 96)), 0.0)),
    "negative set to 0, then moved by half a pixel": lambda: moved(np.maximum(paint((128, 128)), 0.0), order=1),
    "the same with cubic splines": lambda: moved(np.maximum(paint((128, 128)), 0.0), order=3),
    "negative set to 0, then turned": lambda: turned(np.maximum(paint((160, 160)), 0.0)),
    "negative set to 0, then enlarged": lambda: ndimage.zoom(np.maximum(paint((96, 96)), 0.0), 2, order=1),
    "negative set to 0, then binned": lambda: binned(np.maximum(paint((256, 256), flux=3200.0, h=16.0), 0.0)),
    "negative set to 0, then smoothed": lambda: ndimage.gaussian_filter(np.maximum(paint((128, 128)), 0.0), 0.8),
}


@pytest.mark.parametrize("how", CUT)
def test_noise_without_its_faint_side_is_found(how):
    """Outskirts and totals would come out up to a magnitude too faint, as good profiles."""
    assert clipped_sky(CUT[how]().astype(np.float32))


WHOLE = {
    "as taken": lambda: paint((96, 96)),
    "in steps": lambda: np.round(paint((96, 96)) / 0.03),
    "masked at random": lambda: np.where(np.random.default_rng(1).random((96, 96)) < 0.4, np.nan, paint((96, 96))),
    "bright pixels masked": lambda: np.where(paint((96, 96)) > 0.04, np.nan, paint((96, 96))),
    "without data at the edge": lambda: np.where(np.arange(96) < 30, -5.0, paint((96, 96))),
    "no noise": lambda: paint((96, 96), noise=0.0),
    "no noise, cut out": lambda: np.where(paint((96, 96), noise=0.0) < 0.05, 0.0, paint((96, 96), noise=0.0)),
    "moved by half a pixel": lambda: moved(paint((128, 128)), order=1),
    "turned": lambda: turned(paint((160, 160))),
    "turned, with a sky": lambda: turned(paint((160, 160), sky=0.4)),
    "smoothed": lambda: ndimage.gaussian_filter(paint((128, 128)), 0.8),
    "larger than the image": lambda: paint((64, 64), h=20.0),
    "a photon in three pixels, moved": lambda: moved(photons(0.3), order=1),
    "a photon a pixel, smoothed": lambda: ndimage.gaussian_filter(photons(1.0), 1.0),
} | {
    f"{mean} photons, exposure {exposure}": lambda mean=mean, exposure=exposure: photons(mean, exposure=exposure)
    for mean in (0.003, 0.03, 0.3, 1.0, 3.0)
    for exposure in (0.0, 0.1, 0.3)
}


@pytest.mark.parametrize("how", WHOLE)
def test_photon_counts_and_masks_are_not_called_clipped(how):
    """Photon counts, where most pixels are exactly 0, or images with masks would be refused as cut."""
    assert not clipped_sky(WHOLE[how]().astype(np.float32))


def light(shape=(128, 128)):
    """The disc without noise: its isophotes."""
    return paint(shape, noise=0.0)


def within(radius, shape=(128, 128)):
    """Pixels of a round aperture."""
    y, x = np.indices(shape)
    return np.hypot(x - (shape[1] - 1) / 2, y - (shape[0] - 1) / 2) < radius


WITHOUT_SKY = {
    "segment, else masked": lambda: np.where(light() > 0.03, paint((128, 128)), np.nan),
    "segment, else 0": lambda: np.where(light() > 0.03, paint((128, 128)), 0.0),
    "segment, else the value of the sky": lambda: np.where(light() > 0.03, paint((128, 128), sky=2.0), 2.0),
    "deep segment": lambda: np.where(light() > 0.015, paint((128, 128)), np.nan),
    "segment at 5 sigma": lambda: np.where(light() > 0.1, paint((128, 128)), np.nan),
    "aperture": lambda: np.where(within(22), paint((128, 128)), 0.0),
    "segment without noise": lambda: np.where(light() > 0.1, light(), 0.0),
}


@pytest.mark.parametrize("how", WITHOUT_SKY)
def test_images_that_end_where_the_galaxy_does_are_found(how):
    """Totals would come out up to half a magnitude too faint, as good ones."""
    assert no_sky(WITHOUT_SKY[how]().astype(np.float32))


WITH_SKY = {
    "as taken": lambda: paint((128, 128)),
    "aperture with sky": lambda: np.where(within(60), paint((128, 128)), np.nan),
    "turned, with black corners": lambda: ndimage.rotate(paint((128, 128)), 45.0, order=1),
    "other sources masked": lambda: np.where(np.roll(within(12), 40), np.nan, paint((128, 128))),
    "half of it missing": lambda: np.where(np.arange(128) < 55, 0.0, paint((128, 128))),
    "few photons, most pixels 0": lambda: photons(0.03),
    "a model that ends where its light does": lambda: np.where(light() > 1e-4, light(), 0.0),
    "larger than the image": lambda: paint((64, 64), h=20.0),
}


@pytest.mark.parametrize("how", WITH_SKY)
def test_images_with_sky_are_not_said_to_have_none(how):
    """Stamps with masked corners or neighbours, and models, would get a warning that means nothing."""
    assert not no_sky(WITH_SKY[how]().astype(np.float32))


@pytest.mark.parametrize("h", [1.42, 1.46, 1.5, 1.54])
def test_unresolved_means_the_half_light_radius_of_the_meta(h):
    """A star whose r50 is 2.4 px would pass for a galaxy, since the grid's next radius lies beyond the limit."""
    meta = profile_table(exponential_outputs((128, 128), h=h), image_of(paint((128, 128), h=h))).meta
    assert ("unresolved" in meta["flags"]) == (meta["r50"] < 2.5 * SCALE)


def test_quality_is_the_worst_flag():
    """A bad profile would be counted as merely suspect."""
    assert [quality_of(words) for words in ([], ["near_edge"], ["near_edge", "masked_centre"], ["no_profile"])] == [
        0,
        1,
        2,
        4,
    ]
    assert quality_of(["a word of a later version"]) == 1


def test_plain_arrays_convert_units():
    """A column in other units (arcmin) would be read as arcsec."""
    import astropy.units as u

    profile = profile_table(exponential_outputs((96, 96)), image_of(paint((96, 96))))
    expected = profile["sma"].value
    profile["sma"] = profile["sma"].to(u.arcmin)
    np.testing.assert_allclose(plain_arrays(profile)["sma"], expected)


@pytest.mark.parametrize(
    ("flags", "p_bad", "quality"),
    [
        ([], 0.01, 0),
        (["bright_neighbour", "near_edge"], 0.01, 0),
        ([], 0.05, 1),
        (["bright_neighbour"], 0.29, 1),
        ([], 0.3, 2),
        (["masked_centre"], 0.01, 2),
        (["nonlinear"], 0.01, 2),
        (["clipped_sky"], 0.01, 2),
        (["no_sky"], 0.01, 1),
        (["no_profile"], 0.01, 4),
        (["near_edge"], float("nan"), 1),
        (["near_edge"], None, 1),
    ],
)
def test_quality_follows_from_p_bad_where_the_model_knows_it(flags, p_bad, quality):
    """A statistical sample, ``quality == 0``, would be chosen by words that say nothing of the error."""
    assert quality_of(flags, p_bad) == quality


def test_uncertainties_of_a_model_that_knows_them_are_in_the_table():
    """Error bars that the model gives would be lost on the way to the file, or turned into numbers of another row."""
    outputs = exponential_outputs((64, 64), last=15.0)
    image = GalaxyImage.from_array(np.eye(64, dtype="float32"), zero_point=ZERO, pixel_scale=SCALE, name="a")
    plain = profile_table(outputs, image)
    assert set(plain.colnames) == set(COLUMN_UNITS)
    assert "p_bad" not in plain.meta
    known = {name: np.linspace(0.01, 0.64, 64) for name in ("ellipticity_err", "pa_err", "growth_err")}
    whole = {"p_bad": 0.4, "x0_err": 0.1, "y0_err": 0.2, "mag_total_err": 0.03}
    profile = profile_table({**outputs, **known, **whole}, image)
    rows = int(np.sum(outputs["valid"]))
    for name, values in known.items():
        np.testing.assert_allclose(plain_arrays(profile)[name], values[:rows])
    assert profile["pa_err"].unit == "deg"
    assert profile["growth_err"].unit == "mag"
    assert {key: profile.meta[key] for key in whole} == whole
    assert profile.meta["quality"] == 2
