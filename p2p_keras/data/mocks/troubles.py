"""A test bed of troubles: plain mocks, each with one named problem of users' images.

The kind is in the galaxy's `origin` as ``trouble=KIND``, so that an evaluation can group by it (`trouble_of`). Some
kinds can't be measured well by any method (a brighter companion on the galaxy, a masked middle, no galaxy at all): they
show whether a model says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.mocks.extras import Extras
from p2p_keras.data.mocks.fields import add_residuals
from p2p_keras.data.mocks.presets import SURVEYS, Survey
from p2p_keras.data.mocks.scene import simulate_galaxy
from p2p_keras.data.mocks.streams import Stream, generator
from p2p_keras.data.mocks.wish import Wish

__all__ = ["NO_WISH", "PLAIN", "MEASURABLE_PX", "After", "Trouble", "TROUBLES", "trouble_of", "simulate_trouble"]

NO_WISH = Wish()

PLAIN = Extras(sky="none", masks="none", front="none", field="usual")
"""All but the trouble: a usual field, nothing masked, nothing left, nothing in front."""

MEASURABLE_PX = 5.0, 22.0
"""Half-light radii at 256 pixels, and in proportion at other sizes."""

After = Callable[[LabelledGalaxy, np.random.Generator], None]


@dataclass(frozen=True)
class Trouble:
    """One kind of trouble.

    Attributes
    ----------
    extras : Extras
    wish : Wish
        Of the target; its `r50_px` at 256 pixels, and `MEASURABLE_PX` where it has none.
    after : callable, optional
        Changes the finished galaxy in place.
    preset : callable, optional
        The survey made into another one.
    measurable : bool
        False if no method can measure such a galaxy well.
    """

    extras: Extras = PLAIN
    wish: Wish = NO_WISH
    after: After | None = None
    preset: Callable[[Survey], Survey] | None = None
    measurable: bool = True


def _every(columns: int, rows: int = 0) -> After:
    """Mask every so many columns and rows."""

    def mask(galaxy: LabelledGalaxy, rng: np.random.Generator) -> None:
        galaxy.image[:, int(rng.integers(columns)) :: columns] = np.nan
        if rows:
            galaxy.image[int(rng.integers(rows)) :: rows] = np.nan

    return mask


def _random(share: float) -> After:
    def mask(galaxy: LabelledGalaxy, rng: np.random.Generator) -> None:
        galaxy.image[rng.random(galaxy.image.shape) < share] = np.nan

    return mask


def _mask_middle(galaxy: LabelledGalaxy, rng: np.random.Generator) -> None:
    height, width = galaxy.image.shape
    radius2 = (np.arange(width) - galaxy.x0) ** 2 + ((np.arange(height) - galaxy.y0) ** 2)[:, None]
    galaxy.image[radius2 < rng.uniform(5.0, 12.0) ** 2] = np.nan


def _quantise(galaxy: LabelledGalaxy, rng: np.random.Generator) -> None:
    """Steps of 2.5 sigma: an archive's integers."""
    step = np.float32(2.5 * galaxy.noise)
    galaxy.image[:] = np.rint(galaxy.image / step) * step


def _residuals(*kinds: str) -> After:
    def add(galaxy: LabelledGalaxy, rng: np.random.Generator) -> None:
        galaxy.sky += add_residuals(galaxy.image, galaxy.x0, galaxy.y0, galaxy.noise, rng, kinds)

    return add


def _no_galaxy(galaxy: LabelledGalaxy, rng: np.random.Generator) -> None:
    galaxy.extent = 0.0


def _deeper(mag: float) -> Callable[[Survey], Survey]:
    return lambda survey: replace(
        survey,
        depth={band: depth + mag for band, depth in survey.depth.items()},
        electrons_at_20=survey.electrons_at_20 * 10.0 ** (0.8 * mag),
    )


def _width(pixels: float) -> Callable[[Survey], Survey]:
    return lambda survey: replace(
        survey, fwhm=dict.fromkeys(survey.fwhm, pixels * survey.pixel_scale), fwhm_scatter=0.02, min_fwhm=1.25
    )


def _sky(kind: str) -> Trouble:
    return Trouble(replace(PLAIN, sky=kind))


def _masked(kind: str) -> Trouble:
    return Trouble(replace(PLAIN, masks=kind))


def _front(kind: str, measurable: bool = True) -> Trouble:
    return Trouble(replace(PLAIN, front=kind), measurable=measurable)


TROUBLES: Mapping[str, Trouble] = {
    "clean": Trouble(),
    "empty field": Trouble(replace(PLAIN, field="empty")),
    "crowded field": Trouble(replace(PLAIN, field="crowded")),
    "sky 2": _sky("2"),
    "sky 5": _sky("5"),
    "sky 20": _sky("20"),
    "sky 300": _sky("300"),
    "sky 10000": _sky("10000"),
    "sky -20": _sky("-20"),
    "sky -1000": _sky("-1000"),
    "plane": _sky("plane"),
    "bowl": _sky("bowl"),
    "columns": Trouble(after=_every(16)),
    "grid": Trouble(after=_every(7, 11)),
    "random 10 %": Trouble(after=_random(0.1)),
    "random 40 %": Trouble(after=_random(0.4)),
    "discs": _masked("discs"),
    "gaps": _masked("gaps"),
    "border": _masked("border"),
    "corners": _masked("corners"),
    "third missing": _masked("third"),
    "companion": _front("companion"),
    "equal companion": _front("equal companion"),
    "star on it": _front("star"),
    "bright star": _front("bright star"),
    "cosmic rays": _front("cosmic rays"),
    "trail": _front("trail"),
    "bleeding": _front("bleeding"),
    "saturated": _front("saturated"),
    "hot pixels": _front("hot pixels"),
    "residuals": Trouble(after=_residuals("banding", "step", "fringes", "ghost")),
    "over-subtracted": Trouble(after=_residuals("bowls")),
    "quantised": Trouble(after=_quantise),
    "resampled": Trouble(preset=lambda survey: replace(survey, resampled=True, smoothing=(1.8, 2.2))),
    "deep": Trouble(preset=_deeper(3.25)),
    "few photons": Trouble(preset=lambda survey: replace(survey, resampled=False, sky_electrons=(0.005, 0.1))),
    "hardly sampled": Trouble(preset=_width(1.3)),
    "broad": Trouble(preset=_width(9.0)),
    "hst": Trouble(preset=lambda survey: SURVEYS["hst-acs"]),
    "wise": Trouble(preset=lambda survey: SURVEYS["wise"]),
    "counts": Trouble(replace(PLAIN, sky="60"), preset=lambda survey: replace(survey, zero_point=29.3)),
    "small": Trouble(wish=Wish(r50_px=(1.2, 2.5))),
    "large": Trouble(wish=Wish(r50_px=(60.0, 110.0))),
    "off centre": Trouble(wish=Wish(offset_px=30.0)),
    "faint": Trouble(wish=Wish(snr=(20.0, 40.0))),
    # What no method can measure well.
    "companion on it": _front("companion on it", measurable=False),
    "star on nucleus": _front("nucleus star", measurable=False),
    "40 bright stars": _front("40 bright stars", measurable=False),
    "at the edge": Trouble(wish=Wish(edge_px=20.0), measurable=False),
    "middle masked": Trouble(after=_mask_middle, measurable=False),
    "very faint": Trouble(wish=Wish(snr=(2.0, 6.0)), measurable=False),
    "no galaxy": Trouble(wish=Wish(visible=False), after=_no_galaxy, measurable=False),
}
"""Kind to trouble; galaxy number i has the i-th of them, over and over."""

_IN_ORIGIN = re.compile(r"\btrouble=\[([^\]]*)\]")


def trouble_of(origin: str) -> str:
    """The kind of trouble that stands in a galaxy's `origin`; ``""`` where there is none."""
    match = _IN_ORIGIN.search(origin)
    return match[1] if match else ""


def simulate_trouble(
    survey: str,
    seed: int,
    index: int,
    *,
    size: int = 256,
    band: str | None = None,
    kind: str | None = None,
    truth: str = "survey",
) -> LabelledGalaxy:
    """A mock with one trouble: a function of its arguments alone.

    Parameters
    ----------
    survey : str
        One of `mixtures.NAMES`, the survey of plain galaxies: ``"sdss"`` in the figures of the documentation.
    seed, index : int
    size : int
        Side of the image, pixels; at least 96, since companions and edges lie that far out.
    band : str, optional
    kind : str, optional
        A key of `TROUBLES`; by default the one of the index.
    truth : str, optional
        What an isophote is, as in `Extras`.

    Returns
    -------
    LabelledGalaxy
    """
    kind = kind or list(TROUBLES)[index % len(TROUBLES)]
    trouble = TROUBLES[kind]
    share = size / 256.0
    low, high = trouble.wish.r50_px or MEASURABLE_PX
    wish = replace(trouble.wish, r50_px=(low * min(share, 1.0) if low < 5.0 else low * share, high * share))
    wish = replace(wish, offset_px=wish.offset_px * share, preset=trouble.preset)
    galaxy = simulate_galaxy(
        survey, seed, index, size=size, band=band, extras=replace(trouble.extras, truth=truth), wish=wish
    )
    if trouble.after is not None:
        trouble.after(galaxy, generator(seed, index, Stream.TROUBLE, galaxy.band))
    galaxy.origin += f" trouble=[{kind}]"
    return galaxy
