"""Frames and catalogue for benchmarks/survey.py.

Some hundred mock galaxies (p2p_keras.data.mocks, SDSS preset) are drawn once without noise; each galaxy of the survey
is one of them, turned by a multiple of 90 degrees, mirrored, and scaled in flux, in a frame with noise of its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

STAMP = 128
FRAME = 2048
PITCH = 136
ZERO_POINT = 22.5
SCALE = 0.396


def templates(count: int, seed: int) -> tuple[np.ndarray, float]:
    """Noise-free mocks of the SDSS preset in r, float32 (count, STAMP, STAMP), and the noise that the preset has."""
    from p2p_keras.core.units import flux_from_mag
    from p2p_keras.data.mocks.mixtures import draw_survey
    from p2p_keras.data.mocks.psf import PSF
    from p2p_keras.data.mocks.rendering import Canvas, render
    from p2p_keras.data.mocks.scene import draw_target
    from p2p_keras.data.mocks.surveys import draw_conditions

    y, x = np.mgrid[:STAMP, :STAMP] - (STAMP - 1) / 2
    edge = np.clip((STAMP / 2 - np.hypot(x, y)) / 8.0, 0.0, 1.0)
    stamps, noises = [], []
    for i in range(count):
        rng = np.random.default_rng([seed, 77, i])
        name, preset = draw_survey("sdss", rng)
        target, _ = draw_target(preset, STAMP, rng)
        seen = draw_conditions(name, preset, "r", rng)
        canvas = Canvas(STAMP, PSF(seen.fwhm, seen.beta, seen.wing, seen.psf_e1, seen.psf_e2), SCALE)
        middle = (STAMP - 1) / 2
        image = render(target, canvas, "r", middle, middle, float(flux_from_mag(target.mag, ZERO_POINT))).image
        stamps.append((image * edge).astype(np.float32))
        noises.append(seen.noise)
    return np.array(stamps), float(np.median(noises))


def make_sky(folder: Path, galaxies: int, seed: int) -> tuple[int, int]:
    """Make frames of 2048 px with galaxies on a grid, and their catalogue; number of frames, and of bytes."""
    from astropy.io import fits
    from astropy.table import Table
    from astropy.wcs import WCS

    (folder / "frames").mkdir(parents=True, exist_ok=True)
    stamps, noise = templates(min(300, galaxies), seed)
    per_row = FRAME // PITCH
    rows: list[tuple] = []
    number = 0
    while len(rows) < galaxies:
        rng = np.random.default_rng([seed, number])
        wcs = WCS(naxis=2)
        wcs.wcs.crpix = [(FRAME + 1) / 2] * 2
        # Frames side by side in stripes, as a survey's.
        wcs.wcs.crval = [(10.0 + 0.23 * (number % 40)) % 360.0, -5.0 + 0.23 * (number // 40)]
        wcs.wcs.cdelt = [-SCALE / 3600, SCALE / 3600]
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.radesys = "ICRS"
        image = rng.normal(0.0, noise, (FRAME, FRAME)).astype(np.float32)
        centres = [(i, j) for i in range(per_row) for j in range(per_row)][: galaxies - len(rows)]
        xy = np.array(centres) * PITCH + PITCH // 2
        for x, y in xy:
            stamp = np.rot90(stamps[rng.integers(len(stamps))], rng.integers(4))
            flux = 10.0 ** rng.uniform(-0.2, 0.2)
            image[y - 64 : y + 64, x - 64 : x + 64] += flux * (stamp if rng.random() < 0.5 else stamp[:, ::-1])
        ra, dec = wcs.all_pix2world(xy[:, 0] - 0.5, xy[:, 1] - 0.5, 0)
        rows += [(f"g{len(rows) + k:07d}", a, d, STAMP) for k, (a, d) in enumerate(zip(ra, dec, strict=True))]
        header = wcs.to_header()
        header["MAGZERO"], header["FILTER"] = ZERO_POINT, "r"
        fits.writeto(folder / "frames" / f"frame-{number:05d}.fits", image, header, overwrite=True)
        number += 1
    Table(rows=rows, names=["id", "ra", "dec", "size"]).write(folder / "catalogue.parquet", overwrite=True)
    return number, number * FRAME**2 * 4
