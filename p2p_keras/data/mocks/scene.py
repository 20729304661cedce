"""One mock galaxy: drawn, rendered, measured, put into a scene and observed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core import extent as extent_rule
from p2p_keras.core.units import flux_from_mag, mag_from_flux, mu_from_intensity
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.mocks import galaxies, surroundings
from p2p_keras.data.mocks.components import Galaxy
from p2p_keras.data.mocks.definitions import draw_definition, measure_by
from p2p_keras.data.mocks.extras import Extras
from p2p_keras.data.mocks.front import Target
from p2p_keras.data.mocks.mixtures import ANY, draw_survey
from p2p_keras.data.mocks.observing import Observed, Shot, observe, observe_in_frame
from p2p_keras.data.mocks.presets import Survey
from p2p_keras.data.mocks.rendering import Canvas, Rendered, render
from p2p_keras.data.mocks.streams import Stream, generator, log_uniform
from p2p_keras.data.mocks.surveys import Conditions, draw_conditions, survey_of_frame
from p2p_keras.data.mocks.wish import Wish

if TYPE_CHECKING:
    from p2p_keras.data.mocks.backgrounds import Backgrounds
    from p2p_keras.data.mocks.templates import Templates

__all__ = [
    "GENERATOR_VERSION",
    "MIN_SNR",
    "DEFAULT_BAND_SHARES",
    "CENTRE_SCATTER_PX",
    "galaxy_name",
    "draw_target",
    "draw_band",
    "simulate_galaxy",
]

GENERATOR_VERSION = "5"
"""Changes whenever the same seed gives other pixels; recorded in ``dataset.json``."""

MIN_SNR = 25.0
"""Least signal-to-noise ratio of a target's light within r50: some 0.06 mag."""

DEFAULT_BAND_SHARES = {"g": 0.3, "r": 0.4, "i": 0.3}
CENTRE_SCATTER_PX = 2.5
"""1-sigma of the target's centre about the image's, at 256 pixels: as well as catalogues point. The training pipeline
adds the paper's wobble of 10 pixels on top."""


def galaxy_name(seed: int, index: int) -> str:
    """Name of a galaxy, the same in all its bands."""
    return f"mock-{seed}-{index:07d}"


def draw_target(survey: Survey, size: int, rng: np.random.Generator, wish: Wish | None = None) -> tuple[Galaxy, float]:
    """A target of a survey, and its half-light radius in arcsec.

    Sizes run from barely resolved to larger than the image, uniform in the logarithm. Brightness follows the class's
    surface brightness, so magnitudes of the SDSS preset come out at 12 to 18.5, and what would drown in the survey's
    noise is drawn again. A `wish` takes the place of both.
    """
    fwhm = survey.fwhm["r"]
    largest = 0.45 * size * survey.pixel_scale
    kind = ""
    r50 = mag = 0.0
    for attempt in range(100):
        if attempt % 5 == 0:
            kind = galaxies.draw_kind(rng)
        # Few are larger than a quarter of the image.
        r50 = log_uniform(rng, 0.5 * fwhm, largest if rng.random() < 0.25 else 0.45 * largest)
        if wish is not None and wish.r50_px is not None:
            r50 = log_uniform(rng, *wish.r50_px) * survey.pixel_scale
        brightness = galaxies.draw_brightness(kind, r50, rng)
        if survey.depth["r"] > 24.0:
            # Deep surveys are about distant galaxies, dimmed by (1 + z)^4.
            brightness += 10.0 * np.log10(1.0 + abs(rng.normal(0.0, 0.25)))
        mag = brightness - 2.5 * np.log10(2.0 * np.pi * r50**2)
        noise = flux_from_mag(survey.depth["r"], survey.zero_point) / (5.0 * np.sqrt(2.266) * fwhm / survey.pixel_scale)
        pixels = np.pi * (r50**2 + fwhm**2 / 4.0) / survey.pixel_scale**2
        snr = 0.5 * flux_from_mag(mag, survey.zero_point) / (noise * np.sqrt(pixels))
        if wish is not None and wish.snr is not None:
            mag += 2.5 * np.log10(snr / log_uniform(rng, *wish.snr))
            break
        if snr > (wish.min_snr if wish is not None else MIN_SNR):
            break
    return galaxies.draw_galaxy(kind, r50, mag, rng), r50


def draw_band(seed: int, index: int) -> str:
    """The band of a galaxy that is wanted in one band only."""
    rng = generator(seed, index, Stream.SURVEY)
    shares = DEFAULT_BAND_SHARES
    return str(rng.choice(list(shares), p=list(shares.values())))


def simulate_galaxy(
    survey: str,
    seed: int,
    index: int,
    *,
    size: int = 256,
    band: str | None = None,
    backgrounds: Backgrounds | None = None,
    background_share: float = 1.0,
    templates: Templates | None = None,
    template_share: float = 0.2,
    near_star_share: float = 0.0,
    extras: Extras | None = None,
    wish: Wish | None = None,
) -> LabelledGalaxy:
    """Make one mock galaxy image with its true profile: a function of its arguments alone.

    Parameters
    ----------
    survey : str
        One of `mixtures.NAMES`.
    seed, index : int
        Which galaxy. Its structure is the same in all bands.
    size : int
        Side of the image, pixels; at least 48.
    band : str, optional
        One of g, r, i, z; drawn by `draw_band` if None.
    backgrounds : Backgrounds, optional
        Real frames to put the galaxy into, in place of mock sky, stars and neighbours.
    background_share : float
        Share of the galaxies that are, decided by galaxy.
    templates : Templates, optional
        Real galaxies to take in place of drawn ones.
    template_share : float
        Share of the galaxies that are, decided by galaxy.
    near_star_share : float
        Share of the galaxies with a star on them or beside them, over and above the stars of the field.
    extras : Extras, optional
        Skies that are left, masks, what lies in front, fields of any density; by default all of them for the survey
        ``"any"`` and none for the others.
    wish : Wish, optional
        What a test bed asks of the target.

    Returns
    -------
    LabelledGalaxy
        `mu` is measured on the target alone, without noise, after the PSF and its own dust; radii are those of
        `radii.grid_px`, as far as the image covers half of the ellipse. `mag_total` is all the light that the target
        emits, also beyond the image. `noise` is the 1-sigma per pixel of quiet sky, and `extent` takes the noise of
        large apertures, which correlation makes larger than `noise` says.

    Raises
    ------
    UsageError
        For an unknown survey.
    """
    band = band or draw_band(seed, index)
    structure = generator(seed, index, Stream.GALAXY)
    survey_name, preset = draw_survey(survey, structure)
    # Two draws whether used or not, so that the galaxy doesn't depend on the shares.
    in_frame, from_template = structure.random(2)
    frame = None
    if backgrounds is not None and in_frame < background_share:
        frame = backgrounds.choose(seed, index, band)
        survey_name, preset = frame.name, survey_of_frame(frame)
    if wish is not None and wish.preset is not None:
        preset = wish.preset(preset)
    target, r50 = draw_target(preset, size, structure, wish)
    scatter = CENTRE_SCATTER_PX * size / 256.0
    x0, y0 = 0.5 * (size - 1) + np.clip(structure.normal(0.0, scatter, 2), -4.0 * scatter, 4.0 * scatter)
    if wish is not None:
        x0, y0 = wish.place(size, float(x0), float(y0), structure)
    rng = generator(seed, index, Stream.TELESCOPE, band)
    conditions = draw_conditions(survey_name, preset, band, rng)
    if frame is not None:
        conditions = replace(conditions, fwhm=frame.fwhm, noise=frame.noise, smoothing=0.0)
    canvas = Canvas(size, conditions.psf(), conditions.pixel_scale)
    unit = float(flux_from_mag(target.mag, conditions.zero_point))
    if templates is not None and from_template < template_share:
        # Without the band: a galaxy is made of the same template in all.
        place = generator(seed, index, Stream.TEMPLATE)
        template = templates.choose(place, band)
        pa, mirror = place.uniform(0.0, 2.0 * np.pi), bool(place.random() < 0.5)
        flux = unit * target.flux(band)  # in the colour of the galaxy whose place it takes
        rendered = templates.render(
            template, canvas, float(x0), float(y0), r50 / conditions.pixel_scale, flux, pa, mirror, band
        )
        kind = f"template-{template.name}"
    else:
        rendered = render(target, canvas, band, float(x0), float(y0), unit)
        kind = target.kind

    conditions = conditions.counting(rendered.flux)
    x, y = (float(place - 0.5 * (size - 1)) * conditions.pixel_scale for place in (x0, y0))
    fwhm = conditions.fwhm * conditions.pixel_scale
    chance = generator(seed, index, Stream.NEAR_STAR)
    near = surroundings.draw_near_star(target.mag, r50, fwhm, x, y, near_star_share, chance)
    shot = Shot(
        seed, index, band, canvas, conditions, preset.depth["r"], Target(target.mag, r50, x, y), float(x0), float(y0),
        near, extras or Extras.of(survey),
    )  # fmt: skip
    light = rendered.image if wish is None or wish.visible else np.zeros_like(rendered.image)
    if frame is not None and backgrounds is not None:
        cutout = backgrounds.cutout(frame, seed, index, size)
        observed = observe_in_frame(light, cutout.pixels, frame.pixel_noise, cutout.sky, shot, rng)
    else:
        observed = observe(light, shot, rng)
    definition = {"survey": "fit", ANY: draw_definition(generator(seed, index, Stream.LABEL))}.get(
        shot.extras.truth, shot.extras.truth
    )
    origin = f"mock survey={conditions.survey} kind={kind} seed={seed} index={index} generator={GENERATOR_VERSION}"
    return _labelled(
        rendered, observed, conditions, float(x0), float(y0), definition=definition, name=galaxy_name(seed, index),
        band=band, origin=origin if definition == "fit" else f"{origin} truth={definition}",
    )  # fmt: skip


def _labelled(
    rendered: Rendered,
    observed: Observed,
    conditions: Conditions,
    x0: float,
    y0: float,
    *,
    definition: str,
    name: str,
    band: str,
    origin: str,
) -> LabelledGalaxy:
    """Measure the truth and put everything together."""
    truth = measure_by(definition, rendered.image, x0, y0)
    known = np.isfinite(truth.intensity) & (truth.intensity > 0.0)
    # Increasing radii without holes: the profile ends at the first radius that the image doesn't cover.
    number = known.size if known.all() else int(np.argmin(known))
    sma, intensity = truth.sma[:number], truth.intensity[:number]
    scale, zero_point = conditions.pixel_scale, conditions.zero_point
    noise: float | np.ndarray = conditions.noise
    if conditions.sky_electrons is not None:
        # Where photons are few, the galaxy's own are most of the noise.
        noise = np.sqrt(conditions.noise**2 + intensity / conditions.gain)
    snr = extent_rule.annulus_snr(intensity, sma, truth.ellipticity[:number], noise)
    return LabelledGalaxy(
        name=name,
        band=band,
        image=observed.image.astype(np.float32),
        zero_point=zero_point,
        pixel_scale=scale,
        sma=sma * scale,
        mu=mu_from_intensity(intensity, zero_point, scale),
        ellipticity=truth.ellipticity[:number],
        pa=truth.pa[:number],
        x0=x0,
        y0=y0,
        extent=extent_rule.profile_extent(sma * scale, snr),
        mag_total=float(mag_from_flux(rendered.flux, zero_point)),
        noise=observed.noise,
        sky=observed.sky,
        origin=origin,
    )
