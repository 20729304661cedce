"""The point-spread function: unit flux, the width it says, rings and spikes where a telescope has them."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.data.mocks.psf import PSF, Diffraction, stamp_radius

SPACE = Diffraction(0.9, 0.33, arms=4, spikes=0.03, angle=0.4)


@pytest.mark.parametrize("fwhm", [3.0, 9.0])
@pytest.mark.parametrize("diffraction", [None, Diffraction(1.0, 0.0), SPACE], ids=["ground", "airy", "space"])
def test_unit_flux(fwhm, diffraction):
    """A survey's galaxies would be as much too bright or too faint as its PSF isn't normalised."""
    psf = PSF(fwhm, 3.0, 0.02, 0.03, -0.02, diffraction)
    half = int(150 * fwhm)
    x = np.arange(-half, half + 1).astype(np.float32)
    # The wing of r^-3.2 and spikes of r^-2 leave less than 2 % beyond 150 FWHM.
    assert psf(x[None, :], x[:, None]).sum(dtype=float) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("obscuration", [0.0, 0.3])
def test_width_is_the_one_asked_for(obscuration):
    """Presets of telescopes would be sharper or broader than their sources say."""
    psf = PSF(10.0, 3.0, 0.0, diffraction=Diffraction(1.0, obscuration))
    x = np.linspace(0.0, 10.0, 2001).astype(np.float32)
    light = psf(x, np.zeros_like(x))
    assert 2.0 * x[np.argmax(light < 0.5 * light[0])] == pytest.approx(10.0, rel=0.02)


def test_rings_and_spikes_are_seen():
    """A network would never have met a diffraction-limited star."""
    psf = PSF(6.0, 3.0, 0.0, diffraction=SPACE)
    r = np.linspace(3.0, 30.0, 400).astype(np.float32)
    turn = SPACE.angle + 0.25 * np.pi  # between two spikes
    between = psf(r * np.cos(turn), r * np.sin(turn))
    assert np.any(np.diff(between) > 0), "no bright ring"
    far = np.float32(60.0)
    along = psf(far * np.cos(np.float32(SPACE.angle)), far * np.sin(np.float32(SPACE.angle)))
    assert along > 2.5 * psf(far * np.cos(np.float32(turn)), far * np.sin(np.float32(turn)))
    assert stamp_radius(psf, 1e6, 0.05) > 60.0


def test_wing_reaches_a_hundred_thousandth_of_the_peak():
    """The background of crowded fields would lack the light that wings bring to it."""
    for psf in (PSF(3.0, 3.0, 0.02), PSF(2.0, 3.0, 0.02, diffraction=SPACE)):
        assert float(psf(np.float32(6.0 * psf.fwhm), np.float32(0.0)) / psf(np.float32(0.0), np.float32(0.0))) > 1e-5
