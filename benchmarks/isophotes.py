"""Photometry along ellipses beside photutils', on noise-free and noisy mocks: intensities, harmonics, errors, time.

    python benchmarks/isophotes.py --count 48 --size 128 --figure docs/images/isophotes-photutils.png

Both measure along the same ellipses, the truth's: photutils, ours evenly along the ellipse (`sampled`), and ours at
photutils' points. Noisy mocks are the noise-free ones with noise of the survey's depth, white or smeared over 0.8 px
(Gaussian sigma). Errors are judged by their pulls: (noisy - noise-free) / error, where the intensity is above ten times
its error.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

KINDS = ("noise-free", "white noise", "correlated noise")
SMEARED = 0.8
"""Width of the smearing of correlated noise, px (Gaussian sigma): neighbours have a correlation of 0.68."""


@click.command()
@click.option("--count", default=48, help="Galaxies.")
@click.option("--size", default=128, help="Side of the images, px.")
@click.option("--seed", default=777)
@click.option("--survey", default="sdss")
@click.option("--fields", default=4, help="Fields of noise over each galaxy, for the pulls.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the comparison.")
def main(count: int, size: int, seed: int, survey: str, fields: int, figure: Path | None) -> None:
    """Compare, and print what came out."""
    warnings.simplefilter("ignore")
    rows, times = [], np.zeros(3)
    for index in range(count):
        clean, noise, ellipses = _galaxy(survey, seed, index, size)
        for kind in KINDS:
            pixels = clean + noise * _noise(kind, index, clean.shape)
            row: dict[str, Any] = {"kind": kind, "sma": ellipses.sma}
            for i, (program, measure) in enumerate(PROGRAMS.items()):
                start = time.process_time()
                row[program] = measure(pixels, ellipses)
                times[i] += time.process_time() - start
            row["again"] = [
                _ours(clean + noise * _noise(kind, index + 1000 * more, clean.shape), ellipses)
                for more in range(1, fields if kind != KINDS[0] else 1)
            ]
            row["whole"] = _whole_mean(pixels, ellipses)
            row["rings"] = _ours(pixels, ellipses, "exact")["intensity"]
            row["apertures"] = _in_apertures(pixels, ellipses)
            if kind == KINDS[0]:
                row["smooth"] = _whole_mean(clean, ellipses, smooth=True)
            row["truth"] = row if kind == KINDS[0] else rows[-1]["truth"]
            rows.append(row)
    for kind in KINDS:
        chosen = [row for row in rows if row["kind"] == kind]
        for program in ("sampled", "photutils' points"):
            _print(chosen, kind, program)
        if kind != KINDS[0]:
            _print_pulls(chosen)
    _print_sampling(rows)
    _print_rings(rows)
    per = times / (len(KINDS) * count) * 1e3
    click.echo(
        f"CPU time a galaxy of {size} px: {per[0]:.1f} ms, at photutils' points {per[1]:.1f} ms, "
        f"photutils {per[2]:.0f} ms: {per[2] / per[0]:.0f} times"
    )
    if figure:
        _draw(rows, figure)


def _galaxy(survey: str, seed: int, index: int, size: int) -> tuple[np.ndarray, float, Any]:
    """A noise-free mock, the survey's noise per pixel, and every third ellipse of its truth."""
    from p2p_keras.data.mocks import scene
    from p2p_keras.profile.isophotes.given import Ellipses

    kept: dict[str, Any] = {}
    label = scene._labelled

    def keep(rendered: Any, *arguments: Any, **options: Any) -> Any:
        kept["image"] = np.asarray(rendered.image, dtype=float)
        return label(rendered, *arguments, **options)

    scene._labelled = keep
    try:
        galaxy = scene.simulate_galaxy(survey, seed, index, size=size, band="r")
    finally:
        scene._labelled = label
    inside = np.flatnonzero((galaxy.sma <= galaxy.extent) & (galaxy.sma > 2.0 * galaxy.pixel_scale))[::3]
    shapes = np.clip(galaxy.ellipticity[inside], 0.02, 0.9)
    sma = galaxy.sma[inside] / galaxy.pixel_scale
    return kept["image"], galaxy.noise, Ellipses.of(galaxy.x0, galaxy.y0, sma, shapes, galaxy.pa[inside])


def _noise(kind: str, seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Of 1 sigma per pixel; zeros for none."""
    from scipy import ndimage

    if kind == KINDS[0]:
        return np.zeros(shape)
    margin = 8
    noise = np.random.default_rng(seed).normal(size=(shape[0] + 2 * margin, shape[1] + 2 * margin))
    if kind == KINDS[2]:
        point = np.zeros((2 * margin + 1, 2 * margin + 1))
        point[margin, margin] = 1.0
        noise = ndimage.gaussian_filter(noise, SMEARED) / np.sqrt((ndimage.gaussian_filter(point, SMEARED) ** 2).sum())
    return noise[margin:-margin, margin:-margin]


def _ours(pixels: np.ndarray, ellipses: Any, method: str = "sampled") -> dict[str, np.ndarray]:
    from p2p_keras.profile.isophotes.photometry import measure_ellipses

    return measure_ellipses(pixels, ellipses, method=method).columns()


def _whole_mean(pixels: np.ndarray, ellipses: Any, *, smooth: bool = False) -> np.ndarray:
    """The mean along each ellipse by 16 points a pixel: of the same interpolation, or of a cubic spline."""
    from scipy import ndimage

    from p2p_keras.profile.isophotes.sampling import ReadImage, points_along

    points = points_along(ellipses, spacing=1.0 / 16.0)
    values, good = ReadImage(pixels).values(points.x, points.y)
    if smooth:
        values = ndimage.map_coordinates(pixels, [points.y, points.x], order=3, mode="nearest")
    weight = np.where(good, points.weight, 0.0)
    return points.sums(weight * values) / points.sums(weight)


def _at_their_points(pixels: np.ndarray, ellipses: Any) -> dict[str, np.ndarray]:
    return _ours(pixels, ellipses, "photutils")


def _theirs(pixels: np.ndarray, ellipses: Any) -> dict[str, np.ndarray]:
    from photutils.isophote import EllipseSample, Isophote

    rows = []
    for i in range(len(ellipses)):
        sample = EllipseSample(
            pixels,
            ellipses.sma[i],
            x0=ellipses.x0[i],
            y0=ellipses.y0[i],
            eps=ellipses.ellipticity[i],
            position_angle=np.deg2rad(ellipses.pa[i]),
        )
        sample.update(np.zeros(4, dtype=bool))
        one = Isophote(sample, 0, True, 0)
        values = (one.intens, one.int_err, one.a4, one.b4, one.a3, one.b3)
        rows.append([np.nan if value is None else value for value in values])
    keys = ("intensity", "intensity_err", "a4", "b4", "a3", "b3")
    return dict(zip(keys, np.array(rows, dtype=float).reshape(-1, len(keys)).T, strict=True))


def _in_apertures(pixels: np.ndarray, ellipses: Any) -> np.ndarray:
    """Mean of the pixels in each ring by photutils' apertures, each pixel by the exact part of its area in the ring."""
    from photutils.aperture import EllipticalAnnulus

    from p2p_keras.profile.isophotes.given import ring_edges

    edges, rows = ring_edges(ellipses.sma), []
    for i in range(len(ellipses)):
        inner, outer, q = edges[i], edges[i + 1], ellipses.axis_ratio[i]
        place = (ellipses.x0[i], ellipses.y0[i])
        ring = EllipticalAnnulus(place, inner, outer, q * outer, q * inner, theta=np.deg2rad(ellipses.pa[i]))
        flux, _ = ring.do_photometry(pixels, method="exact")
        area, _ = ring.do_photometry(np.ones_like(pixels), method="exact")
        rows.append(float(flux[0] / area[0]))
    return np.array(rows)


PROGRAMS: dict[str, Callable[[np.ndarray, Any], dict[str, np.ndarray]]] = {
    "sampled": _ours,
    "photutils' points": _at_their_points,
    "photutils": _theirs,
}


def _print(rows: list[dict[str, Any]], kind: str, program: str) -> None:
    ours = {key: np.concatenate([row[program][key] for row in rows]) for key in rows[0][program]}
    theirs = {key: np.concatenate([row["photutils"][key] for row in rows]) for key in rows[0]["photutils"]}
    sure = ours["intensity"] > 50.0 * ours["intensity_err"]
    difference = np.abs(2.5 * np.log10(ours["intensity"] / theirs["intensity"]))[sure]
    click.echo(
        f"{kind}, {program}: {sure.sum()} of {sure.size} ellipses with S/N > 50, intensities differ from photutils' by "
        f"{np.median(difference):.4f} mag in the median, {np.quantile(difference, 0.95):.4f} at 95 %, "
        f"{difference.max():.4f} at most"
    )
    for key in ("a3", "b3", "a4", "b4"):
        both = np.isfinite(ours[key]) & np.isfinite(theirs[key])
        off = np.abs(ours[key] - theirs[key])[both]
        click.echo(f"  {key}: {np.median(off):.4f} in the median, {np.quantile(off, 0.9):.4f} at 90 % of {both.sum()}")


def _print_sampling(rows: list[dict[str, Any]]) -> None:
    for kind, truth in (*((kind, "whole") for kind in KINDS), (KINDS[0], "smooth")):
        chosen = [row for row in rows if row["kind"] == kind]
        sure = [row["sampled"]["intensity"] > 50.0 * row["sampled"]["intensity_err"] for row in chosen]
        for program in ("sampled", "photutils"):
            off = np.concatenate(
                [
                    2.5 * np.log10(row[program]["intensity"] / row[truth])[use]
                    for row, use in zip(chosen, sure, strict=True)
                ]
            )
            median, most, worst = np.quantile(np.abs(off), [0.5, 0.95, 1.0])
            click.echo(
                f"{kind}, S/N > 50, off the mean of the whole ellipse{' by a spline' if truth == 'smooth' else ''}, "
                f"{program}: {median:.4f} mag in the median, {most:.4f} at 95 %, {worst:.4f} at most, "
                f"mean {off.mean():+.4f}"
            )


def _print_rings(rows: list[dict[str, Any]]) -> None:
    off = [
        2.5
        * np.log10(row["rings"] / row["apertures"])[
            row["sampled"]["intensity"] > 50.0 * row["sampled"]["intensity_err"]
        ]
        for row in rows
    ]
    size = np.abs(np.concatenate(off))
    click.echo(
        f"S/N > 50, exact rings and photutils' elliptical annuli differ by {np.median(size):.1e} mag in the median, "
        f"{size.max():.1e} at most"
    )


def _print_pulls(rows: list[dict[str, Any]]) -> None:
    for key in ("intensity", "a3", "b3", "a4", "b4"):
        pulls = np.concatenate([_pulls(row, key) for row in rows])
        pulls = pulls[np.isfinite(pulls)]
        low, high = np.percentile(pulls, [15.87, 84.13])
        click.echo(
            f"  pulls of {key}: mean {np.clip(pulls, -5, 5).mean():+.2f}, width {0.5 * (high - low):.2f} "
            f"({pulls.size} ellipses)"
        )


def _pulls(row: dict[str, Any], key: str) -> np.ndarray:
    """Of one noisy galaxy; intensities where they stand ten times above their error, harmonics where the slope does."""
    pulls, truth = [], row["truth"]["sampled"]
    for ours in (row["sampled"], *row["again"]):
        use = ours["intensity"] > 10.0 * ours["intensity_err"]
        if key != "intensity":
            with np.errstate(invalid="ignore"):
                use &= np.abs(ours["gradient"]) > 5.0 * ours["gradient_err"]
        pulls.append(((ours[key] - truth[key]) / ours[f"{key}_err"])[use])
    return np.concatenate(pulls)


def _draw(rows: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), constrained_layout=True)
    for row in rows:
        ours, theirs = row["sampled"], row["photutils"]
        sure = ours["intensity"] > 50.0 * ours["intensity_err"]
        colour = "C0" if row["kind"] == KINDS[0] else "C1"
        difference = 1e3 * 2.5 * np.log10(theirs["intensity"] / ours["intensity"])
        axes[0].plot(row["sma"][sure], difference[sure], ".", ms=3, color=colour, alpha=0.6)
        axes[1].plot(theirs["b4"], ours["b4"], ".", ms=3, color=colour, alpha=0.6)
    axes[0].set(
        xscale="log", xlim=(1, 100), xlabel="semi-major axis (px)", ylabel="photutils - ours (mmag)", ylim=(-10, 10)
    )
    axes[0].axhspan(-2, 2, color="0.9", zorder=0)
    axes[1].plot([-0.2, 0.2], [-0.2, 0.2], "k-", lw=0.6)
    axes[1].set(xlim=(-0.12, 0.12), ylim=(-0.12, 0.12), xlabel="b4 by photutils", ylabel="b4, ours")
    axes[1].plot([], [], ".", color="C0", label="noise-free")
    axes[1].plot([], [], ".", color="C1", label="noisy")
    axes[1].legend(frameon=False)
    bins = np.linspace(-4, 4, 33)
    for key, colour in (("intensity", "C0"), ("b4", "C2")):
        pulls = np.concatenate([_pulls(row, key) for row in rows if row["kind"] != KINDS[0]])
        axes[2].hist(pulls[np.isfinite(pulls)], bins, density=True, histtype="step", color=colour, label=key)
    axes[2].plot(bins, np.exp(-0.5 * bins**2) / np.sqrt(2 * np.pi), "k-", lw=0.8, label="Gaussian")
    axes[2].set(xlabel="(noisy - noise-free) / error")
    axes[2].legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
