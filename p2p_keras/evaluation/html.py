"""The report of an evaluation: one HTML file that needs nothing but itself.

Pictures are inside as PNG, the style too; there is no script, and a content security policy forbids a browser to fetch
anything. Everything flows in one column on a narrow window; wide tables scroll inside their own frame. The page itself
is ``templates/report.html``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

from p2p_keras.core.atomic_files import write_content
from p2p_keras.core.version import __version__
from p2p_keras.evaluation.coverage_figures import plot_coverage, plot_coverage_deciles
from p2p_keras.evaluation.drawings import DrawnGalaxy, galaxy_picture
from p2p_keras.evaluation.error_figures import plot_bias_by_mu, plot_error_by_mu, plot_error_by_radius, plot_violins
from p2p_keras.evaluation.report import band_table, decile_table, number, summary_rows
from p2p_keras.evaluation.run import Evaluation
from p2p_keras.evaluation.summary import DECILES, worst_galaxies
from p2p_keras.images.bands import sorted_bands
from p2p_keras.profile.plots.style import figure_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_report"]

_MAX_FAILURES = 100
_CARD_DPI = 115


class _Picture(NamedTuple):
    """An image for the page with the words below it; without a source the words alone."""

    caption: str
    source: str = ""
    width: int = 0
    height: int = 0


def write_report(
    evaluations: Sequence[Evaluation],
    summaries: Sequence[dict[str, Any]],
    drawn: dict[int, DrawnGalaxy],
    path: Path,
    *,
    examples: Sequence[int] = (),
    worst: int = 10,
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write the report of one or several models.

    Parameters
    ----------
    evaluations, summaries : sequences
        Of the same models.
    drawn : dict
        Galaxies by their place in the set (`p2p_keras.evaluation.drawings.galaxies_at`): the worst ones and examples.
    path : Path
    examples : sequence of int
        Places of the galaxies shown as examples.
    worst : int
        How many of the worst galaxies of each model are shown.
    about : mapping, optional
        What was evaluated, shown at the top (data, split, command).

    Returns
    -------
    Path
    """
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("p2p_keras.evaluation"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters |= {"signs": _signs, "number": number}
    names = ", ".join(e.model for e in evaluations)
    measured = any(e.results for e in evaluations)
    page = pages.get_template("report.html").render(
        title=f"Evaluation of {names}" if names else "Evaluation",
        about=about or {},
        version=__version__,
        summaries=summaries,
        summary_rows=summary_rows(summaries),
        errors=list(_error_pictures(evaluations)) if measured else [],
        band_tables=[(f"{s['model']}: bands", *band_table(s)) for s in summaries],
        coverage=list(_coverage_pictures(summaries)) if measured else [],
        decile_tables={s["model"]: _decile_tables(s) for s in summaries},
        first_model=evaluations[0].model if evaluations else "",
        worst={e.model: list(_worst_galaxies(e, drawn, worst)) for e in evaluations},
        examples=[_galaxy(evaluations[0], place, drawn) for place in examples if place in drawn],
        most_failures=_MAX_FAILURES,
    )
    return write_content(path, page)


def _error_pictures(evaluations: Sequence[Evaluation]) -> Iterator[_Picture]:
    yield _picture(
        plot_violins(evaluations)["axes"].figure,
        "Error of a profile: spread over galaxies. Bars: quartiles; dot: median; tick: where the worst tenth begins; "
        "dotted: 0.5 mag.",
    )
    yield _picture(plot_error_by_radius(evaluations)["axes"].figure, "Error against radius: median and quartiles.")
    yield _picture(plot_error_by_mu(evaluations)["axes"].figure, "Error against true surface brightness.")
    yield _picture(plot_bias_by_mu(evaluations)["axes"].figure, "Predicted minus true: above zero is too bright.")
    bands = sorted_bands(r.band for e in evaluations for r in e.results)
    for band in bands if len(bands) > 1 else ():
        figure = plot_error_by_radius(evaluations, band=band)["axes"].figure
        yield _picture(figure, f"Error against radius, band {band or '?'}.")


def _coverage_pictures(summaries: Sequence[dict[str, Any]]) -> Iterator[_Picture]:
    yield _picture(
        plot_coverage(summaries)["axes"].figure,
        "Truths found inside an interval against the share that it should hold; above the diagonal, uncertainties are "
        "too large.",
    )
    for key, meaning in DECILES.items():
        if any(s["deciles"][key] for s in summaries):
            figure = plot_coverage_deciles(summaries, key)["axes"].figure
            yield _picture(figure, f"Truths inside 1 sigma in the tenths of the radii by {meaning}.")


def _decile_tables(summary: dict[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, head and rows of the tables of one model."""
    return [
        (f"by {meaning}", *decile_table(summary, key)) for key, meaning in DECILES.items() if summary["deciles"][key]
    ]


def _worst_galaxies(evaluation: Evaluation, drawn: dict[int, DrawnGalaxy], count: int) -> Iterator[_Picture]:
    for place in worst_galaxies(evaluation, count):
        result = evaluation.results[place]
        missing = result.failure or "no radius in common"
        yield _galaxy(evaluation, place, drawn, missing if isnan(result.error) else f"{number(result.error)} mag")


def _galaxy(evaluation: Evaluation, place: int, drawn: dict[int, DrawnGalaxy], words: str = "") -> _Picture:
    """A galaxy with the ellipses of a model, as far as it could be drawn."""
    result = evaluation.results[place]
    caption = f"{result.name} {result.band}" + (f": {words}" if words else "")
    if place not in drawn:
        return _Picture(caption)
    return _picture(galaxy_picture(drawn[place], evaluation.model), caption, dpi=_CARD_DPI)


def _picture(figure: Figure, caption: str, *, dpi: int = 150) -> _Picture:
    data = base64.b64encode(figure_bytes(figure, dpi=dpi)).decode("ascii")
    width, height = (round(96 * side) for side in figure.get_size_inches())
    return _Picture(caption, f"data:image/png;base64,{data}", width, height)


def _signs(words: str) -> Markup:
    """Words with the signs that text tables spell out: mu, <=, ^-2."""
    text = str(escape(words))
    return Markup(text.replace("&lt;=", "&le;").replace("^-2", "<sup>&minus;2</sup>").replace("mu ", "&mu; "))
