"""Figures: that they draw what they are given, whatever it is."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from astropy.table import QTable
from astropy.wcs import WCS

from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.images import GalaxyImage
from p2p_keras.profile.plots import comparison_figure, galaxy_figure, save_figure
from p2p_keras.profile.plots.image_panel import pixel_geometry
from p2p_keras.profile.tables.building import profile_table

SHAPE = (96, 128)


def disc(*, rows=48, pa=60.0, e=0.3, wcs=None):
    """An exponential disc's image, its profile by exact outputs, and its truth."""
    sma = 0.5 * np.exp(np.arange(64) * np.log(0.65 * 128 / 0.5) / 63)
    mu = 18.0 + sma / 6 * 1.0857
    valid = np.arange(64) < rows
    fill = np.ones(64)
    outputs = {
        "sma": 0.4 * sma,
        "mu": mu,
        "mu_err": 0.03 * fill,
        "ellipticity": e * fill,
        "pa": pa * fill,
        "valid": valid,
    }
    outputs |= {"growth": 20.0 - np.minimum(sma, 30) / 10, "x0": 63.5, "y0": 47.5, "extent": 20.0, "mag_total": 16.9}
    outputs |= {"sky": 0.0}
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = 10 ** (0.4 * (22.5 - 18)) * 0.16 * np.exp(-np.hypot(x - 63.5, y - 47.5) / 6)
    pixels = pixels + np.random.default_rng(0).normal(0, 0.05, SHAPE)
    image = GalaxyImage.from_array(pixels, zero_point=22.5, pixel_scale=0.4, name="disc", band="r", wcs=wcs)
    label = LabelledGalaxy("disc", "r", pixels, 22.5, 0.4, 0.4 * sma, mu + 0.1, extent=20.0)
    return image, profile_table(outputs, image), label


def a_wcs(turn=30.0, flip=False):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [10.0, 60.0], [64.5, 48.5]
    t = np.deg2rad(turn)
    turned = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    wcs.wcs.cd = np.diag([0.4 if flip else -0.4, 0.4]) / 3600 @ turned
    return wcs


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_galaxy_figure_is_written(ending, tmp_path):
    """--plot would leave no picture, or half of one."""
    image, profile, label = disc(wcs=a_wcs())
    path = save_figure(galaxy_figure(image, profile, truth=label), tmp_path / "new" / f"disc.{ending}")
    assert path.stat().st_size > 10_000
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_mu_axis_points_down_and_truth_is_drawn():
    """A profile would be drawn upside down, or a comparison without its truth."""
    image, profile, label = disc()
    axes = galaxy_figure(image, profile, truth=label).axes
    mu_axis = next(ax for ax in axes if r"\mu" in ax.get_ylabel())
    low, high = mu_axis.get_ylim()
    assert low > high
    lines = [line for line in mu_axis.lines if len(line.get_xdata()) > 10]
    assert len(lines) == 2
    np.testing.assert_allclose(lines[0].get_ydata(), profile["mu"].value)
    assert max(lines[1].get_xdata()) <= 1.15 * profile["sma"].value[-1]


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_profiles_of_no_or_few_radii_are_drawn(rows):
    """One galaxy without a profile would stop the drawing of all, or be drawn with a profile that it hasn't."""
    image, profile, label = disc(rows=rows)
    one, row = galaxy_figure(image, profile), comparison_figure([(image, label, profile)])
    one.canvas.draw()
    row.canvas.draw()
    texts = [text.get_text() for ax in one.axes for text in ax.texts]
    assert ("no profile could be measured" in texts) == (rows == 0)
    lines = [line for ax in one.axes if r"\mu" in ax.get_ylabel() for line in ax.lines]
    assert any(np.array_equal(line.get_ydata(), profile["mu"].value) for line in lines) == (rows > 0)
    # The truth is shown whatever was measured.
    lines = [line for ax in row.axes if r"\mu" in ax.get_ylabel() for line in ax.lines]
    assert any(len(line.get_xdata()) > 10 for line in lines)


def test_nan_everywhere_but_mu_is_drawn():
    """NaN in ellipticity, uncertainty or meta would stop the drawing, or stand in the title."""
    image, profile, _ = disc()
    for name in ("ellipticity", "mu_err", "pa", "growth"):
        profile[name][3:9] = np.nan
    for key in ("r50", "r90", "mag_total", "x0", "sky"):
        profile.meta[key] = float("nan")
    figure = galaxy_figure(image, profile)
    figure.canvas.draw()
    assert "nan" not in figure.get_suptitle().lower()
    mu_axis = next(ax for ax in figure.axes if r"\mu" in ax.get_ylabel())
    np.testing.assert_array_equal(mu_axis.lines[0].get_ydata(), profile["mu"].value)
    low, high = mu_axis.get_ylim()
    assert low >= profile["mu"].value.max() and high <= profile["mu"].value.min()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turn", [0.0, 30.0, 140.0])
def test_ellipses_lie_on_the_galaxy(turn, flip):
    """Ellipses drawn from sky angles would be turned against the image."""
    image, profile, _ = disc(pa=60.0, e=0.4, wcs=a_wcs(turn, flip))
    geometry = pixel_geometry(profile, image)
    x, y = geometry.outline(20.0)
    far = np.argmax(np.hypot(x - 63.5, y - 47.5))
    assert np.rad2deg(np.arctan2(y[far] - 47.5, x[far] - 63.5)) % 180 == pytest.approx(60.0, abs=1.5)
    assert np.hypot(x[far] - 63.5, y[far] - 47.5) == pytest.approx(20.0, rel=1e-3)


def test_offset_of_a_cutout_is_taken_off():
    """Ellipses of a target cut from a frame would be drawn far outside the picture."""
    from dataclasses import replace

    image, profile, _ = disc()
    moved = replace(image, x_offset=1000, y_offset=-20)
    profile.meta.update(x0=1063.5, y0=27.5)
    assert (pixel_geometry(profile, moved).x0, pixel_geometry(profile, moved).y0) == (63.5, 47.5)


def test_comparison_of_many(tmp_path):
    """The picture that a training run leaves would fail for some number of galaxies or kind of truth."""
    image, profile, label = disc()
    as_table = QTable({"sma": profile["sma"], "mu": profile["mu"]})
    as_mapping = {"sma": label.sma, "mu": label.mu}
    figure = comparison_figure([(image, truth, profile) for truth in (label, as_table, as_mapping, label, label)])
    save_figure(figure, tmp_path / "many.png", dpi=50)
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == [f"disc r: {e:.3f} mag" for e in (0.1, 0.0, 0.1, 0.1, 0.1)]


def test_settings_of_the_caller_are_left_alone():
    """A notebook's own style would change after drawing one galaxy."""
    before = dict(mpl.rcParams)
    image, profile, _ = disc()
    galaxy_figure(image, profile)
    assert dict(mpl.rcParams) == before


def test_several_models_in_one_cell():
    """Models compared side by side would be drawn in one colour, or only the first of them."""
    from dataclasses import replace

    image, profile, label = disc()
    other = profile.copy()
    other["mu"] += 1.0 * other["mu"].unit
    entry = (image, replace(label), {"isophote 1": profile, "photutils 3": other})
    figure = comparison_figure([entry], panels=("profile", "residual"))
    mu_axis, residual_axis = figure.axes
    assert [text.get_text() for text in mu_axis.get_legend().get_texts()] == ["isophote 1", "photutils 3", "true"]
    assert len({line.get_color() for line in mu_axis.lines}) == 3
    # The second is off by 0.9 mag: the axis of residuals makes room for it.
    assert residual_axis.get_ylim()[0] > 0.9
    with pytest.raises(ValueError, match="profile"):
        comparison_figure([entry], panels=("profil",))
