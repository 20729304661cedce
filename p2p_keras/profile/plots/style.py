"""One style for all figures: fonts, colours (Okabe & Ito 2008), axes, and how a figure is saved."""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from p2p_keras.core.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "ORANGE",
    "GREEN",
    "VERMILION",
    "PURPLE",
    "BLACK",
    "PREDICTION",
    "TRUTH",
    "GUIDE",
    "SERIES",
    "BAND_COLORS",
    "MU_LABEL",
    "SMA_LABEL",
    "STYLE",
    "styled",
    "new_figure",
    "log_radius_axis",
    "RADIUS_SCALES",
    "radius_axis",
    "figure_bytes",
    "save_figure",
]

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY_BLUE, YELLOW, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#000000",
)
PREDICTION, TRUTH, GUIDE = BLUE, BLACK, "0.55"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY_BLUE)
"""Colours of several models, in their order."""

BAND_COLORS = {"u": PURPLE, "g": BLUE, "r": VERMILION, "i": ORANGE, "z": BLACK, "y": "0.5", "Y": "0.5"}
"""Colours of the usual bands, from blue to red as far as a colour-blind safe set allows."""

MU_LABEL = r"$\mu$ [mag arcsec$^{-2}$]"
SMA_LABEL = "semi-major axis [arcsec]"

STYLE = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral", "DejaVu Serif"],
    "mathtext.fontset": "stix",
    "font.size": 10,
    "axes.labelsize": 10.5,
    "axes.titlesize": 11,
    "axes.linewidth": 0.8,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.5,
    "pdf.fonttype": 42,  # text stays text in an editor
    "svg.fonttype": "none",
    "svg.hashsalt": "p2p_keras",
}

Drawing = TypeVar("Drawing", bound=Callable[..., Any])


def styled(draw: Drawing) -> Drawing:
    """Draw in `STYLE`, whatever the caller's matplotlib settings are, and leave those alone."""

    @functools.wraps(draw)
    def inside(*args: Any, **kwargs: Any) -> Any:
        import matplotlib as mpl  # here: who only takes a colour from this module doesn't wait for it

        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return inside  # type: ignore[return-value]


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own, in inches, not known to pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def log_radius_axis(ax: Axes, low: float, high: float) -> None:
    """Logarithmic radius with plain numbers: 1, 2, 5, 10, ..."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.set_xscale("log")
    ax.set_xlim(low, high)
    subs = (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)
    ax.xaxis.set_major_locator(LogLocator(subs=subs))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(LogLocator(subs=range(1, 10)))
    ax.xaxis.set_minor_formatter(NullFormatter())


RADIUS_SCALES = ("log", "linear", "r^1/4")


def radius_axis(ax: Axes, scale: str, low: float, high: float) -> None:
    """Scale and limits (arcsec) of a radius axis; plain numbers on all of them."""
    from matplotlib.ticker import AutoMinorLocator, FixedLocator, NullLocator, ScalarFormatter, StrMethodFormatter

    if scale == "log":
        log_radius_axis(ax, max(low, 1e-6 * high), high)
    elif scale == "r^1/4":
        # Odd in r, so that matplotlib may ask for it on both sides of zero.
        ax.set_xscale(
            "function",
            functions=(lambda r: np.sign(r) * np.abs(r) ** 0.25, lambda root: np.sign(root) * np.abs(root) ** 4),
        )
        ax.set_xlim(low, high)
        steps = np.array([m * 10.0**e for e in range(-2, 5) for m in (1, 2, 5)])
        inside = steps[(steps >= low) & (steps <= high)]
        # The inner radii lie dense on this scale: ticks closer than a fourteenth of the axis are left out.
        least = (high**0.25 - max(low, 0.0) ** 0.25) / 14.0
        kept: list[float] = []
        for tick in inside[::-1]:
            if not kept or kept[-1] ** 0.25 - tick**0.25 > least:
                kept.append(float(tick))
        ax.xaxis.set_major_locator(FixedLocator(kept[::-1]))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
    elif scale == "linear":
        ax.set_xscale("linear")
        ax.set_xlim(low, high)
        ax.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        ax.xaxis.set_minor_locator(AutoMinorLocator())
    else:
        raise ValueError(f"unknown scale of radius {scale!r}; there are {', '.join(RADIUS_SCALES)}")


def figure_bytes(figure: Figure, *, dpi: int = 150, kind: str = "png") -> bytes:
    """A figure as the bytes of its file."""
    import matplotlib as mpl

    buffer = BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format=kind, dpi=dpi)
    return buffer.getvalue()


def save_figure(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 160) -> Path:
    """Write a figure in the format of the file's ending (.png, .pdf, .svg).

    Parameters
    ----------
    figure : Figure
    path : path
        Replaced once the file is complete.
    dpi : int
        Dots per inch, for .png.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The file can't be written.
    """
    import matplotlib as mpl

    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(STYLE):
            figure.savefig(temporary, dpi=dpi)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(path, f"can't be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
