"""Single panels of a profile: what they draw, on which scale, and that they share axes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from p2p_keras import Profile
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.images import GalaxyImage
from p2p_keras.profile.plots import (
    RADIUS_SCALES,
    bands_figure,
    plot_bands,
    plot_colors,
    plot_ellipticity,
    plot_growth,
    plot_image,
    plot_position_angle,
    plot_profile,
    plot_residual,
    save_figure,
)
from p2p_keras.profile.plots.bands import band_color
from p2p_keras.profile.plots.style import BAND_COLORS, SERIES

SMA = np.geomspace(0.3, 30, 40)


def exponential(*, h=5.0, mu0=19.0, band="r", pa=None, e=0.4, rows=40) -> Profile:
    """An exponential disc's profile table."""
    profile = Profile()
    profile["sma"] = SMA[:rows] * u.arcsec
    profile["mu"] = (mu0 + 1.0857 * SMA[:rows] / h) * u.Unit("mag / arcsec2")
    profile["mu_err"] = np.full(rows, 0.05) * u.Unit("mag / arcsec2")
    profile["ellipticity"] = np.full(rows, e)
    profile["pa"] = (np.full(40, 30.0) if pa is None else pa)[:rows] * u.deg
    profile["growth"] = (20 - 4 * (1 - np.exp(-SMA[:rows] / 5))) * u.mag
    profile.meta.update(name="disc", band=band, mag_total=15.9, pixel_scale=0.4, zero_point=22.5, x0=31.5, y0=31.5)
    return profile


PANELS = [plot_profile, plot_ellipticity, plot_position_angle, plot_growth]


@pytest.mark.parametrize("radius", RADIUS_SCALES)
@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_on_every_scale(panel, radius):
    """A panel would fail on one of the radius scales, or put radii where they don't belong."""
    artists = panel(exponential(), radius=radius)
    ax = artists["axes"]
    ax.figure.canvas.draw()
    x = artists["line"].get_xdata()
    np.testing.assert_allclose(x, SMA)
    place = ax.transData.transform([[r, np.mean(ax.get_ylim())] for r in (1.0, 4.0, 16.0)])[:, 0]
    law = {"log": np.log, "linear": lambda r: r, "r^1/4": lambda r: r**0.25}[radius]
    step = law(np.array([1.0, 4.0, 16.0]))
    assert (place[1] - place[0]) / (place[2] - place[1]) == pytest.approx((step[1] - step[0]) / (step[2] - step[1]))
    low, high = ax.get_xlim()
    assert low <= SMA[0]
    assert high >= SMA[-1]
    assert "arcsec" in ax.get_xlabel()


def test_unknown_scale_is_named():
    """A typing error would be a matplotlib traceback."""
    with pytest.raises(ValueError, match="r\\^1/4"):
        plot_profile(exponential(), radius="r14")


def test_profile_panel_shows_band_and_limit():
    """The uncertainty would be drawn too narrow, the magnitudes upside down, or the S/N limit elsewhere."""
    profile = exponential()
    artists = plot_profile(profile, color="black", label="disc", ls="--")
    low, high = artists["axes"].get_ylim()
    assert low > high
    edges = artists["band"].get_paths()[0].vertices[:, 1]
    assert edges.max() == pytest.approx(profile["mu"].value.max() + 0.05)
    assert edges.min() == pytest.approx(profile["mu"].value.min() - 0.05)
    assert set(artists["limit"].get_xdata()) == {SMA[-1]}
    assert (artists["line"].get_color(), artists["line"].get_linestyle()) == ("black", "--")
    assert r"\rm r" in artists["axes"].get_ylabel()
    assert {"band", "limit"}.isdisjoint(plot_profile(profile, uncertainty=False, limit=False))


def test_units_are_converted():
    """A table in arcmin would be drawn sixty times too small."""
    profile = exponential()
    profile["sma"] = profile["sma"].to(u.arcmin)
    np.testing.assert_allclose(plot_profile(profile)["line"].get_xdata(), SMA)


def test_second_profile_shares_the_axes():
    """A second profile would be cut off, or the first vanish."""
    first = plot_profile(exponential(mu0=19.0))
    second = plot_profile(exponential(mu0=23.0, h=4.0), first["axes"], color="black")
    ax = first["axes"]
    assert second["axes"] is ax
    assert len([line for line in ax.lines if len(line.get_xdata()) == 40]) == 2
    low, high = ax.get_ylim()
    assert high < 19.0
    assert low > 23.0 + 1.0857 * 30 / 4.0


def test_truth_and_mapping_can_be_drawn():
    """A label or plain arrays could not be drawn beside a profile."""
    sma, mu = SMA, 20 + SMA / 10
    label = LabelledGalaxy("g", "r", np.zeros((64, 64)), 22.5, 0.4, sma, mu, extent=10.0)
    assert plot_profile(label)["line"].get_xdata().max() <= 10.0
    assert "band" not in plot_profile({"sma": sma, "mu": mu})


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("rows", [0, 1])
def test_panels_of_no_or_one_radius(panel, rows):
    """A galaxy without a profile would stop a script that draws many, or leave axes that show nothing."""
    artists = panel(exponential(rows=rows))
    ax = artists["axes"]
    ax.figure.canvas.draw()
    x, y = artists["line"].get_data()
    np.testing.assert_array_equal(x, SMA[:rows])
    low, high = ax.get_xlim()
    assert 0 < low < high and all(low < value < high for value in x)
    below, above = sorted(ax.get_ylim())
    assert below < above and all(below <= value <= above for value in y)


def test_position_angle_does_not_jump():
    """A galaxy lying at 179 to 1 degrees would show a wild twist; the angle of a circle would be drawn as if known."""
    pa = np.where(np.arange(40) % 2, 179.0, 1.0)
    drawn = plot_position_angle(exponential(pa=pa))["line"].get_ydata()
    assert np.ptp(drawn) == pytest.approx(2.0)
    round_one = plot_position_angle(exponential(pa=pa, e=0.01))
    assert np.isnan(round_one["line"].get_ydata()).all()
    assert np.isfinite(round_one["faint"].get_ydata()).all()


def test_residual_is_prediction_minus_truth():
    """A residual would have the wrong sign or be taken at the wrong radii."""
    artists = plot_residual(exponential(mu0=19.2), exponential(mu0=19.0), reach=1.0)
    np.testing.assert_allclose(artists["line"].get_ydata(), 0.2, atol=1e-9)
    assert artists["axes"].get_ylim() == (1.0, -1.0)


def test_total_magnitude_is_marked():
    """The curve of growth would not say what it grows to."""
    artists = plot_growth(exponential())
    assert set(artists["total"].get_ydata()) == {15.9}
    low, high = artists["axes"].get_ylim()
    assert low > 15.9 > high


def test_colours_are_differences_on_common_radii():
    """A colour would be interpolated wrongly, or drawn beyond one of the bands."""
    g = exponential(mu0=19.8, band="g")
    r = exponential(mu0=19.0, band="r", rows=30)
    artists = plot_colors({"g": g, "r": r})
    colour = artists["g-r"]["line"].get_ydata()
    np.testing.assert_allclose(colour[:30], 0.8, atol=1e-9)
    assert np.isnan(colour[30:]).all()
    band = artists["g-r"]["band"].get_paths()[0].vertices[:, 1]
    assert np.nanmax(band) == pytest.approx(0.8 + np.hypot(0.05, 0.05))


def test_bands_are_told_apart():
    """Bands would look alike in print, to a colour-blind reader, or lack their names."""
    profiles = {band: exponential(band=band, mu0=19 - i / 2) for i, band in enumerate("gri")}
    artists = plot_bands(profiles)
    lines = [artists[band]["line"] for band in "gri"]
    assert len({line.get_color() for line in lines}) == len({line.get_linestyle() for line in lines}) == 3
    assert [text.get_text() for text in artists["legend"].get_texts()] == ["g", "r", "i"]
    figure = bands_figure(profiles, title="disc")
    figure.canvas.draw()
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    with pytest.raises(ValueError, match="no profiles"):
        plot_bands({})


def test_colours_are_colour_blind_safe():
    """Two models or bands would be one to a reader who can't tell red from green (Machado et al. 2009)."""
    deuteranopia = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    for colors in (SERIES[:4], [BAND_COLORS[band] for band in "griz"]):
        seen = [linear_rgb(color) @ deuteranopia.T for color in colors]
        for i, one in enumerate(seen):
            for other in seen[:i]:
                assert np.linalg.norm(one - other) > 0.15
    assert band_color("r") == BAND_COLORS["r"]
    assert band_color("F814W", 3) == SERIES[3]


def linear_rgb(color: str) -> np.ndarray:
    from matplotlib.colors import to_rgb

    value = np.array(to_rgb(color))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def test_image_panel_names_its_artists():
    """Ellipses could not be restyled, or be missing."""
    pixels = np.random.default_rng(0).normal(0, 0.05, (64, 64))
    image = GalaxyImage.from_array(pixels, zero_point=22.5, pixel_scale=0.4, name="g")
    artists = plot_image(image, exponential())
    assert artists["image"].get_array().shape == (64, 64)
    assert len(artists["ellipses"]) > 3
    bare = plot_image(image, exponential(), ellipses=False)
    assert len(bare["ellipses"]) < len(artists["ellipses"])


def test_image_filled_by_its_galaxy_is_not_black():
    """A galaxy larger than its image would be drawn as a black square."""
    y, x = np.mgrid[:64, :64] - 31.5
    pixels = 100 * np.exp(-np.hypot(x, y) / 30) + np.random.default_rng(0).normal(0, 1.0, x.shape)
    image = GalaxyImage.from_array(pixels, zero_point=22.5, pixel_scale=0.4, name="g")
    profile = exponential(mu0=16.0, h=30 * 0.4)
    profile.meta["sky"] = 15.0  # wrong, as it may be where the sky can't be seen
    shown = np.clip(np.asarray(plot_image(image, profile)["image"].get_array()), 0, 1)
    assert 0.2 < np.median(shown) < 0.95


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_panels_are_saved_in_every_format(ending, tmp_path):
    """A figure for a paper could not be written as PDF."""
    path = save_figure(plot_profile(exponential())["axes"].figure, tmp_path / f"p.{ending}")
    start = path.read_bytes()[:8]
    assert start.startswith({"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending])


def test_profile_draws_itself_and_stays_a_table(tmp_path):
    """``profile.plot()`` would fail, or a profile no longer be the table that scripts expect."""
    profile = exponential()
    assert isinstance(profile, QTable)
    assert isinstance(profile[:5], Profile)
    np.testing.assert_allclose(profile.plot(radius="linear")["line"].get_xdata(), SMA)
    profile.write(tmp_path / "p.ecsv")
    back = Profile(QTable.read(tmp_path / "p.ecsv"))
    np.testing.assert_allclose(back.plot()["line"].get_ydata(), profile["mu"].value)
    profile.meta["pa_reference"] = "+x"
    pixels = np.random.default_rng(0).normal(0, 0.05, (64, 64))
    assert len(profile.figure(pixels, truth=exponential(mu0=19.1)).axes) == 5


def test_package_is_imported_without_drawing():
    """``import p2p_keras`` would load astropy or matplotlib."""
    code = "import sys, p2p_keras; assert not {'astropy', 'matplotlib', 'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_errors_of_shapes_are_shaded():
    """A reader would take a noisy ellipticity for a twist."""
    import numpy as np

    from p2p_keras.profile.plots import plot_ellipticity, plot_growth, plot_position_angle
    from p2p_keras.profile.tables.measured import table_of_columns

    sma = np.geomspace(0.5, 20.0, 20)
    ones = np.ones(20)
    columns = {"sma": sma, "mu": 20.0 + sma, "mu_err": 0.1 * ones, "ellipticity": 0.4 * ones, "pa": 30.0 * ones}
    columns |= {"growth": 16.0 - np.log(sma), "ellipticity_err": 0.05 * ones, "pa_err": 4.0 * ones}
    profile = table_of_columns(columns | {"growth_err": 0.02 * ones})
    for plot in (plot_ellipticity, plot_position_angle, plot_growth):
        assert "band" in plot(profile)
    profile.remove_columns(["ellipticity_err", "pa_err", "growth_err"])
    for plot in (plot_ellipticity, plot_position_angle, plot_growth):
        assert "band" not in plot(profile)
