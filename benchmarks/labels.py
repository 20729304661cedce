"""The label code on many mocks, in search of a draw of any survey that gives a broken label.

Expected: none, in 1000 mocks. Every label is checked as the writer of shards does, and further: finite brightness at
every radius, shapes in their ranges, an extent inside the radii (0 where the galaxy is so faint in its band that no
radius is known), and a curve of growth that agrees with `mag_total` for galaxies that lie well inside their image.

    python benchmarks/labels.py --count 1000          # a minute on two idle cores
"""

from __future__ import annotations

import collections
import multiprocessing
import os
import time

import click
import numpy as np

WELL_INSIDE = 0.6
"""Growth is compared where the extent is below this share of half the image's side."""


def check_label(arguments: tuple[str, int, int, int]) -> tuple[str, float, float, list[str]]:
    """Simulate one galaxy and look for anything wrong with its label.

    Parameters
    ----------
    arguments : tuple of (survey, seed, index, size)

    Returns
    -------
    kind, extent in half sides of the image, magnitude of growth minus `mag_total` (NaN where not compared), problems
    """
    from p2p_keras.core.growth import curve_of_growth
    from p2p_keras.core.units import intensity_from_mu
    from p2p_keras.data.mocks.scene import simulate_galaxy
    from p2p_keras.data.shards import check_galaxy

    survey, seed, index, size = arguments
    problems = []
    try:
        galaxy = simulate_galaxy(survey, seed, index, size=size)
        check_galaxy(galaxy)
    except Exception as error:  # the point of this program is to count whatever may happen
        return "?", np.nan, np.nan, [f"{survey} seed {seed} index {index}: {type(error).__name__}: {error}"]
    kind = dict(part.split("=", 1) for part in galaxy.origin.split() if "=" in part)["kind"]
    if galaxy.ellipticity is None or galaxy.pa is None:
        return kind, np.nan, np.nan, [f"{galaxy.name}: no geometry"]
    for name, fine in {
        "mu is not finite": np.isfinite(galaxy.mu).all(),
        "radii do not increase": np.all(np.diff(galaxy.sma) > 0),
        "ellipticity out of range": np.all((galaxy.ellipticity >= 0) & (galaxy.ellipticity < 1)),
        "position angle out of range": np.all((galaxy.pa >= 0) & (galaxy.pa < 180)),
        "extent out of range": 0 <= galaxy.extent <= galaxy.sma[-1],
        "noise, sky or magnitude is not finite": np.isfinite([galaxy.noise, galaxy.sky, galaxy.mag_total]).all(),
    }.items():
        if not fine:
            problems.append(f"{survey} seed {seed} index {index} ({kind}): {name}")
    share = float(galaxy.extent / galaxy.pixel_scale / (0.5 * size))
    difference = np.nan
    if share < WELL_INSIDE:
        intensity = intensity_from_mu(galaxy.mu, galaxy.zero_point, galaxy.pixel_scale)
        flux = curve_of_growth(galaxy.sma / galaxy.pixel_scale, intensity, galaxy.ellipticity)[-1]
        difference = float(galaxy.zero_point - 2.5 * np.log10(flux) - galaxy.mag_total)
    return kind, share, difference, problems


@click.command()
@click.option("--count", default=1000, show_default=True, help="Galaxies.")
@click.option("--survey", default="mixed", show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--size", default=256, show_default=True, help="Side of the images in pixels.")
@click.option("--workers", default=None, type=click.IntRange(1), help="Processes; the number of cores by default.")
def main(count: int, survey: str, seed: int, size: int, workers: int | None) -> None:
    """Check the labels of many mocks; exit status 1 if any is wrong."""
    start = time.perf_counter()
    tasks = [(survey, seed, index, size) for index in range(count)]
    with multiprocessing.get_context("spawn").Pool(workers or os.cpu_count() or 1) as pool:
        checks = pool.map(check_label, tasks, chunksize=8)
    kinds = collections.Counter(kind for kind, *_ in checks)
    extents = np.array([share for _, share, *_ in checks])
    growth = np.array([difference for *_, difference, _ in checks])
    problems = [problem for *_, mine in checks for problem in mine]
    for problem in problems:
        click.echo(problem, err=True)
    click.echo(f"{count} mocks in {time.perf_counter() - start:.0f} s: {len(problems)} with a broken label")
    click.echo("classes: " + ", ".join(f"{kind} {number}" for kind, number in kinds.most_common()))
    shares = ", ".join(f"{share:.2f}" for share in np.nanpercentile(extents, [5, 50, 95]))
    click.echo(f"extent over half the side: 5, 50, 95 %: {shares}; without a known radius: {int(np.sum(extents == 0))}")
    known = growth[np.isfinite(growth)]
    if known.size:
        spread = np.percentile(known, [5, 50, 95, 100])
        click.echo(
            f"growth minus mag_total, {known.size} well inside: 5, 50, 95, 100 %: {np.round(spread, 3).tolist()}"
        )
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
