"""What is drawn at random in discs: breaks, rings, arms, knots, dust lanes."""

from __future__ import annotations

import numpy as np

from p2p_keras.data.mocks.components import Bar, Dust, Knots
from p2p_keras.data.mocks.inclined_disc import Arms, Disc
from p2p_keras.data.mocks.light import Colour
from p2p_keras.data.mocks.streams import clipped_normal, log_uniform
from p2p_keras.data.mocks.texture import Texture

__all__ = ["draw_disc", "draw_arms", "draw_patches", "draw_knots", "draw_lane", "draw_clouds"]


def draw_disc(
    total: float,
    h: float,
    q: float,
    pa: float,
    colour: Colour,
    rng: np.random.Generator,
    *,
    arms: Arms | None = None,
    bar: Bar | None = None,
    lens: bool = False,
    lopsided: float | None = None,
) -> Disc:
    """A disc with its outskirts.

    Breaks: 60 % bend down at 2.5 h by a factor of 2.1, 25 % up at 4.9 h by 0.6 (Pohlen & Trujillo 2006, A&A 454, 759,
    Table 5), but fewer in early types. Inner rings at the bar's end, outer ones at twice that (Buta & Combes 1996,
    Fund. Cosmic Phys. 17, 95; sizes: Comeron et al. 2014, A&A 562, A121). A third is lopsided by 0.2 or more (Zaritsky
    & Rix 1997, ApJ 477, 118).
    """
    kind = rng.choice(["II", "III", "I"], p=[0.5, 0.25, 0.25])
    break_radius, h_outer = 0.0, 1.0
    if kind == "II":
        break_radius, h_outer = clipped_normal(rng, 2.5, 0.6, 1.3, 4.5), 1.0 / clipped_normal(rng, 2.0, 0.45, 1.2, 3.2)
    elif kind == "III":
        break_radius, h_outer = clipped_normal(rng, 4.5, 0.7, 2.8, 6.0), clipped_normal(rng, 1.7, 0.3, 1.2, 2.5)
    rings = []
    hole = 0.0
    if bar is not None:
        length = bar.length / h
        if rng.random() < 0.35:
            rings.append((length * rng.uniform(1.0, 1.2), 0.12 * length, rng.uniform(0.15, 0.8)))
        if rng.random() < 0.2:
            rings.append((length * rng.uniform(1.9, 2.4), 0.2 * length, rng.uniform(0.2, 1.0)))
        if rng.random() < 0.3:
            hole = 0.6 * length
    elif lens:
        rings.append((rng.uniform(1.0, 2.0), rng.uniform(0.25, 0.5), rng.uniform(0.1, 0.5)))
    elif rng.random() < 0.12:
        place = rng.uniform(0.7, 2.5)
        rings.append((place, place * rng.uniform(0.08, 0.2), rng.uniform(0.2, 1.2)))
    if lopsided is None:
        lopsided = abs(rng.normal(0.0, 0.16)) if rng.random() < 0.6 else 0.0
    warp = (0.0, 0.0)
    if q < 0.8 and rng.random() < 0.2:
        warp = (rng.uniform(1.5, 3.0), rng.normal(0.0, 0.15))
    return Disc(
        total,
        h,
        q,
        pa,
        colour,
        break_radius=break_radius,
        h_outer=h_outer,
        sharpness=rng.uniform(2.0, 8.0),
        hole=hole,
        rings=tuple(rings),
        lopsided=(min(lopsided, 0.7), rng.uniform(0.0, 2.0 * np.pi)),
        warp=warp,
        h_slope=rng.uniform(0.0, 0.06),  # scale lengths shrink to the red: MacArthur et al. 2003
        arms=arms,
    )


def draw_arms(stage: float, rng: np.random.Generator, *, bar_length: float = 0.0, grand: bool = True) -> Arms:
    """Spiral structure of a galaxy between Sa (stage 0) and Sd (1).

    Pitch angles of 6 to 35 degrees, opening with stage (Kennicutt 1981); two arms most often. Arms are about one
    magnitude brighter than what is between them in grand-design spirals, 0.7 in flocculent ones (Elmegreen et al.
    2011).
    """
    tan_pitch = float(np.tan(np.deg2rad(clipped_normal(rng, 11.0 + 11.0 * stage, 4.5, 6.0, 36.0))))
    sense = 1.0 if rng.random() < 0.5 else -1.0
    modes = []
    strength = log_uniform(rng, 0.05, 0.22) if grand else log_uniform(rng, 0.05, 0.4)
    for _ in range(int(rng.integers(2, 4)) if grand else int(rng.integers(4, 7))):
        m = int(rng.integers(3, 9)) if grand else int(rng.integers(2, 10))
        pitch = sense * tan_pitch * log_uniform(rng, 0.7, 2.0) * (1.0 if rng.random() < 0.95 else -1.0)
        modes.append((m, pitch, rng.uniform(0.0, 2.0 * np.pi), strength * rng.uniform(0.5, 1.2)))
    ripples = []
    for _ in range(4):
        # Wavelengths of 1.5 to 5 scale lengths; flocculent arms are broken up, grand-design ones only bent.
        k, direction = 2.0 * np.pi / log_uniform(rng, 1.5, 5.0), rng.uniform(0.0, 2.0 * np.pi)
        angle = rng.uniform(0.3, 0.9) if not grand else rng.uniform(0.05, 0.4)
        ripples.append((k * np.cos(direction), k * np.sin(direction), rng.uniform(0.0, 2.0 * np.pi), angle))
    inner = bar_length * 0.85 if bar_length else rng.uniform(0.25, 0.9)
    # An arm can be followed through half a turn to one and a half; arms wound up further give a mock away.
    end = inner * float(np.exp(2.0 * np.pi * rng.uniform(0.5, 1.5) * tan_pitch))
    return Arms(
        number=int(rng.choice([2, 2, 2, 2, 3, 4, 1])) if grand else 0,
        tan_pitch=sense * tan_pitch,
        phase=rng.uniform(0.0, 2.0 * np.pi),
        amplitude=clipped_normal(rng, 0.34, 0.17, 0.05, 0.85) if grand else 0.0,
        sharpness=rng.uniform(0.8, 4.0),
        inner=inner,
        outer=min(rng.uniform(2.8, 5.0), max(end, inner + 1.0)) if grand else rng.uniform(2.8, 5.0),
        wander=clipped_normal(rng, 0.0, 0.25, -0.6, 0.6),
        modes=tuple(modes),
        dust=rng.uniform(0.0, 0.5) if grand and rng.random() < 0.6 else 0.0,
        ripples=tuple(ripples),
        texture=Texture(
            int(rng.integers(2**32)),
            log_uniform(rng, 0.14, 0.45) if grand else log_uniform(rng, 0.2, 0.6),
            slope=rng.uniform(2.2, 3.2),
            stretch=log_uniform(rng, 2.0, 6.0) if grand else log_uniform(rng, 2.5, 9.0),
            tan_pitch=sense * tan_pitch * log_uniform(rng, 0.8, 1.6),
        ),
    )


def draw_patches(rng: np.random.Generator) -> Arms:
    """What an irregular galaxy has in place of arms: bright patches and holes, off the centre as often as not.

    Star formation in patches: Hunter & Elmegreen 2004, AJ 128, 2170; holes: Walter & Brinks 1999, AJ 118, 273.
    """
    return Arms(
        inner=0.05,
        outer=rng.uniform(3.0, 5.0),
        texture=Texture(
            int(rng.integers(2**32)),
            log_uniform(rng, 0.3, 0.9),
            slope=rng.uniform(2.4, 3.6),
            stretch=rng.uniform(1.0, 1.8),
            period=rng.uniform(5.0, 9.0),
        ),
    )


def draw_knots(disc: Disc, stage: float, colour: Colour, rng: np.random.Generator) -> Knots:
    """HII regions and clumps of a disc, where its arms are, 1 to 8 % of the light in all.

    Luminosities as a power law of slope -2 (Kennicutt et al. 1989, ApJ 337, 761).
    """
    number = int(rng.integers(8, 20 + int(50 * min(stage, 1.0))))
    groups = int(np.ceil(number * rng.uniform(0.3, 1.0)))
    # Places from an exponential disc, kept in proportion to the arms' brightness.
    tries = number * 6
    radius = rng.gamma(2.0, 1.0, tries)
    angle = rng.uniform(0.0, 2.0 * np.pi, tries)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    weight = np.ones(tries)
    if disc.arms is not None:
        factor = disc.arms.factor(x.astype(np.float32), y.astype(np.float32), radius.astype(np.float32), 1.3)
        weight = np.asarray(factor, dtype=float) ** 2
    weight = weight * (radius < 5.0) * (radius > 0.25)
    order = np.argsort(-weight / np.maximum(rng.exponential(1.0, tries), 1e-9))[:number]
    # Some stand in groups about the first ones, as associations do.
    order = np.concatenate([order[:groups], rng.choice(order[:groups], number - groups)])
    near = np.where(np.arange(number) < groups, 0.0, rng.uniform(0.03, 0.15)) * np.sqrt(radius[order])
    x = (x[order] + near * rng.standard_normal(number)) * disc.h
    y = (y[order] + near * rng.standard_normal(number)) * disc.h * disc.q
    luminosity = np.minimum(1.0 / (1.0 - rng.random(number) * 0.97), 25.0)
    share = log_uniform(rng, 0.01, 0.04 + 0.05 * min(stage, 1.0)) * disc.total
    c, s = np.cos(disc.pa), np.sin(disc.pa)
    return Knots(
        x * c - y * s,
        x * s + y * c,
        disc.h * 0.035 * luminosity**0.33 * rng.uniform(0.7, 1.6, number),
        share * luminosity / luminosity.sum(),
        colour,
    )


def draw_lane(h: float, q: float, pa: float, rng: np.random.Generator, *, tau: float) -> Dust:
    """The dust lane of an inclined disc: off the centre on the near side, closer to the middle the more edge-on."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    return Dust(
        tau,
        h * rng.uniform(1.0, 1.6),
        h * rng.uniform(0.06, 0.14) * (0.5 + q),
        side * h * q * rng.uniform(0.15, 0.5),
        pa,
        draw_clouds(rng),
    )


def draw_clouds(rng: np.random.Generator) -> Texture:
    """Clouds of a dust lane, drawn out along it."""
    seed, strength = int(rng.integers(2**32)), rng.uniform(0.1, 0.7)
    return Texture(
        seed, strength, slope=rng.uniform(2.0, 3.0), stretch=rng.uniform(1.5, 4.0), period=rng.uniform(2.5, 5.0)
    )
