"""From a target's noise-free image to the image that a user has: field, noise, defects, sky, masks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from p2p_keras.data.mocks import front as fronts
from p2p_keras.data.mocks import masks, surroundings, telescope
from p2p_keras.data.mocks.extras import PLAIN, Extras
from p2p_keras.data.mocks.fields import add_residuals, draw_field, plane_of_points
from p2p_keras.data.mocks.mixtures import ANY
from p2p_keras.data.mocks.rendering import Canvas
from p2p_keras.data.mocks.skies import draw_left_sky
from p2p_keras.data.mocks.streams import Stream, generator
from p2p_keras.data.mocks.surroundings import Star, Surroundings
from p2p_keras.data.mocks.surveys import Conditions

__all__ = ["Observed", "Shot", "observe", "observe_in_frame"]


@dataclass(frozen=True)
class Observed:
    """An image as a user has it.

    Attributes
    ----------
    image : float array (size, size)
        Flux per pixel; NaN where masked.
    noise : float
        1-sigma per pixel in quiet sky.
    sky : float
        Level left at the target, flux per pixel: what a perfect measurement of the sky would find, the mean of the
        sources below detection included.
    """

    image: np.ndarray
    noise: float
    sky: float


@dataclass(frozen=True)
class Shot:
    """One image of one target: what it was drawn with.

    Attributes
    ----------
    seed, index : int
    band : str
    canvas : Canvas
    conditions : Conditions
    depth : float
        5-sigma depth for point sources in r.
    target : front.Target
    x0, y0 : float
        Its centre, pixels.
    near : tuple of Star
        Stars on it that were asked for.
    extras : Extras
    """

    seed: int
    index: int
    band: str
    canvas: Canvas
    conditions: Conditions
    depth: float
    target: fronts.Target
    x0: float
    y0: float
    near: tuple[Star, ...]
    extras: Extras

    @property
    def half_side(self) -> float:
        """Half the image's side, arcsec."""
        return 0.5 * self.canvas.size * self.canvas.pixel_scale

    def stream(self, stream: Stream) -> np.random.Generator:
        """Random numbers of the image that all bands share."""
        return generator(self.seed, self.index, stream)

    def front(self) -> fronts.Front:
        """What lies in front of the target."""
        if self.extras.front == PLAIN:
            return fronts.Front()
        fwhm = self.conditions.fwhm * self.canvas.pixel_scale
        kinds, rng = fronts.kinds_of(self.extras.front), self.stream(Stream.FRONT)
        return fronts.draw_front(self.target, self.half_side, fwhm, self.canvas.pixel_scale, rng, kinds)


def observe(light: np.ndarray, shot: Shot, rng: np.random.Generator) -> Observed:
    """Put a target into a mock field and take its image.

    Parameters
    ----------
    light : float array (size, size)
        The target alone, noise-free, flux per pixel.
    shot : Shot
    rng : Generator
        Of telescope and noise, another one for each band.
    """
    canvas, conditions, extras = shot.canvas, shot.conditions, shot.extras
    place = shot.target
    points, level = None, 0.0
    if extras.field == PLAIN:
        objects = surroundings.draw_surroundings(
            shot.half_side, shot.depth + 0.7, place.mag, place.r50, shot.stream(Stream.SURROUNDINGS)
        )
    else:
        draw = shot.stream(Stream.FIELD)
        objects, faint = draw_field(shot.half_side, shot.depth, place.mag, place.r50, draw, extras.field)
        points, level = plane_of_points(faint, canvas, shot.band, conditions.zero_point, draw)
    front = shot.front()
    objects = replace(
        objects,
        stars=(*objects.stars, *shot.near, *front.stars),
        neighbours=(*objects.neighbours, *front.neighbours),
    )
    image = light + surroundings.render_neighbours(
        objects, canvas, shot.band, conditions.zero_point, conditions.noise, points
    )
    image += surroundings.render_stars(objects, canvas, shot.band, conditions)
    telescope.add_glare(image, objects, conditions, shot.band, rng)
    if conditions.sky_electrons is not None:
        image, noise, sky = telescope.count_photons(image, conditions, rng)
        return _finished(image, noise, sky + level, objects, front, np.zeros(image.shape, dtype=bool), shot, rng)
    if extras.front == PLAIN:
        telescope.add_trail(image, conditions, rng)
    image, noise = telescope.add_noise(image, conditions, rng)
    saturated = telescope.saturate(image, conditions, rng)
    if extras.front == PLAIN:
        telescope.add_cosmic_rays(image, conditions, rng)
    residual, sky = telescope.draw_sky(canvas.size, shot.x0, shot.y0, conditions, rng)
    image += residual
    if extras.field == ANY:
        level += add_residuals(image, shot.x0, shot.y0, noise, rng)
    return _finished(image, noise, sky + level, objects, front, saturated, shot, rng)


def observe_in_frame(
    light: np.ndarray, pixels: np.ndarray, noise: float, sky: float, shot: Shot, rng: np.random.Generator
) -> Observed:
    """Put a target into a piece of a real frame.

    Parameters
    ----------
    light : float array (size, size)
        The target alone, noise-free.
    pixels : float array (size, size)
        The frame there.
    noise, sky : float
        Its noise per pixel, and its level at the target.
    shot : Shot
    rng : Generator
    """
    canvas, conditions = shot.canvas, shot.conditions
    front = shot.front()
    objects = Surroundings((*shot.near, *front.stars), front.neighbours)
    if objects.stars or objects.neighbours:
        light = light + surroundings.render_stars(objects, canvas, shot.band, conditions)
    if objects.neighbours:
        light += surroundings.render_neighbours(objects, canvas, shot.band, conditions.zero_point, conditions.noise)
    own_noise = np.sqrt(np.maximum(light, 0.0) / conditions.gain) * rng.standard_normal(light.shape)
    return _finished(pixels + light + own_noise, noise, sky, objects, front, None, shot, rng)


def _finished(
    image: np.ndarray,
    noise: float,
    sky: float,
    objects: Surroundings,
    front: fronts.Front,
    saturated: np.ndarray | None,
    shot: Shot,
    rng: np.random.Generator,
) -> Observed:
    """Defects, a sky that is left, and masks; `saturated` is None in a real frame, which has its own."""
    extras, conditions = shot.extras, shot.conditions
    image = np.ascontiguousarray(image)
    if front.defects:
        draw = generator(shot.seed, shot.index, Stream.FRONT, shot.band)
        fronts.add_defects(image, front.defects, noise, conditions.fwhm, draw)
    if extras.sky != PLAIN:
        draw = generator(shot.seed, shot.index, Stream.SKY, shot.band)
        left, level = draw_left_sky(shot.canvas.size, shot.x0, shot.y0, noise, draw, extras.sky)
        image += left
        sky += level
    if extras.masks != PLAIN:
        draw = generator(shot.seed, shot.index, Stream.MASK, shot.band)
        if extras.masks == ANY and saturated is not None and draw.random() < 0.5:
            image[saturated] = np.nan
        pattern = masks.draw_mask(shot.canvas.size, shot.x0, shot.y0, conditions.fwhm, draw, extras.masks)
        if pattern is not None:
            image[pattern] = np.nan
    elif saturated is not None:
        image[telescope.draw_mask(image, saturated, objects, conditions, shot.x0, shot.y0, rng)] = np.nan
    return Observed(image, noise, sky)
