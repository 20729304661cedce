"""The telescope of a mock: a preset, or an invented one, so that a network is trained on all that may occur.

`mixed` is what version 3 was trained on: five wide optical surveys, and similar ones. `any` adds telescopes in space
and in the infrared, single exposures, stamps in counts, and images of few photons.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.presets import GROUND, SPACE, SURVEYS, WIDE, Survey
from p2p_keras.data.mocks.presets.survey import in_all_bands
from p2p_keras.data.mocks.psf import Diffraction
from p2p_keras.data.mocks.streams import log_uniform

__all__ = ["MIXED", "ANY", "NAMES", "MIN_SCALE", "MAX_SCALE", "draw_survey"]

MIXED = "mixed"
ANY = "any"
NAMES = (*SURVEYS, MIXED, ANY)

_ZERO_POINTS = (22.5, 22.5, 23.9, 25.0, 27.0, 28.26, 30.0, 31.4, 0.0, 8.9)
"""Nanomaggies, uJy, counts of several surveys, nJy, maggies, Jy."""

_WIDE_SHARES = [0.4, 0.2, 0.14, 0.13, 0.13]
_OTHERS: dict[str, Survey] = {**SPACE, **GROUND}
_ANY_SHARES = {"mixed": 0.42, "preset": 0.33, "exposure": 0.10, "free": 0.12, "photons": 0.03}

MIN_SCALE, MAX_SCALE = 0.02, 3.0
"""Pixel scales of `any`, arcsec."""


def draw_survey(name: str, rng: np.random.Generator) -> tuple[str, Survey]:
    """The survey of one galaxy: a preset, or for `mixed` and `any` one that no survey has.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if name in SURVEYS:
        return name, SURVEYS[name]
    if name == MIXED:
        return _draw_mixed(rng)
    if name == ANY:
        return _draw_any(rng)
    raise UsageError(f"survey {name!r} is unknown; known are {', '.join(NAMES)}")


def _draw_mixed(rng: np.random.Generator) -> tuple[str, Survey]:
    base_name = str(rng.choice(list(WIDE), p=_WIDE_SHARES))
    base = WIDE[base_name]
    if rng.random() < 0.35:
        return base_name, base
    return MIXED, _stretched(base, rng)


def _stretched(base: Survey, rng: np.random.Generator) -> Survey:
    """A survey well past its own scale, depth and seeing; the flux unit is free."""
    scale = base.pixel_scale * log_uniform(rng, 0.6, 1.6)
    deeper = rng.normal(0.0, 0.7)
    sharper = log_uniform(rng, 0.75, 1.35)
    zero_point = float(rng.choice(_ZERO_POINTS)) if rng.random() < 0.7 else float(rng.uniform(20.0, 32.0))
    return replace(
        base,
        pixel_scale=scale,
        zero_point=zero_point,
        depth={band: depth + deeper for band, depth in base.depth.items()},
        fwhm={band: fwhm * sharper for band, fwhm in base.fwhm.items()},
        fwhm_scatter=0.15,
        electrons_at_20=base.electrons_at_20 * 10.0 ** (0.8 * deeper),
        resampled=bool(rng.random() < 0.5),
        spikes=(int(rng.choice([4, 4, 6, 8])), log_uniform(rng, 0.2, 1.5)),
        sky_scatter=log_uniform(rng, 0.03, 0.5),
    )


def _draw_any(rng: np.random.Generator) -> tuple[str, Survey]:
    shares = np.array(list(_ANY_SHARES.values()))
    kind = str(rng.choice(list(_ANY_SHARES), p=shares / shares.sum()))
    if kind == "mixed":
        return _draw_mixed(rng)
    if kind == "free":
        return "free", _free(rng)
    base_name = str(rng.choice(list(_OTHERS) if kind == "preset" else list(SURVEYS)))
    base = SURVEYS[base_name]
    if kind == "preset":
        return (base_name, base) if rng.random() < 0.5 else (f"like-{base_name}", _stretched(base, rng))
    if kind == "exposure":
        return f"exposure-{base_name}", _exposure(base, rng)
    return f"photons-{base_name}", replace(base, resampled=False, sky_electrons=(0.003, 1.0))


def _exposure(base: Survey, rng: np.random.Generator) -> Survey:
    """One exposure in counts, or a stamp of one as GALFIT takes it: shallower, not resampled, any zero point."""
    shallower = float(rng.uniform(0.0, 1.5))
    return replace(
        base,
        zero_point=float(rng.uniform(19.0, 33.0)),
        depth={band: depth - shallower for band, depth in base.depth.items()},
        electrons_at_20=base.electrons_at_20 * 10.0 ** (-0.8 * shallower),
        resampled=False,
        sky_scatter=log_uniform(rng, 0.1, 1.0),
        sky_electrons=None,
    )


def _free(rng: np.random.Generator) -> Survey:
    """A telescope from nowhere: any scale, any sampling, any depth at which galaxies are seen."""
    scale = log_uniform(rng, MIN_SCALE, MAX_SCALE)
    fwhm = log_uniform(rng, 1.3, 10.0)  # pixels
    # Sky noise within a square arcsec, mag: SDSS has 25.5, deep surveys 28.
    noise = float(rng.uniform(23.0, 28.0)) - 2.5 * np.log10(scale)  # within a pixel
    depth = noise - 2.5 * np.log10(5.0 * np.sqrt(2.266) * fwhm)
    sharp = rng.random() < 0.4
    diffraction = Diffraction(
        share=float(rng.uniform(0.3, 1.0)),
        obscuration=float(rng.choice([0.0, 0.2, 0.33, 0.4])),
        arms=int(rng.choice([0, 4, 6, 8, 12])),
        spikes=log_uniform(rng, 0.003, 0.03),
    )
    return Survey(
        pixel_scale=scale,
        zero_point=float(rng.uniform(0.0, 32.0)),
        depth=in_all_bands(float(depth)),
        fwhm=in_all_bands(fwhm * scale),
        fwhm_scatter=0.0,
        saturation=float(depth) - log_uniform(rng, 5.0, 10.0),
        electrons_at_20=log_uniform(rng, 1e3, 1e6),
        resampled=bool(rng.random() < 0.5),
        spikes=(int(rng.choice([0, 4, 6, 8])), log_uniform(rng, 0.2, 1.5)),
        sky_scatter=log_uniform(rng, 0.03, 0.5),
        smoothing=(0.8, 2.2),
        min_fwhm=1.3,
        diffraction=diffraction if sharp else None,
    )
