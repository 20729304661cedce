"""How errors of a profile go together, and how often derived quantities are right within their uncertainties.

``python benchmarks/derived.py --data SHARDS [--split test] [--model M]``

The first table is the correlation of the normalised errors (mu_pred - mu_true) / mu_err between radii, by their
distance in ln(sma), beside what `p2p_keras.profile.derived.draws` assumes. The second holds, for each quantity, the
median error and the share of truths inside one and two of its uncertainties (68 and 95 % for honest Gaussian ones).
"""

from __future__ import annotations

import click
import numpy as np

BINS = np.array([0.0, 0.05, 0.15, 0.25, 0.35, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0])
QUANTITIES = ("mag_total", "r50", "r90", "concentration", "r_iso24", "mag_iso24", "r_iso25", "mag_iso25", "mu_central")


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False), help="Folder of shards.")
@click.option("--split", default="test", show_default=True)
@click.option("--model", default=None, help="Model folder or file; the shipped one by default.")
@click.option("--count", default=300, show_default=True, help="Galaxies at most.")
def main(data: str, split: str, model: str | None, count: int) -> None:
    """Print both tables."""
    from itertools import islice, pairwise

    from p2p_keras import Predictor
    from p2p_keras.data.shards import find_shards, read_shards
    from p2p_keras.evaluation.run import image_of_label
    from p2p_keras.profile.derived import DerivedSettings, complete_profile

    predictor = Predictor.load(model)
    settings = DerivedSettings(isophotes=(24.0, 25.0))
    sums, counts = np.zeros(len(BINS) - 1), np.zeros(len(BINS) - 1)
    pulls: dict[str, list[tuple[float, float]]] = {name: [] for name in QUANTITIES}
    for label in islice(read_shards(find_shards(data, split)), count):
        profile = complete_profile(predictor.predict(image_of_label(label)), settings)
        if len(profile) < 10 or profile.meta["quality"] >= 2:
            continue
        add_correlation(profile, label, sums, counts)
        for name, truth in true_quantities(label).items():
            value, error = profile.meta.get(name, np.nan), profile.meta.get(f"{name}_err", np.nan)
            if np.isfinite([value, error, truth]).all():
                pulls[name].append((value - truth, error))
    from p2p_keras.profile.derived.draws import CORRELATION_LENGTH, SHARED

    variance = sums[0] / counts[0]
    click.echo(f"rms of normalised errors {np.sqrt(variance):.2f}\n\n| ln(sma) apart | correlation | assumed |")
    click.echo("|---|---|---|")
    for i, (low, high) in enumerate(pairwise(BINS)):
        apart = 0.5 * (low + high)
        assumed = SHARED + (1 - SHARED) * np.exp(-apart / CORRELATION_LENGTH)
        click.echo(f"| {low:.2f} to {high:.2f} | {sums[i] / counts[i] / variance:.2f} | {assumed:.2f} |")
    click.echo("\n| quantity | galaxies | median error | median uncertainty | inside 1 sigma | inside 2 sigma |")
    click.echo("|---|---|---|---|---|---|")
    for name, both in pulls.items():
        if both:
            error, sigma = np.array(both).T
            inside = [np.mean(np.abs(error) <= k * sigma) for k in (1, 2)]
            click.echo(
                f"| {name} | {len(both)} | {np.median(np.abs(error)):.3f} | {np.median(sigma):.3f} | "
                f"{100 * inside[0]:.0f} % | {100 * inside[1]:.0f} % |"
            )


def add_correlation(profile, label, sums: np.ndarray, counts: np.ndarray) -> None:
    """Products of normalised errors of all pairs of radii, by distance; outliers are clipped at 3."""
    from p2p_keras.core.accuracy import interpolate_log_sma

    sma = profile["sma"].value
    truth = interpolate_log_sma(sma, label.sma, label.mu)
    pull = np.clip((profile["mu"].value - truth) / profile["mu_err"].value, -3.0, 3.0)
    use = np.isfinite(pull)
    log_r, pull = np.log(sma[use]), pull[use]
    apart = np.abs(log_r[:, None] - log_r[None, :])
    product = pull[:, None] * pull[None, :]
    place = np.digitize(apart.ravel(), BINS) - 1
    for i in range(len(sums)):
        chosen = place == i
        sums[i] += product.ravel()[chosen].sum()
        counts[i] += chosen.sum()


def true_quantities(label) -> dict[str, float]:
    """What the label says of the galaxy."""
    from p2p_keras.core.growth import curve_of_growth, radius_of_light
    from p2p_keras.profile.columns import isophotal_radius

    ellipticity = label.ellipticity if label.ellipticity is not None else np.zeros(label.sma.size)
    good = np.isfinite(label.mu) & np.isfinite(ellipticity)
    sma, mu = label.sma[good], label.mu[good]
    growth = -2.5 * np.log10(curve_of_growth(sma, 10.0 ** (-0.4 * mu), ellipticity[good]))
    quantities = {"mag_total": label.mag_total, "mu_central": float(mu[0])}
    quantities["r50"] = radius_of_light(sma, growth, label.mag_total, 0.5)
    quantities["r90"] = radius_of_light(sma, growth, label.mag_total, 0.9)
    quantities["concentration"] = quantities["r90"] / quantities["r50"]
    for level in (24, 25):
        radius = isophotal_radius(sma, mu, level)
        quantities[f"r_iso{level}"] = radius
        known = np.isfinite(radius)
        quantities[f"mag_iso{level}"] = float(np.interp(np.log(radius), np.log(sma), growth)) if known else np.nan
    return quantities


if __name__ == "__main__":
    main()
