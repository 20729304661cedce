"""Rubin's calibration, which is in a table of the file."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from p2p_keras.core.errors import MissingCalibrationError
from p2p_keras.images import read_image

SIDE = 80


def rubin_file(path, *, dots=False, constant=True, version=1, unit="adu"):
    """An Exposure as the pipelines write it: image, the index of its tables, two tables (a PSF's, the PhotoCalibs).

    The table of PhotoCalibs has those of a coadd's visits too: the entry of the index says which row is the image's.
    """
    archive, column = ("cat.archive", "D") if dots else ("cat_archive", "D")
    rng = np.random.default_rng(1)
    primary = fits.PrimaryHDU()
    primary.header["AR_HDU"] = 3
    primary.header["HIERARCH PHOTOCALIB_ID"] = 7
    header = fits.Header([("EXTNAME", "IMAGE"), ("BUNIT", unit), ("FILTER", "i"), ("PIXSCALE", 0.2)])
    image = fits.ImageHDU(rng.normal(10.0, 1.0, (SIDE, SIDE)).astype("f4"), header)
    index = fits.BinTableHDU.from_columns(
        [
            fits.Column("id", "J", array=[5, 6, 7, 8]),
            fits.Column(archive, "J", array=[1, 2, 2, 1]),
            fits.Column("row0", "J", array=[0, 0, 1, 1]),
            fits.Column("nrows", "J", array=[1, 1, 1, 1]),
            fits.Column("name", "16A", array=["Psf", "PhotoCalib", "PhotoCalib", "Psf"]),
        ],
        name="ARCHIVE_INDEX",
    )
    psf = fits.BinTableHDU.from_columns([fits.Column("sigma", column, array=[1.0, 2.0])], name="Psf")
    calibs = [
        fits.Column("flags", "1X", array=np.array([[True], [constant]])),
        fits.Column("calibrationMean", "D", array=[99.0, 57.5]),
        fits.Column("calibrationErr", "D", array=[0.1, 0.1]),
        fits.Column("field", "J", array=[0, 0]),
    ]
    calibs += [fits.Column("version", "J", array=[version] * 2)] if version else []
    table = fits.BinTableHDU.from_columns(calibs, name="PhotoCalib")
    table.header["TFLAG1"] = "isConstant"
    fits.HDUList([primary, image, index, psf, table]).writeto(path)
    return path


@pytest.mark.parametrize("dots", [False, True])
def test_zero_point_of_the_table(tmp_path, dots):
    """Rubin's and HSC's newer files would have no zero point, or that of another image among a coadd's inputs."""
    image = read_image(rubin_file(tmp_path / "a.fits", dots=dots))
    assert image.zero_point == pytest.approx(31.4 - 2.5 * np.log10(57.5), abs=1e-4)
    assert (image.zero_point_origin, image.notes) == ("PhotoCalib", ())


def test_a_calibration_that_varies_is_noted(tmp_path):
    """A user would not know that the zero point is the image's mean."""
    assert any("varies" in note for note in read_image(rubin_file(tmp_path / "a.fits", constant=False)).notes)


def test_images_that_are_calibrated_already(tmp_path):
    """An image in nanojansky would be calibrated twice; one whose table says otherwise be taken without a word."""
    with pytest.raises(MissingCalibrationError, match=r"contradicts itself.*PhotoCalib"):
        read_image(rubin_file(tmp_path / "a.fits", unit="nJy"))
    path = rubin_file(tmp_path / "b.fits", unit="nJy")
    with fits.open(path, mode="update") as file:
        file["PhotoCalib"].data["calibrationMean"] = 1.0
    assert read_image(path).zero_point == pytest.approx(31.4, abs=1e-3)


@pytest.mark.parametrize("fault", ["old", "cut", "lost"])
def test_tables_that_cannot_be_used(tmp_path, fault):
    """A cutout without the tables, or a table in maggies, would give a wrong zero point or a traceback."""
    path = rubin_file(tmp_path / "a.fits", version=0 if fault == "old" else 1)
    if fault != "old":
        with fits.open(path) as file:
            kept = file[:2] if fault == "cut" else file[:4]
            fits.HDUList([hdu.copy() for hdu in kept]).writeto(tmp_path / "b.fits")
        path = tmp_path / "b.fits"
    with pytest.raises(MissingCalibrationError, match="zero point is unknown"):
        read_image(path)
    assert read_image(path, zero_point=27.0).zero_point == 27.0
