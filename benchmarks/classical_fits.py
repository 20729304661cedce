"""Isophotes by other programs for `classical.py`, from the sky, mask and first ellipse that all classical methods get.

Each is called as photutils' fit is (`p2p_keras.data.packing.measuring.measure_galaxy`), and can be sent to a process.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from p2p_keras.profile.isophotes.classical import Isophotes, Shape
from p2p_keras.profile.isophotes.given import Ellipses

STEP = 0.1


def by_photutils(pixels: np.ndarray, mask: np.ndarray, first: Shape, largest: float, **options: Any) -> Any:
    """photutils' Ellipse, as `pack --measure photutils` asks it."""
    from p2p_keras.data.packing.photutils_fit import photutils_isophotes

    return photutils_isophotes(pixels, mask, first, largest, **options)


@dataclass
class ByIsoster:
    """isoster's fit_image, imported from a checkout: it isn't on package indexes, and its licence is the GPL."""

    checkout: str

    def __call__(
        self, pixels: np.ndarray, mask: np.ndarray, first: Shape, largest: float, *, fix_centre: bool, least: int
    ) -> Isophotes | None:
        """Fit with photutils' settings: steps of a tenth, two clips, 30 iterations."""
        if self.checkout not in sys.path:
            sys.path.insert(0, self.checkout)
        import isoster

        good: list[dict[str, Any]] = []
        for factor in (1.0, 0.5, 2.0):  # as for photutils
            settings = {
                "x0": first.x0,
                "y0": first.y0,
                "eps": min(max(first.ellipticity, 0.05), 0.9),
                "pa": float(np.deg2rad(first.pa)),
                "sma0": factor * first.sma,
                "minsma": 0.5,
                "maxsma": largest,
                "astep": STEP,
                "nclip": 2,
                "maxit": 30,
                "fix_center": fix_centre,
            }
            try:
                rows = isoster.fit_image(np.asarray(pixels, float), mask, settings)["isophotes"]
            except Exception:  # of a start that leads nowhere
                continue
            good = [row for row in rows if row["sma"] >= 0.5 and np.isfinite(row["intens"]) and row["stop_code"] >= 0]
            if len(good) > least:
                break
        if len(good) <= least:
            return None
        column = {key: np.array([row[key] for row in good], float) for key in ("sma", "eps", "pa", "x0", "y0")}
        ellipses = Ellipses(column["x0"], column["y0"], column["sma"], column["eps"], np.rad2deg(column["pa"]))
        intensity, error = (np.array([row[key] for row in good], float) for key in ("intens", "intens_err"))
        order = np.argsort(column["sma"])
        return Isophotes(ellipses.chosen(order), intensity[order], error[order])


def by_apertures(
    pixels: np.ndarray, mask: np.ndarray, first: Shape, largest: float, *, fix_centre: bool, least: int
) -> Isophotes | None:
    """No fit at all: SEP's sums in rings of the source's own ellipse, which is the least that a profile can cost."""
    import sep

    edges = 0.5 * np.exp(STEP * np.arange(np.log(largest / 0.5) / STEP))
    q, theta = 1.0 - first.ellipticity, float(np.deg2rad((first.pa + 90.0) % 180.0 - 90.0))
    place = np.full((2, len(edges)), [[first.x0], [first.y0]])
    data, hidden = np.ascontiguousarray(pixels, dtype=float), np.ascontiguousarray(mask)
    shape = (edges, edges * q, theta)
    flux, _, _ = sep.sum_ellipse(data, *place, *shape, 1.0, mask=hidden, maskthresh=0.5, subpix=5)
    seen, _, _ = sep.sum_ellipse((~hidden).astype(float), *place, *shape, 1.0, mask=hidden, maskthresh=0.5, subpix=5)
    # sep corrects sums for what is masked: both are of the whole ellipse.
    area = np.diff(seen, prepend=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        intensity = np.diff(flux, prepend=0.0) / area
    middle = np.sqrt(edges * np.concatenate([edges[:1], edges[:-1]]))
    good = np.isfinite(intensity) & (area > 0)
    if good.sum() <= least:
        return None
    one = np.ones(int(good.sum()))
    ellipses = Ellipses(one * first.x0, one * first.y0, middle[good], one * first.ellipticity, one * first.pa)
    return Isophotes(ellipses, intensity[good], np.full(one.shape, np.nan))


@dataclass
class Timed:
    """Another fit, whose processor time is added up in `seconds`."""

    fit: Any
    seconds: float = 0.0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Fit."""
        begin = time.process_time()
        try:
            return self.fit(*arguments, **options)
        finally:
            self.seconds += time.process_time() - begin


def version_of(checkout: Path) -> str:
    """The commit of a checkout, or what its pyproject.toml says."""
    import subprocess
    import tomllib

    command = ["git", "-C", str(checkout), "log", "-1", "--format=%h %cs"]
    done = subprocess.run(command, capture_output=True, text=True) if (checkout / ".git").exists() else None
    if done is not None and done.returncode == 0:
        return done.stdout.strip()
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    return str(project.get("version", ""))
