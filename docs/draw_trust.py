"""Draw whether the uncertainties and `p_bad` of a model hold, from what ``benchmarks/troubles.py`` wrote.

``python docs/draw_trust.py PICTURE.png TITLE=FOLDER [TITLE=FOLDER ...]``, each FOLDER with a ``troubles.json``. Above:
the share of true surface brightnesses inside 1 sigma, in fifths of all radii by uncertainty, by signal-to-noise ratio
and by the galaxy's size. Below: in bins of `p_bad`, the share of profiles that are off by more than 0.1 mag, all sets
together.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import click
import matplotlib as mpl
import numpy as np

AXES = {"mu_err": "uncertainty (small to large)", "snr": "signal-to-noise ratio", "r50_px": "half-light radius"}


@click.command()
@click.argument("picture", type=click.Path(dir_okay=False))
@click.argument("sets", nargs=-1, required=True)
def main(picture: str, sets: tuple[str, ...]) -> None:
    """Draw PICTURE from sets given as TITLE=FOLDER."""
    from p2p_keras.profile.plots import STYLE, save_figure
    from p2p_keras.profile.plots.style import new_figure

    contents = {}
    for item in sets:
        title, _, folder = item.rpartition("=")
        contents[title or folder] = json.loads((Path(folder) / "troubles.json").read_text(encoding="utf-8"))
    with mpl.rc_context(STYLE | {"font.size": 9}):
        figure = new_figure(9.0, 5.6)
        above, below = figure.subfigures(2, 1, height_ratios=[1.0, 1.1])
        draw_coverage(above, contents)
        draw_reliability(below, [galaxy for content in contents.values() for galaxy in content["galaxies"]])
        save_figure(figure, picture, dpi=110)


def draw_coverage(figure, contents: dict[str, dict]) -> None:
    """A panel for each quantity, a line for each set."""
    axes = figure.subplots(1, len(AXES), sharey=True)
    for ax, (name, words) in zip(axes, AXES.items(), strict=True):
        ax.axhspan(63, 73, color="0.9", lw=0)
        ax.axhline(68.3, color="0.4", lw=0.8)
        for title, content in contents.items():
            shares = [100 * part["one_sigma"] for part in content["coverage"]["fifths"][name]]
            ax.plot(range(1, 1 + len(shares)), shares, marker="o", ms=3, lw=1.2, label=title)
        ax.set(xlabel=f"fifth by {words}", ylim=(40, 100), xticks=range(1, 6))
    axes[0].set_ylabel("truths inside 1 sigma [%]")
    axes[-1].legend(fontsize=7, frameon=False)


def draw_reliability(figure, galaxies: list[dict]) -> None:
    """Said and found shares of bad profiles; and how many profiles have which `p_bad`."""
    from p2p_keras.profile.plots.style import BLUE, ORANGE

    left, right = figure.subplots(1, 2)
    present = [galaxy for galaxy in galaxies if galaxy["rows"] and galaxy["p_bad"] is not None]
    p_bad = np.array([galaxy["p_bad"] for galaxy in present], dtype=float)
    bad = np.array([not (galaxy["error"] or np.inf) <= 0.1 for galaxy in present])
    edges = (0.0, 0.02, 0.05, 0.15, 0.3, 0.6, 1.0)
    left.plot([0.003, 1], [0.003, 1], color="0.4", lw=0.8)
    left.fill_between([0.003, 1], np.array([0.003, 1]) / 1.5, np.array([0.003, 1]) * 1.5, color="0.9", lw=0)
    for low, high in itertools.pairwise(edges):
        at = (p_bad >= low) & (p_bad < high if high < 1 else p_bad <= 1)
        if at.any():
            number, wrong = int(at.sum()), int(bad[at].sum())
            # 68 % interval of a binomial share, Wilson's.
            share, spread = (
                (wrong + 0.5) / (number + 1),
                np.sqrt((wrong + 0.5) * (number - wrong + 0.5)) / (number + 1) ** 1.5,
            )
            left.errorbar(p_bad[at].mean(), max(share, 0.003), yerr=spread, fmt="o", ms=4, color=BLUE)
            left.annotate(f"{wrong} of {number}", (p_bad[at].mean(), max(share, 0.003)), (6, -9),
                          textcoords="offset points", fontsize=7)  # fmt: skip
    left.set(xscale="log", yscale="log", xlim=(0.003, 1.2), ylim=(0.002, 1.5), xlabel=r"mean $p_{\rm bad}$ of the bin")
    left.set_ylabel("share off by more than 0.1 mag")
    bins = np.geomspace(1e-3, 1, 25)
    clipped = np.clip(p_bad, 1.001e-3, 0.999)
    right.hist([clipped[~bad], clipped[bad]], bins=bins, stacked=True, color=[BLUE, ORANGE], label=["good", "bad"])
    for limit in (0.05, 0.3):
        right.axvline(limit, color="0.4", lw=0.8, ls=":")
    right.set(xscale="log", xlabel=r"$p_{\rm bad}$", ylabel="profiles")
    right.legend(fontsize=8, frameon=False)


if __name__ == "__main__":
    main()
