"""All that is written of a measured galaxy: its profile, row of the summary, drawing, model and mask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from p2p_keras.core.atomic_files import safe_name
from p2p_keras.core.errors import P2PError
from p2p_keras.measure.outputs.colours import ColourWriter
from p2p_keras.measure.outputs.gallery import GalleryWriter, quality_word
from p2p_keras.measure.outputs.summary import SummaryWriter
from p2p_keras.profile.derived import DerivedSettings
from p2p_keras.profile.derived.complete import OwnQuantities, complete_profiles
from p2p_keras.profile.derived.extinction import extinction_in_band
from p2p_keras.profile.tables.files import ProfileWriter
from p2p_keras.profile.tables.measured import MeasuredProfile

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage, Target

__all__ = ["NEED_IMAGES", "Products", "own_quantities"]

NEED_IMAGES = ("plot", "report", "model_image", "mask_image", "regions")
"""Options whose products show the image."""


class Products:
    """Writes what a run was asked for; a context manager that finishes the tables, also after an interrupt.

    Parameters
    ----------
    writer : ProfileWriter
    settings : DerivedSettings
    summary : path, optional
    plot, model_image, mask_image, regions : path, optional
        Folders.
    model_kind : {"ellipses", "harmonics"}
        Of the model image (`p2p_keras.profile.harmonic_painting`).
    plot_format : str
    report : path, optional
        An HTML file: a gallery (`p2p_keras.measure.outputs.gallery`).
    draw_attention : callable, optional
        Draws which pixels made which radius, of an image, a profile and a name (`p2p_keras.measure.attention`).
    resume : bool
    """

    def __init__(
        self,
        writer: ProfileWriter,
        settings: DerivedSettings,
        *,
        summary: Path | None = None,
        plot: Path | None = None,
        plot_format: str = "png",
        model_image: Path | None = None,
        mask_image: Path | None = None,
        model_kind: str = "ellipses",
        regions: Path | None = None,
        report: Path | None = None,
        draw_attention: Callable[[GalaxyImage, QTable, str], None] | None = None,
        resume: bool = False,
    ) -> None:
        self.writer, self.settings, self.plot, self.plot_format = writer, settings, plot, plot_format
        self.model_image, self.mask_image, self.resume = model_image, mask_image, resume
        self.draw_attention = draw_attention
        self.model_kind, self.regions = model_kind, regions
        try:
            self.gallery = GalleryWriter(report) if report else None
            self.summary = SummaryWriter(summary, resume=resume) if summary else None
        except BaseException:
            writer.close()  # leaves nothing behind of a run that never began
            raise
        self.colours: ColourWriter | None = None
        self.qualities: Counter[str] = Counter()
        for folder in (plot, model_image, mask_image, regions):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Products:
        return self

    def __exit__(self, *exception: object) -> None:
        with ExitStack() as closing:  # each is closed, whatever becomes of the others
            for part in (self.colours, self.summary, self.gallery, self.writer):
                if part is not None:
                    closing.callback(part.close)

    def add(self, image: GalaxyImage, profile: MeasuredProfile) -> str:
        """Write everything of one galaxy, whose profile is complete (`complete_profiles`); returns its name."""
        profile, name = self._keep(profile)
        file = safe_name(name)
        drawn = (self.plot, self.gallery, self.draw_attention, self.model_image, self.mask_image, self.regions)
        if all(part is None for part in drawn):
            return name
        complete = profile.table()
        if self.plot is not None:
            from p2p_keras.profile.plots import galaxy_figure, save_figure

            save_figure(galaxy_figure(image, complete), self.plot / f"{file}.{self.plot_format}")
        if self.gallery is not None:
            self.gallery.add(image, complete)
        if self.draw_attention is not None:
            self.draw_attention(image, complete, name)
        if any(folder is not None for folder in (self.model_image, self.mask_image, self.regions)):
            self._paint(image, complete, file)
        return name

    def add_bands(
        self, name: str, profiles: Mapping[str, QTable], target: Target | None = None, *, reference: str | None = None
    ) -> None:
        """Write the bands of one galaxy, measured along the same ellipses, and their colours.

        A catalogue's extinction is that of the `reference` band (by default the first); the others get theirs by the
        ratio of the coefficients.
        """
        from p2p_keras.measure.bands import colour_table

        if self.colours is None:
            self.colours = ColourWriter(self.writer, resume=self.resume)
        first = reference if reference is not None and reference in profiles else next(iter(profiles))
        plain = complete_profiles(
            [MeasuredProfile.of(profile) for profile in profiles.values()],
            self.settings,
            [own_quantities(self._in_band(target, first, band)) for band in profiles],
        )
        complete = {}
        for band, profile in zip(profiles, plain, strict=True):
            if isinstance(profile, P2PError):
                raise profile
            complete[band] = self._keep(profile)[0].table()
        self.colours.add(colour_table(complete, name))
        if self.plot is not None:
            from p2p_keras.profile.plots import save_figure
            from p2p_keras.profile.plots.bands import bands_figure

            figure = bands_figure(complete, title=_title_of_bands(name, complete))
            save_figure(figure, self.plot / f"{safe_name(name)}-bands.{self.plot_format}")

    def _in_band(self, target: Target | None, reference: str, band: str) -> Target | None:
        """A target with the extinction of another band than the reference's."""
        if target is None or target.extinction is None or band == reference:
            return target
        system = self.settings.extinction_system
        return replace(target, extinction=extinction_in_band(target.extinction, reference, band, system=system))

    def _paint(self, image: GalaxyImage, profile: QTable, file: str) -> None:
        """Write model and mask; a galaxy without two radii has neither."""
        from p2p_keras.measure.outputs.images import implied_mask, write_mask_image, write_model_image
        from p2p_keras.profile.painting import paint

        plain = paint(profile, image)
        if plain is None:
            return
        painted = plain
        if self.regions is not None:
            from p2p_keras.measure.outputs.regions import write_ellipse_regions, write_mask_regions

            write_ellipse_regions(image, profile, self.regions / f"{file}.reg")
            write_mask_regions(image, implied_mask(image, profile, painted), self.regions / f"{file}-mask.reg")
        if self.model_image is not None:
            if self.model_kind == "harmonics":
                from p2p_keras.profile.harmonic_painting import with_harmonics

                painted = with_harmonics(painted, profile, image)
            write_model_image(image, profile, painted, self.model_image / f"{file}-model.fits")
        if self.mask_image is not None:
            write_mask_image(image, profile, plain, self.mask_image / f"{file}-mask.fits")

    def judged(self) -> str:
        """How many profiles are of which quality, to end a sentence with; empty where none has one."""
        parts = [f"{count} {word}" for word, count in self.qualities.most_common()]
        return f": {', '.join(parts)}" if parts else ""

    def _keep(self, profile: MeasuredProfile) -> tuple[MeasuredProfile, str]:
        """Write a profile and its row of the summary; it, and the name under which it is kept."""
        name = self.writer.add(profile)
        if name != profile.meta["name"]:
            profile = MeasuredProfile(profile.meta | {"name": name}, profile.columns)
        if self.summary is not None:
            self.summary.add(profile)
        if "quality" in profile.meta:
            self.qualities[quality_word(profile.meta)] += 1
        return profile, name


def own_quantities(target: Target | None) -> OwnQuantities:
    """What a catalogue says of one galaxy."""
    return OwnQuantities() if target is None else OwnQuantities(target.redshift, target.extinction, target.ebv)


def _title_of_bands(name: str, profiles: Mapping[str, QTable]) -> str:
    """Name of the galaxy, and its flags with the bands that have them."""
    bands: dict[str, list[str]] = {}
    for band, profile in profiles.items():
        for word in profile.meta.get("flags", []):
            bands.setdefault(word, []).append(band)
    flags = ", ".join(f"{word.replace('_', ' ')} ({' '.join(where)})" for word, where in bands.items())
    return f"{name}\nflags: {flags}" if flags else name
