"""Measure one galaxy and draw it as a figure of one column for a journal.

python measure_and_plot.py galaxy.fits figure.pdf
"""

import sys

import matplotlib
import numpy as np

from p2p_keras import Predictor
from p2p_keras.images import read_image
from p2p_keras.profile.plots import plot_ellipticity, plot_image, plot_position_angle, plot_profile, save_figure
from p2p_keras.profile.plots.style import STYLE, new_figure

path, output = sys.argv[1:]
image = read_image(path)
profile = Predictor.load().predict(image)
meta = profile.meta

print(f"{meta['name']} ({meta['band']}): {meta['mag_total']:.2f} mag, quality {meta['quality']}, flags {meta['flags']}")
print(f"r50 = {meta['r50']:.2f} arcsec, r90 = {meta['r90']:.2f}, r(mu = 25) = {meta['r_iso25']:.2f}")
if not len(profile):
    sys.exit("no profile could be measured: there is nothing to draw")
print(profile[np.linspace(0, len(profile) - 1, 5).astype(int)])

matplotlib.rcParams.update(STYLE)  # fonts and ticks of the panels, for the axes that are made here
figure = new_figure(3.4, 6.4)  # inches: a column of MNRAS, A&A or ApJ
image_panel, mu_panel, ellipticity_panel, pa_panel = figure.subplots(4, 1, height_ratios=[3.4, 2.4, 1.0, 1.0])
plot_image(image, profile, image_panel)
plot_profile(profile, mu_panel, radius="r^1/4")
plot_ellipticity(profile, ellipticity_panel, radius="r^1/4")
plot_position_angle(profile, pa_panel, radius="r^1/4")
for panel in (mu_panel, ellipticity_panel):
    panel.tick_params(labelbottom=False)
    panel.set_xlabel("")
pa_panel.set_ylabel("PA [deg]")  # the short form fits a low panel
save_figure(figure, output, dpi=130)
