"""A gallery of what was measured: one HTML file that needs nothing but itself, for those who have no Python.

A card for each galaxy, with its picture, ellipses, profile, numbers, and its flags in words; cards are sorted and
chosen in the browser. The page itself is ``templates/gallery.html``.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.atomic_files import write_content
from p2p_keras.core.errors import UsageError
from p2p_keras.core.version import __version__
from p2p_keras.profile.flags import FLAGS

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["NUMBERS", "Number", "numbers_of", "quality_word", "flags_of", "number_in", "GalleryWriter"]

MAX_GALAXIES = 1000
"""Cards beyond this would make a file that no mail takes and no browser scrolls."""

QUALITIES = {0: "good", 1: "suspect", 2: "bad", 4: "no profile"}
NUMBERS = (
    ("mag_total", "total magnitude", " mag", 2),
    ("r50", "half-light radius", "″", 2),
    ("r90", "r90", "″", 2),
    ("concentration", "r90 / r50", "", 2),
    ("r_iso25", "radius at μ = 25", "″", 2),
    ("extent", "last radius", "″", 1),
    ("sersic_n", "Sérsic n", "", 2),
    ("mu_central", "central μ", "", 2),
)
"""What is said of a galaxy at a glance: key of its meta, name, unit, decimals."""


@dataclass(frozen=True)
class Number:
    """A number with its error as text: ``12.34`` and ``0.05``, or ''."""

    name: str
    value: str
    error: str
    unit: str


def numbers_of(meta: Any) -> list[Number]:
    """The galaxy's numbers that there are."""
    numbers = []
    for key, name, unit, digits in NUMBERS:
        value, error = number_in(meta, key), number_in(meta, f"{key}_err")
        if np.isfinite(value):
            numbers.append(
                Number(name, f"{value:.{digits}f}", f"{error:.{digits}f}" if np.isfinite(error) else "", unit)
            )
    return numbers


def quality_word(meta: Any) -> str:
    """The quality in a word; suspect where it isn't known."""
    quality = number_in(meta, "quality")
    return QUALITIES.get(int(quality) if np.isfinite(quality) else 1, "suspect")


def flags_of(meta: Any) -> list[tuple[str, str]]:
    """Flags in plain words, each with what it means."""
    return [
        (str(word).replace("_", " "), FLAGS[word].meaning if word in FLAGS else "") for word in meta.get("flags") or []
    ]


def number_in(meta: Any, key: str) -> float:
    """A number of a profile's meta; NaN where there is none."""
    try:
        return float(meta.get(key, np.nan))
    except (TypeError, ValueError):
        return float("nan")


class GalleryWriter:
    """Collects cards and writes them as one page when it is closed.

    Parameters
    ----------
    path : Path
        Ends in .html.

    Raises
    ------
    UsageError
        It doesn't.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()
        if self.path.suffix.lower() not in (".html", ".htm"):
            raise UsageError(f"--report {path}: the report is a page, so its name must end in .html")
        self._cards: list[dict[str, Any]] = []
        self._more = 0

    def add(self, image: GalaxyImage, profile: QTable) -> None:
        """Draw a galaxy's card; those beyond `MAX_GALAXIES` are only counted."""
        from p2p_keras.profile.plots.card import picture_svg, profile_svg

        if len(self._cards) >= MAX_GALAXIES:
            self._more += 1
            return
        meta = profile.meta
        keys = {key: number_in(meta, key) for key in ("mag_total", "r50", "quality", "p_bad")}
        self._cards.append(
            {
                "name": str(meta.get("name", "")),
                "band": str(meta.get("band", "")),
                "source": str(meta.get("source", "")),
                "quality": quality_word(meta),
                "chance": keys["p_bad"] if np.isfinite(keys["p_bad"]) else None,
                "numbers": numbers_of(meta),
                "flags": flags_of(meta),
                "notes": [str(note) for note in meta.get("notes") or []],
                "keys": {key: f"{value:.6g}" if np.isfinite(value) else "" for key, value in keys.items()},
                "picture": picture_svg(image, profile),
                "profile": profile_svg(profile),
            }
        )

    def close(self) -> None:
        """Write the page; nothing where there is no galaxy."""
        if self._cards:
            write_content(self.path, gallery_page(self._cards, self._more))
        self._cards = []


def gallery_page(cards: list[dict[str, Any]], more: int = 0) -> str:
    """The page with these cards."""
    import jinja2

    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("p2p_keras.measure.outputs"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    script = (resources.files("p2p_keras.measure.outputs") / "templates" / "gallery.js").read_text(encoding="utf-8")
    # A browser runs this script and no other, whatever a header had for a name.
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    counts = {name: sum(card["quality"] == name for card in cards) for name in QUALITIES.values()}
    flags = sorted({word for card in cards for word, _ in card["flags"]})
    return pages.get_template("gallery.html").render(
        cards=cards, more=more, counts=counts, flags=flags, script=script, digest=digest, version=__version__
    )
