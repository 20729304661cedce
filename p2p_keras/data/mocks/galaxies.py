"""Galaxies drawn at random, class by class, with ranges from published distributions.

Sizes come in as `r50`, the radius that holds half of the light, so that one scene decides how large galaxies appear.
"""

from __future__ import annotations

import numpy as np

from p2p_keras.data.mocks.components import Bar, Dust, EdgeOn, Galaxy, Smooth, Spheroid
from p2p_keras.data.mocks.discs import draw_arms, draw_clouds, draw_disc, draw_knots, draw_lane, draw_patches
from p2p_keras.data.mocks.light import MIDDLE, OLD, YOUNG, Colour, jitter
from p2p_keras.data.mocks.streams import clipped_normal, log_uniform
from p2p_keras.data.mocks.tides import draw_second_nucleus, draw_tail

__all__ = ["CLASSES", "draw_kind", "draw_brightness", "draw_galaxy"]

CLASSES: dict[str, float] = {
    "elliptical": 0.16,
    "lenticular": 0.10,
    "spiral": 0.22,
    "barred": 0.16,
    "flocculent": 0.12,
    "edge-on": 0.09,
    "dwarf": 0.07,
    "lsb": 0.03,
    "merger": 0.05,
}
"""Share of each class. Near the mix of bright field samples (Nair & Abraham 2010, ApJS 186, 427), with rare kinds drawn
more often than they occur, since a network must know them too."""

# Mean surface brightness (r, mag arcsec^-2) within r50 of an 8 arcsec galaxy, and its scatter. Discs: central 21.65 B
# of Freeman 1970, ApJ 160, 811, about 20.5 r, is 21.6 within r50. Ellipticals: Kormendy relation (Bernardi et al. 2003,
# AJ 125, 1849). Dwarfs and LSB galaxies: Impey & Bothun 1997, ARA&A 35, 267.
_BRIGHTNESS = {
    "elliptical": (20.4, 0.75),
    "lenticular": (20.5, 0.7),
    "spiral": (21.2, 0.6),
    "barred": (21.1, 0.6),
    "flocculent": (21.6, 0.65),
    "edge-on": (20.8, 0.7),
    "dwarf": (23.0, 0.7),
    "lsb": (24.0, 0.6),
    "merger": (21.0, 0.7),
}


def draw_kind(rng: np.random.Generator) -> str:
    """A class, by `CLASSES`."""
    shares = np.array(list(CLASSES.values()))
    return str(rng.choice(list(CLASSES), p=shares / shares.sum()))


def draw_brightness(kind: str, r50: float, rng: np.random.Generator) -> float:
    """Mean surface brightness within r50, r band: larger ellipticals are fainter (Kormendy relation)."""
    mean, scatter = _BRIGHTNESS[kind]
    slope = 0.9 if kind in ("elliptical", "lenticular") else 0.3
    return mean + slope * float(np.log10(r50 / 8.0)) + clipped_normal(rng, 0.0, scatter, -2.0, 2.0)


def draw_galaxy(kind: str, r50: float, mag: float, rng: np.random.Generator) -> Galaxy:
    """A galaxy of one class.

    Parameters
    ----------
    kind : str
        A key of `CLASSES`.
    r50 : float
        Approximate half-light radius, arcsec.
    mag : float
        r-band magnitude.
    rng : Generator
    """
    galaxy = _DRAW[kind](r50, mag, rng)
    # Bright nuclei and AGN: a point source in a tenth of them (Ho 2008, ARA&A 46, 475); dwarfs have star clusters.
    if not galaxy.nucleus and rng.random() < 0.10:
        blue: Colour = {"g": 0.2, "i": -0.15, "z": -0.2}
        return Galaxy(galaxy.kind, mag, galaxy.smooth, galaxy.knots, galaxy.dust, log_uniform(rng, 0.004, 0.25), blue)
    return galaxy


def _elliptical(r50: float, mag: float, rng: np.random.Generator) -> Galaxy:
    """An elliptical, massive and boxy or lesser and discy.

    Sersic n grows with luminosity (Caon et al. 1993, MNRAS 265, 1013); big ones have cores (Dullo & Graham 2014, MNRAS
    444, 2700) and twists; a4 within 2 % (Hao et al. 2006, MNRAS 370, 1339); q: Padilla & Strauss 2008, MNRAS 388, 1321.
    """
    massive = rng.random() < 0.4
    n = clipped_normal(rng, 5.0 if massive else 3.4, 1.3, 1.8, 8.0)
    q = clipped_normal(rng, 0.80 if massive else 0.70, 0.15, 0.32, 1.0)
    twisted = rng.random() < 0.5
    core = r50 * log_uniform(rng, 0.004, 0.05) if massive and rng.random() < 0.7 else 0.0
    shells: tuple[tuple[float, float, float, float], ...] = ()
    if rng.random() < 0.12:
        # Shells of 3 to 15 % of the local light (Malin & Carter 1983; Atkinson et al. 2013, ApJ 765, 28).
        side = rng.uniform(0.0, np.pi)
        shells = tuple(
            (float(place), side + np.pi * (i % 2) + rng.normal(0.0, 0.2), rng.uniform(0.4, 0.9), rng.uniform(0.1, 0.5))
            for i, place in enumerate(np.cumsum(rng.uniform(0.5, 1.3, rng.integers(2, 5))) + 0.5)
        )
    body = Spheroid(
        1.0,
        r50 / np.sqrt(q),
        n,
        q,
        rng.uniform(0.0, np.pi),
        jitter(OLD, rng, 0.04),
        core=core,
        gamma=rng.uniform(0.0, 0.3),
        a4=clipped_normal(rng, -0.004 if massive else 0.006, 0.01, -0.03, 0.04),
        twist=clipped_normal(rng, 0.0, 0.12, -0.35, 0.35) if twisted else 0.0,
        q_slope=clipped_normal(rng, -0.02, 0.05, -0.12, 0.12) if twisted else 0.0,
        re_slope=rng.uniform(0.0, 0.08),  # La Barbera et al. 2010, MNRAS 408, 1313
        shells=shells,
    )
    if q < 0.7 and rng.random() < 0.35:
        # An embedded disc makes it pointed (Bender et al. 1989, A&A 217, 35; Rix & White 1990).
        share = rng.uniform(0.04, 0.25)
        disc = Spheroid(
            share, r50 * rng.uniform(0.4, 1.5), 1.0, rng.uniform(0.18, 0.4), body.pa, jitter(OLD, rng, 0.04)
        )
        body = Spheroid(**{**body.__dict__, "total": 1.0 - share})
        return Galaxy("elliptical", mag, (body, disc))
    return Galaxy("elliptical", mag, (body,))


def _bulge(share: float, h: float, disc_q: float, pa: float, rng: np.random.Generator, classical: bool) -> Spheroid:
    """re / h = 0.22 +- 0.09 and n of 1 to 4 (MacArthur et al. 2003, ApJ 582, 689; Graham & Worley 2008)."""
    own_q = clipped_normal(rng, 0.82 if classical else 0.65, 0.1, 0.4, 1.0)
    # An oblate spheroid of that axis ratio seen at the disc's inclination.
    q = float(np.sqrt(own_q**2 + (1.0 - own_q**2) * min(disc_q, 1.0) ** 2))
    return Spheroid(
        share,
        h * clipped_normal(rng, 0.24, 0.09, 0.07, 0.6) * (1.25 if classical else 1.0) / np.sqrt(q),
        clipped_normal(rng, 3.2, 0.8, 1.8, 5.5) if classical else clipped_normal(rng, 1.3, 0.5, 0.6, 2.6),
        q,
        pa + rng.normal(0.0, 0.1),
        jitter(OLD, rng, 0.06),
        a4=clipped_normal(rng, 0.0, 0.008, -0.03, 0.03),
    )


def _inclined_q(rng: np.random.Generator, edge: float = 0.25) -> float:
    """Projected axis ratio of a disc of random orientation, thickness 0.2 (Padilla & Strauss 2008), not edge-on."""
    cos_i = rng.uniform(edge, 1.0)
    q0 = clipped_normal(rng, 0.17, 0.04, 0.08, 0.28)
    # Real discs aren't round: ellipticity 0.1 or so face-on (Ryden 2004, ApJ 601, 214).
    return float(np.sqrt(q0**2 + (1.0 - q0**2) * cos_i**2) * (1.0 - min(abs(rng.normal(0.0, 0.08)), 0.3)))


def _lenticular(r50: float, mag: float, rng: np.random.Generator) -> Galaxy:
    share = clipped_normal(rng, 0.32, 0.14, 0.05, 0.7)
    q, pa = _inclined_q(rng), rng.uniform(0.0, np.pi)
    h = r50 / np.sqrt(q) / (1.68 - 1.15 * share)
    disc = draw_disc(1.0 - share, h, q, pa, jitter(OLD, rng, 0.05), rng, lens=rng.random() < 0.4)
    smooth: list[Smooth] = [_bulge(share, h, q, pa, rng, True), disc]
    if rng.random() < 0.35:
        smooth.append(_bar(h, disc.q, pa, OLD, rng, early=True))
    dust = (draw_lane(h, q, pa, rng, tau=0.5),) if q < 0.5 and rng.random() < 0.2 else ()
    return Galaxy("lenticular", mag, tuple(smooth), dust=dust)


def _bar(h: float, q: float, pa: float, colour: Colour, rng: np.random.Generator, early: bool) -> Bar:
    """A bar, longer in early types.

    Lengths: Erwin 2005, MNRAS 364, 283 (1.4 h early, 0.6 h late); ellipticity 0.4 to 0.8: Marinova & Jogee 2007, ApJ
    659, 1176; share of light 3 to 20 %: Gadotti 2011, MNRAS 415, 3308; ansae in 40 % of SB0 (Martinez-Valpuesta 2007).
    """
    length = h * clipped_normal(rng, 1.35 if early else 0.85, 0.3, 0.4, 2.2)
    return Bar(
        clipped_normal(rng, 0.10, 0.05, 0.02, 0.25),
        length,
        1.0 - clipped_normal(rng, 0.68, 0.1, 0.4, 0.85),
        rng.uniform(0.0, np.pi),
        q,
        pa,
        jitter(colour, rng, 0.05),
        boxiness=clipped_normal(rng, 2.6, 0.4, 2.0, 3.8),
        index=rng.uniform(0.3, 2.0),
        ansae=rng.uniform(0.05, 0.2) if rng.random() < (0.4 if early else 0.1) else 0.0,
    )


def _spiral(r50: float, mag: float, rng: np.random.Generator) -> Galaxy:
    return _late(r50, mag, rng, "spiral")


def _barred(r50: float, mag: float, rng: np.random.Generator) -> Galaxy:
    return _late(r50, mag, rng, "barred")


def _flocculent(r50: float, mag: float, rng: np.random.Generator) -> Galaxy:
    return _late(r50, mag, rng, "flocculent")


def _late(r50: float, mag: float, rng: np.random.Generator, kind: str) -> Galaxy:
    """Bulge, disc and bar of a spiral; B/T: Graham & Worley 2008, MNRAS 388, 1708 (0.25 for Sa to 0.02 for Sd)."""
    stage = rng.random()  # 0: Sa, 1: Sd
    if kind == "flocculent":
        stage = 0.5 + 0.5 * stage
    share = clipped_normal(rng, 0.26 - 0.24 * stage, 0.07, 0.0, 0.5)
    q, pa = _inclined_q(rng, 0.15), rng.uniform(0.0, np.pi)
    h = r50 / np.sqrt(q) / (1.68 - 1.15 * share)
    colour = jitter(MIDDLE, rng, 0.08)
    bar = _bar(h, q, pa, OLD, rng, early=stage < 0.4) if kind == "barred" else None
    arms = draw_arms(stage, rng, bar_length=bar.length / h if bar else 0.0, grand=kind != "flocculent")
    disc = draw_disc(1.0 - share, h, q, pa, colour, rng, arms=arms, bar=bar)
    smooth: list[Smooth] = [disc]
    if share > 0.01:
        smooth.append(_bulge(share, h, q, pa, rng, stage < 0.35))
    if bar is not None:
        smooth.append(bar)
    knots = (draw_knots(disc, stage, YOUNG, rng),) if rng.random() < 0.35 + 0.6 * stage else ()
    dust = (draw_lane(h, q, pa, rng, tau=log_uniform(rng, 0.3, 1.5)),) if q < 0.5 and rng.random() < 0.6 else ()
    return Galaxy(kind, mag, tuple(smooth), knots=knots, dust=dust)


def _edge_on(r50: float, mag: float, rng: np.random.Generator) -> Galaxy:
    """A disc seen from its side, with a thick disc, a bulge and a dust lane.

    h / z0 near 4 (Kregel et al. 2002, MNRAS 334, 646: h / hz = 7.3 +- 2.2), warps in half of them (Reshetnikov & Combes
    1998, A&A 337, 9), thick discs (Yoachim & Dalcanton 2006, AJ 131, 226), boxy bulges (Luetticke et al. 2000).
    """
    share = clipped_normal(rng, 0.15, 0.13, 0.0, 0.6)
    pa = rng.uniform(0.0, np.pi)
    h = r50 * rng.uniform(1.0, 1.5)
    z0 = h / clipped_normal(rng, 4.2, 1.2, 2.0, 9.0)
    side = 1.0 if rng.random() < 0.5 else -1.0
    warp = (rng.uniform(1.2, 3.0), side * log_uniform(rng, 0.004, 0.05)) if rng.random() < 0.5 else (0.0, 0.0)
    thick = rng.uniform(0.08, 0.4) if rng.random() < 0.7 else 0.0
    smooth: list[Smooth] = [
        EdgeOn(
            (1.0 - share) * (1.0 - thick),
            h,
            z0,
            pa,
            jitter(MIDDLE, rng),
            warp,
            max(0.0, rng.normal(0.0, 0.05)) if rng.random() < 0.5 else 0.0,
        )
    ]
    if thick:
        smooth.append(EdgeOn((1.0 - share) * thick, h * 1.2, z0 * rng.uniform(2.0, 3.5), pa, jitter(OLD, rng), warp))
    if share > 0.01:
        boxy = rng.random() < 0.45
        smooth.append(
            Spheroid(
                share,
                h * clipped_normal(rng, 0.35, 0.12, 0.12, 0.8),
                clipped_normal(rng, 1.8, 0.8, 0.8, 4.0),
                clipped_normal(rng, 0.62, 0.1, 0.4, 0.9),
                pa,
                jitter(OLD, rng),
                a4=-rng.uniform(0.02, 0.07) if boxy else 0.0,
            )
        )
    dust: tuple[Dust, ...] = ()
    if rng.random() < 0.65:
        dust = (
            Dust(
                log_uniform(rng, 0.3, 3.0),
                h * 1.3,
                z0 * rng.uniform(0.2, 0.45),
                z0 * rng.normal(0.0, 0.15),
                pa,
                draw_clouds(rng),
            ),
        )
    return Galaxy("edge-on", mag, tuple(smooth), dust=dust)


def _dwarf(r50: float, mag: float, rng: np.random.Generator) -> Galaxy:
    """dE: n 0.7 to 1.7, nucleated in half (Ferrarese et al. 2020, ApJ 890, 128); dIrr: clumpy, off-centre light."""
    q = clipped_normal(rng, 0.68, 0.16, 0.25, 1.0)
    pa = rng.uniform(0.0, np.pi)
    if rng.random() < 0.55:
        body = Spheroid(1.0, r50 / np.sqrt(q), clipped_normal(rng, 1.1, 0.3, 0.5, 2.0), q, pa, jitter(OLD, rng, 0.1))
        nucleus = log_uniform(rng, 0.001, 0.03) if rng.random() < 0.5 else 0.0
        return Galaxy("dwarf", mag, (body,), nucleus=nucleus, nucleus_colour=OLD)
    disc = draw_disc(
        1.0,
        r50 / np.sqrt(q) / 1.68,
        q,
        pa,
        jitter(YOUNG, rng, 0.1),
        rng,
        arms=draw_patches(rng) if rng.random() < 0.7 else draw_arms(1.0, rng, grand=False),
        lopsided=rng.uniform(0.1, 0.5),
    )
    return Galaxy("dwarf", mag, (disc,), knots=(draw_knots(disc, 1.2, YOUNG, rng),))


def _lsb(r50: float, mag: float, rng: np.random.Generator) -> Galaxy:
    """Dim discs with faint open arms (McGaugh & Bothun 1994, AJ 107, 530)."""
    q, pa = _inclined_q(rng), rng.uniform(0.0, np.pi)
    h = r50 / np.sqrt(q) / 1.68
    share = clipped_normal(rng, 0.03, 0.04, 0.0, 0.15)
    disc = draw_disc(
        1.0 - share, h, q, pa, jitter(YOUNG, rng, 0.1), rng, arms=draw_arms(1.0, rng, grand=rng.random() < 0.3)
    )
    smooth: list[Smooth] = [disc]
    if share > 0.005:
        smooth.append(_bulge(share, h, q, pa, rng, False))
    return Galaxy("lsb", mag, tuple(smooth), knots=(draw_knots(disc, 0.9, YOUNG, rng),))


def _merger(r50: float, mag: float, rng: np.random.Generator) -> Galaxy:
    """A disturbed galaxy with tidal tails of 2 to 12 % of its light (Toomre & Toomre 1972, ApJ 178, 623).

    A third has a second nucleus within the body; shells are in early types' nature (`_elliptical`).
    """
    kind = str(rng.choice(["spiral", "flocculent", "elliptical", "lenticular"]))
    base = _DRAW[kind](r50, mag, rng)
    extra = [draw_tail(r50, rng) for _ in range(int(rng.integers(1, 3)))]
    if rng.random() < 0.35:
        extra.append(draw_second_nucleus(r50, rng))
    return Galaxy("merger", mag, base.smooth, base.knots + tuple(extra), base.dust, base.nucleus, base.nucleus_colour)


_DRAW = {
    "elliptical": _elliptical,
    "lenticular": _lenticular,
    "spiral": _spiral,
    "barred": _barred,
    "flocculent": _flocculent,
    "edge-on": _edge_on,
    "dwarf": _dwarf,
    "lsb": _lsb,
    "merger": _merger,
}
