"""Draw the galaxies of a set that the model measures worst, beside the truth, and say how far each is off.

``python docs/draw_failures.py SHARDS PICTURE.png [--model M] [--count 10]``. On each image the true half-light ellipse
and extent (orange) and the measured ones (blue); below it the true profile (black) and the measured one. What is
wrong is told by the numbers: the centre, where it is off by more than 3 px, else the ellipticity.
"""

from __future__ import annotations

import click
import matplotlib as mpl
import numpy as np

PANEL = 2.1
"""Inches."""
COLUMNS = 5
WRONG_CENTRE_PX = 3.0


@click.command()
@click.argument("data", type=click.Path(exists=True))
@click.argument("picture", type=click.Path(dir_okay=False))
@click.option("--model", default=None, help="Model folder or file; the shipped one by default.")
@click.option("--split", default="test", show_default=True)
@click.option("--count", default=10, show_default=True, help="Galaxies to draw.")
def main(data: str, picture: str, model: str | None, split: str, count: int) -> None:
    """Draw the worst galaxies of DATA."""
    from p2p_keras import Predictor
    from p2p_keras.data.shards import find_shards, read_shards
    from p2p_keras.evaluation import evaluate_models
    from p2p_keras.evaluation.drawings import galaxies_at
    from p2p_keras.evaluation.summary import worst_galaxies
    from p2p_keras.profile.plots import STYLE, save_figure
    from p2p_keras.profile.plots.style import new_figure

    shards = find_shards(data, split)
    evaluation = evaluate_models([Predictor.load(model)], read_shards(shards))[0]
    places = worst_galaxies(evaluation, count)
    drawn = galaxies_at([evaluation], shards, places)
    rows = -(-len(places) // COLUMNS)
    with mpl.rc_context(STYLE | {"font.size": 8, "xtick.labelsize": 7, "ytick.labelsize": 7}):
        figure = new_figure(PANEL * COLUMNS, 1.75 * PANEL * rows)
        figure.get_layout_engine().set(h_pad=0.03, hspace=0.01, w_pad=0.02)
        axes = figure.subplots(2 * rows, COLUMNS, squeeze=False, height_ratios=[1.2, 0.8] * rows)
        for number, place in enumerate(places):
            row, column = divmod(number, COLUMNS)
            result, galaxy = evaluation.results[place], drawn[place]
            words = what_is_wrong(result)
            axes[2 * row, column].set_title(f"{number + 1}: {words}", fontsize=8)
            profile = galaxy.profiles[evaluation.model]
            flags = ", ".join(profile.meta["flags"]) or "none"
            click.echo(f"{number + 1}. {galaxy.label.name} {galaxy.label.band}: {words}; flags: {flags}")
            draw_image_with_truth(axes[2 * row, column], galaxy.image, galaxy.label, profile)
            draw_profiles(axes[2 * row + 1, column], galaxy.label, profile)
            if row == rows - 1:
                axes[2 * row + 1, column].set_xlabel("sma [arcsec]", fontsize=8)
            if column == 0:
                axes[2 * row + 1, column].set_ylabel(r"$\mu$ [mag arcsec$^{-2}$]", fontsize=8)
        save_figure(figure, picture, dpi=100)


def what_is_wrong(result) -> str:
    """The error, and the centre or the ellipse."""
    if not result.measured:
        return "no profile"
    if result.centre_error > WRONG_CENTRE_PX:
        return f"{result.error:.2f} mag, centre {result.centre_error:.0f} px off"
    return f"{result.error:.2f} mag, $e$ {result.ellipticity_error:.2f} off"


def draw_image_with_truth(ax, image, label, profile) -> None:
    """The whole image with ellipses."""
    from p2p_keras.evaluation.galaxy import half_light_radius
    from p2p_keras.profile.plots.image_panel import PixelGeometry, draw_image, pixel_geometry
    from p2p_keras.profile.plots.style import BLUE, ORANGE

    draw_image(ax, image, profile, ellipses=False, compass=False, half=np.inf)
    truth = PixelGeometry(label.x0, label.y0, label.sma / label.pixel_scale, *vectors(label))
    measured = pixel_geometry(profile, image)
    radii = (half_light_radius(label) / label.pixel_scale, label.extent / label.pixel_scale)
    for sma in radii:
        ax.plot(*truth.outline(sma), color=ORANGE, lw=1.3)
    if measured.sma.size:
        for sma in (profile.meta["r50"] / label.pixel_scale, measured.sma[-1]):
            ax.plot(*measured.outline(sma), color=BLUE, lw=1.0, ls=(0, (3, 1.5)))
    height, width = image.pixels.shape
    ax.set(xlim=(-0.5, width - 0.5), ylim=(-0.5, height - 0.5))


def vectors(label):
    """Ellipse vectors of the label."""
    from p2p_keras.core.ellipse import vector_from_angles

    return vector_from_angles(label.ellipticity, label.pa)


def draw_profiles(ax, label, profile) -> None:
    """Truth within its extent, and what was measured."""
    from p2p_keras.profile.columns import plain_arrays
    from p2p_keras.profile.plots.panels import label_arrays
    from p2p_keras.profile.plots.style import BLUE, TRUTH, log_radius_axis

    sma, mu = label_arrays(label)
    measured = plain_arrays(profile)
    ax.fill_between(
        measured["sma"],
        measured["mu"] - measured["mu_err"],
        measured["mu"] + measured["mu_err"],
        color=BLUE,
        alpha=0.25,
        lw=0,
    )
    ax.plot(measured["sma"], measured["mu"], color=BLUE, lw=1.2)
    ax.plot(sma, mu, color=TRUTH, ls=(0, (4, 2)), lw=1.2)
    every = np.concatenate([sma, measured["sma"]])
    log_radius_axis(ax, 0.8 * every.min(), 1.3 * every.max())
    ax.invert_yaxis()


if __name__ == "__main__":
    main()
