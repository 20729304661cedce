"""How a model fares with each kind of trouble: errors, missing profiles, uncertainties, outskirts, sky, quality.

    python -m p2p_keras.simulate --troubles --count 416 --seed 7 --output data/troubles   # eight galaxies of each kind
    python benchmarks/troubles.py --data data/troubles [--model MODEL] [--output FOLDER]

Any folder of shards will do: galaxies are grouped by the trouble in their origin, else by their survey. Without --data
a test bed is made first. FOLDER gets ``troubles.json`` (all figures, and those of each galaxy) and ``troubles.txt``
(what is printed); ``docs/draw_trust.py`` draws coverage from it. Figures count missing profiles as wrong;
those of all galaxies leave out the kinds that nobody can measure, which have a line of their own.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import re
import tempfile
from pathlib import Path

import click
import numpy as np

OFF, BAD = 0.5, 0.1
"""Errors, mag, above which a profile is off, and bad; one that is missing is both."""

OUTSKIRTS = 0.03, 0.5
"""Intensities, in units of the pixel noise, over which outskirts are compared."""

_GEOMETRY = "sma", "ellipticity", "pa"

P_BAD_EDGES = (0.0, 0.05, 0.15, 0.3, 0.6, 1.0)
BATCH = 16


@click.command(context_settings={"show_default": True})
@click.option("--data", type=click.Path(exists=True), multiple=True, help="Folder of shards; made where none is given.")
@click.option("--split", default=None, help="Only this split of the shards.")
@click.option("--model", default=None, help="Model folder or file; the shipped one by default.")
@click.option("--count", default=416, help="Galaxies to make, or to read at most of each folder.")
@click.option("--seed", default=7, help="Of the galaxies to make.")
@click.option("--size", default=256, help="Of their images, pixels.")
@click.option("--output", type=click.Path(file_okay=False), help="Folder for troubles.json and troubles.txt.")
def main(data, split, model, count: int, seed: int, size: int, output: str | None) -> None:
    """Measure a test bed and print its tables."""
    from p2p_keras import Predictor

    predictor = Predictor.load(model)
    with tempfile.TemporaryDirectory() as folder:
        if not data:
            from p2p_keras.data.mocks.generate import generate
            from p2p_keras.data.mocks.job import Job

            generate(Job("sdss", count, seed, size, {"test": 1.0}, troubles=True), folder, workers=1)
            data = (folder,)
        galaxies = [row for place in data for row in measure(predictor, place, split, count)]
    name = f"{predictor.model_name} {predictor.model_version}".strip()
    summary = {"model": name, "data": [str(place) for place in data]} | summarise(galaxies)
    text = tables(summary)
    click.echo(text)
    if output:
        from p2p_keras.core.atomic_files import write_content
        from p2p_keras.evaluation.report import plain

        content = plain(summary | {"galaxies": galaxies})
        write_content(Path(output) / "troubles.json", json.dumps(content, indent=1) + "\n")
        write_content(Path(output) / "troubles.txt", text + "\n")


def measure(predictor, data: str, split: str | None, count: int) -> list[dict]:
    """One row of figures for each galaxy of some shards."""
    from itertools import islice

    from p2p_keras.core.errors import InputError
    from p2p_keras.data.shards import find_shards, read_shards
    from p2p_keras.evaluation.run import image_of_label

    rows = []
    galaxies = islice(read_shards(find_shards(data, split)), count)
    while labels := list(islice(galaxies, BATCH)):
        images = {}
        for number, label in enumerate(labels):
            with contextlib.suppress(InputError):  # refused, as a user's image would be: no profile
                images[number] = image_of_label(label)
        profiles = dict(zip(images, predictor.predict_batch(images.values()), strict=True))
        rows += [compare(label, profiles.get(number)) for number, label in enumerate(labels)]
    return rows


def kind_of(origin: str) -> str:
    """The group of a galaxy."""
    from p2p_keras.data.mocks.troubles import trouble_of

    survey = re.search(r"\bsurvey=(\S+)", origin)
    return trouble_of(origin) or (survey[1] if survey else "all")


def compare(label, profile) -> dict:
    """Figures of one galaxy; `profile` is None where it was refused, and may have no rows."""
    from p2p_keras.core.accuracy import profile_residuals
    from p2p_keras.core.units import FAINT_MU, intensity_from_mu
    from p2p_keras.evaluation.galaxy import annulus_snr_of, geometry_errors, half_light_radius, within_extent

    meta = profile.meta if profile is not None else {}
    row = {"name": label.name, "kind": kind_of(label.origin), "error": math.nan, "inside": [0, 0], "outskirts": []}
    row |= {"quality": meta.get("quality", 4), "p_bad": meta.get("p_bad", math.nan), "flags": meta.get("flags", [])}
    row |= {"sky": math.nan, "mag": math.nan, "rows": 0 if profile is None else len(profile)}
    row |= {
        "ellipticity": math.nan,
        "pa": math.nan,
        "pulls": {},
        "r50_px": half_light_radius(label) / label.pixel_scale,
    }
    row |= {"radii": {"pull": [], "mu_err": [], "snr": []}}
    if profile is None or not len(profile):
        return row
    columns = [np.asarray(getattr(profile[name], "value", profile[name]), float) for name in ("sma", "mu", "mu_err")]
    sma, mu = within_extent(label)
    residuals = profile_residuals(sma, mu, *columns, faintest=FAINT_MU)
    if residuals.residual.size:
        row["error"] = float(np.median(np.abs(residuals.residual)))
        row["inside"] = [int(np.sum(np.abs(residuals.residual) <= residuals.mu_err)), int(residuals.residual.size)]
        snr = annulus_snr_of(label, residuals.sma, residuals.mu_true)
        row["radii"] = {"pull": residuals.residual / residuals.mu_err, "mu_err": residuals.mu_err, "snr": snr}
        row["radii"] = {name: values.tolist() for name, values in row["radii"].items()}
    measured = {name: np.asarray(getattr(profile[name], "value", profile[name]), float) for name in _GEOMETRY}
    # Angles of mocks are from +x in truth and table alike: shards have no WCS.
    row["ellipticity"], row["pa"] = geometry_errors(label, measured)
    every = profile_residuals(label.sma, label.mu, *columns)
    if np.isfinite(label.noise) and label.noise > 0:
        intensity = intensity_from_mu(every.mu_true, label.zero_point, label.pixel_scale) / label.noise
        dim = (intensity > OUTSKIRTS[0]) & (intensity < OUTSKIRTS[1])
        row["outskirts"] = (10.0 ** (-0.4 * every.residual[dim]) - 1.0).tolist()
        if np.isfinite(label.sky):
            row["sky"] = (number(meta["sky"]) - label.sky) / label.noise
    row["mag"] = number(meta["mag_total"]) - label.mag_total
    truths = {"mag_total": label.mag_total, "r50": half_light_radius(label), "x0": label.x0, "y0": label.y0}
    row["pulls"] = {
        name: (number(meta[name]) - truth) / number(meta[f"{name}_err"])
        for name, truth in truths.items()
        if f"{name}_err" in meta
    }
    return row


def number(value) -> float:
    """A number of `meta`, without its unit."""
    return float(getattr(value, "value", value))


def figures(rows: list[dict]) -> dict:
    """Figures of a group of galaxies."""
    from p2p_keras.core.accuracy import summarise as summarise_errors
    from p2p_keras.core.robust import median_deviation

    errors = np.array([row["error"] for row in rows])
    wrong = np.nan_to_num(errors, nan=np.inf)
    inside, number = (sum(row["inside"][i] for row in rows) for i in (0, 1))
    outskirts = np.array([value for row in rows for value in row["outskirts"]])
    sky = np.array([row["sky"] for row in rows])
    sky = sky[np.isfinite(sky)]
    total = np.array([row["mag"] for row in rows])
    summary = summarise_errors(errors)
    return {
        "count": len(rows),
        "median": summary.median,
        "worst_tenth": summary.worst_tenth,
        "missing": int(np.isnan(errors).sum()),
        "off": int((wrong > OFF).sum()),
        "bad": int((wrong > BAD).sum()),
        "one_sigma": inside / number if number else math.nan,
        "outskirts": float(np.median(outskirts)) if outskirts.size else math.nan,
        "sky": float(np.median(sky)) if sky.size else math.nan,
        "sky_scatter": median_deviation(sky),
        "mag_total": float(np.nanmedian(total)) if np.isfinite(total).any() else math.nan,
        "ellipticity": median_of([row["ellipticity"] for row in rows]),
        "pa": median_of([row["pa"] for row in rows]),
    }


def median_of(values) -> float:
    """Median of what is known; NaN where nothing is."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if known.size else math.nan


def coverage(rows: list[dict]) -> dict:
    """Shares of truths inside 1 and 2 sigma: of mu in fifths by uncertainty, S/N and size, and of other figures."""
    radii = {name: np.concatenate([row["radii"][name] for row in rows]) for name in ("pull", "mu_err", "snr")}
    radii["r50_px"] = np.concatenate([np.full(len(row["radii"]["pull"]), row["r50_px"]) for row in rows])
    pull = np.abs(radii.pop("pull"))
    shares_inside: dict = {"mu": shares(pull), "fifths": {}}
    for name, values in radii.items():
        known = np.isfinite(values) & np.isfinite(pull)
        order = np.argsort(values[known], kind="stable")
        parts = [part for part in np.array_split(order, 5) if part.size]
        shares_inside["fifths"][name] = [
            {"low": float(values[known][part].min()), "high": float(values[known][part].max())}
            | shares(pull[known][part])
            for part in parts
        ]
    names = dict.fromkeys(name for row in rows for name in row["pulls"])
    return shares_inside | {name: shares(np.abs([row["pulls"].get(name, math.nan) for row in rows])) for name in names}


def shares(pull: np.ndarray) -> dict:
    """Shares of absolute pulls below 1 and below 2, and their number."""
    known = pull[np.isfinite(pull)]
    one, two = (float(np.mean(known <= limit)) if known.size else math.nan for limit in (1.0, 2.0))
    return {"count": int(known.size), "one_sigma": one, "two_sigma": two}


def summarise(rows: list[dict]) -> dict:
    """Figures by kind, of all that can be measured and of what can't, and what `quality` and `p_bad` are worth."""
    from p2p_keras.data.mocks.troubles import TROUBLES

    hopeless = {kind for kind, trouble in TROUBLES.items() if not trouble.measurable}
    kinds = dict.fromkeys(row["kind"] for row in rows)
    groups = {kind: figures([row for row in rows if row["kind"] == kind]) for kind in kinds}
    fair, unfair = ([row for row in rows if (row["kind"] in hopeless) is side] for side in (False, True))
    wrong = np.array([not row["error"] <= BAD for row in rows])
    quality = np.array([row["quality"] for row in rows])
    p_bad = np.array([row["p_bad"] for row in rows], dtype=float)
    present = np.array([row["rows"] > 0 for row in rows])
    return {
        "measurable": figures(fair) if fair else {},
        "not_measurable": figures(unfair) if unfair else {},
        "kinds": groups,
        "coverage": coverage(fair) if fair else {},
        "quality": {
            str(value): {"count": int(at.sum()), "bad": int(wrong[at].sum())}
            for value in (0, 1, 2, 4)
            for at in [quality == value]
        },
        "good_with_quality_0": float(np.mean(quality[~wrong] == 0)) if (~wrong).any() else math.nan,
        "p_bad": reliability(p_bad[present], wrong[present]) if np.isfinite(p_bad).any() else {},
    }


def reliability(p_bad: np.ndarray, wrong: np.ndarray) -> dict:
    """Area under the ROC curve, and in bins of `p_bad` its mean and the share that is bad."""
    from scipy.stats import rankdata

    known = np.isfinite(p_bad)
    p_bad, wrong = p_bad[known], wrong[known]
    positive, negative = int(wrong.sum()), int((~wrong).sum())
    area = math.nan
    if positive and negative:
        area = (rankdata(p_bad)[wrong].sum() - 0.5 * positive * (positive + 1)) / (positive * negative)
    bins = []
    for low, high in itertools.pairwise(P_BAD_EDGES):
        at = (p_bad >= low) & ((p_bad < high) | (high == P_BAD_EDGES[-1]))
        if at.any():
            mean, share = float(p_bad[at].mean()), float(wrong[at].mean())
            bins.append({"low": low, "high": high, "count": int(at.sum()), "p_bad": mean, "bad": share})
    return {"area": float(area), "bins": bins}


_HEAD = (
    f"{'kind':<18}{'n':>5}{'median':>9}{'worst 10th':>12}{'missing':>9}{'off':>6}{'bad':>6}"
    f"{'1 sigma':>9}{'outskirts':>11}{'sky':>9}{'total':>8}{'e':>8}{'pa':>7}"
)


def _line(kind: str, f: dict) -> str:
    return (
        f"{kind:<18}{f['count']:>5}{f['median']:>9.4f}{f['worst_tenth']:>12.3f}{f['missing']:>9}{f['off']:>6}"
        f"{f['bad']:>6}{100 * f['one_sigma']:>7.0f} %{100 * f['outskirts']:>+9.1f} %{f['sky']:>+9.3f}"
        f"{f['mag_total']:>+8.3f}{f['ellipticity']:>8.4f}{f['pa']:>7.2f}"
    )


def tables(summary: dict) -> str:
    """Tables of a summary as text."""
    lines = [
        f"{summary['model']}: off is above {OFF} mag or missing, bad above {BAD} mag; outskirts at {OUTSKIRTS[0]} to"
    ]
    lines += [f"{OUTSKIRTS[1]} of the pixel noise, flux; sky in units of the noise; total in mag: medians", "", _HEAD]
    lines += [_line(kind, figure) for kind, figure in summary["kinds"].items()]
    for key, words in (("measurable", "all measurable"), ("not_measurable", "not measurable")):
        if summary[key]:
            lines.append(_line(words, summary[key]))
    if summary["coverage"]:
        lines += ["", "inside 1 and 2 sigma, of all that can be measured (mu by fifths: 1 sigma)"]
        covered = summary["coverage"]
        for name, parts in covered["fifths"].items():
            lines.append(f"mu by {name:<8}" + "".join(f"{100 * part['one_sigma']:>6.0f} %" for part in parts))
        for name, part in covered.items():
            if name != "fifths":
                lines.append(f"{name:<14}{100 * part['one_sigma']:>6.0f} %{100 * part['two_sigma']:>6.0f} %")
    lines += ["", f"{'quality':<9}{'n':>6}{'bad':>6}"]
    lines += [f"{value:<9}{f['count']:>6}{f['bad']:>6}" for value, f in summary["quality"].items()]
    lines.append(f"{100 * summary['good_with_quality_0']:.0f} % of those that aren't bad have quality 0")
    if summary["p_bad"]:
        lines += [
            "",
            f"p_bad: area under the ROC curve {summary['p_bad']['area']:.3f}",
            f"{'bin':<14}{'n':>5}{'mean':>8}{'bad':>8}",
        ]
        lines += [
            f"{b['low']:.2f} to {b['high']:.2f}  {b['count']:>5}{b['p_bad']:>8.3f}{b['bad']:>8.3f}"
            for b in summary["p_bad"]["bins"]
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
