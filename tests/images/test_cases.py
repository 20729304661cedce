"""Real files on which an answer was once wrong, missing or unclear, where their folder is at hand."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from p2p_keras.core.errors import InputError
from p2p_keras.images import read_image
from p2p_keras.images.inputs import find_images


@pytest.fixture(scope="module")
def cases() -> Path:
    """The folder of such files; the test is skipped where it is absent."""
    folder = Path(os.environ.get("P2P_CASES") or Path(__file__).resolve().parents[3] / "shared" / "cases")
    if not folder.is_dir():
        pytest.skip(f"no such files in {folder} (set P2P_CASES)")
    return folder


CALIBRATED = {
    "weight_hdu_first": ({}, 22.5, "HDU 2 (SCI)", "WHT"),
    "sdss_nanomaggy_on_1arcsec_grid": ({}, 22.5, "HDU 0", "-2.01 mag"),
    "eso_photsys_vega": ({}, 23.0, "HDU 0", "Vega"),
    "wise_w1_sky": ({}, 20.5, "HDU 0", "Vega"),
    "2mass_j_sky": ({}, 20.806, "HDU 0", "Vega"),
    "2mass_lga_jmagzp": ({}, 20.942, "HDU 0", "JSKYSIG"),
    "nonsquare_pixels": ({}, 22.5, "HDU 0", "resampled"),
    "legacy_subimage_decals": ({}, 22.5, "HDU 1", "--plane"),
    "hsc_cube_5_bands": ({"plane": 2, "zero_point": 27.0}, 27.0, "HDU 0, plane 2", ""),
    "hsc_mef_mask": ({}, 27.0, "HDU 1 (IMAGE)", ""),
    "jwst_i2d_background": ({}, 26.581, "HDU 1 (SCI)", ""),
}


@pytest.mark.parametrize("name", CALIBRATED)
def test_files_that_are_measured(cases, name):
    """The wrong array, the wrong scale, or a Vega magnitude without a word."""
    options, zero_point, hdu, note = CALIBRATED[name]
    image = read_image(cases / f"{name}.fits.gz", **options)
    assert image.zero_point == pytest.approx(zero_point, abs=1e-3)
    assert image.hdu == hdu
    assert note in " ".join(image.notes)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hsc_cube_5_bands", ("cube of 5 planes", "--plane")),
        ("wfpc2_no_bunit", ("22.079", "27.832", "--zero-point")),
        ("galex_photon_zeros", ("20.080", "25.724", "--zero-point")),
        ("gama_r_sky", ("zero point is unknown", "--zero-point")),
        ("sigma_map", ("--pixel-scale",)),
    ],
)
def test_files_that_are_refused(cases, name, words):
    """A refusal without the way out."""
    with pytest.raises(InputError) as caught:
        read_image(cases / f"{name}.fits.gz")
    assert all(word in str(caught.value) for word in words)


def test_companions_of_files(cases, tmp_path):
    """The noise and mask of HSC, Legacy and of files beside the image."""
    mef = cases / "hsc_mef_mask.fits.gz"
    assert read_image(mef, mask=mef).noise_origin == "variance: HDU 3 (VARIANCE)"
    assert read_image(cases / "legacy_subimage_decals.fits.gz", plane="r").noise_origin == "inverse variance: HDU 4"
    for name in ("sigma_map.fits.gz", "sigma_map_image.fits.gz"):
        shutil.copy(cases / name, tmp_path)
    images = find_images([tmp_path])
    assert [path.name for path in images.paths] == ["sigma_map_image.fits.gz"]
    assert "sigma_map.fits.gz" in images.notes[0]
    image = read_image(images.paths[0], zero_point=22.5, pixel_scale=0.396)
    assert image.noise_origin == "sigma: sigma_map.fits.gz"
    assert np.isfinite(image.noise).all()


def test_photon_counts_are_no_missing_pixels(cases):
    """Zero photons would be called missing."""
    image = read_image(cases / "galex_photon_zeros.fits.gz", zero_point=20.08)
    assert not any("exactly 0" in note for note in image.notes)
    assert image.band == "NUV"
