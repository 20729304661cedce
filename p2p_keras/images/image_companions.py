"""The mask and the noise of one galaxy's window: named by the caller, or found in and beside the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.images.companions import Companion, beside, from_file, in_file
from p2p_keras.images.cutout import Window
from p2p_keras.images.galaxy_image import as_sigma, mask_of_shape
from p2p_keras.images.masks import (
    as_mask,
    bad_bits,
    check_sense,
    is_region_file,
    parse_bits,
    region_mask,
)
from p2p_keras.images.noise import scatter, sigma_of
from p2p_keras.images.pixels import linear_flux
from p2p_keras.images.roles import MASK, NOISE_ROLES, SIGMA, VARIANCE, WEIGHT

__all__ = ["asked_companions", "CompanionsOfImage"]


def asked_companions(mask: Any, mask_bits: Any, sigma: Any, variance: Any, weight: Any) -> dict[str, Any]:
    """What the caller names, checked.

    Parameters
    ----------
    mask : path, array or None
    mask_bits : int, str or None
    sigma, variance, weight : path, array or None
        At most one of them.

    Raises
    ------
    UsageError
        Two noise maps, or bits without a mask to read them in.
    """
    maps = {
        role: value for role, value in ((SIGMA, sigma), (VARIANCE, variance), (WEIGHT, weight)) if value is not None
    }
    if len(maps) > 1:
        raise UsageError("give one noise map: --sigma, --variance or --weight")
    if mask_bits is not None and ((mask is not None and not _is_path(mask)) or (mask is not None and _is_region(mask))):
        raise UsageError("--mask-bits is for a mask in a FITS file")
    return {"mask": mask, "bits": mask_bits, "noise": maps}


class CompanionsOfImage:
    """Finds the companions of an image and cuts them out.

    Parameters
    ----------
    frame : Frame
        With `opened` and `file`.
    asked : mapping
        Of `asked_companions`.
    image : object
        With `choice`, `shape`, `wcs`, `header`.
    look_around : bool
        Take what is in the file and beside it.
    plane, band
        As the caller named them.

    Attributes
    ----------
    noise_origin : str
        See `p2p_keras.images.GalaxyImage`.
    """

    def __init__(
        self, frame: Any, asked: Mapping[str, Any], image: Any, *, look_around: bool, plane: Any, band: str | None
    ) -> None:
        self.noise_origin = "pixels"
        self._frame, self._image, self._asked = frame, image, asked
        self._notes: list[str] = []
        self._companions: list[Companion] = []
        shape = image.shape
        named: dict[str, Any] = {"plane": image.choice.plane if plane is not None else None, "band": band}
        for role, value in asked["noise"].items():
            if _is_path(value):
                self._companions.append(from_file(value, role, frame.opened, shape, **named))
        mask = asked["mask"]
        if mask is not None and _is_path(mask) and not _is_region(mask):
            self._companions.append(from_file(mask, MASK, frame.opened, shape, **named))
        if look_around:
            self._look_around(bool(asked["noise"]), mask is not None)

    def _look_around(self, has_noise: bool, has_mask: bool) -> None:
        """Take companions of the file itself, then from beside it, where the caller named none of the kind."""
        for companion in in_file(self._frame.file, self._image.choice):
            if not (has_mask if companion.role == MASK else has_noise):
                self._companions.append(companion)
        has_noise |= any(c.role in NOISE_ROLES for c in self._companions)
        has_mask |= any(c.role == MASK for c in self._companions)
        for path, role in beside(self._frame.source):
            if has_mask if role == MASK else has_noise:
                continue
            try:
                companion = from_file(path, role, self._frame.opened, self._image.shape, given=False)
            except InputError as error:
                self._notes.append(f"{Path(path).name} beside it isn't used: {error.cause}")
                continue
            self._companions.append(companion)

    def cut(self, window: Window, pixels: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None, list[str]]:
        """Mask (true: ignore), 1-sigma noise and notes of a window.

        Parameters
        ----------
        window : Window
            Of the frame.
        pixels : float array (H, W)
            Linear flux in it; sets the scale of relative weights.

        Returns
        -------
        (bool array (H, W) or None, float array (H, W) or None, list of str)

        Raises
        ------
        InputError
            A map or mask that the caller named can't be used.
        """
        hidden: np.ndarray | None = None
        sigma: np.ndarray | None = None
        self.noise_origin = "pixels"
        notes = list(self._notes)
        for companion in self._companions:
            if companion.role == MASK:
                mask, more_notes = self._mask(companion, window)
                hidden = mask if hidden is None or mask is None else hidden | mask
            else:
                sigma, more_notes = self._sigma(companion, window, pixels)
            notes += more_notes
        given = self._given_mask(window)
        if given is not None:
            hidden = given if hidden is None else hidden | given
        for role, value in self._asked["noise"].items():
            if not _is_path(value):
                whole = as_sigma(value, self._image.shape, self._frame.source)
                sigma, self.noise_origin = sigma_of(window.cut(whole), role, pixels), "given"
        if sigma is not None:
            without = ~np.isfinite(sigma) & np.isfinite(pixels)
            hidden = without if hidden is None else hidden | without
        return hidden, sigma, notes

    def _sigma(self, companion: Companion, window: Window, pixels: np.ndarray) -> tuple[np.ndarray | None, list[str]]:
        values = linear_flux(window.cut(companion.pixels), companion.header, companion.where)
        sigma = sigma_of(values, companion.role, pixels)
        seen = np.isfinite(pixels)
        if not (np.isfinite(sigma) & seen).any():
            cause = f"the {companion.role} map ({companion.where}) has no pixel above 0"
            if companion.given:
                raise InputError(self._frame.source, cause)
            return None, [f"{cause}: it isn't used"]
        share = float((~np.isfinite(sigma) & seen).sum() / max(1, seen.sum()))
        if share > 0.5 and not companion.given:
            return None, [f"{100 * share:.0f} % of the {companion.role} map ({companion.where}) are 0: it isn't used"]
        off = _off_scale(sigma, pixels) if companion.role != WEIGHT else ""
        if off and not companion.given:
            return None, [f"the {companion.role} map ({companion.where}) isn't used: {off}"]
        self.noise_origin = f"{companion.role}: {companion.where}"
        if off:
            return sigma, [f"the {companion.role} map ({companion.where}) was used as asked, but {off}"]
        masked = f"; its pixels without weight ({100 * share:.1f} %) are masked" if share > 0 else ""
        if companion.given or (companion.where.startswith("HDU ") and not masked):
            return sigma, []  # as asked for, or as the file's maker meant it: noise_origin says it
        return sigma, [f"its noise is that of the {companion.role} map {companion.where}{masked}"]

    def _mask(self, companion: Companion, window: Window) -> tuple[np.ndarray | None, list[str]]:
        bits = self._asked["bits"]
        whose = "given bits"
        if bits is not None:
            chosen = parse_bits(bits, companion.header)
        else:
            chosen, whose = bad_bits(companion.header)
        cut = window.cut(companion.pixels)
        mask = as_mask(np.where(np.isnan(cut), 0.0, cut), chosen)
        share = float(mask.mean())
        try:
            centre = ((window.width - 1) / 2, (window.height - 1) / 2)
            check_sense(mask, companion.where, self._frame.source, centre, given=companion.given)
        except InputError as error:
            if companion.given:
                raise
            return None, [f"not used: {error.cause}"]
        which = f" by {whose}" if chosen is not None and whose else ""
        if companion.given and chosen is None:
            return mask, []
        return mask, [f"{100 * share:.1f} % of the pixels are masked{which}: {companion.where}"] if share else []

    def _given_mask(self, window: Window) -> np.ndarray | None:
        """Mask of an array or a region file."""
        mask = self._asked["mask"]
        if mask is None or (_is_path(mask) and not _is_region(mask)):
            return None
        if _is_path(mask):
            whole = region_mask(mask, self._image.shape, self._image.wcs)
        else:
            whole = mask_of_shape(mask, self._image.shape, self._frame.source)
        cut = np.nan_to_num(window.cut(whole)) != 0
        centre = ((window.width - 1) / 2, (window.height - 1) / 2)
        check_sense(cut, Path(mask).name if _is_path(mask) else "given", self._frame.source, centre)
        return cut


_OFF_SCALE = 10.0


def _off_scale(sigma: np.ndarray, pixels: np.ndarray) -> str:
    """What is wrong with a noise map that can't be one in the image's unit; ``""`` for a good one."""
    level, own = float(np.nanmedian(sigma)), scatter(pixels)
    if not own > 0.0 or 1.0 / _OFF_SCALE < level / own < _OFF_SCALE:
        return ""
    return (
        f"the noise that it gives is {level:.3g} per pixel, and the pixels scatter by {own:.3g}: is it another kind of "
        "map (--sigma, --variance, --weight), or in another unit?"
    )


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _is_region(value: Any) -> bool:
    return _is_path(value) and is_region_file(value)
