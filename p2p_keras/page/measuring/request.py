"""What is to be measured, as the page has it: the options of `predict` by their names, and their command line."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePath
from typing import Any, Self

from p2p_keras.core.errors import UsageError
from p2p_keras.images.targets import IMAGE_OPTIONS

__all__ = ["FILES", "NUMBERS", "Request", "file_named", "options_of_text"]

FILES = ("mask", "sigma")
NUMBERS = ("zero_point", "pixel_scale", "x", "y")
IN_LINK = (
    "zero_point", "pixel_scale", "band", "hdu", "plane", "ra", "dec", "x", "y", "size", "sky", "fixed", "photometry",
    "to_ab", "forced", "reference", "align", "model",
)  # fmt: skip
"""Options that a link to a page holds as they are; `FILES` are called by their places in the page's folders."""


@dataclass(frozen=True)
class Request:
    """A galaxy to be measured. All but the first two are options of the program `predict`; None is its default.

    Attributes
    ----------
    path : str
        The image.
    shown : str
        How to call it on the page and in the command line: a dropped file lies in a folder that goes with the session.
    mask, sigma, ellipses : str
        Files.
    forced : str
        Several bands, as they are typed and shown: ``g=a.fits r=b.fits``. Then `band` is the one that is shown.
    reference : str
        The band whose ellipses count.
    align : bool
        Whether bands are registered by the galaxy's light.
    band_files : tuple of (str, str)
        Bands and the paths of their files.
    own : str
        The session's own folder: what was dropped, drawn or held lies there, and its user saves it by its name.
    """

    path: str = ""
    shown: str = ""
    zero_point: float | None = None
    pixel_scale: float | None = None
    band: str | None = None
    hdu: str | None = None
    plane: str | None = None
    ra: str | None = None
    dec: str | None = None
    x: float | None = None
    y: float | None = None
    size: int | None = None
    mask: str | None = None
    sigma: str | None = None
    sky: str | None = None
    fixed: str | None = None
    ellipses: str | None = None
    model: str | None = None
    photometry: bool = False
    to_ab: bool = False
    forced: str | None = None
    reference: str | None = None
    align: bool = False
    band_files: tuple[tuple[str, str], ...] = ()
    own: str = ""

    def of_file(self, path: str, shown: str) -> Self:
        """Another file, of which nothing is known yet; model and photometry stay as they were chosen."""
        kept = {key: getattr(self, key) for key in ("model", "photometry", "own")}
        return type(self)(path=path, shown=shown, **kept)

    def shown_bands(self) -> dict[str, str]:
        """How the bands' files are called on the page."""
        from p2p_keras.measure.bands.inputs import parse_bands

        return parse_bands(shlex.split(self.forced)) if self.forced else {}

    def of_bands(self, text: str, file_of: Callable[[str], Path], options: Mapping[str, Any]) -> Self:
        """Several bands of a galaxy, ``g=a.fits r=b.fits``, along the ellipses of one.

        Parameters
        ----------
        text : str
        file_of : callable
            Gives the path of a file as it is called on the page.
        options : mapping
            Of a request; `reference` is by default the present one or r, `band` (which is shown) the reference.

        Raises
        ------
        UsageError, InputError
            Fewer than two bands are named, or a file isn't there.
        """
        try:
            words = shlex.split(text)
        except ValueError as error:  # a quote that isn't closed
            raise UsageError(f"{text}: {error}") from error
        several = replace(self, forced=shlex.join(words))
        shown = several.shown_bands()
        files = {band: str(file_of(path)) for band, path in shown.items()}
        if len(files) < 2:
            raise UsageError("give two bands at least: g=a.fits r=b.fits")
        known = dict(options)
        reference = known.pop("reference", None) or self.reference
        if reference not in (*files, "all"):
            reference = "r" if "r" in files else next(iter(files))
        band = known.pop("band", None)
        band = band if band in files else reference if reference in files else next(iter(files))
        return replace(
            self.of_file(files[band], shown[band]),
            forced=several.forced,
            reference=reference,
            band=band,
            band_files=tuple(files.items()),
            **known,
        )

    def images(self) -> list[str]:
        """Paths of its images: of all bands."""
        return [self.path, *(path for _, path in self.band_files)]

    def at(self, x: float | None, y: float | None) -> Self:
        """Another target in the same file: a pixel of the file, or None for its middle."""
        return replace(self, x=x, y=y, ra=None, dec=None)

    def image_options(self) -> dict[str, Any]:
        """What `p2p_keras.images.read_image` takes of it."""
        asked = {key: getattr(self, key) for key in IMAGE_OPTIONS if hasattr(self, key)}
        return {key: value for key, value in asked.items() if value not in (None, False)}

    def measurer_options(self) -> dict[str, Any]:
        """What `p2p_keras.measure.outputs.measurers.measurer_of` takes of it."""
        none = dict.fromkeys(("server", "radii", "statistic", "pixels"))
        return (
            none
            | {"forced": bool(self.band_files)}
            | {key: getattr(self, key) for key in ("model", "sky", "photometry", "ellipses", "fixed")}
        )

    def command_line(self, output: str = "profile.ecsv") -> str:
        """The command that gives the same numbers; files that were made on the page are called as they are saved."""
        images = shlex.split(self.forced) if self.forced else [self.shown or self.path]
        words = ["p2p-keras", "predict", *images, *(["--forced"] if self.forced else [])]
        unsaid = {"path", "shown", "forced", "band_files", "own", *(("band",) if self.forced else ())}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in unsaid or value is None or value is False:
                continue
            words.append("--" + field.name.replace("_", "-"))
            if value is not True:
                words.append(self._word(field.name, value))
        return shlex.join([*words, "--output", output])

    def _word(self, name: str, value: Any) -> str:
        if name in (*FILES, "ellipses") and self.own and PurePath(value).is_relative_to(self.own):
            return PurePath(value).name
        return f"{value:.6g}" if isinstance(value, float) else str(value)

    def link(self, short_name: Callable[[str], str] = str) -> dict[str, str]:
        """The part of it that a link holds, as text; files as `short_name` calls them, but none of this user alone."""
        values = {} if self.forced else {"image": self.shown}
        values |= {key: getattr(self, key) for key in IN_LINK}
        chosen = {key: value for key, value in values.items() if value not in (None, False)}
        for key in FILES:
            path = getattr(self, key)
            if path and not (self.own and PurePath(path).is_relative_to(self.own)):
                chosen[key] = short_name(path)
        return {key: f"{value:.6g}" if isinstance(value, float) else str(value) for key, value in chosen.items()}


def file_named(text: str, file_of: Callable[[str], Path]) -> str | None:
    """A mask or noise map that is typed, ``FILE`` or ``FILE[HDU]``; None for nothing."""
    from p2p_keras.images.companions import split_file_hdu

    path, hdu = split_file_hdu(text.strip())
    return f"{file_of(path)}" + ("" if hdu is None else f"[{hdu}]") if path else None


def options_of_text(given: Mapping[str, str]) -> dict[str, Any]:
    """Options of a `Request` from what a user typed, or from a link; empty text is left out.

    Raises
    ------
    UsageError
        A number isn't one.
    """
    options: dict[str, Any] = {}
    for key, text in given.items():
        text = str(text).strip()
        if key not in IN_LINK or not text:
            continue
        if key in ("photometry", "to_ab", "align"):
            options[key] = text.lower() in ("1", "true", "yes")
        elif key in NUMBERS or key == "size":
            try:
                options[key] = int(text) if key == "size" else float(text)
            except ValueError:
                raise UsageError(f"--{key.replace('_', '-')} {text}: expected a number") from None
        else:
            options[key] = text
    return options
