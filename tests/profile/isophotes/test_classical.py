"""The classical fit on galaxies whose isophotes are known."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.images import GalaxyImage
from p2p_keras.profile.isophotes.classical import BandImage, Shape, fit_bands, fit_isophotes, radii_to
from p2p_keras.profile.isophotes.sampling import ReadImage

SIZE = 192


def galaxy(x0=97.3, y0=94.2, noise=0.05, seed=0):
    """A round bulge in an inclined disc: ellipticity rises from 0 to 0.5."""
    y, x = np.mgrid[:SIZE, :SIZE]
    t = np.deg2rad(40.0)
    along, across = (x - x0) * np.cos(t) + (y - y0) * np.sin(t), (y - y0) * np.cos(t) - (x - x0) * np.sin(t)
    disc = 5.0 * np.exp(-np.hypot(along, across / 0.5) / 14.0)
    bulge = 30.0 * np.exp(-np.hypot(x - x0, y - y0) / 3.0)
    return disc + bulge + noise * np.random.default_rng(seed).normal(size=disc.shape)


def test_centre_shape_and_angle_are_found():
    """Labels would be those of other ellipses than the galaxy's."""
    found = fit_isophotes(galaxy(), Shape(95.0, 96.0, 20.0, 0.2, 80.0), radii_to(60.0))
    assert np.hypot(found.x0[0] - 97.3, found.y0[0] - 94.2) < 0.1
    outer = (found.sma > 42.0) & (found.sma < 55.0)
    np.testing.assert_allclose(found.ellipticity[outer], 0.5, atol=0.03)
    np.testing.assert_allclose(found.pa[outer], 40.0, atol=2.0)
    inner = (found.sma > 2.0) & (found.sma < 5.0)
    assert (found.ellipticity[inner] < 0.2).all()


def test_stars_and_gaps_are_left_out():
    """A star beside a galaxy, masked or not, would pull its ellipses."""
    y, x = np.mgrid[:SIZE, :SIZE]
    pixels = galaxy() + 50.0 * np.exp(-0.5 * ((x - 120.0) ** 2 + (y - 100.0) ** 2) / 2.0**2)
    mask = np.zeros(pixels.shape, dtype=bool)
    mask[:, 60:72] = True
    found = fit_isophotes(pixels, Shape(97.0, 94.0, 20.0, 0.3, 50.0), radii_to(50.0), mask=mask)
    clean = fit_isophotes(galaxy(), Shape(97.0, 94.0, 20.0, 0.3, 50.0), radii_to(50.0))
    assert np.hypot(found.x0[0] - clean.x0[0], found.y0[0] - clean.y0[0]) < 0.1
    assert np.median(np.abs(found.ellipticity - clean.ellipticity)) < 0.01
    assert np.abs(found.ellipticity - clean.ellipticity)[found.sma > 8].max() < 0.06


def test_geometry_is_continued_into_the_noise():
    """Beyond the light, ellipses would follow the noise."""
    found = fit_isophotes(galaxy(noise=0.3), Shape(97.0, 94.0, 20.0, 0.3, 50.0), radii_to(90.0))
    beyond = found.sma > 60.0
    assert np.ptp(found.ellipticity[beyond]) < 0.1


def test_a_known_centre_is_kept():
    """A centre that was given would be moved."""
    found = fit_isophotes(galaxy(), Shape(96.0, 94.0, 20.0, 0.3, 50.0), radii_to(50.0), fix_centre=True)
    assert (found.x0 == 96.0).all()
    assert (found.y0 == 94.0).all()


def test_bands_together_scatter_less_than_each_alone():
    """A fit to all bands would know less of a galaxy's shape than one to its best band."""
    start, sma = Shape(97.0, 94.0, 20.0, 0.3, 50.0), radii_to(45.0)
    true = fit_isophotes(galaxy(noise=0.0), start, sma)
    outer = (sma > 20.0) & (sma < 42.0)
    off: dict[str, list[np.ndarray]] = {"g": [], "r": [], "both": []}
    for seed in range(8):
        # Of other units and skies, and not of one depth.
        bands = {"g": 10.0 * galaxy(noise=0.2, seed=seed) + 7.0, "r": galaxy(noise=0.15, seed=100 + seed) - 1.0}
        images = {band: BandImage(ReadImage(pixels)) for band, pixels in bands.items()}
        for name, chosen in (("g", [images["g"]]), ("r", [images["r"]]), ("both", list(images.values()))):
            found = fit_bands(chosen, start, sma)
            off[name].append((found.ellipticity - true.ellipticity)[outer])
    scatter = {name: np.sqrt(np.mean(np.square(values))) for name, values in off.items()}
    # Independent noise: the inverse squares add up.
    expected = 1.0 / np.hypot(1.0 / scatter["g"], 1.0 / scatter["r"])
    assert scatter["both"] < 0.9 * min(scatter["g"], scatter["r"])
    assert scatter["both"] == pytest.approx(expected, rel=0.3)


def test_a_band_without_signal_changes_nothing():
    """A u band that shows no galaxy, or is masked there, would spoil the ellipses of the others."""
    start, sma = Shape(97.0, 94.0, 20.0, 0.3, 50.0), radii_to(45.0)
    seen = BandImage(ReadImage(galaxy(noise=0.1)))
    alone = fit_bands([seen], start, sma)
    hidden = fit_bands([seen, BandImage(ReadImage(np.full((SIZE, SIZE), np.nan)))], start, sma)
    np.testing.assert_allclose(hidden.ellipticity, alone.ellipticity, atol=1e-12)
    empty = np.random.default_rng(5).normal(scale=0.1, size=(SIZE, SIZE))
    found = fit_bands([seen, BandImage(ReadImage(empty))], start, sma)
    bright = (sma > 3.0) & (sma < 35.0)
    assert np.abs(found.ellipticity - alone.ellipticity)[bright].max() < 0.003
    assert np.hypot(found.x0[0] - alone.x0[0], found.y0[0] - alone.y0[0]) < 0.02


def test_labels_agree_with_photutils():
    """A label would depend on who fitted it: `pack --measure` and `--measure photutils`."""
    pytest.importorskip("photutils")
    pytest.importorskip("sep")
    from p2p_keras.data.packing.measuring import measure_galaxy

    # No more sky than both need: photutils' fit takes long.
    image = GalaxyImage.from_array(galaxy(97.3, 95.0)[31:160, 33:162], zero_point=22.5, pixel_scale=0.4)
    own, theirs = (measure_galaxy(image, method=method) for method in ("own", "photutils"))
    both = (theirs.sma >= own.sma[0]) & (theirs.sma <= own.sma[-1])
    difference = np.interp(np.log(theirs.sma[both]), np.log(own.sma), own.mu) - theirs.mu[both]
    assert np.median(np.abs(difference)) < 0.01
    assert own.extent == pytest.approx(theirs.extent, rel=0.15)
    assert np.hypot(own.x0 - theirs.x0, own.y0 - theirs.y0) < 0.2


def test_ellipses_along_a_bar_hang_on_no_start():
    """Both sides of a thin ellipse along a bar, bright by the core, would pass for stars, and it would stay thin."""
    x0, y0 = 80.4, 79.2
    y, x = np.mgrid[:160, :160]
    dx, dy = x - x0, y - y0
    pixels = 150.0 * np.exp(-np.hypot(dx, dy) / 1.3) + 1.5 * np.exp(-np.hypot(dx, dy / 0.45) / 13.0)
    pixels += 1.5 * np.exp(-((np.abs(dx / 11.0) ** 3 + np.abs(dy / 3.0) ** 3) ** (2.0 / 3.0)))
    pixels += 0.03 * np.random.default_rng(0).normal(size=pixels.shape)
    # The last as of a source that has merged with another: off by some pixels.
    starts = [(x0, y0, 20.0, 0.3, 0.0), (x0, y0, 20.0, 0.85, 0.0), (x0 + 4.5, y0 + 1.5, 20.0, 0.56, 0.0)]
    found = [fit_isophotes(pixels, Shape(*start), radii_to(45.0)) for start in starts]
    seen = (found[0].sma > 2.0) & (found[0].sma < 26.0)
    for other in found[1:]:
        np.testing.assert_allclose(other.ellipticity[seen], found[0].ellipticity[seen], atol=0.02)
