"""Sersic's n and re of small galaxies with and without --psf, against GalSim's truth, and the figure of it.

    python benchmarks/psf_fits.py --figure docs/images/psf-fits.png

Noise-free galaxies of one Sersic law through a Moffat PSF, half-light radii (major axis) of 1.5 to 5 FWHM, round to
thin. Each is measured as any other image: isophotes by the classical fit, photometry along them, then the fits of
`predict` without the PSF and with it.
"""

from __future__ import annotations

import itertools
import time
import warnings
from pathlib import Path

import click
import galsim
import numpy as np

SCALE, FWHM = 0.4, 1.3
N, RATIOS, AXIS_RATIOS = (1.0, 2.5, 4.0), (1.5, 2.0, 3.0, 5.0), (0.9, 0.6, 0.4)
KINDS = ("without", "with")


def measured(n: float, re: float, q: float, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Profile of a galaxy, arcsec and mag arcsec^-2, and the image of the PSF."""
    from p2p_keras.core.units import mu_from_intensity
    from p2p_keras.profile.isophotes.classical import Shape, fit_isophotes, radii_to
    from p2p_keras.profile.isophotes.photometry import measure_ellipses

    psf = galsim.Moffat(beta=3.5, fwhm=FWHM)
    # GalSim's half-light radius is circularised; the shear keeps the area.
    light = galsim.Sersic(n=n, half_light_radius=re * np.sqrt(q), flux=1e4, trunc=0.0 if n < 2 else 15.0 * re)
    scene = galsim.Convolve(light.shear(q=q, beta=30.0 * galsim.degrees), psf)
    pixels = scene.drawImage(nx=size, ny=size, scale=SCALE, dtype=float).array
    star = psf.drawImage(nx=65, ny=65, scale=SCALE, dtype=float).array
    middle = (size - 1) / 2
    sma = radii_to(min(6.0 * re / SCALE, 0.45 * size))
    ellipses = fit_isophotes(pixels, Shape(middle, middle, re / SCALE, 1 - q, 30.0), sma, fix_centre=True)
    mu = mu_from_intensity(np.maximum(measure_ellipses(pixels, ellipses).intensity, 1e-12), 22.5, SCALE)
    arrays = {"sma": sma * SCALE, "mu": mu, "mu_err": np.full(mu.size, 0.01), "ellipticity": ellipses.ellipticity}
    return arrays, star


@click.command()
@click.option("--size", default=255, show_default=True, help="Side of the images, px.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the comparison.")
def main(size: int, figure: Path | None) -> None:
    """Fit all galaxies, and print how far n and re are off."""
    from p2p_keras.profile.derived.fits import inner_limit, laws_of_many
    from p2p_keras.profile.derived.psf import Psf
    from p2p_keras.profile.derived.psf_fits import fit_with_psf

    warnings.simplefilter("ignore")
    rows, began = [], time.process_time()
    for n, ratio, q in itertools.product(N, RATIOS, AXIS_RATIOS):
        re = ratio * FWHM
        arrays, star = measured(n, re, q, size)
        columns = {key: values[None] for key, values in arrays.items()}
        [without] = laws_of_many(columns, np.array([re]), np.array([inner_limit(SCALE, FWHM)]))
        through_psf = fit_with_psf(arrays, re, Psf.of_array(star, SCALE))
        off = [(fit["sersic_n"] / n - 1.0, fit["sersic_re"] / re - 1.0) for fit in (without, through_psf)]
        rows.append((n, ratio, q, *np.ravel(off)))
    table = np.array(rows)
    for name, chosen in (("e <= 0.3", table[:, 2] >= 0.7), ("e > 0.3", table[:, 2] < 0.7), ("all", table[:, 2] > 0)):
        for k, kind in enumerate(KINDS):
            n_off, re_off = np.abs(table[chosen, 3 + 2 * k : 5 + 2 * k]).T
            click.echo(
                f"{name}, {kind} PSF, {chosen.sum()} galaxies: n off by {np.nanmedian(n_off):.1%} in the median, "
                f"{np.nanmax(n_off):.1%} at most; re by {np.nanmedian(re_off):.1%}, {np.nanmax(re_off):.1%}; "
                f"{int(np.isnan(n_off).sum())} not fitted"
            )
    click.echo(f"{(time.process_time() - began) / len(rows):.2f} s of processor time a galaxy")
    if figure:
        _draw(table, figure)


def _draw(table: np.ndarray, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), constrained_layout=True, sharex=True)
    for axis, column, name, goal in ((axes[0], 3, "n", 10.0), (axes[1], 4, "re", 5.0)):
        axis.axhspan(-goal, goal, color="0.92", zorder=0)
        axis.axhline(0.0, color="0.5", lw=0.6)
        for k in range(len(KINDS)):
            for q, marker in zip(AXIS_RATIOS, "os^", strict=True):
                for i, n in enumerate(N):
                    chosen = (table[:, 0] == n) & (table[:, 2] == q)
                    axis.plot(
                        table[chosen, 1] * (0.97 + 0.03 * i),
                        100.0 * table[chosen, column + 2 * k],
                        marker,
                        ms=5,
                        color=f"C{i}",
                        mfc=f"C{i}" if k else "none",
                    )
        axis.set(xscale="log", xticks=RATIOS, xlabel="half-light radius / FWHM", ylabel=f"{name}: fit / truth - 1 (%)")
        axis.set_xticklabels([f"{ratio:g}" for ratio in RATIOS])
        axis.minorticks_off()
    for i, n in enumerate(N):
        axes[0].plot([], [], "o", color=f"C{i}", label=f"n = {n:g}")
    for q, marker in zip(AXIS_RATIOS, "os^", strict=True):
        axes[0].plot([], [], marker, color="0.4", label=f"b/a = {q:g}")
    axes[1].plot([], [], "o", color="0.4", label="with the PSF")
    axes[1].plot([], [], "o", color="0.4", mfc="none", label="without")
    for axis in axes:
        axis.legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
