"""Evaluation: known wrongs come out as the figures that they are."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner

from p2p_keras.core.growth import curve_of_growth
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.evaluate import main
from p2p_keras.evaluation import compare_with_truth, evaluate_models, summarise_evaluation
from p2p_keras.evaluation.drawings import measured_profile, random_galaxies
from p2p_keras.evaluation.report import text_tables, write_json
from p2p_keras.evaluation.run import image_of_label
from p2p_keras.measure.predictor import Predictor

SCALE, ZERO = 0.4, 22.5
SMA_PX = 0.5 * np.exp(np.arange(64) * np.log(0.65 * 96 / 0.5) / 63)


def label_of(seed: int, *, name: str | None = None) -> LabelledGalaxy:
    """An elliptical exponential disc of exactly known profile."""
    rng = np.random.default_rng(seed)
    flux, h = rng.uniform(300, 900), rng.uniform(5, 8)
    e, pa, noise = 0.4, rng.uniform(0, 180), 0.02
    y, x = np.mgrid[:96, :96] - 47.5
    t = np.deg2rad(pa)
    r = np.hypot(x * np.cos(t) + y * np.sin(t), (y * np.cos(t) - x * np.sin(t)) / (1 - e))
    central = flux / (2 * np.pi * h**2 * (1 - e))
    pixels = central * np.exp(-r / h) + rng.normal(0, noise, r.shape)
    mu = ZERO - 2.5 * np.log10(central * np.exp(-SMA_PX / h) / SCALE**2)
    fill = np.ones(64)
    return LabelledGalaxy(
        name or f"g{seed}", "gr"[seed % 2], pixels.astype(np.float32), ZERO, SCALE, SMA_PX * SCALE, mu, e * fill,
        pa * fill,
        x0=47.5, y0=47.5, extent=float(SMA_PX[50] * SCALE), mag_total=ZERO - 2.5 * np.log10(flux), noise=noise, sky=0.0,
    )  # fmt: skip


def outputs_of(label: LabelledGalaxy, *, dmu=0.0, de=0.0, dpa=0.0, dx=0.0, dmag=0.0, last=50, mu_err=0.1):
    """Raw outputs that are the truth but for the given wrongs."""
    growth = curve_of_growth(SMA_PX, 10 ** (0.4 * (ZERO - label.mu)) * SCALE**2, label.ellipticity)
    return {
        "sma": label.sma,
        "mu": label.mu + dmu,
        "mu_err": np.full(64, mu_err),
        "ellipticity": label.ellipticity + de,
        "pa": (label.pa + dpa) % 180,
        "growth": ZERO - 2.5 * np.log10(growth) + dmag,
        "valid": np.arange(64) <= last,
        "x0": label.x0 + dx,
        "y0": label.y0,
        "extent": label.sma[last],
        "mag_total": label.mag_total + dmag,
        "sky": 0.0,
    }


class KnownWrongs:
    """A backend that returns the truth with known wrongs; galaxies are told apart by their pixels."""

    name, version, path = "wrongs", "1", Path("wrongs")

    def __init__(self, labels, **wrongs):
        self.known = {float(label.image.sum()): outputs_of(label, **wrongs) for label in labels}

    def run(self, image, zero_point, pixel_scale):
        outputs = [self.known[float(one.sum())] for one in image]
        return {key: np.stack([np.asarray(o[key]) for o in outputs]) for key in outputs[0]}


def test_known_wrongs_come_out():
    """Errors of brightness, geometry, centre and totals would be misreported."""
    label = label_of(3)
    result = compare_with_truth(label, outputs_of(label, dmu=0.2, de=0.05, dpa=-7.0, dx=3.0, dmag=0.3))
    assert result.error == pytest.approx(0.2)
    assert result.error_bright == pytest.approx(0.2)
    assert result.ellipticity_error == pytest.approx(0.05, abs=1e-6)
    assert result.pa_error == pytest.approx(7.0, abs=1e-6)
    assert result.centre_error == pytest.approx(3.0)
    assert result.mag_error == pytest.approx(0.3)
    assert result.r50_error == pytest.approx(0.0, abs=0.01)
    assert (result.completeness, result.extent_ratio) == (1.0, pytest.approx(1.0))
    assert result.extent_px == pytest.approx(SMA_PX[50])


def test_truth_ends_at_its_extent():
    """Radii where the galaxy can't be seen would count against, or for, a model."""
    label = label_of(4)
    assert compare_with_truth(label, outputs_of(label, last=63)).sma_px.size == 51
    short = compare_with_truth(label, outputs_of(label, last=25))
    assert short.completeness == pytest.approx(26 / 51)
    assert short.extent_ratio < 0.5


def test_without_prediction_all_is_nan():
    """A galaxy that a model can't measure would stop the evaluation or count as perfect."""
    label = label_of(5)
    result = compare_with_truth(label, outputs_of(label, last=-1))
    assert result.failure
    assert np.isnan([result.error, result.centre_error, result.mag_error, result.pa_error]).all()


def test_offset_of_a_padded_image_is_undone():
    """Centres of small images would seem off by the padding."""
    label = label_of(5)
    assert compare_with_truth(label, outputs_of(label, dx=10.0), offset=(-10, 0)).centre_error == pytest.approx(0.0)


def test_summary_of_many(tmp_path):
    """The figures of the table would not be those of the galaxies."""
    labels = [label_of(seed) for seed in range(12)]
    broken = label_of(99, name="broken")
    broken.image = np.full_like(broken.image, np.nan)
    predictors = [Predictor(KnownWrongs(labels, dmu=dmu, mu_err=0.3)) for dmu in (0.1, 0.6)]
    seen = []
    evaluations = evaluate_models(predictors, [*labels, broken], batch_size=5, on_galaxy=lambda: seen.append(1))
    assert len(seen) == 13
    assert [r.name for r in evaluations[0].results] == [label.name for label in [*labels, broken]]
    good, bad = (summarise_evaluation(evaluation) for evaluation in evaluations)
    assert good["error"]["median"] == pytest.approx(0.1)
    assert (good["error"]["missing"], good["error"]["count"]) == (1, 13)
    assert good["error_bright"]["missing"] == 1
    assert bad["error"]["share_bad"] == 1.0
    assert (good["coverage"]["one_sigma"], bad["coverage"]["one_sigma"]) == (1.0, 0.0)
    assert bad["coverage"]["two_sigma"] == 0.0
    assert good["failures"][0]["name"] == "broken"
    assert list(good["bands"]) == ["g", "r"]
    assert good["bands"]["g"]["error"]["median"] == pytest.approx(0.1)
    # All residuals are a third of a sigma: intervals that should hold 25 % hold nothing, those of 30 % everything.
    curve = {point["expected"]: point["found"] for point in good["coverage"]["curve"]}
    assert (curve[0.25], curve[0.3], curve[0.99]) == (0.0, 1.0, 1.0)
    assert good["worst"][0] == {"name": "broken", "band": broken.band, "error": pytest.approx(np.nan, nan_ok=True)} | {
        "cause": good["failures"][0]["cause"]
    }
    for key in ("mu", "size", "snr"):
        parts = good["deciles"][key]
        assert len(parts) == 10
        assert all(a["high"] <= b["low"] for a, b in pairwise(parts))
        assert all(part["bias"] == pytest.approx(0.1) for part in parts)
    assert "0.100" in text_tables([good, bad])
    written = json.loads(write_json([good, bad], tmp_path / "e.json", {"split": "test"}).read_text())
    assert written["models"][0]["error"]["median"] == pytest.approx(0.1)
    assert written["split"] == "test"
    assert written["models"][1]["scalars"]["centre_px"]["count"] == 12


def test_nothing_known_still_sums_up(tmp_path):
    """Labels without geometry, noise or extent, or an empty set, would stop the evaluation."""
    label = label_of(7)
    label.ellipticity = label.pa = None
    label.noise = label.extent = label.mag_total = label.x0 = float("nan")
    raw = outputs_of(label_of(7), dmu=0.1)
    assert compare_with_truth(label, raw).error == pytest.approx(0.1)
    summary = summarise_evaluation(evaluate_models([Predictor(KnownWrongs([label_of(7)]))], [label])[0])
    assert summary["deciles"]["snr"] == []
    empty = summarise_evaluation(evaluate_models([Predictor(KnownWrongs([]))], [])[0])
    text_tables([summary, empty])
    json.loads(write_json([summary, empty], tmp_path / "e.json").read_text(), parse_constant=pytest.fail)


def test_program_prints_and_writes_everything(tmp_path, monkeypatch):
    """``python -m p2p_keras.evaluate`` would fail, or leave no report, table or figure of the paper."""
    labels = [label_of(seed) for seed in range(6)]
    monkeypatch.setattr("p2p_keras.data.shards.find_shards", lambda data, split: [tmp_path / "test"])
    monkeypatch.setattr("p2p_keras.data.shards.read_shards", lambda paths: iter(labels))
    monkeypatch.setattr("p2p_keras.evaluation.drawings.read_shards", lambda paths: iter(labels))
    monkeypatch.setattr(Predictor, "load", lambda model, threads=None: Predictor(KnownWrongs(labels, dmu=0.1)))
    out = tmp_path / "out"
    command = ["--data", "shards", "--output", str(out), "--examples", "2", "--worst", "1", "--figures", "png"]
    result = CliRunner().invoke(main, [*command, "--model", "a", "--model", "b"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "worst tenth" in result.stdout
    assert {p.name for p in out.iterdir()} == {"evaluation.json", "galaxies.ecsv", "report.html", "figures"}
    figures = {"figure1-galaxies.png", "figure3-predictions.png", "figure4-violins.png", "figure5-radius.png"}
    assert {p.name for p in (out / "figures").iterdir()} == figures
    table = Table.read(out / "galaxies.ecsv")
    assert (len(table), table["error"].unit) == (12, "mag / arcsec2")
    np.testing.assert_allclose(table["error"], 0.1, atol=1e-6)
    assert set(table["model"]) == {"wrongs 1 (wrongs) #1", "wrongs 1 (wrongs) #2"}


def test_program_says_what_is_missing(tmp_path):
    """A wrong folder or split would end in a traceback."""
    result = CliRunner().invoke(main, ["--data", str(tmp_path / "nothing")])
    assert result.exit_code == 2
    assert "nothing" in result.stderr


def test_bright_error_counts_whom_the_truth_allows():
    """A prediction that reaches no bright radius of a bright galaxy would vanish from the paper's second figure."""
    label = label_of(3)
    label.mu = label.mu + 4.0
    outputs = outputs_of(label)
    # The prediction begins where the truth is fainter than 26.5.
    faint = label.mu > 26.5
    assert 0 < faint[:51].sum() < 51
    outputs["valid"] = faint & (np.arange(64) <= 50)
    missed = compare_with_truth(label, outputs)
    assert missed.has_bright
    assert np.isnan(missed.error_bright)
    assert np.isfinite(missed.error)
    label.mu = label.mu + 10.0
    assert not compare_with_truth(label, outputs_of(label)).has_bright


def test_figures_show_what_was_measured():
    """The worst galaxies would be drawn with another profile than the one that was judged."""
    label = label_of(3)
    result = compare_with_truth(label, outputs_of(label, dmu=0.2))
    profile = measured_profile(result, image_of_label(label))
    np.testing.assert_allclose(profile["mu"].value, label.mu[:51] + 0.2, atol=1e-4)
    nothing = measured_profile(compare_with_truth(label, outputs_of(label, last=-1)), image_of_label(label))
    assert len(nothing) == 0
    assert "no_profile" in nothing.meta["flags"]


def test_choice_by_chance_is_repeatable():
    """Two reports on the same data would show different galaxies."""
    labels = [label_of(seed) for seed in range(9)]
    evaluations = evaluate_models([Predictor(KnownWrongs(labels))], labels)
    assert random_galaxies(evaluations, 4) == random_galaxies(evaluations, 4)
    assert len(set(random_galaxies(evaluations, 4))) == 4
    assert random_galaxies(evaluations, 99) == list(range(9))
    assert random_galaxies([], 3) == []
