"""The noise-free image of a galaxy against GalSim, and its flux."""

import numpy as np
import pytest

from p2p_keras.data.mocks.components import Bar, EdgeOn, Galaxy, Spheroid
from p2p_keras.data.mocks.inclined_disc import Arms, Disc
from p2p_keras.data.mocks.psf import PSF
from p2p_keras.data.mocks.rendering import Canvas, render
from p2p_keras.data.mocks.texture import Texture

galsim = pytest.importorskip("galsim")

SIZE = 128
PLAIN = {"g": 0.0}


def drawn_by_galsim(n: float, half_light: float, q: float, pa: float, psf: PSF, x0: float, y0: float) -> np.ndarray:
    """A Sersic galaxy through a two-Moffat PSF, in pixels."""
    core = galsim.Moffat(beta=psf.beta, fwhm=psf.fwhm)
    wing = galsim.Moffat(beta=1.6, fwhm=3.0 * psf.fwhm)
    both = (1.0 - psf.wing) * core + psf.wing * wing
    body = galsim.Sersic(n, half_light_radius=half_light).shear(q=q, beta=pa * galsim.radians)
    # A PSF with an r^-3.2 wing needs a larger transform than GalSim allows by default.
    parameters = galsim.GSParams(maximum_fft_size=16384)
    middle = 0.5 * (SIZE - 1)
    image = galsim.Convolve(body, both, gsparams=parameters).drawImage(
        nx=SIZE, ny=SIZE, scale=1.0, offset=(x0 - middle, y0 - middle)
    )
    return image.array


@pytest.mark.parametrize(
    ("n", "re", "q"),
    [
        (1.0, 2.0, 0.8),
        pytest.param(1.0, 12.0, 0.5, marks=pytest.mark.slow),
        (4.0, 3.0, 0.7),
        pytest.param(4.0, 10.0, 0.9, marks=pytest.mark.slow),
    ],
)
def test_sersic_agrees_with_galsim(n, re, q):
    """Training labels would be wrong near the centre if pixels, PSF or sub-pixel places were mishandled."""
    psf = PSF(3.3, 3.0, 0.03)
    x0, y0 = 63.83, 62.41
    galaxy = Galaxy("elliptical", 0.0, (Spheroid(1.0, re / np.sqrt(q), n, q, 0.6, PLAIN),))
    ours = render(galaxy, Canvas(SIZE, psf, 1.0), "r", x0, y0, 1.0)
    theirs = drawn_by_galsim(n, re, q, 0.6, psf, x0, y0)
    y, x = np.mgrid[:SIZE, :SIZE]
    near = np.hypot(x - x0, y - y0) < 25
    difference = 2.5 * np.log10(ours.image[near] / theirs[near])
    assert np.abs(np.median(difference)) < 0.005
    assert np.percentile(np.abs(difference), 95) < 0.02
    assert np.abs(difference).max() < 0.05
    assert abs(ours.flux - 1.0) < 0.005


@pytest.mark.parametrize(
    "component",
    [
        Disc(1.0, 5.0, 0.6, 0.3, PLAIN),
        Disc(1.0, 5.0, 0.6, 0.3, PLAIN, break_radius=2.5, h_outer=0.5),
        Disc(1.0, 4.0, 0.6, 0.3, PLAIN, rings=((2.0, 0.3, 0.8),), hole=0.8),
        Disc(1.0, 7.0, 0.6, 0.3, PLAIN, arms=Arms(2, 0.4, 0.5, 0.6, 3.0, texture=Texture(3, 0.5))),
        EdgeOn(1.0, 8.0, 2.0, 0.4, PLAIN),
        Bar(1.0, 15.0, 0.3, 0.5, 0.7, 0.2, PLAIN),
        Bar(1.0, 15.0, 0.3, 0.5, 0.7, 0.2, PLAIN, ansae=0.2),
        Spheroid(1.0, 6.0, 5.0, 0.8, 0.2, PLAIN, core=0.3, gamma=0.1),
    ],
    ids=["disc", "break", "ring", "arms", "edge-on", "bar", "ansae", "core"],
)
def test_total_flux_of_components(component):
    """`mag_total` would be off if a component's normalisation were."""
    light = render(Galaxy("spiral", 0.0, (component,)), Canvas(256, PSF(3.0, 3.0, 0.02), 1.0), "r", 127.6, 127.2, 1.0)
    inside = light.image.sum()
    patterned = isinstance(component, Disc) and component.arms is not None
    assert inside == pytest.approx(1.0, abs=0.15 if patterned else 0.05)
    # Arms and patches add or take light; then the total is what can be seen, and what lies beyond the image.
    assert light.flux == pytest.approx(inside if patterned else 1.0, abs=0.02)


def test_size_in_arcsec_and_band():
    """Galaxies would change size with the survey if lengths in arcsec and pixels were mixed."""
    galaxy = Galaxy("elliptical", 0.0, (Spheroid(1.0, 2.0, 1.0, 0.8, 0.6, {"g": 0.75}),))
    psf = PSF(3.0, 3.0, 0.02)
    red = render(galaxy, Canvas(SIZE, psf, 0.4), "r", 63.5, 63.5, 10.0)
    blue = render(galaxy, Canvas(SIZE, psf, 0.4), "g", 63.5, 63.5, 10.0)
    assert red.flux == pytest.approx(10.0, rel=0.005)
    assert -2.5 * np.log10(blue.flux / red.flux) == pytest.approx(0.75, abs=0.01)
