"""Real galaxies: the model's profiles beside photutils' isophotes of the same images, as a table and a picture.

``python benchmarks/real_galaxies.py FOLDER_OF_FITS [--output real_galaxies.json] [--only NAME ...]``

The classical measurement is `p2p_keras.data.packing.measuring`: sky, mask and first ellipse found automatically,
isophotes by photutils. Nothing of one measurement helps the other. Differences are taken from 2 pixels to where mu =
25, as far as both reach; a difference of sky levels shows at the faint end.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

OPTIONS = {
    "ic3478-r": {"zero_point": 28.26},
    "ngc3610-g": {"zero_point": 22.5, "pixel_scale": 0.396},
    "ngc3610-r": {"zero_point": 22.5, "pixel_scale": 0.396},
    "ngc3610-i": {"zero_point": 22.5, "pixel_scale": 0.396},
    "eso243-49-g": {"zero_point": 22.5},
    "eso243-49-r": {"zero_point": 22.5},
    "eso243-49-z": {"zero_point": 22.5},
    "eso479-g1-r": {"zero_point": 22.5},
}
"""What headers lack: see the README beside the images."""
FAINTEST = 25.0


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option("--model", default=None, help="Model folder or file; the shipped one by default.")
@click.option("--only", multiple=True, help="Part of the names of the galaxies to measure; several times for several.")
@click.option("--output", default="real_galaxies.json", help="JSON file of the figures; a PNG goes beside it.")
def main(folder: str, model: str | None, only: tuple[str, ...], output: str) -> None:
    """Compare profiles of the real galaxies in FOLDER."""
    from p2p_keras import Predictor
    from p2p_keras.core.errors import P2PError
    from p2p_keras.data.packing.measuring import measure_galaxy
    from p2p_keras.images import read_image

    predictor = Predictor.load(model)
    rows, drawn = [], []
    click.echo("| galaxy | radii | median difference | offset | model, s | photutils, s | ratio |\n" + "|---" * 7 + "|")
    for path in sorted(p for p in Path(folder).iterdir() if ".fits" in p.name and "mask" not in p.name):
        name = path.name.split(".fits")[0]
        if only and not any(part in name for part in only):
            continue
        mask = path.with_name(path.name.replace(".fits", "-mask.fits"))
        try:
            image = read_image(path, mask=mask if mask.exists() else None, **OPTIONS.get(name, {}))
        except P2PError as error:
            click.echo(f"{name}: {error}", err=True)
            continue
        predictor.predict(image)  # graphs of a new image size are compiled in its first run
        start = time.perf_counter()
        profile = predictor.predict(image)
        row: dict[str, Any] = {"name": name, "radii": len(profile), "seconds": time.perf_counter() - start}
        start = time.perf_counter()
        try:
            classical = measure_galaxy(image)
        except P2PError as error:
            click.echo(f"{name}: photutils: {error}", err=True)
            row["photutils"] = str(error)
        else:
            sma, residual = differences(profile, classical, image.pixel_scale)
            row["radii_compared"] = int(residual.size)
            if residual.size:
                row["median_difference"] = float(np.median(np.abs(residual)))
                row["offset"] = float(np.median(residual))
            drawn.append((name, profile, classical, sma, residual))
        row["photutils_seconds"] = time.perf_counter() - start
        rows.append(row)
        click.echo(line_of(row))
    if not rows:
        raise click.ClickException(f"{folder}: no galaxy could be measured")
    version = f"{predictor.model_name} {predictor.model_version}".strip()
    Path(output).write_text(json.dumps({"model": version, "galaxies": rows}, indent=1) + "\n")
    if drawn:
        draw(drawn, Path(output).with_suffix(".png"))
    known = [row["median_difference"] for row in rows if "median_difference" in row]
    if known:
        click.echo(f"\nmedian of {len(known)} galaxies: {np.median(known):.3f} mag, largest {max(known):.3f}")


def line_of(row: dict[str, Any]) -> str:
    """One galaxy's line of the table."""
    difference, offset = (f"{row[key]:.3f}" if key in row else "-" for key in ("median_difference", "offset"))
    ratio = row["photutils_seconds"] / row["seconds"]
    return (
        f"| {row['name']} | {row['radii']} | {difference} | {offset} | {row['seconds']:.3f} | "
        f"{row['photutils_seconds']:.1f} | {ratio:.0f} |"
    )


def differences(profile, classical, pixel_scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Radii (arcsec) of the isophotes, and mu of the model less mu of photutils there."""
    from p2p_keras.core.accuracy import profile_residuals

    use = (classical.sma >= 2.0 * pixel_scale) & (classical.mu <= FAINTEST)
    residuals = profile_residuals(classical.sma[use], classical.mu[use], profile["sma"].value, profile["mu"].value)
    return residuals.sma, residuals.residual


def draw(drawn: list, path: Path) -> None:
    """Profiles and differences, a panel a galaxy."""
    from matplotlib.figure import Figure

    columns = 4
    blocks = -(-len(drawn) // columns)
    figure = Figure(figsize=(3.1 * columns, 3.4 * blocks), layout="constrained")
    axes = figure.subplots(2 * blocks, columns, squeeze=False, height_ratios=[3, 1.1] * blocks)
    for axis in axes.flat:
        axis.set_visible(False)
    for i, (name, profile, classical, sma, residual) in enumerate(drawn):
        top, bottom = axes[2 * (i // columns), i % columns], axes[2 * (i // columns) + 1, i % columns]
        top.set_visible(True)
        bottom.set_visible(True)
        radius, mu, error = (profile[column].value for column in ("sma", "mu", "mu_err"))
        top.fill_between(radius, mu - error, mu + error, color="#0072B2", alpha=0.3, lw=0)
        top.plot(radius, mu, color="#0072B2", lw=1.2, label="p2p_keras")
        top.plot(classical.sma, classical.mu, ".", color="#D55E00", ms=3, label="photutils")
        top.invert_yaxis()
        top.set(xscale="log", title=name)
        top.tick_params(labelbottom=False)
        bottom.plot(sma, residual, ".", color="#D55E00", ms=3)
        bottom.axhline(0.0, color="0.4", lw=0.8)
        bottom.set(xscale="log", ylim=(-0.3, 0.3), xlim=top.get_xlim(), xlabel="sma (arcsec)")
        if i % columns == 0:
            top.set_ylabel("mu (mag arcsec$^{-2}$)")
            bottom.set_ylabel("difference")
            top.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=70)


if __name__ == "__main__":
    main()
