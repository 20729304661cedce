"""Images measured along given ellipses: tables of others, one shape, own radii; and photometry of a model's profile."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table

from p2p_keras import measure_along
from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.images import GalaxyImage
from p2p_keras.measure.along import with_photometry
from p2p_keras.measure.outputs.isophote_options import along_ellipses, parse_radii
from p2p_keras.profile.isophotes.given import Ellipses
from p2p_keras.profile.tables.autoprof import prof_columns
from p2p_keras.profile.tables.ellipses import read_ellipses
from p2p_keras.profile.tables.files import read_profiles, write_table

SCALE, ZERO, E, PA, H = 0.4, 22.5, 0.4, 30.0, 4.0
X0, Y0 = 80.3, 79.1
SMA = np.array([2.0, 4.0, 8.0, 16.0])


def pixels(sky=0.0, noise=0.0):
    y, x = np.mgrid[:160, :160]
    t = np.deg2rad(PA)
    along, across = (x - X0) * np.cos(t) + (y - Y0) * np.sin(t), (y - Y0) * np.cos(t) - (x - X0) * np.sin(t)
    light = 10.0 * np.exp(-np.hypot(along, across / (1 - E)) * SCALE / H)
    return light + sky + noise * np.random.default_rng(1).normal(size=light.shape)


def image(**settings):
    wcs = settings.pop("wcs", None)
    return GalaxyImage.from_array(pixels(**settings), zero_point=ZERO, pixel_scale=SCALE, name="disc", wcs=wcs)


def north_up():
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [150.0, 2.0], [X0 + 1, Y0 + 1]
    wcs.wcs.cdelt = [-SCALE / 3600, SCALE / 3600]
    return wcs


def right(profile, sma=SMA):
    expected = ZERO - 2.5 * np.log10(10.0 * np.exp(-np.asarray(sma) / H) / SCALE**2)
    np.testing.assert_allclose(profile["mu"].value, expected, atol=0.02)
    np.testing.assert_allclose(profile["sma"].to_value("arcsec"), sma)
    np.testing.assert_allclose(profile["ellipticity"], E, atol=1e-6)


def test_one_shape_at_own_radii():
    """A user's own aperture would be another one."""
    profile = measure_along(image(), (X0, Y0, E, PA), radii=SMA)
    right(profile)
    inside = 10.0 * 2 * np.pi * (1 - E) * (H / SCALE) ** 2 * (1 - np.exp(-SMA / H) * (1 + SMA / H))
    np.testing.assert_allclose(profile["growth"].value, ZERO - 2.5 * np.log10(inside), atol=0.01)
    assert profile.meta["pa_reference"] == "+x"
    np.testing.assert_allclose(profile["pa"].value, PA)
    assert (profile["sma_in"] < profile["sma"]).all()
    assert (profile["sma_out"] > profile["sma"]).all()


def test_sky_is_subtracted_only_where_asked():
    """A sky left in, or taken twice, would bend the outer profile."""
    right(measure_along(image(sky=3.0), (X0, Y0, E, PA), radii=SMA, sky=3.0))
    left_in = measure_along(image(sky=3.0), (X0, Y0, E, PA), radii=SMA)
    assert left_in.meta["sky"] == 0.0
    assert left_in["mu"].value[-1] < 20.8


def as_photutils(tmp_path):
    table = QTable({"sma": np.r_[0.0, SMA / SCALE], "intens": np.ones(5), "ellipticity": np.r_[0.0, np.full(4, E)]})
    table["pa"] = np.r_[0.0, np.full(4, PA)] * u.deg
    table["x0"], table["y0"] = np.full(5, X0), np.full(5, Y0)
    table.write(tmp_path / "isolist.ecsv")
    return tmp_path / "isolist.ecsv"


def as_isoster(tmp_path):
    table = Table({"sma": SMA / SCALE, "intens": np.ones(4), "eps": np.full(4, E), "pa": np.full(4, np.deg2rad(PA))})
    table["x0"], table["y0"] = X0, Y0
    table.write(tmp_path / "isoster.fits")
    return tmp_path / "isoster.fits"


def as_autoprof(tmp_path):
    lines = ["# arcsec,mag*arcsec^-2", "R,SB,ellip,pa", *(f"{r},20,{E},{PA - 90}" for r in SMA)]
    (tmp_path / "galaxy.prof").write_text("\n".join(lines))
    (tmp_path / "galaxy.aux").write_text(f"center x: {X0} pix, y: {Y0} pix\n")
    return tmp_path / "galaxy.prof"


def as_sga(tmp_path):
    table = Table({"GALAXY": ["PGC1"], "EPS_MOMENT": [E], "PA_MOMENT": [PA + 90.0], "REFPIXSCALE": [0.262]})
    table["SMA_R"] = [SMA / 0.262]
    table["RA_MOMENT"], table["DEC_MOMENT"] = [150.0], [2.0]
    table.write(tmp_path / "sga.fits")
    return tmp_path / "sga.fits"


def as_ours(tmp_path):
    write_table(measure_along(image(), (X0, Y0, E, PA), radii=SMA), tmp_path / "ours.ecsv", "ecsv")
    return tmp_path / "ours.ecsv"


def as_our_prof(tmp_path):
    write_table(measure_along(image(), (X0, Y0, E, PA), radii=SMA), tmp_path / "ours.prof", "prof")
    return tmp_path / "ours.prof"


@pytest.mark.parametrize("kind", [as_photutils, as_isoster, as_autoprof, as_sga, as_ours, as_our_prof])
def test_tables_of_others(tmp_path, kind):
    """The same ellipses in another program's table would be turned, shifted or scaled."""
    profile = measure_along(image(wcs=north_up()), kind(tmp_path))
    right(profile)
    # North is up and east is left: a pa from +x of 30 is 120 from north.
    np.testing.assert_allclose(profile["pa"].value, 120.0, atol=0.1)


def test_an_sga_catalogue_has_one_ellipse_a_galaxy(tmp_path):
    """The galaxy of another row would be measured."""
    rows = Table({"GALAXY": ["other", "disc"], "RA": [151.0, 150.0], "DEC": [2.0, 2.0], "DIAM": [1.0, 32.0 / 60]})
    rows["BA"], rows["PA"] = [0.9, 1 - E], [0.0, PA + 90.0]
    rows.write(tmp_path / "SGA-2020.fits")
    right(measure_along(image(wcs=north_up()), tmp_path / "SGA-2020.fits"), sma=[16.0])
    right(measure_along(image(wcs=north_up()), tmp_path / "SGA-2020.fits", radii=SMA))
    with pytest.raises(InputError, match="none of"):
        measure_along(
            GalaxyImage.from_array(pixels(), zero_point=ZERO, pixel_scale=SCALE, name="third"),
            tmp_path / "SGA-2020.fits",
        )


def test_a_table_without_ellipses_is_refused(tmp_path):
    """Numbers would be measured along anything."""
    Table({"a": [1.0]}).write(tmp_path / "t.ecsv")
    with pytest.raises(InputError, match="not a table of ellipses"):
        read_ellipses(tmp_path / "t.ecsv")
    with pytest.raises(InputError, match="no such table"):
        read_ellipses(tmp_path / "none.ecsv")


def test_autoprof_keeps_large_radii_and_angles(tmp_path):
    """Radii beyond 100 arcsec and angles beyond 100 degrees would be taken for missing."""
    path = tmp_path / "g.prof"
    path.write_text("R,SB,ellip,pa\narcsec,mag*arcsec^-2,unitless,deg\n99.999,22,0.1,99.5\n150,99.999,0.2,170\n")
    columns = prof_columns(path)
    np.testing.assert_allclose(columns["R"], [99.999, 150.0])
    np.testing.assert_allclose(columns["pa"], [99.5, 170.0])
    assert np.isnan(columns["SB"][1])


def test_all_columns_go_through_files(tmp_path):
    """What was measured would be lost on disk."""
    profile = measure_along(image(noise=0.05), (X0, Y0, E, PA), radii=SMA)
    for ending in ("ecsv", "fits", "csv", "parquet", "prof"):
        path = tmp_path / f"p.{ending}"
        write_table(profile, path, ending)
        [back] = read_profiles(path)
        for name in ("n_pix", "n_masked", "ellipticity_err", "pa_err"):
            np.testing.assert_allclose(np.asarray(back[name], float), np.asarray(profile[name], float), atol=1e-4)
    assert "pixels,maskedpixels" in (tmp_path / "p.prof").read_text()
    assert "ellip_e" in (tmp_path / "p.prof").read_text()


def test_radii_and_contradictions():
    """A wrong option would be taken for another."""
    np.testing.assert_allclose(parse_radii("1:8:2"), [1, 2, 4, 8])
    np.testing.assert_allclose(parse_radii("1,2.5,7"), [1, 2.5, 7])
    for wrong in ("8:1:2", "1:8:1", "3,2", "a", "0,1", "1:2"):
        with pytest.raises(UsageError, match="expected START"):
            parse_radii(wrong)
    with pytest.raises(UsageError, match="not both"):
        along_ellipses({"ellipses": "t.ecsv", "fixed": "1,2,0.3,4"})
    with pytest.raises(UsageError, match="goes with"):
        along_ellipses({"radii": "1,2"})
    with pytest.raises(UsageError, match="ellipticity"):
        along_ellipses({"fixed": "1,2,1.3,4"})
    with pytest.raises(UsageError, match="--model"):
        along_ellipses({"fixed": "1,2,0.3,4", "model": "isophote"})
    assert along_ellipses({}) is None


def test_predict_along_one_shape(tmp_path):
    """The program would load a network, or leave the columns out."""
    from astropy.io import fits
    from click.testing import CliRunner

    from p2p_keras.predict import main

    fits.PrimaryHDU(pixels().astype("f4")).writeto(tmp_path / "disc.fits")
    arguments = [str(tmp_path / "disc.fits"), "--fixed", f"{X0},{Y0},{E},{PA}", "--radii", "2:16:2", "-o"]
    options = ["--zero-point", str(ZERO), "--pixel-scale", str(SCALE)]
    run = CliRunner().invoke(main, [*arguments, str(tmp_path / "out.ecsv"), *options])
    assert run.exit_code == 0, run.output
    [profile] = read_profiles(tmp_path / "out.ecsv")
    right(profile)
    theirs = CliRunner().invoke(main, [*arguments, str(tmp_path / "p.ecsv"), "--pixels", "photutils", *options])
    assert theirs.exit_code == 0, theirs.output
    [again] = read_profiles(tmp_path / "p.ecsv")
    assert 0 < np.abs(again["mu"].value - profile["mu"].value).max() < 0.01
    wrong = CliRunner().invoke(main, [*arguments, str(tmp_path / "o.ecsv"), "--model", "isophote", *options])
    assert wrong.exit_code == 2


def test_photometry_of_a_models_profile():
    """The harmonics would be those of other ellipses, or of a sky that was left in."""
    galaxy = image(sky=0.5, noise=0.02)
    profile = measure_along(galaxy, (X0, Y0, E, PA), radii=SMA, sky=0.5)
    profile.remove_columns(["intensity", "intensity_err", "n_pix", "a3", "b4"])
    measured = with_photometry(profile, galaxy)
    micro = 10.0 * np.exp(-SMA / H) / SCALE**2 * 10 ** (0.4 * 1.4)
    np.testing.assert_allclose(measured["intensity"].value, micro, rtol=0.02)
    assert (np.abs(measured["b4"]) < 5 * measured["b4_err"] + 0.01).all()
    assert measured.meta["name"] == profile.meta["name"]


def test_nothing_of_it_on_the_image():
    """A profile without a pixel would be an empty table without a word."""
    with pytest.raises(InputError, match="no ellipse"):
        measure_along(image(), (-500.0, -500.0, 0.0, 0.0), radii=[1.0, 2.0])


def test_published_profile_along_its_own_ellipses(real_data):
    """What surveys publish of a galaxy could not be reproduced: same ellipses, so only masks and sky differ."""
    published = real_data / "published" / "ESO479-G001_r.prof"
    if not published.is_file():
        pytest.skip("no published profile")
    theirs = prof_columns(published)
    ours = measure_along(real_data / "galaxies" / "eso479-g1-r.fits.gz", published, zero_point=22.5)
    use = (theirs["SB"] < 25.0) & (theirs["R"] >= 1.0)
    difference = ours["mu"].value[use] - theirs["SB"][use]
    assert abs(np.median(difference)) < 0.01
    assert np.median(np.abs(difference)) < 0.01


def test_ellipses_of_the_given_module_are_plain_numbers():
    """`Ellipses` of one number for all would not broadcast."""
    assert len(Ellipses.of(1.0, 2.0, [3.0, 4.0], 0.1, 5.0)) == 2


def test_growth_errors_are_those_of_noise():
    """The error of a magnitude inside an ellipse would be that of one ring, or of nothing."""
    radii = 1.0 * 1.12 ** np.arange(24)
    totals = []
    for seed in range(12):
        noisy = pixels() + 0.05 * np.random.default_rng(seed).normal(size=(160, 160))
        one = GalaxyImage.from_array(noisy, zero_point=ZERO, pixel_scale=SCALE)
        profile = measure_along(one, (X0, Y0, E, PA), radii=radii)
        totals.append(profile["growth"].value)
    scatter = np.std(totals, axis=0)[8:]
    ratio = profile["growth_err"].value[8:] / scatter
    assert 0.6 < np.median(ratio) < 1.7
