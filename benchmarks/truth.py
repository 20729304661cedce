"""Truth of mocks against photutils' isophotes, on noise-free images: agreement per kind of galaxy, and speed.

Expected: about 0.02 mag or less in the median for every class but edge-on galaxies of GalSim (0.1); on photutils' own
ellipses 0.01 or less for all; 220 to 570 galaxies/s on one core.

Two things in which photutils is not the reference are taken into account. It reads the image bilinearly, which smears a
barely resolved galaxy, so photutils gets the same scene drawn with finer pixels. And it fits harmonics in the polar
angle, which distorts a flat ellipse wherever isophotes aren't quite ellipses (Ciambur 2015, ApJ 810, 120); the truth
fits them in the eccentric angle, as Jedrzejewski (1987) did. So there is a second column: our intensity along
photutils' own ellipses.

    python benchmarks/truth.py --output truth.md          # about 4 s a galaxy, nearly all of it photutils
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

PIXEL_SCALE = 0.396
SMALL_RADIUS = 24
"""Half side, in pixels, of the finer image of a small galaxy."""

NOISE = 0.025
"""1-sigma noise per pixel of an SDSS r frame, nanomaggies."""


def own_galaxies() -> dict[str, Callable]:
    """Return simple GalSim galaxies of many kinds: name -> function of a numpy Generator giving a GSObject (arcsec)."""
    import galsim

    def sersic(n, r50, flux, q, pa):
        stop = 0.0 if n < 2 else 12.0 * r50
        profile = galsim.Sersic(n=n, half_light_radius=r50, flux=flux, trunc=stop)
        return profile.shear(q=q, beta=pa * galsim.degrees)

    def elliptical(rng):
        return sersic(
            rng.uniform(2, 6), rng.uniform(2, 9), 10 ** rng.uniform(2.2, 3.6), rng.uniform(0.4, 1), 180 * rng.random()
        )

    def disc(rng):
        return sersic(1.0, rng.uniform(3, 12), 10 ** rng.uniform(2, 3.4), rng.uniform(0.3, 1), 180 * rng.random())

    def edge_on(rng):
        pa = 180 * rng.random()
        return sersic(1.0, rng.uniform(5, 13), 1000.0, rng.uniform(0.1, 0.25), pa) + sersic(2.5, 2.0, 200.0, 0.8, pa)

    def twisted(rng):
        pa = 180 * rng.random()
        bulge = sersic(3.0, rng.uniform(1, 3), 300.0, 0.7, pa)
        return bulge + sersic(1.0, rng.uniform(6, 11), 700.0, rng.uniform(0.4, 0.8), pa + rng.uniform(30, 90))

    def barred(rng):
        pa = 180 * rng.random()
        bar = sersic(0.5, rng.uniform(3, 6), 250.0, 0.3, pa)
        whole = sersic(1.0, rng.uniform(8, 13), 900.0, rng.uniform(0.6, 0.95), pa + rng.uniform(20, 90))
        return whole + bar + sersic(2.0, 1.0, 100.0, 0.9, pa)

    def ringed(rng):
        q, pa, r = rng.uniform(0.5, 0.9), 180 * rng.random(), rng.uniform(5, 8)
        hole = sersic(0.5, r, 150.0, q, pa)
        return sersic(1.0, 2.2 * r, 1100.0, q, pa) - hole + sersic(2.0, 1.5, 120.0, 0.9, pa)

    def clumpy(rng):
        q, scale = rng.uniform(0.4, 0.9), rng.uniform(4, 7)
        whole = sersic(1.0, 1.7 * scale, 1000.0, q, 0.0)
        for _ in range(30):
            r, t = rng.gamma(2.0, scale), 2 * np.pi * rng.random()
            clump = galsim.Gaussian(sigma=0.4, flux=10 ** rng.uniform(-0.5, 0.7))
            whole += clump.shift(r * np.cos(t), q * r * np.sin(t))
        return whole.rotate(180 * rng.random() * galsim.degrees)

    def point_like(rng):
        return sersic(1.0, rng.uniform(0.2, 0.7), 10 ** rng.uniform(1, 3), rng.uniform(0.5, 1), 180 * rng.random())

    return {
        "elliptical": elliptical,
        "disc": disc,
        "edge-on": edge_on,
        "bulge and disc, twisted": twisted,
        "barred": barred,
        "ringed": ringed,
        "clumpy": clumpy,
        "barely resolved": point_like,
    }


@dataclass(frozen=True)
class Scene:
    """A noise-free galaxy, drawn in the telescope's pixels or sampled more finely."""

    galaxy: Any  # galsim.GSObject after PSF and pixel
    size: int
    dx: float
    dy: float

    def image(self, oversampling: int = 1) -> tuple[np.ndarray, float, float]:
        """Flux per telescope pixel at points `oversampling` times closer than its pixels, and the centre there."""
        size = self.size if oversampling == 1 else 2 * SMALL_RADIUS * oversampling
        offset = oversampling * self.dx, oversampling * self.dy
        scale = PIXEL_SCALE / oversampling
        drawn = self.galaxy.drawImage(nx=size, ny=size, scale=scale, offset=offset, method="no_pixel", dtype=float)
        middle = 0.5 * (size - 1)
        return drawn.array * oversampling**2, middle + offset[0], middle + offset[1]


def draw_scene(galaxy, rng: np.random.Generator, size: int) -> Scene:
    """Put a galaxy behind a PSF and the pixels, somewhat off the image's centre."""
    import galsim

    psf = galsim.Moffat(beta=3.5, fwhm=rng.uniform(0.9, 1.8))
    params = galsim.GSParams(folding_threshold=1e-3, maximum_fft_size=16384)
    scene = galsim.Convolve(galaxy, psf, galsim.Pixel(PIXEL_SCALE), gsparams=params)
    return Scene(scene, size, *rng.uniform(-2, 2, 2))


@dataclass(frozen=True)
class MockScene:
    """A noise-free mock of `p2p_keras.data.mocks`, which exists in the telescope's pixels only."""

    pixels: np.ndarray
    x0: float
    y0: float

    def image(self, oversampling: int = 1) -> tuple[np.ndarray, float, float]:
        """Return the image and its centre."""
        if oversampling != 1:
            raise ValueError("a mock can't be sampled more finely")
        return self.pixels, self.x0, self.y0


def draw_mock(kind: str, rng: np.random.Generator, size: int) -> MockScene:
    """Draw a mock of one kind as the SDSS would see it in r, well inside the image."""
    from p2p_keras.data.mocks.galaxies import draw_brightness, draw_galaxy
    from p2p_keras.data.mocks.psf import PSF
    from p2p_keras.data.mocks.rendering import Canvas, render

    r50 = np.exp(rng.uniform(np.log(2.5), np.log(0.12 * size * PIXEL_SCALE)))
    mag = draw_brightness(kind, r50, rng) - 2.5 * np.log10(2.0 * np.pi * r50**2)
    canvas = Canvas(size, PSF(rng.uniform(0.9, 1.8) / PIXEL_SCALE, 3.5, 0.02), PIXEL_SCALE)
    x0, y0 = 0.5 * (size - 1) + rng.uniform(-2, 2, 2)
    unit = 10 ** (0.4 * (22.5 - mag))
    return MockScene(render(draw_galaxy(kind, r50, mag, rng), canvas, "r", x0, y0, unit).image, x0, y0)


MOCK_KINDS = ("elliptical", "lenticular", "spiral", "barred", "flocculent", "edge-on", "dwarf", "lsb", "merger")


def compare(scene: Scene | MockScene) -> tuple[np.ndarray, np.ndarray] | None:
    """Compare the truth with photutils from 2 px to the extent.

    Returns
    -------
    errors, errors_same_ellipses : float arrays, |dmu|; or None where photutils finds no isophotes
    """
    from photutils.isophote import Ellipse, EllipseGeometry

    from p2p_keras.core.ellipse import vector_from_angles
    from p2p_keras.core.extent import annulus_snr, profile_extent
    from p2p_keras.data.mocks.truth import mean_along_ellipses, measure_truth
    from p2p_keras.profile.isophotes.sampler import GalaxySampler

    image, x0, y0 = scene.image()
    truth = measure_truth(image, x0, y0)
    known = np.isfinite(truth.intensity)
    snr = annulus_snr(truth.intensity[known], truth.sma[known], truth.ellipticity[known], NOISE)
    extent = profile_extent(truth.sma[known], snr)
    finer = 4 if isinstance(scene, Scene) and extent < 0.5 * SMALL_RADIUS else 1
    middle = np.sqrt(2.0 * max(extent, 4.0))
    at = int(np.argmin(np.abs(truth.sma - middle)))
    fine_image, fine_x0, fine_y0 = scene.image(finer)
    geometry = EllipseGeometry(
        fine_x0, fine_y0, finer * middle, max(truth.ellipticity[at], 0.05), np.deg2rad(truth.pa[at])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        isophotes = Ellipse(fine_image, geometry).fit_image(
            fix_center=True, minsma=2.0 * finer, maxsma=extent * finer, maxgerr=2.0
        )
    sma, intensity = np.asarray(isophotes.sma) / finer, np.asarray(isophotes.intens)
    use = (sma >= 2.0) & (sma <= extent) & (intensity > 0)
    if use.sum() < 3:
        return None
    sma, intensity = sma[use], intensity[use]
    ours = measure_truth(image, x0, y0, sma=sma).intensity
    e1, e2 = vector_from_angles(np.asarray(isophotes.eps)[use], np.rad2deg(np.asarray(isophotes.pa)[use]))
    same, _ = mean_along_ellipses(GalaxySampler(image, x0, y0), x0, y0, sma, e1, e2)
    return np.abs(2.5 * np.log10(ours / intensity)), np.abs(2.5 * np.log10(same / intensity))


def galaxies_per_second(scenes: list[Scene | MockScene]) -> float:
    """Galaxies a second of processor time on one core, median of three rounds."""
    from p2p_keras.data.mocks.truth import measure_truth

    images = [scene.image() for scene in scenes]
    times = []
    for _ in range(4):
        start = time.process_time()
        for image, x0, y0 in images:
            measure_truth(image, x0, y0)
        times.append(time.process_time() - start)
    return len(scenes) / float(np.median(times[1:]))


@click.command()
@click.option("--per-class", default=6, show_default=True, help="Galaxies of each class.")
@click.option("--size", default=256, show_default=True, help="Side of the images in pixels.")
@click.option("--seed", default=1, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Markdown file to write; standard output by default.")
def main(per_class: int, size: int, seed: int, output: Path | None) -> None:
    """Compare the truth of mocks with photutils on noise-free images, class by class."""
    lines = [
        "| class | galaxies | median abs(dmu) | worst galaxy's median | worst point | median on photutils' ellipses "
        "| galaxies/s, one core |",
        "|---|---|---|---|---|---|---|",
    ]
    classes: dict[str, Callable] = {}
    for kind, make in own_galaxies().items():
        classes[kind] = lambda rng, make=make: draw_scene(make(rng), rng, size)
    for kind in MOCK_KINDS:
        classes[f"mock: {kind}"] = lambda rng, kind=kind: draw_mock(kind, rng, size)
    for number, (name, draw) in enumerate(classes.items()):
        rng = np.random.default_rng([seed, number])
        scenes = [draw(rng) for _ in range(per_class)]
        compared = [pair for scene in scenes if (pair := compare(scene)) is not None]
        medians = [float(np.median(errors)) for errors, _ in compared]
        same = [float(np.median(errors)) for _, errors in compared]
        if not compared:
            lines.append(f"| {name} | 0 of {per_class} | | | | | {galaxies_per_second(scenes):.0f} |")
            continue
        lines.append(
            f"| {name} | {len(compared)} of {per_class} | {np.median(medians):.4f} | {max(medians):.4f} "
            f"| {max(errors.max() for errors, _ in compared):.3f} | {np.median(same):.4f} "
            f"| {galaxies_per_second(scenes):.0f} |"
        )
        click.echo(lines[-1], err=True)
    text = "\n".join(lines) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text)


if __name__ == "__main__":
    main()
