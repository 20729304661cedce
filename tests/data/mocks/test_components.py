"""Components of galaxies: their analytic fluxes are those of their light, which labels' totals are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import k1

from p2p_keras.data.mocks import galaxies
from p2p_keras.data.mocks.components import EdgeOn, Galaxy, Spheroid
from p2p_keras.data.mocks.inclined_disc import Disc
from p2p_keras.data.mocks.light import MIDDLE
from p2p_keras.data.mocks.psf import PSF
from p2p_keras.data.mocks.rendering import Canvas, render
from p2p_keras.data.mocks.streams import Stream, generator


def light_within(component, radius, band="r"):
    """Flux of a component on a polar grid, from the centre to a radius in arcsec."""
    steps, turns = 1200, 720
    ln_r = np.log(radius) - np.linspace(14.0, 0.0, steps)
    angle = (np.arange(turns) + 0.5) * (2.0 * np.pi / turns)
    r = np.exp(ln_r)[:, None]
    x, y = (r * np.cos(angle)).astype(np.float32), (r * np.sin(angle)).astype(np.float32)
    ring = component.light(x, y, band).astype(float).mean(axis=1) * 2.0 * np.pi * np.exp(2.0 * ln_r)
    return float(np.trapezoid(ring, ln_r))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"q_slope": -0.12},
        {"q_slope": 0.12},
        {"q_slope": 0.05, "twist": 0.3},
        {"a4": 0.04},
        {"shells": ((1.4, 0.3, 0.6, 0.4), (2.2, 3.4, 0.5, 0.3))},
    ],
    ids=["plain", "flatter outward", "rounder outward", "twisted", "discy", "shells"],
)
def test_flux_of_a_spheroid_is_that_of_its_light(change):
    """Totals of galaxies whose flattening changes outward would be up to 0.03 mag too bright, all to one side."""
    body = replace(Spheroid(1.0, 5.0, 2.5, 0.7, 0.4, MIDDLE, re_slope=0.05), **change)
    for band in ("g", "i"):
        assert light_within(body, 60.0 * body.re, band) == pytest.approx(body.flux(band), rel=2e-3)


def test_no_light_is_invented_beyond_the_canvas():
    """A flattening galaxy that lies whole on its image would have a true magnitude 0.03 mag brighter than its light."""
    galaxy = Galaxy("elliptical", 15.0, (Spheroid(1.0, 4.0, 1.5, 0.7, 0.4, {}, q_slope=-0.12),))
    drawn = render(galaxy, Canvas(400, PSF(3.0, 3.0, 0.0), 0.4), "r", 199.5, 199.5, 1000.0)
    assert drawn.flux == pytest.approx(drawn.image.sum(), rel=3e-3)


@pytest.mark.parametrize("kind", list(galaxies.CLASSES))
def test_flux_of_every_component_drawn_is_that_of_its_light(kind):
    """Some other component's label would be wrong in the same way, unnoticed."""
    for index in range(6):
        galaxy = galaxies.draw_galaxy(kind, 5.0, 15.0, generator(3, index, Stream.GALAXY))
        for part in galaxy.smooth:
            smooth = replace(part, arms=None) if isinstance(part, Disc) else part
            assert light_within(smooth, 400.0) == pytest.approx(smooth.flux("r"), rel=0.01), type(part).__name__


def test_edge_on_disc_follows_its_law():
    """The table of the Bessel function would be coarser than its comment says, most of all near the centre."""
    disc = EdgeOn(1.0, 3.0, 0.6, 0.0, {})
    x = np.linspace(0.003, 12.0, 3000).astype(np.float32)
    along = disc.light(x, np.zeros_like(x), "r")
    r = x.astype(float) / 3.0
    law = r * k1(r) / (2.0 * np.pi * 3.0 * 0.6)
    np.testing.assert_allclose(along, law, rtol=0, atol=1.1e-4 * law[0])
