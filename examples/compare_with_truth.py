"""Measure mock galaxies and hold the profiles against their truth, and their errors against the S/N that was predicted.

python compare_with_truth.py figure.pdf [number of galaxies]
"""

import sys
from itertools import pairwise

import matplotlib
import numpy as np

from p2p_keras import Predictor
from p2p_keras.core.accuracy import coverage, profile_error, profile_residuals, summarise
from p2p_keras.core.units import FAINT_MU, MAG_PER_RELATIVE_ERROR
from p2p_keras.data.mocks.scene import simulate_galaxy
from p2p_keras.images import GalaxyImage
from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.plots import plot_profile, save_figure
from p2p_keras.profile.plots.style import SERIES, STYLE, TRUTH, new_figure

output, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 24
mocks = [simulate_galaxy("sdss", seed=7, index=i, band="r") for i in range(count)]
images = [
    GalaxyImage.from_array(m.image, zero_point=m.zero_point, pixel_scale=m.pixel_scale, name=m.name, band=m.band)
    for m in mocks
]
profiles = Predictor.load().predict_batch(images)

errors, residuals, uncertainties = [], [], []
for mock, profile in zip(mocks, profiles, strict=True):
    measured = plain_arrays(profile)
    known = mock.sma <= mock.extent  # beyond it, noise hides the truth
    truth = mock.sma[known], mock.mu[known]
    errors.append(profile_error(*truth, measured["sma"], measured["mu"], faintest=FAINT_MU))
    compared = profile_residuals(*truth, measured["sma"], measured["mu"], measured["mu_err"])
    residuals.append(compared.residual)
    uncertainties.append(compared.mu_err)
residual, mu_err = np.concatenate(residuals), np.concatenate(uncertainties)
summary = summarise(errors)
print(f"{count} galaxies, {summary.missing} without a profile: median error {summary.median:.3f} mag,")
print(f"worst tenth from {summary.worst_tenth:.3f} mag; {coverage(residual, mu_err):.0%} of truths inside 1 sigma")

matplotlib.rcParams.update(STYLE)
figure = new_figure(7.0, 3.3)
left, right = figure.subplots(1, 2)
shown = [i for i in np.argsort([m.mag_total for m in mocks]) if len(profiles[i])][:: max(1, count // 5)][:5]
for color, i in zip(SERIES, shown, strict=False):
    plot_profile(profiles[i], left, color=color, limit=False)
    plot_profile(mocks[i], left, color=TRUTH, limit=False, uncertainty=False, ls=(0, (4, 2)), lw=1.0)
left.set_title("predicted (colour) and true (dashed)")

snr = MAG_PER_RELATIVE_ERROR / mu_err
right.scatter(snr, np.abs(residual), s=3, color="0.7", label="one radius", rasterized=True)
edges = np.geomspace(max(snr.min(), 2.0), snr.max(), 9)
middles, inside_1_sigma = [], []
for low, high in pairwise(edges):
    inside = (snr >= low) & (snr < high)
    if inside.sum() >= 10:
        middles.append(np.sqrt(low * high))
        inside_1_sigma.append(np.percentile(np.abs(residual[inside]), 68.3))
right.plot(middles, inside_1_sigma, "o", color=SERIES[0], label="68 % are below")
right.plot(edges, MAG_PER_RELATIVE_ERROR / edges, color=TRUTH, ls="--", label=r"predicted 1 $\sigma$")
right.set(xscale="log", yscale="log", ylim=(1e-4, 3.0), xlabel="predicted S/N of the radius")
right.set_ylabel(r"$|\mu_\mathrm{true} - \mu|$ [mag arcsec$^{-2}$]")
right.legend(loc="upper right")
save_figure(figure, output, dpi=130)
