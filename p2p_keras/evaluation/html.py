"""The report of an evaluation: one HTML file that needs nothing but itself.

Pictures are inside as PNG, the style too; there is no script, and a content security policy forbids a browser to fetch
anything. Everything flows in one column on a narrow window; wide tables scroll inside their own frame.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2p_keras.core.version import __version__
from p2p_keras.evaluation.coverage_figures import plot_coverage, plot_coverage_deciles
from p2p_keras.evaluation.drawings import DrawnGalaxy, galaxy_picture
from p2p_keras.evaluation.error_figures import plot_bias_by_mu, plot_error_by_mu, plot_error_by_radius, plot_violins
from p2p_keras.evaluation.report import band_table, decile_table, number, summary_rows, write_text
from p2p_keras.evaluation.run import Evaluation
from p2p_keras.evaluation.summary import DECILES, worst_galaxies
from p2p_keras.images.bands import sorted_bands
from p2p_keras.profile.plots.style import figure_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_FAILURES = 100
_CARD_DPI = 115

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1280px; padding: 1.5rem clamp(0.8rem, 3vw, 2.5rem) 4rem; color: #1a1a1a;
  background: #fff; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0.3rem 0 0.5rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 0.8rem; padding-bottom: 0.3rem; border-bottom: 1px solid #d8dee4; }
h3 { font-size: 1rem; margin: 1.4rem 0 0.5rem; }
p, li { max-width: 75ch; }
.about, .note, figcaption { color: #57606a; font-size: 0.9rem; }
.about code { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.28rem 0.8rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e7ebef; }
th:first-child, td:first-child { text-align: left; padding-left: 0.2rem; }
.summary th:first-child, .summary td:first-child { position: sticky; left: 0; background: #fff; white-space: normal;
  min-width: 10.5rem; }
.summary thead th { white-space: normal; min-width: 6.5rem; }
thead th { border-bottom: 2px solid #9aa4ae; font-weight: 600; vertical-align: bottom; }
tr.part td:first-child { padding-left: 1.2rem; color: #57606a; }
td.paper, th.paper { color: #57606a; }
.numbers { display: flex; flex-wrap: wrap; gap: 0.8rem; margin: 1.2rem 0; }
.numbers div { border: 1px solid #d8dee4; border-radius: 6px; padding: 0.6rem 1rem; min-width: 8.5rem; flex: 0 1 auto; }
.numbers b { display: block; font-size: 1.5rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.numbers span { font-size: 0.82rem; color: #57606a; }
.grid { display: grid; gap: 1.6rem 2rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 430px), 1fr)); }
.galaxies { display: grid; gap: 1.4rem 1.2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 235px), 1fr)); }
figure { margin: 0; }
figure img { display: block; width: 100%; height: auto; }
.galaxies img { max-width: 330px; margin: 0 auto; }
summary { cursor: pointer; font-weight: 600; margin: 0.8rem 0; }
@media (max-width: 600px) {
  body { font-size: 15px; padding-top: 0.8rem; }
  th, td { padding: 0.25rem 0.45rem; }
  table { font-size: 0.82rem; }
  .numbers div { flex: 1 1 40%; min-width: 0; padding: 0.5rem 0.7rem; }
}
"""


def write_report(
    evaluations: Sequence[Evaluation],
    summaries: Sequence[dict[str, Any]],
    drawn: dict[int, DrawnGalaxy],
    path: Path,
    *,
    examples: Sequence[int] = (),
    worst: int = 10,
    **about: Any,
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
    about
        What was evaluated, said at the top (data, split, command).

    Returns
    -------
    Path
    """
    names = ", ".join(e.model for e in evaluations)
    title = f"Evaluation of {names}" if names else "Evaluation"
    parts = [_head(title, about), _key_numbers(summaries), _summary(summaries)]
    if any(e.results for e in evaluations):
        parts += [_errors(evaluations, summaries), _calibration(summaries), _tables(summaries)]
    parts += [
        *(_worst(evaluation, drawn, worst, is_open=number == 0) for number, evaluation in enumerate(evaluations)),
        _examples(evaluations, drawn, examples),
        *(_failures(summary) for summary in summaries),
        _meaning(),
    ]
    page = _PAGE.format(title=escape(title), style=_STYLE, body="\n".join(part for part in parts if part))
    return write_text(path, page)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _head(title: str, about: dict[str, Any]) -> str:
    said = [f"{escape(key.replace('_', ' '))}: <code>{escape(str(value))}</code>" for key, value in about.items()]
    said.append(f"p2p_keras {escape(__version__)}")
    return f"<h1>{escape(title)}</h1>\n<p class='about'>{' &middot; '.join(said)}</p>"


def _key_numbers(summaries: Sequence[dict[str, Any]]) -> str:
    """Four figures of the first model that say most."""
    if not summaries:
        return ""
    first = summaries[0]
    shown = {
        "median error [mag], mu &le; 26.5": number(first["error_bright"]["median"]),
        "the worst tenth begins at [mag]": number(first["error_bright"]["worst_tenth"]),
        "off by &gt; 0.5 mag or missing": f"{100 * first['error_bright']['share_bad']:.1f} %",
        "truths inside 1 sigma": f"{100 * first['coverage']['one_sigma']:.0f} %",
        "galaxies": f"{first['galaxies']}",
    }
    cells = "".join(f"<div><b>{value}</b><span>{name}</span></div>" for name, value in shown.items())
    said = f"<p class='note'>{escape(first['model'])}:</p>" if len(summaries) > 1 else ""
    return f"{said}<div class='numbers'>{cells}</div>"


def _summary(summaries: Sequence[dict[str, Any]]) -> str:
    head = "".join(f"<th>{escape(s['model'])}</th>" for s in summaries)
    rows = []
    for title, cells, paper in summary_rows(summaries):
        kind = " class='part'" if title.startswith(" ") else ""
        values = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows.append(f"<tr{kind}><td>{_text(title.strip())}</td>{values}<td class='paper'>{escape(paper)}</td></tr>")
    return (
        "<h2>Figures</h2>\n<div class='scroll'><table class='summary'><thead><tr><th></th>"
        f"{head}<th class='paper'>Pix2Prof, as published</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        "<p class='note'>The published figures are of other galaxies, whose labels were drawn by hand, and of another "
        "machine: for scale only.</p>"
    )


def _errors(evaluations: Sequence[Evaluation], summaries: Sequence[dict[str, Any]]) -> str:
    bands = sorted_bands(r.band for e in evaluations for r in e.results)
    pictures = [
        _picture(plot_violins(evaluations)["axes"].figure, "Error of a profile: spread over galaxies. Bars: quartiles; "
                 "dot: median; tick: where the worst tenth begins; dotted: 0.5 mag."),
        _picture(plot_error_by_radius(evaluations)["axes"].figure, "Error against radius: median and quartiles."),
        _picture(plot_error_by_mu(evaluations)["axes"].figure, "Error against true surface brightness."),
        _picture(plot_bias_by_mu(evaluations)["axes"].figure, "Predicted minus true: above zero is too bright."),
    ]  # fmt: skip
    if len(bands) > 1:
        pictures += [
            _picture(
                plot_error_by_radius(evaluations, band=band)["axes"].figure,
                f"Error against radius, band {band or '?'}.",
            )
            for band in bands
        ]
    tables = [_titled_table(f"{s['model']}: bands", *band_table(s)) for s in summaries]
    return f"<h2>Errors</h2>\n{_grid(pictures)}\n{''.join(tables)}"


def _calibration(summaries: Sequence[dict[str, Any]]) -> str:
    pictures = [
        _picture(
            plot_coverage(summaries)["axes"].figure,
            "Truths found inside an interval against the share that it should hold; above the diagonal, uncertainties "
            "are too large.",
        )
    ]
    for key, meaning in DECILES.items():
        if any(s["deciles"][key] for s in summaries):
            figure = plot_coverage_deciles(summaries, key)["axes"].figure
            pictures.append(_picture(figure, f"Truths inside 1 sigma in the tenths of the radii by {meaning}."))
    return f"<h2>Uncertainties</h2>\n{_grid(pictures)}"


def _tables(summaries: Sequence[dict[str, Any]]) -> str:
    parts = []
    for summary in summaries:
        tables = [
            f"<div>{_titled_table(f'by {meaning}', *decile_table(summary, key))}</div>"
            for key, meaning in DECILES.items()
            if summary["deciles"][key]
        ]
        parts.append(f"<h3>{escape(summary['model'])}</h3>{_grid(tables)}")
    return f"<h2>Tenths of the radii</h2>\n{''.join(parts)}"


def _worst(evaluation: Evaluation, drawn: dict[int, DrawnGalaxy], count: int, *, is_open: bool) -> str:
    cards = []
    for place in worst_galaxies(evaluation, count):
        result = evaluation.results[place]
        missing = result.failure or "no radius in common"
        said = missing if isnan(result.error) else f"{number(result.error)} mag"
        caption = f"{result.name} {result.band}: {said}"
        if place in drawn:
            cards.append(_picture(galaxy_picture(drawn[place], evaluation.model), caption, dpi=_CARD_DPI))
        else:
            cards.append(f"<figure><figcaption>{escape(caption)}</figcaption></figure>")
    if not cards:
        return ""
    grid = f"<div class='galaxies'>{''.join(cards)}</div>"
    title = f"The worst galaxies of {escape(evaluation.model)}"
    return f"<h2>{title}</h2>\n{grid}" if is_open else f"<details><summary>{title}</summary>{grid}</details>"


def _examples(evaluations: Sequence[Evaluation], drawn: dict[int, DrawnGalaxy], places: Sequence[int]) -> str:
    shown = [place for place in places if place in drawn]
    if not shown:
        return ""
    model = evaluations[0].model
    cards = []
    for place in shown:
        result = evaluations[0].results[place]
        cards.append(_picture(galaxy_picture(drawn[place], model), f"{result.name} {result.band}", dpi=_CARD_DPI))
    return f"<h2>Galaxies chosen by chance</h2>\n<div class='galaxies'>{''.join(cards)}</div>"


def _failures(summary: dict[str, Any]) -> str:
    found = summary["failures"]
    if not found:
        return ""
    shown = "".join(
        f"<li>{escape(f['name'])} {escape(f['band'])}: {escape(f['cause'])}</li>" for f in found[:_MAX_FAILURES]
    )
    more = f"<li>and {len(found) - _MAX_FAILURES} more</li>" if len(found) > _MAX_FAILURES else ""
    title = f"{escape(summary['model'])}: {len(found)} without a profile"
    return f"<details><summary>{title}</summary><ul>{shown}{more}</ul></details>"


def _meaning() -> str:
    return (
        "<h2>What the figures are</h2>\n<p class='note'>The error of a profile is the median over its radii of "
        "|&mu;<sub>true</sub> &minus; &mu;<sub>pred</sub>| (Smith et al. 2021), over the truth's extent and where "
        "&mu;<sub>true</sub> &le; 26.5. A galaxy without a profile counts as infinitely wrong in medians, quartiles "
        "and the worst tenth. Only radii that a profile reaches count, so the share of the truth's radii reached "
        "stands beside the error. Ellipses are compared from 2 px outward, position angles where the truth has "
        "e &gt; 0.25.</p>"
    )


def _text(words: str) -> str:
    """Words for the page, in its own signs."""
    return escape(words).replace("&lt;=", "&le;").replace("^-2", "<sup>&minus;2</sup>").replace("mu ", "&mu; ")


def _titled_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<div class='scroll'><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    return f"<h3>{_text(title)}</h3>{table}"


def _grid(parts: Sequence[str]) -> str:
    return f"<div class='grid'>{''.join(parts)}</div>"


def _picture(figure: Figure, caption: str, *, dpi: int = 150) -> str:
    """A figure as an image inside the page, with its words below and for those who can't see it."""
    data = base64.b64encode(figure_bytes(figure, dpi=dpi)).decode("ascii")
    source = f"data:image/png;base64,{data}"
    width, height = (round(96 * side) for side in figure.get_size_inches())
    said = _text(caption)
    return (
        f"<figure><img src='{source}' width='{width}' height='{height}' alt='{escape(caption, quote=True)}'>"
        f"<figcaption>{said}</figcaption></figure>"
    )
