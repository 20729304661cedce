"""What the program `predict` does, for its options: finds the galaxies, measures them, says what becomes of each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from p2p_keras.core.errors import UsageError
from p2p_keras.images.catalogue import catalogue_inputs
from p2p_keras.images.companions import split_file_hdu
from p2p_keras.images.cutout import check_size
from p2p_keras.images.image_companions import asked_companions
from p2p_keras.images.inputs import find_images, stem_of
from p2p_keras.images.targets import IMAGE_OPTIONS, files_as_inputs
from p2p_keras.measure.backends import Backend
from p2p_keras.measure.many_files import predict_inputs
from p2p_keras.measure.outputs.products import NEED_IMAGES, own_quantities
from p2p_keras.measure.workers import Crew, default_workers
from p2p_keras.profile.derived import DerivedSettings
from p2p_keras.profile.derived.complete import complete_profiles
from p2p_keras.profile.derived.distance import DEFAULT_COSMOLOGY, cosmology_named
from p2p_keras.profile.derived.extinction import parse_extinction

__all__ = ["PredictionRun", "numbers"]

_BATCHES_AHEAD = 3
"""Batches in work at a time: one or two in the network while the tables of another are made."""


class PredictionRun:
    """From the options of `predict` to its galaxies: plain files, a catalogue, or forced bands.

    Parameters
    ----------
    images : sequence of str
        Files, folders, patterns, ``@list.txt``; with ``forced`` BAND=FILE.
    options : mapping
        The program's options by their names.

    Attributes
    ----------
    settings : DerivedSettings
    notes : list of str
        What is to be said of the inputs as a whole.
    total : int
        Galaxies, as far as is known before frames are opened.
    skipped : int
        Galaxies left out so far since the output has them.

    Raises
    ------
    UsageError
        The options contradict each other, or an input list or catalogue can't be read.
    """

    def __init__(self, images: Sequence[str], options: Mapping[str, Any]) -> None:

        self.options = options
        self.skipped = 0
        self._counting = threading.Lock()
        levels = numbers(options["isophotes"])
        self.psfs = band_psfs(options)
        self.settings = DerivedSettings(
            isophotes=levels,
            psf_fwhm=options["psf_fwhm"],
            psf=None if self.psfs else checked_psf(options.get("psf")),
            more=bool(options.get("all_quantities")) or options.get("disc_thickness") is not None,
            disc_thickness=options.get("disc_thickness"),
            redshift=options["redshift"],
            cosmology=options["cosmology"],
            extinction=parse_extinction(options["extinction"]),
            ebv=options["ebv"],
            extinction_system=options["extinction_system"],
        )
        if options["redshift"] is not None or options["cosmology"] != DEFAULT_COSMOLOGY:
            cosmology_named(options["cosmology"])  # a misspelt name is told now, not at the first galaxy
        if options["forced"] != (options["reference"] is not None):
            raise UsageError("--forced and --reference BAND belong together")
        if not images and options["catalogue"] is None:
            raise UsageError("no input images: give FITS files, folders, patterns, @list.txt or --catalogue")
        target = {key: options[key] for key in IMAGE_OPTIONS if options.get(key) is not None}
        _check_companions(target)
        self.notes: list[str] = []
        columns = dict(column_of(text) for text in options["columns"])
        self.total = self._find(images, options["catalogue"], columns, target)

    def _find(
        self, images: Sequence[str], catalogue: Path | None, columns: dict[str, str], target: dict[str, Any]
    ) -> int:

        check_size(target.get("size"))
        if self.options["forced"]:
            from p2p_keras.measure.bands import forced_inputs

            asked = self.options["catalogue_extinction"]
            reference = self.options["reference"]
            self.galaxies = forced_inputs(images, reference, catalogue, columns, extinction_columns=asked, **target)
            return len(self.galaxies)
        if catalogue is None:
            self.inputs = files_as_inputs(self._images(images), **target)
            return len(self.inputs)
        frames = self._images(images) if images else []
        self.inputs = catalogue_inputs(
            catalogue, frames, columns, extinction_columns=self.options["catalogue_extinction"], **target
        )
        return sum(len(file.targets or ()) for file in self.inputs) or len(self.inputs[0].candidates)

    def _images(self, arguments: Sequence[str]) -> list[Path]:
        inputs = find_images(arguments)
        self.notes += inputs.notes
        return inputs.paths

    def workers(self, model: Callable[[], Backend] | None = None) -> int:
        """Processes that measure; 1 means threads of this process.

        Parameters
        ----------
        model : callable, optional
            Gives the network, where one measures.

        Raises
        ------
        UsageError
            Several are asked for, and forced bands are measured by one.
        """
        asked = self.options["workers"]
        if self.options["forced"]:
            if asked is not None and asked > 1:
                raise UsageError("--workers doesn't go with --forced: forced bands are measured by one process")
            return 1
        return default_workers(self.total, model) if asked is None else int(asked)

    def done(self, predictor: Any, writer: Any) -> Iterator[tuple[Any, list[str], Any]]:
        """Of each galaxy: its error or None, notes for the user, and what writes it."""

        def skip(source: str, target: Any) -> bool:
            ending = (
                f"_{first_band(self.galaxies[0].files, self.options['reference'])}" if self.options["forced"] else ""
            )
            there = writer.holds(source, (target.name or stem_of(source)) + ending)
            if there:
                with self._counting:  # files are opened by several threads at once
                    self.skipped += 1
            return there

        resumed = skip if self.options["resume"] else None
        if self.options["forced"]:
            yield from self._forced(predictor, resumed)
            return

        asked: dict[str, Any] = {"batch_size": self.options["batch_size"], "readers": self.options["readers"]}
        asked |= {"skip": resumed, "finish": partial(completed, self.settings)}
        if isinstance(predictor, Crew):
            drawn = any(self.options[key] is not None for key in ("attention", *NEED_IMAGES))
            predictions = predictor.predict_inputs(self.inputs, with_images=drawn, **asked)
        else:
            predictions = predict_inputs(predictor, self.inputs, batches_ahead=_BATCHES_AHEAD, **asked)
        for one in predictions:
            # Before a writer adds its own, a profile's notes are those of its image.
            notes = [] if one.measured is None else [f"{one.source}: {note}" for note in one.measured.meta["notes"]]
            yield one.error, notes, lambda products, one=one: products.add(one.image, one.measured)

    def _forced(self, predictor: Any, skip: Any) -> Iterator[tuple[Any, list[str], Any]]:
        from p2p_keras.measure.bands import predict_forced

        reference, align = self.options["reference"], self.options["align"]
        more = {"psfs": self.psfs, "photometry": self.options["photometry"]}
        for one in predict_forced(predictor, self.galaxies, reference, align=align, skip=skip, **more):
            notes = []
            for band, profile in (one.profiles or {}).items():
                if "misaligned" in profile.meta["flags"]:
                    shift = f"its light lies {profile.meta['shift_px']:.1f} px from where its WCS puts it"
                    profile.meta.setdefault("notes", []).append(f"{shift}; --align shifts it")
                    notes.append(f"{one.galaxy.files[band]}: {shift}; --align shifts it")
            name = one.galaxy.target.name or "galaxy"
            target = one.galaxy.target
            yield (
                one.error,
                notes,
                lambda products, one=one, name=name, target=target: products.add_bands(
                    name, one.profiles, target, reference=reference
                ),
            )


def completed(settings: DerivedSettings, profiles: Sequence[Any], targets: Sequence[Any]) -> Sequence[Any]:
    """A batch's profiles with their derived quantities."""
    return complete_profiles(profiles, settings, [own_quantities(target) for target in targets])


def first_band(files: Mapping[str, str], reference: str) -> str:
    """The band that a galaxy's name ends in when its reference is asked for: of all, the first."""
    return reference if reference in files else next(iter(files))


def band_psfs(options: Mapping[str, Any]) -> dict[str, str] | None:
    """PSFs by band for ``--match-psf``; None without it.

    Raises
    ------
    UsageError
        There are none, or no bands.
    """
    if not options.get("match_psf"):
        return None
    if not options["forced"] or options.get("psf") is None:
        raise UsageError("--match-psf needs --forced and --psf BAND=FWHM|FILE,... : the PSF of each band")
    from p2p_keras.measure.bands.psf_matching import parse_band_psfs

    return parse_band_psfs(options["psf"])


def checked_psf(text: str | None) -> str | None:
    """What ``--psf`` says, read once now so that a wrong one is told before the first galaxy."""
    if text is not None:
        from p2p_keras.profile.derived.psf import psf_of

        psf_of(text, 1.0)
    return text


def _check_companions(target: Mapping[str, Any]) -> None:
    """Raise `UsageError` for a mask or noise map that isn't there, or for options that contradict each other."""
    asked_companions(*(target.get(key) for key in ("mask", "mask_bits", "sigma", "variance", "weight")))
    for key in ("mask", "sigma", "variance", "weight"):
        if key in target:
            path, _ = split_file_hdu(target[key])
            if not Path(path).is_file():
                raise UsageError(f"--{key} {target[key]}: no such file")


def numbers(text: str) -> tuple[float, ...]:
    """Read surface brightnesses: ``24,25``."""
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise UsageError(f"--isophotes {text}: expected surface brightnesses such as 24,25") from error


def column_of(text: str) -> tuple[str, str]:
    """Read ``KEY=COLUMN``."""
    key, equals, column = text.partition("=")
    if not equals:
        raise UsageError(f"--column {text}: expected KEY=COLUMN, such as ra=RA_J2000")
    return key.strip(), column.strip()
