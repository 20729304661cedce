"""The final report: counts, flags, rates, and a map of what was done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np

from p2p_keras.profile.flags import FLAGS
from p2p_keras.sky_survey.assembly import Done
from p2p_keras.sky_survey.healpix import Partition, cells_of
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.rows import FAILURE_FLAGS

__all__ = ["FOLDER", "SurveyReport", "write_report", "sky_map"]

FOLDER = "report"
"""What differs between two runs that give the same result (times, rates) is only here."""


@dataclass
class SurveyReport:
    """What a run did.

    Attributes
    ----------
    name : str
    rows, failed : int
        Of the result, also what earlier runs did of it.
    flags, bands : Counter
        Rows with each flag, and in each band.
    bytes : int
        Of the partitions.
    rows_now, failed_now : int
        Measured by this run.
    seconds : dict
        Wall-clock seconds of ``plan``, ``measure`` and ``finish``; ``start``: those of ``measure`` until the first
        rows were written, most of which are the start of the workers.
    cpu_seconds : dict
        CPU seconds of this run's stages, summed over the workers: ``read``, ``model``, ``rows``.
    """

    name: str
    rows: int = 0
    failed: int = 0
    flags: Counter = field(default_factory=Counter)
    bands: Counter = field(default_factory=Counter)
    bytes: int = 0
    rows_now: int = 0
    failed_now: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    _first_rows: int = 0

    def note(self, rows: int, failed: int, seconds: dict[str, float], since: float) -> None:
        """Count a part of this run, written so many seconds after the measuring began."""
        if "start" not in self.seconds:
            self.seconds["start"], self._first_rows = since, rows
        self.rows_now += rows
        self.failed_now += failed
        for stage, value in seconds.items():
            self.cpu_seconds[stage] = self.cpu_seconds.get(stage, 0.0) + value

    def add_all(self, partitions: Iterable[Done]) -> None:
        """Count the result's partitions."""
        for done in partitions:
            self.rows += done.rows
            self.failed += done.failed
            self.bytes += done.bytes
            self.flags.update(done.flags)
            self.bands.update(done.bands)

    @property
    def rate(self) -> float:
        """Rows a second of this run's measuring."""
        return self.rows_now / self.seconds["measure"] if self.seconds.get("measure") else 0.0

    @property
    def rate_after_start(self) -> float:
        """Rows a second since the first ones were written: what a longer run tends to."""
        seconds = self.seconds.get("measure", 0.0) - self.seconds.get("start", 0.0)
        return (self.rows_now - self._first_rows) / seconds if seconds > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For ``report.json``."""
        return {
            "name": self.name,
            "rows": self.rows,
            "failed": self.failed,
            "bytes": self.bytes,
            "bands": dict(self.bands),
            "flags": dict(self.flags),
            "this_run": {
                "rows": self.rows_now,
                "failed": self.failed_now,
                "rows_per_second": round(self.rate, 3),
                "rows_per_second_after_start": round(self.rate_after_start, 3),
                "seconds": {k: round(v, 3) for k, v in self.seconds.items()},
                "cpu_seconds": {k: round(v, 3) for k, v in self.cpu_seconds.items()},
            },
        }

    def text(self) -> str:
        """The report as Markdown."""
        lines = [
            f"# {self.name}",
            "",
            f"{self.rows} rows (a galaxy in a band), {self.failed} of them without a profile,",
        ]
        lines += [f"{self.bytes / 1e6:.1f} MB.", "", "| band | rows |", "|---|---|"]
        lines += [f"| {band or '(none)'} | {count} |" for band, count in sorted(self.bands.items())]
        lines += ["", "| flag | rows | share | meaning |", "|---|---|---|---|"]
        for flag, count in self.flags.most_common():
            meaning = FLAGS[flag].meaning if flag in FLAGS else FAILURE_FLAGS.get(flag, "")
            lines.append(f"| {flag} | {count} | {100 * count / max(1, self.rows):.2f} % | {meaning} |")
        if self.rows_now:
            lines += ["", f"This run measured {self.rows_now} rows at {self.rate:.1f} rows/s"]
            lines[-1] += f" ({self.rate_after_start:.1f} rows/s once the workers had started)."
            wall = ", ".join(f"{key} {value:.1f}" for key, value in self.seconds.items())
            cpu = ", ".join(f"{key} {1e3 * value / self.rows_now:.2f}" for key, value in self.cpu_seconds.items())
            lines += [f"Seconds: {wall}. CPU milliseconds a row: {cpu}."]
        return "\n".join(lines) + "\n"


def write_report(report: SurveyReport, partitions: Sequence[Partition], done: dict[str, Done], output: Place) -> None:
    """Write ``report/report.md``, ``report.json`` and ``sky.png``."""
    output.write(f"{FOLDER}/report.json", (json.dumps(report.as_dict(), indent=1) + "\n").encode())
    output.write(f"{FOLDER}/report.md", report.text().encode())
    output.write(f"{FOLDER}/sky.png", sky_map([p for p in partitions if p.order >= 0], done))


def sky_map(partitions: Sequence[Partition], done: dict[str, Done]) -> bytes:
    """A map of the sky (Mollweide, east to the left) with the rows per square degree of each partition, as PNG."""
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    step = 0.5
    lon, lat = np.meshgrid(np.arange(-180 + step / 2, 180, step), np.arange(-90 + step / 2, 90, step))
    density = np.full(lon.shape, np.nan)
    for order in sorted({partition.order for partition in partitions}):
        per_cell = {p.pixel: done[p.file].rows for p in partitions if p.order == order}
        cells = cells_of(lon.ravel(), lat.ravel(), order)
        area = 41252.96 / (12 * 4**order)
        values = np.array([per_cell.get(int(cell), np.nan) for cell in cells]).reshape(lon.shape) / area
        density = np.where(np.isfinite(values), values, density)
    # Partitions that are smaller than the map's pixels.
    for partition in partitions:
        if partition.order >= 6:
            x, y = _middle(partition)
            column, row = int((x + 180.0) % 360.0 / step), int((y + 90.0) / step)
            area = 41252.96 / (12 * 4**partition.order)
            density[min(row, 359), min(column, 719)] = done[partition.file].rows / area
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot(projection="mollweide")
    if np.isfinite(density).any():
        low, high = np.nanmin(density), np.nanmax(density)
        norm = LogNorm(max(low, 1e-6), max(high, low * 1.01, 1e-5))
        mesh = axes.pcolormesh(-np.deg2rad(lon), np.deg2rad(lat), density, norm=norm, cmap="viridis", rasterized=True)
        figure.colorbar(mesh, label="rows per square degree", shrink=0.7)
    axes.grid(alpha=0.3)
    axes.set_xticklabels([f"{(-degrees) % 360}°" for degrees in range(-150, 180, 30)], fontsize=7)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _middle(partition: Partition) -> tuple[float, float]:
    from cdshealpix.nested import healpix_to_lonlat

    lon, lat = healpix_to_lonlat(np.array([partition.pixel], dtype=np.uint64), partition.order)
    x = float(lon.deg[0])
    return (x - 360.0 if x > 180.0 else x), float(lat.deg[0])
