"""Columns of a catalogue: their units count, and extinction is corrected for only where asked."""

from __future__ import annotations

import pytest
from astropy import units as u
from astropy.table import QTable

from p2p_keras.core.errors import UsageError
from p2p_keras.images.catalogue import catalogue_inputs, read_catalogue


def catalogue(folder, **columns):
    path = folder / "c.ecsv"
    QTable({"file": ["a.fits"], **columns}).write(path, overwrite=True)
    return path


def test_units_are_honoured(tmp_path):
    """Sizes in arcsec would be taken as pixels, scales in degrees as arcsec, positions in radians as degrees."""
    path = catalogue(
        tmp_path,
        ra=[2.6] * u.rad,
        dec=[120.0] * u.arcmin,
        size=[1.0] * u.arcmin,
        pixel_scale=[1e-4] * u.deg,
        zero_point=[22500.0] * u.mmag,
    )
    [row] = read_catalogue(path)
    assert row["ra"] == pytest.approx(148.969, abs=1e-3)
    assert row["dec"] == pytest.approx(2.0)
    assert row["pixel_scale"] == pytest.approx(0.36)
    assert row["size"] == 167
    assert row["zero_point"] == pytest.approx(22.5)


def test_units_that_cannot_be_meant(tmp_path):
    """A column in another kind of unit would be read as bare numbers."""
    with pytest.raises(UsageError, match="pixel_scale"):
        read_catalogue(catalogue(tmp_path, pixel_scale=[1.0] * u.kg))
    with pytest.raises(UsageError, match="size"):
        read_catalogue(catalogue(tmp_path, size=[30.0] * u.arcsec))
    assert read_catalogue(catalogue(tmp_path, size=[64.0] * u.pix))[0]["size"] == 64


def test_extinction_only_where_asked(tmp_path):
    """A catalogue that merely has a column EBV would get all its magnitudes corrected."""
    path = catalogue(tmp_path, EBV=[0.1], A_LAMBDA=[0.3])

    def target(*arguments, **options):
        return catalogue_inputs(path, (), *arguments, **options)[0].targets[0]

    assert (target().ebv, target().extinction) == (None, None)
    assert target(extinction_columns=True).extinction == 0.3
    named = target({"ebv": "EBV"})
    assert (named.ebv, named.extinction) == (0.1, None)
