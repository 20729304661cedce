"""Figures of an evaluation: that they show the numbers of the tables, for any set and number of models."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.evaluation import Evaluation, GalaxyResult, summarise_evaluation
from p2p_keras.evaluation.coverage_figures import plot_coverage, plot_coverage_deciles
from p2p_keras.evaluation.error_figures import (
    plot_bias_by_mu,
    plot_error_by_mu,
    plot_error_by_radius,
    plot_violins,
    radius_figure,
    violins_figure,
)


def evaluation(
    model: str, *, error: float = 0.1, galaxies: int = 30, missing: int = 0, mu_err: float = 0.1
) -> Evaluation:
    """Galaxies whose residuals are normal with a scatter of `error` at every radius, every second one in band g."""
    rng = np.random.default_rng(1)
    results = []
    for number in range(galaxies):
        sma, mu = np.geomspace(0.5, 60, 40), np.linspace(18, 27, 40)
        residual = rng.normal(0, error, 40)
        typical = float(np.median(np.abs(residual)))
        results.append(
            GalaxyResult(
                f"g{number}", "gr"[number % 2], typical, typical, sma_px=sma, mu_true=mu, residual=residual,
                mu_err=np.full(40, mu_err), snr=np.full(40, 20.0) + sma, extent_px=60.0,
            )
        )  # fmt: skip
    for result in range(missing):
        results[result] = GalaxyResult(f"g{result}", "r", failure="no source")
    return Evaluation(model, results, 1.0)


def test_trend_is_the_median_of_the_error():
    """The figure of error against radius would show something else than the median and quartiles."""
    artists = plot_error_by_radius([evaluation("a", error=0.1, galaxies=200)])
    # The median of |x| of a normal is 0.6745 sigma.
    np.testing.assert_allclose(10 ** artists["a"]["line"].get_ydata(), 0.06745, rtol=0.15)
    edges = 10 ** artists["a"]["band"].get_paths()[0].vertices[:, 1]
    assert np.median(edges[edges < 0.06]) == pytest.approx(0.0319, rel=0.15)
    assert np.median(edges[edges > 0.07]) == pytest.approx(0.115, rel=0.15)
    assert artists["axes"].get_xlim()[0] < 0.5 < 60 < artists["axes"].get_xlim()[1]


def test_bias_points_to_bright():
    """A model that is too bright would be drawn as too faint."""
    one = evaluation("a", error=0.01)
    for result in one.results:
        result.residual[:] -= 0.3
    artists = plot_bias_by_mu([one])
    np.testing.assert_allclose(artists["a"]["line"].get_ydata(), -0.3, atol=0.02)
    low, high = artists["axes"].get_ylim()
    assert low > 0 > high


def test_bands_are_apart():
    """Figure 5 would show all galaxies in every band's panel."""
    one = evaluation("a", error=0.1)
    for result in one.results:
        if result.band == "g":
            result.residual[:] *= 10
    ratio = 10 ** (
        np.median(plot_error_by_radius([one], band="g")["a"]["line"].get_ydata())
        - np.median(plot_error_by_radius([one], band="r")["a"]["line"].get_ydata())
    )
    assert ratio == pytest.approx(10, rel=0.3)
    figure = radius_figure([one])
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert texts == ["all", "$g$", "$r$"]
    figure.canvas.draw()


def test_violins_count_the_missing():
    """A model that fails on hard galaxies would look better in the figure than in the table."""
    some = evaluation("some", missing=0)
    fails = evaluation("fails", missing=18)
    artists = plot_violins([some, fails])
    assert sum(violin is not None for violin in artists["violins"]) == 4
    names = [label.get_text().split("\n")[0] for label in artists["axes"].get_yticklabels()]
    assert names == ["some", "some", "fails", "fails"]
    # More than half are missing: there is no finite median to write.
    medians = [text.get_text() for text in artists["axes"].texts]
    assert len(medians) == 2
    assert float(medians[0]) == pytest.approx(np.median([r.error for r in some.results]), abs=6e-4)
    violins_figure([some, fails]).canvas.draw()


def test_coverage_of_honest_and_of_small_uncertainties():
    """Uncertainties half as large as they should be would lie on the diagonal."""
    honest = summarise_evaluation(evaluation("honest", galaxies=300))
    small = summarise_evaluation(evaluation("small", galaxies=300, mu_err=0.05))
    artists = plot_coverage([honest, small])
    expected, inside = artists["honest"].get_data()
    np.testing.assert_allclose(inside, expected, atol=2.0)
    assert (artists["small"].get_ydata()[5:15] < artists["small"].get_xdata()[5:15] - 8).all()
    deciles = plot_coverage_deciles([honest, small], "mu")
    np.testing.assert_allclose(deciles["honest"].get_ydata(), 68.3, atol=5)
    np.testing.assert_allclose(deciles["small"].get_ydata(), 38.3, atol=5)


@pytest.mark.parametrize("results", [[], [GalaxyResult("g", "", failure="no source")]])
def test_nothing_measured_is_drawn(results):
    """An evaluation in which nothing was measured would end in a traceback, or show an error of nothing."""
    nothing = Evaluation("nothing", results)
    summary = summarise_evaluation(nothing)
    figures = [violins_figure([nothing]), radius_figure([nothing]), violins_figure([]), radius_figure([])]
    panels = [plot_error_by_mu([nothing]), plot_bias_by_mu([nothing]), plot_coverage([summary])]
    panels += [plot_coverage_deciles([summary], key) for key in ("mu", "size", "snr")]
    for figure in figures + [artists["axes"].figure for artists in panels]:
        figure.canvas.draw()
    assert plot_violins([nothing])["violins"] == [None, None]
    assert all("nothing" not in trends for trends in panels[:2])
    for artists in panels[2:]:
        assert not np.isfinite(np.asarray(artists["nothing"].get_ydata(), float)).any()
