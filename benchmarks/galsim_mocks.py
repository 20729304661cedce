"""Mock galaxies drawn by GalSim, with nothing of `p2p_keras.data.mocks`: a model checked on another code's galaxies.

python benchmarks/galsim_mocks.py --count 300 --seed 1 --output DIR [--survey S] [--frames FOLDER]
python -m p2p_keras.evaluate --data DIR

Ellipticals of one or two Sersic profiles; bulges with discs, many of them with a boxy bar, a ring, log-spiral arms or
knots, painted on finer pixels before they are convolved. Stars and galaxies around them as on the real sky, and on
top of these some companions and stars that are near, up to a magnitude brighter than the target. Sky level, gradient,
Poisson noise; or, with --frames, random places of real SDSS frames (FITS, nanomaggies). Nothing is selected by how it
looks. The truth (galsim_truth.py) is the mean along isophotes of the noise-free target about its true centre.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click
import galsim
import numpy as np
from scipy import ndimage, optimize, special

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

GSPARAMS = galsim.GSParams(folding_threshold=1e-3, maximum_fft_size=32768)
SKY_MU = 20.9  # dark sky in r, mag arcsec^-2: with the depth it says how many electrons a unit of flux is
ELECTRONS_PER_COUNT = {"g": 3.8, "r": 4.7, "i": 5.1}  # typical gains of the SDSS camera
FINER = 2
BANDS = ("g", "r", "i")


@dataclass(frozen=True)
class Survey:
    """Arcsec per pixel, zero point, range of FWHM (arcsec), 5-sigma depth of point sources, and of targets' mag."""

    scale: float
    zero_point: float
    seeing: tuple[float, float]
    depth: float
    mags: tuple[float, float]
    sizes: tuple[int, ...] = (200, 256, 320, 400, 512)


SURVEYS = {
    "sdss": Survey(scale=0.396, zero_point=22.5, seeing=(0.9, 1.8), depth=22.9, mags=(12.5, 17.5), sizes=(256,)),
    "legacy": Survey(scale=0.262, zero_point=22.5, seeing=(0.9, 1.7), depth=23.7, mags=(13.0, 18.0)),
    "panstarrs": Survey(scale=0.25, zero_point=25.0, seeing=(0.9, 1.5), depth=23.2, mags=(13.0, 18.0)),
    "hsc": Survey(scale=0.168, zero_point=27.0, seeing=(0.5, 1.0), depth=26.1, mags=(14.0, 19.0)),
    "rubin": Survey(scale=0.2, zero_point=31.4, seeing=(0.6, 1.0), depth=26.8, mags=(14.0, 19.0)),
}


class Scene:
    """One image being drawn: its chances, PSF and pixels; fluxes in units of the zero point."""

    def __init__(self, survey: Survey, seed: int, index: int) -> None:
        self.survey, self.rng = survey, np.random.default_rng([seed, index])
        self.side = int(self.rng.choice(survey.sizes))
        fwhm = self.rng.uniform(*survey.seeing)
        psf = galsim.Moffat(beta=self.rng.uniform(2.5, 4.5), fwhm=fwhm, gsparams=GSPARAMS)
        if self.rng.random() < 0.3:
            psf = galsim.Kolmogorov(fwhm=fwhm, gsparams=GSPARAMS)
        self.psf = psf.shear(e=self.rng.uniform(0, 0.06), beta=self.angle())
        sigma_px = fwhm / 2.355 / survey.scale
        self.noise = self.flux(survey.depth) / (5.0 * np.sqrt(4.0 * np.pi) * sigma_px)
        self.electrons = self.flux(SKY_MU) * survey.scale**2 / self.noise**2  # of one unit of flux
        self.middle = 0.5 * (self.side - 1)

    def flux(self, mag: float) -> float:
        """Flux of a magnitude."""
        return 10.0 ** (0.4 * (self.survey.zero_point - mag))

    def angle(self) -> galsim.Angle:
        """A position angle by chance."""
        return 180.0 * self.rng.random() * galsim.degrees

    def sersic(self, flux: float, n: float, r50: float, q: float, pa: galsim.Angle) -> galsim.GSObject:
        """Sersic profile of a half-light semi-major axis; cut far out where its wings would never end."""
        profile = galsim.Sersic(
            n, half_light_radius=r50, flux=flux, trunc=20.0 * r50 if n > 2 else 0.0, gsparams=GSPARAMS
        )
        return profile.shear(q=q, beta=pa).dilate(q**0.5)  # GalSim's shear keeps the area, not the major axis

    def draw(self, parts: list[galsim.GSObject], x0: float, y0: float) -> np.ndarray:
        """The parts through the PSF, about a pixel of the image."""
        image = galsim.ImageD(self.side, self.side, scale=self.survey.scale)
        for part in parts:
            seen = galsim.Convolve(part, self.psf, gsparams=GSPARAMS)
            seen.drawImage(image, offset=(x0 - self.middle, y0 - self.middle), add_to_image=True)
        return image.array.copy()

    def draw_small(self, image: np.ndarray, part: galsim.GSObject, x0: float, y0: float) -> None:
        """Add something much smaller than the image to it, on its own stamp."""
        seen = galsim.Convolve(part, self.psf, gsparams=GSPARAMS)
        nx = int(min(seen.getGoodImageSize(self.survey.scale), 2 * self.side)) | 1
        left, bottom = round(x0) - nx // 2, round(y0) - nx // 2
        stamp = seen.drawImage(
            nx=nx, ny=nx, scale=self.survey.scale, offset=(x0 - round(x0), y0 - round(y0)), dtype=float
        )
        top, right = min(bottom + nx, self.side), min(left + nx, self.side)
        low, first = max(bottom, 0), max(left, 0)
        if low < top and first < right:
            image[low:top, first:right] += stamp.array[low - bottom : top - bottom, first - left : right - left]


def size_of_magnitude(mag: float, rng: np.random.Generator) -> float:
    """Half-light radius in arcsec of a magnitude: 2.8 at 17, somewhat flatter than at fixed surface brightness."""
    return 2.8 * 10.0 ** (-0.17 * (mag - 17.0) + 0.2 * rng.normal())


def draw_target(scene: Scene) -> tuple[list[galsim.GSObject], float]:
    """Parts of a galaxy and its flux: magnitude uniform, size by the magnitude, type by chance."""
    rng = scene.rng
    mag, r50 = rng.uniform(*scene.survey.mags), 0.0
    largest = min(25.0, 0.25 * scene.side * scene.survey.scale)
    while not min(2.0, 0.5 * largest) < r50 < largest:
        r50 = size_of_magnitude(mag, rng)
    flux, pa = scene.flux(mag), scene.angle()
    if rng.random() < 0.3:  # elliptical, half of them with an envelope of another shape
        share, q = rng.uniform(0.3, 0.7) if rng.random() < 0.5 else 1.0, rng.uniform(0.5, 1.0)
        inner = (share * flux, rng.uniform(2.0, 6.0), 1.0)
        outer = ((1.0 - share) * flux, rng.uniform(1.0, 3.0), rng.uniform(2.0, 4.0))
        unit = r50 / half_light([inner, outer])
        parts = [scene.sersic(inner[0], inner[1], unit, q, pa)]
        if share < 1.0:
            turned = pa + 15.0 * rng.normal() * galsim.degrees
            parts.append(
                scene.sersic(
                    outer[0], outer[1], unit * outer[2], float(np.clip(q - rng.uniform(-0.1, 0.3), 0.3, 1)), turned
                )
            )
        return parts, flux
    bulge = (rng.beta(1.2, 3.0) * flux, rng.uniform(1.0, 6.0), rng.uniform(0.08, 0.4))
    disc = (flux - bulge[0], 1.0 if rng.random() < 0.6 else rng.uniform(0.5, 2.0), 1.0)
    unit = r50 / half_light([bulge, disc])
    thickness = rng.uniform(0.12, 0.25)
    q = float(np.sqrt(thickness**2 + (1.0 - thickness**2) * rng.random() ** 2))  # of any inclination
    parts = [scene.sersic(bulge[0], bulge[1], unit * bulge[2], max(q, rng.uniform(0.6, 1.0)), pa)]
    smooth = scene.sersic(disc[0], disc[1], unit, q, pa)
    if rng.random() < 0.3:  # lenticular
        return [*parts, smooth], flux
    painted, painted_flux = painted_disc(scene, smooth, unit, q, pa)
    return [*parts, painted], bulge[0] + painted_flux


def half_light(parts: list[tuple[float, float, float]]) -> float:
    """Half-light radius of Sersic profiles (flux, n, r50) together, all seen face-on."""

    def excess(log_r: float) -> float:
        inside = [
            f * special.gammainc(2 * n, special.gammaincinv(2 * n, 0.5) * (np.exp(log_r) / r) ** (1 / n))
            for f, n, r in parts
        ]
        return sum(inside) - 0.5 * sum(part[0] for part in parts)

    return float(np.exp(optimize.brentq(excess, -7.0, 4.0)))


def painted_disc(scene: Scene, smooth: galsim.GSObject, r50: float, q: float, pa: galsim.Angle):
    """A disc with arms, ring, bar or knots, and its flux, of which some may lie beyond the canvas."""
    rng, fine = scene.rng, scene.survey.scale / FINER
    side = FINER * int(1.3 * scene.side)
    disc = smooth.drawImage(nx=side, ny=side, scale=fine, dtype=float).array
    y, x = (np.mgrid[:side, :side] - 0.5 * (side - 1)) * fine
    along = x * np.cos(pa) + y * np.sin(pa)
    across = (y * np.cos(pa) - x * np.sin(pa)) / q
    radius, phi = np.hypot(along, across), np.arctan2(across, along)
    pattern, start = np.ones_like(disc), r50 * rng.uniform(0.2, 0.5)
    bar = np.zeros_like(disc)
    if rng.random() < 0.45:
        turn, boxy, n = np.pi * rng.random(), rng.uniform(2.0, 4.0), rng.uniform(0.3, 0.9)
        start = r50 * rng.uniform(0.4, 0.9)
        u, v = radius * np.cos(phi - turn), radius * np.sin(phi - turn) / rng.uniform(0.25, 0.5)
        level = (np.abs(u / start) ** boxy + np.abs(v / start) ** boxy) ** (1.0 / boxy)
        bar = np.exp(-np.minimum(2.0 * level ** (1.0 / n), 100.0))
        bar *= smooth.flux * rng.uniform(0.05, 0.25) / bar.sum()
    if rng.random() < 0.75:
        number, sharp = rng.choice([2, 2, 2, 3, 4]), rng.uniform(0.5, 4.0)
        winding = rng.choice([-1, 1]) / np.tan(np.deg2rad(rng.uniform(10, 35)))
        phase = number * (phi - winding * np.log(np.maximum(radius, fine) / r50) - 2.0 * np.pi * rng.random())
        wave = np.exp(sharp * (np.cos(phase) - 1.0)) / special.i0e(sharp)  # its mean over angle is one
        pattern += rng.uniform(0.2, 0.9) * (1.0 - np.exp(-((radius / start) ** 4))) * (wave - 1.0)
    if rng.random() < 0.3:
        at = start if bar.any() else r50 * rng.uniform(0.5, 1.6)
        pattern += rng.uniform(0.3, 2.0) * np.exp(-0.5 * ((radius / at - 1.0) / rng.uniform(0.08, 0.2)) ** 2)
    disc_flux = disc.sum()
    pixels = disc * pattern + bar
    if rng.random() < 0.4:  # star-forming knots where the disc is bright
        knots = np.zeros(disc.size)
        places = rng.choice(disc.size, int(rng.integers(10, 120)), p=(np.abs(pixels) / np.abs(pixels).sum()).ravel())
        np.add.at(knots, places, rng.lognormal(0.0, 0.8, places.size))
        knots = ndimage.gaussian_filter(knots.reshape(disc.shape), 0.3 / fine)
        pixels = pixels + knots * (rng.uniform(0.02, 0.15) * smooth.flux / knots.sum())
    seen = galsim.InterpolatedImage(galsim.Image(pixels, scale=fine), gsparams=GSPARAMS, flux=float(pixels.sum()))
    return seen, smooth.flux + float(pixels.sum()) - disc_flux


def surround(scene: Scene, image: np.ndarray, flux: float, x0: float, y0: float, counted: bool) -> None:
    """Add stars and galaxies: as many as are on the sky (`counted`), a companion, a star on the target."""
    rng, survey = scene.rng, scene.survey
    mag = survey.zero_point - 2.5 * np.log10(flux)
    area = (scene.side * survey.scale / 60.0) ** 2  # square arcmin; density at mag 22 and slope of log10 N(< mag)
    sources = []
    for is_star, density, slope in ((False, 2.5, 0.36), (True, 1.8, 0.2)) if counted else ():
        number = rng.poisson(area * density * 10.0 ** (slope * (survey.depth - 0.9 - 22.0)))
        mags = survey.depth - 0.9 + np.log10(1.0 - rng.random(number)) / slope
        sources += [(is_star, m, *rng.uniform(0, scene.side, 2)) for m in np.maximum(mags, 11.0)]
    reach = size_of_magnitude(mag, rng) / survey.scale
    for is_star, chance, faintest, nearest, farthest in ((False, 0.2, 3.0, 2.0, 6.0), (True, 0.3, 5.0, 0.0, 3.0)):
        if rng.random() < chance:
            distance, angle = reach * np.sqrt(rng.uniform(nearest**2, farthest**2)), 2.0 * np.pi * rng.random()
            place = x0 + distance * np.cos(angle), y0 + distance * np.sin(angle)
            sources.append((is_star, mag + rng.uniform(-1.0, faintest), *place))
    for is_star, m, x, y in sources:
        if is_star:
            part = galsim.DeltaFunction(flux=scene.flux(m))
        else:
            n, r50 = rng.choice([1.0, 1.0, 2.0, 4.0]), float(np.clip(size_of_magnitude(m, rng), 0.15, 25.0))
            part = scene.sersic(scene.flux(m), n, r50, rng.uniform(0.3, 1.0), scene.angle())
        scene.draw_small(image, part, x, y)


def observe(scene: Scene, light: np.ndarray) -> tuple[np.ndarray, float]:
    """Image with sky level, gradient and noise, and the sky left at its middle."""
    deviate = galsim.BaseDeviate(int(scene.rng.integers(1, 2**31)))
    electrons = galsim.ImageD(light * scene.electrons)
    electrons.addNoise(galsim.PoissonNoise(deviate, sky_level=(scene.noise * scene.electrons) ** 2))
    level, slope_x, slope_y = scene.rng.normal(0.0, 0.5, 3) * scene.noise
    y, x = np.mgrid[: scene.side, : scene.side] / scene.side - 0.5
    return electrons.array / scene.electrons + level + slope_x * x + slope_y * y, level


def observe_in_frame(scene: Scene, light: np.ndarray, frame: np.ndarray, electrons: float) -> np.ndarray:
    """Put an image with its own Poisson noise at a random place of a real frame; `scene` learns the noise there."""
    from p2p_keras.core.robust import median_deviation

    height, width = frame.shape
    bottom, left = scene.rng.integers(0, height - scene.side), scene.rng.integers(0, width - scene.side)
    cut = frame[bottom : bottom + scene.side, left : left + scene.side]
    steps = np.diff(cut, axis=1)
    scene.noise = median_deviation(steps) / float(np.sqrt(2.0))
    return cut + scene.rng.poisson(np.maximum(light, 0.0) * electrons) / electrons


def read_frames(folder: str | None) -> list[tuple[str, np.ndarray, float]]:
    """Band, pixels and electrons a nanomaggy of every SDSS frame of a folder."""
    from astropy.io import fits

    frames = []
    for path in sorted(Path(folder).glob("frame-*.fits*")) if folder else []:
        with fits.open(path) as hdus:
            band = path.name.split("-")[1]
            frames.append((band, hdus[0].data.astype(float), ELECTRONS_PER_COUNT[band] / hdus[0].header["NMGY"]))
    if folder and not frames:
        raise click.UsageError(f"{folder}: no frame-BAND-*.fits in it")
    return frames


def make_galaxy(survey: str, seed: int, index: int, frames=(), isophotes: str = "project"):
    """One labelled mock; None where photutils finds no isophotes."""
    from galsim_truth import true_profile

    from p2p_keras.core.units import mu_from_intensity
    from p2p_keras.data.labelled import LabelledGalaxy

    scene = Scene(SURVEYS[survey], seed, index)
    parts, flux = draw_target(scene)
    x0, y0 = scene.middle + scene.rng.normal(0.0, 1.2, 2)
    target = scene.draw(parts, x0, y0)
    light = target.copy()
    surround(scene, light, flux, x0, y0, counted=not frames)
    sky, band = float("nan"), str(scene.rng.choice(BANDS))
    if frames:
        band, frame, electrons = frames[int(scene.rng.integers(len(frames)))]
        image = observe_in_frame(scene, light, frame, electrons)
    else:
        image, sky = observe(scene, light)
    try:
        sma, intensity, ellipticity, pa, extent = true_profile(target, x0, y0, scene.noise, isophotes)
    except ValueError:
        return None
    scale, zero_point = scene.survey.scale, scene.survey.zero_point
    return LabelledGalaxy(
        name=f"galsim-{survey}-{seed}-{index:05d}",
        band=band,
        image=image.astype(np.float32),
        zero_point=zero_point,
        pixel_scale=scale,
        sma=sma * scale,
        mu=mu_from_intensity(intensity, zero_point, scale),
        ellipticity=ellipticity,
        pa=pa,
        x0=x0,
        y0=y0,
        extent=extent * scale,
        mag_total=zero_point - 2.5 * np.log10(flux),
        noise=scene.noise,
        sky=sky,
        origin=f"GalSim {galsim.__version__}, {survey}, seed {seed}, index {index}",
    )


@click.command()
@click.option("--count", default=300, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--survey", type=click.Choice(list(SURVEYS)), default="sdss", show_default=True)
@click.option("--frames", type=click.Path(exists=True, file_okay=False), help="Real SDSS frames to put galaxies into.")
@click.option("--isophotes", type=click.Choice(["project", "photutils"]), default="project", show_default=True)
@click.option("--split", default="test", show_default=True, help="`val` for mocks to calibrate on (fit --epochs 0).")
@click.option("--output", required=True, type=click.Path(file_okay=False), help="Folder of the shards.")
def main(count: int, seed: int, survey: str, frames: str | None, isophotes: str, split: str, output: str) -> None:
    """Write one shard, and dataset.json."""
    from p2p_keras.data.shards import ShardWriter, shard_name, write_manifest

    if frames and survey != "sdss":
        raise click.UsageError("--frames are of SDSS")
    backgrounds = read_frames(frames)
    with ShardWriter(Path(output) / shard_name(split, 0, 1)) as shard:
        for index in range(count):
            galaxy = make_galaxy(survey, seed, index, backgrounds, isophotes)
            if galaxy is None:
                click.echo(f"{index}: photutils finds no isophotes; left out", err=True)
            else:
                shard.write(galaxy)
    settings = {"survey": survey, "frames": bool(frames), "isophotes": isophotes, "galsim": galsim.__version__}
    write_manifest(output, program="benchmarks/galsim_mocks.py", seed=seed, settings=settings)
    click.echo(f"{output}: {shard.records} galaxies")


if __name__ == "__main__":
    main()
