"""A survey of mocks in frames: rate against `predict`, memory by the number of galaxies, and speed-up by workers.

python benchmarks/survey.py make DIR --galaxies 100000       # frames and catalogue, once (some 4 GB, seeds fixed)
python benchmarks/survey.py rate DIR                         # survey and predict on the same galaxies, in turn
python benchmarks/survey.py memory DIR --count 1000 --count 10000 --count 100000
python benchmarks/survey.py nodes DIR --count 4000           # 1, 2 and 4 nodes of one core on this machine
python benchmarks/survey.py plan --count 10000000            # rows a second of the planning alone
python benchmarks/survey.py budget --model 3.6               # what 1e8 galaxies take, from CPU times

Some hundred mock galaxies (p2p_keras.mocks, SDSS preset) are drawn once without noise; each galaxy of the survey is one
of them, turned by a multiple of 90 degrees, mirrored, and scaled in flux, in a frame with noise of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
import numpy as np

STAMP = 128
FRAME = 2048
PITCH = 136
ZERO_POINT = 22.5
SCALE = 0.396


def templates(count: int, seed: int) -> tuple[np.ndarray, float]:
    """Noise-free mocks of the SDSS preset in r, float32 (count, STAMP, STAMP), and the noise that the preset has."""
    from p2p_keras.mocks.psf import PSF
    from p2p_keras.mocks.rendering import Canvas, render
    from p2p_keras.mocks.scene import draw_target
    from p2p_keras.mocks.surveys import draw_conditions, draw_survey
    from p2p_keras.units import flux_from_mag

    y, x = np.mgrid[:STAMP, :STAMP] - (STAMP - 1) / 2
    edge = np.clip((STAMP / 2 - np.hypot(x, y)) / 8.0, 0.0, 1.0)
    stamps, noises = [], []
    for i in range(count):
        rng = np.random.default_rng([seed, 77, i])
        name, preset = draw_survey("sdss", rng)
        target, _ = draw_target(preset, STAMP, rng)
        seen = draw_conditions(name, preset, "r", rng)
        canvas = Canvas(STAMP, PSF(seen.fwhm, seen.beta, seen.wing, seen.psf_e1, seen.psf_e2), SCALE)
        middle = (STAMP - 1) / 2
        image = render(target, canvas, "r", middle, middle, float(flux_from_mag(target.mag, ZERO_POINT))).image
        stamps.append((image * edge).astype(np.float32))
        noises.append(seen.noise)
    return np.array(stamps), float(np.median(noises))


@click.group(context_settings={"show_default": True})
def main() -> None:
    """See the file's head."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--galaxies", default=100_000)
@click.option("--seed", default=1)
def make(folder: Path, galaxies: int, seed: int) -> None:
    """Make frames of 2048 px with galaxies on a grid, and their catalogue."""
    from astropy.io import fits
    from astropy.table import Table
    from astropy.wcs import WCS

    (folder / "frames").mkdir(parents=True, exist_ok=True)
    stamps, noise = templates(min(300, galaxies), seed)
    per_row = FRAME // PITCH
    rows: list[tuple] = []
    number = 0
    while len(rows) < galaxies:
        rng = np.random.default_rng([seed, number])
        wcs = WCS(naxis=2)
        wcs.wcs.crpix = [(FRAME + 1) / 2] * 2
        # Frames side by side in stripes, as a survey's.
        wcs.wcs.crval = [(10.0 + 0.23 * (number % 40)) % 360.0, -5.0 + 0.23 * (number // 40)]
        wcs.wcs.cdelt = [-SCALE / 3600, SCALE / 3600]
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.radesys = "ICRS"
        image = rng.normal(0.0, noise, (FRAME, FRAME)).astype(np.float32)
        centres = [(i, j) for i in range(per_row) for j in range(per_row)][: galaxies - len(rows)]
        xy = np.array(centres) * PITCH + PITCH // 2
        for x, y in xy:
            stamp = np.rot90(stamps[rng.integers(len(stamps))], rng.integers(4))
            flux = 10.0 ** rng.uniform(-0.2, 0.2)
            image[y - 64 : y + 64, x - 64 : x + 64] += flux * (stamp if rng.random() < 0.5 else stamp[:, ::-1])
        ra, dec = wcs.all_pix2world(xy[:, 0] - 0.5, xy[:, 1] - 0.5, 0)
        rows += [(f"g{len(rows) + k:07d}", a, d, STAMP) for k, (a, d) in enumerate(zip(ra, dec, strict=True))]
        header = wcs.to_header()
        header["MAGZERO"], header["FILTER"] = ZERO_POINT, "r"
        fits.writeto(folder / "frames" / f"frame-{number:05d}.fits", image, header, overwrite=True)
        number += 1
    Table(rows=rows, names=["id", "ra", "dec", "size"]).write(folder / "catalogue.parquet", overwrite=True)
    click.echo(f"{len(rows)} galaxies in {number} frames, {number * FRAME**2 * 4 / 1e9:.1f} GB")


def part_of_catalogue(folder: Path, count: int | None, name: str) -> Path:
    """A catalogue of the first galaxies."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "catalogue.parquet")
    path = folder / f"catalogue-{name}.parquet"
    pq.write_table(table if count is None else table.slice(0, count), path)
    return path


class Memory:
    """Peak of the resident memory of this process's children and theirs, in MiB; shared memory is counted once."""

    def __init__(self, pid: int) -> None:
        import psutil

        self._root = psutil.Process(pid)
        self.peak = self.peak_private = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        import psutil

        while not self._stop.wait(0.5):
            total = shared = 0
            for process in [self._root, *self._root.children(recursive=True)]:
                try:
                    info = process.memory_info()
                except psutil.Error:
                    continue
                total += info.rss - info.shared
                shared = max(shared, info.shared)
            self.peak_private = max(self.peak_private, total / 2**20)
            self.peak = max(self.peak, (total + shared) / 2**20)

    def stop(self) -> float:
        """End watching; the peak."""
        self._stop.set()
        self._thread.join()
        return self.peak


def run_survey(folder: Path, catalogue: Path, *options: str) -> tuple[dict, float, float]:
    """Report, seconds in all and peak memory of a survey in a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        command = [sys.executable, "-m", "p2p_keras.survey", str(catalogue), "--images", str(folder / "frames")]
        command += ["-o", f"{output}/out", "--index", str(folder / "index.parquet"), "-q", *options]
        start = time.perf_counter()
        process = subprocess.Popen(command)
        memory = Memory(process.pid)
        if process.wait():
            raise click.ClickException("the survey failed")
        seconds = time.perf_counter() - start
        return json.loads((Path(output) / "out/report/report.json").read_text()), seconds, memory.stop()


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--count", default=4000, help="Galaxies.")
@click.option("--repeats", default=3)
def rate(folder: Path, count: int, repeats: int) -> None:
    """Galaxies a second of survey and of predict, on the same galaxies and cores, in turn."""
    catalogue = part_of_catalogue(folder, count, f"{count}")
    model = Path(__file__).resolve().parent.parent / "saved_models/isophote/model.onnx"
    click.echo("| run | survey, measuring | survey, in all | predict, in all | CPU ms a galaxy: read, model, rows |")
    click.echo("|---|---|---|---|---|")
    for repeat in range(repeats):
        report, seconds, _ = run_survey(folder, catalogue)
        now = report["this_run"]
        cpu = ", ".join(f"{1e3 * now['cpu_seconds'][key] / count:.2f}" for key in ("read", "model", "rows"))
        with tempfile.TemporaryDirectory(dir=folder) as output:
            command = [sys.executable, "-m", "p2p_keras.predict", str(folder / "frames"), "--catalogue", str(catalogue)]
            command += ["-o", f"{output}/out.parquet", "--model", str(model), "-q"]
            start = time.perf_counter()
            done = subprocess.run(command, check=False)
            other = f"{count / (time.perf_counter() - start):.1f}/s" if done.returncode < 2 else "failed"
        click.echo(f"| {repeat + 1} | {now['rows_per_second']:.1f}/s | {count / seconds:.1f}/s | {other} | {cpu} |")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--count", "counts", type=int, multiple=True, default=(1000, 10_000, 100_000))
def memory(folder: Path, counts: tuple[int, ...]) -> None:
    """Peak memory of all processes of a survey, by the number of galaxies."""
    click.echo("| galaxies | peak memory, MiB | rows/s | seconds: plan, measure, finish |")
    click.echo("|---|---|---|---|")
    for count in counts:
        report, _, peak = run_survey(folder, part_of_catalogue(folder, count, f"{count}"))
        now = report["this_run"]
        seconds = ", ".join(f"{now['seconds'].get(key, 0.0):.1f}" for key in ("plan", "measure"))
        click.echo(f"| {count} | {peak:.0f} | {now['rows_per_second']:.1f} | {seconds} |")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--count", default=4000, help="Galaxies.")
@click.option("--nodes", "numbers", type=int, multiple=True, default=(1, 2, 4))
def nodes(folder: Path, count: int, numbers: tuple[int, ...]) -> None:
    """Speed-up with nodes of one core each, as Ray's cluster utility makes them on this machine.

    What is above the machine's cores can't be faster; the CPU time per galaxy says where the rest goes.
    """
    from ray.cluster_utils import Cluster

    from p2p_keras.sky_survey import Resources, SurveySettings, run_survey

    catalogue = part_of_catalogue(folder, count, f"{count}")
    click.echo(f"{os.cpu_count()} cores\n\n| nodes | rows/s | speed-up | CPU ms a galaxy: read, model, rows |")
    click.echo("|---|---|---|---|")
    first = 0.0
    for number in numbers:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 300_000_000})
        for _ in range(number - 1):
            cluster.add_node(num_cpus=1, object_store_memory=300_000_000)
        try:
            with tempfile.TemporaryDirectory(dir=folder) as output:
                settings = SurveySettings(
                    str(catalogue), f"{output}/out", str(folder / "frames"), index=str(folder / "index.parquet")
                )
                report = run_survey(settings, Resources(address=cluster.address, workers=number, readers=number))
        finally:
            cluster.shutdown()
        first = first or report.rate
        cpu = ", ".join(f"{1e3 * report.cpu_seconds[key] / count:.2f}" for key in ("read", "model", "rows"))
        click.echo(f"| {number} | {report.rate:.1f} | {report.rate / first:.2f} | {cpu} |")


@main.command()
@click.option("--count", default=1_000_000, help="Rows of the catalogue.")
@click.option("--frames", default=20_000, help="Frames of 0.3 degrees.")
def plan(count: int, frames: int) -> None:
    """Rows a second, memory and bytes of the planning, for a catalogue in random order over 2000 square degrees."""
    import resource

    import pyarrow as pa
    import pyarrow.parquet as pq

    from p2p_keras.sky_survey import SurveySettings
    from p2p_keras.sky_survey.catalogue import Catalogue
    from p2p_keras.sky_survey.footprints import SCHEMA
    from p2p_keras.sky_survey.frame_index import FrameIndex
    from p2p_keras.sky_survey.place import Place
    from p2p_keras.sky_survey.plan import make_plan

    rng = np.random.default_rng(1)
    side = int(np.sqrt(frames))
    ra0, dec0 = (10 + 0.28 * (np.arange(side**2) % side), -20 + 0.28 * (np.arange(side**2) // side))
    empty = {field.name: None for field in SCHEMA}
    told = [
        empty
        | {
            "file": f"frame-{i:06d}.fits",
            "hdu": 0,
            "band": "r",
            "width": 4000,
            "height": 4000,
            "pixel_scale": 0.27,
            "ra": (a + np.array([0.15, -0.15, -0.15, 0.15]) / np.cos(np.deg2rad(d))).tolist(),
            "dec": (d + np.array([-0.15, -0.15, 0.15, 0.15])).tolist(),
            "wcs": "",
            "problem": "",
        }
        for i, (a, d) in enumerate(zip(ra0, dec0, strict=True))
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/catalogue.parquet"
        with pq.ParquetWriter(
            path, pa.schema([("id", pa.int64()), ("ra", pa.float64()), ("dec", pa.float64())])
        ) as file:
            for start in range(0, count, 1_000_000):
                n = min(1_000_000, count - start)
                ra, dec = 10 + 0.28 * side * rng.random(n), -20 + 0.28 * side * rng.random(n)
                file.write_table(pa.table({"id": np.arange(start, start + n), "ra": ra, "dec": dec}))
        start_s = time.perf_counter()
        index = FrameIndex(pa.Table.from_pylist(told, schema=SCHEMA))
        click.echo(f"index of {len(index)} frames: {time.perf_counter() - start_s:.1f} s")
        start_s = time.perf_counter()
        settings = SurveySettings(path, f"{folder}/out", "unused", size=128)
        made = make_plan(Catalogue(path), index, settings, Place(f"{folder}/out"))
        seconds = time.perf_counter() - start_s
        size = sum(file.stat().st_size for file in Path(f"{folder}/out").rglob("*") if file.is_file())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    click.echo(
        f"{count} rows: {count / seconds:.0f} rows/s, {len(made.parts)} parts, {len(made.partitions)} partitions, "
        f"{size / count:.0f} bytes a row, peak {peak:.0f} MiB"
    )


@main.command()
@click.option("--read", "read_ms", default=1.7, help="CPU ms a galaxy of reading and cutting.")
@click.option("--model", "model_ms", default=3.6, help="CPU ms a galaxy of the model.")
@click.option("--rows", "rows_ms", default=2.4, help="CPU ms a galaxy of making and writing rows.")
@click.option("--row-bytes", default=2000, help="Bytes of a row.")
@click.option("--pixels-per-galaxy", default=16_000, help="Of the frames, read once.")
@click.option("--galaxies", default=100_000_000)
def budget(
    read_ms: float, model_ms: float, rows_ms: float, row_bytes: int, pixels_per_galaxy: int, galaxies: int
) -> None:
    """What a survey takes, from CPU times that a run's report tells."""
    core_hours = galaxies * (read_ms + model_ms + rows_ms) / 3.6e6
    shares = ", ".join(
        f"{name} {galaxies * ms / 3.6e6:.0f}"
        for name, ms in (("read", read_ms), ("model", model_ms), ("rows", rows_ms))
    )
    click.echo(f"| {galaxies:.0e} galaxies in one band | |\n|---|---|")
    click.echo(f"| core hours | {core_hours:.0f} ({shares}) |")
    for cores in (2, 64, 1000):
        click.echo(f"| hours on {cores} cores | {core_hours / cores:.2f} |")
    click.echo(f"| core hours beside GPUs | {galaxies * (read_ms + rows_ms) / 3.6e6:.0f} |")
    click.echo(f"| result | {galaxies * row_bytes / 1e9:.0f} GB; as much again while it is made |")
    click.echo(f"| frames, read once | {galaxies * pixels_per_galaxy * 4 / 1e12:.1f} TB (float32, not packed) |")


if __name__ == "__main__":
    main()
