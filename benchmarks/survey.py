"""A survey of mocks in frames: rate against `predict`, memory by the number of galaxies, and speed-up by workers.

python benchmarks/survey.py make DIR --galaxies 100000       # frames and catalogue, once (7.5 GB, seeds fixed)
python benchmarks/survey.py rate DIR                         # survey and predict on the same galaxies, in turn
python benchmarks/survey.py memory DIR --count 1000 --count 10000 --count 100000
python benchmarks/survey.py nodes DIR --share 0.5            # 1, 2 and 4 nodes of half a core each on this machine
python benchmarks/survey.py plan --count 10000000            # rows a second of the planning alone
python benchmarks/survey.py driver                           # parts a second that the driver passes on, its memory
python benchmarks/survey.py budget --model 3.6               # what 1e8 galaxies take, from CPU times
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import numpy as np
from survey_sky import make_sky
from survey_watch import Share, Watch


@click.group(context_settings={"show_default": True})
def main() -> None:
    """See the file's head."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--galaxies", default=100_000)
@click.option("--seed", default=1)
def make(folder: Path, galaxies: int, seed: int) -> None:
    """Make frames of 2048 px with galaxies on a grid, and their catalogue."""
    frames, size = make_sky(folder, galaxies, seed)
    click.echo(f"{galaxies} galaxies in {frames} frames, {size / 1e9:.1f} GB")


def part_of_catalogue(folder: Path, count: int | None, name: str) -> Path:
    """A catalogue of the first galaxies."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "catalogue.parquet")
    path = folder / f"catalogue-{name}.parquet"
    pq.write_table(table if count is None else table.slice(0, count), path)
    return path


def run_survey(folder: Path, catalogue: Path, *options: str) -> tuple[dict, float, Watch]:
    """Report, seconds in all and what was watched of a survey in a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        command = [sys.executable, "-m", "p2p_keras.survey", str(catalogue), "--images", str(folder / "frames")]
        command += ["-o", f"{output}/out", "--index", str(folder / "index.parquet"), "-q", *options]
        start = time.perf_counter()
        process = subprocess.Popen(command)
        with Watch(process.pid) as watch:
            if process.wait():
                raise click.ClickException("the survey failed")
        seconds = time.perf_counter() - start
        return json.loads((Path(output) / "out/report/report.json").read_text()), seconds, watch


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--count", default=10_000, help="Galaxies.")
@click.option("--repeats", default=3)
def rate(folder: Path, count: int, repeats: int) -> None:
    """Galaxies a second of survey and of predict, on the same galaxies and cores, in turn."""
    catalogue = part_of_catalogue(folder, count, f"{count}")
    model = Path(__file__).resolve().parent.parent / "saved_models/isophote/model.onnx"
    click.echo("| run | survey after its start | survey in all | predict in all | CPU ms a galaxy: read, model, rows |")
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
        click.echo(
            f"| {repeat + 1} | {now['rows_per_second_after_start']:.1f}/s | {count / seconds:.1f}/s | {other} | {cpu} |"
        )


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--count", "counts", type=int, multiple=True, default=(1000, 10_000, 100_000))
def memory(folder: Path, counts: tuple[int, ...]) -> None:
    """Peak memory of all processes of a survey, by the number of galaxies."""
    click.echo(
        "| galaxies | peak memory, MiB | shared | driver | rows/s | with start | seconds: plan, start, measure |"
    )
    click.echo("|---|---|---|---|---|---|---|")
    for count in counts:
        report, taken, watch = run_survey(folder, part_of_catalogue(folder, count, f"{count}"))
        now = report["this_run"]
        seconds = ", ".join(f"{now['seconds'].get(key, 0.0):.1f}" for key in ("plan", "start", "measure"))
        click.echo(
            f"| {count} | {watch.peak:.0f} | {watch.peak_shared:.0f} | {watch.peak_driver:.0f} "
            f"| {now['rows_per_second_after_start']:.0f} | {count / taken:.1f} | {seconds} |"
        )
        stages = ", ".join(f"{key} {1e3 * now['cpu_seconds'][key] / count:.2f}" for key in ("read", "model", "rows"))
        kinds = ", ".join(f"{key} {1e3 * value / count:.2f}" for key, value in watch.cpu_seconds().items())
        click.echo(
            f"CPU ms a galaxy: {stages}; of the processes: {kinds}; {report['bytes'] / count:.0f} bytes a row", err=True
        )


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--count", default=10_000, help="Galaxies.")
@click.option("--nodes", "numbers", type=int, multiple=True, default=(1, 2, 4))
@click.option("--share", type=float, help="Cores that each node gets, by a control group.  [default: no limit]")
def nodes(folder: Path, count: int, numbers: tuple[int, ...], share: float | None) -> None:
    """Speed-up with nodes of one core each, as Ray's cluster utility makes them on this machine.

    Nodes that together have more than the machine's cores can't be faster: with `--share 0.5` four nodes fit into two
    cores. Told are the rate from a tenth of the galaxies on, and CPU milliseconds a galaxy: of the stages, and of all
    processes by their kind from then on. What workers spend beyond the stages is Ray's moving of data between them. The
    driver has no limit.
    """
    from p2p_keras.sky_survey import Resources, SurveySettings, run_survey
    from p2p_keras.sky_survey.ray_engine import set_patience

    os.environ["RAY_AUTH_MODE"] = "disabled"
    set_patience()
    from ray.cluster_utils import Cluster

    catalogue = part_of_catalogue(folder, count, f"{count}")
    click.echo(f"{os.cpu_count()} cores; each node: one core for Ray, {share or 'no'} of a core's time as limit\n")
    click.echo("| nodes | rows/s | speed-up | CPU ms a galaxy: read, model, rows | workers | Ray's own | driver |")
    click.echo("|---|---|---|---|---|---|---|")
    first = 0.0
    for number in numbers:
        shares = [Share(i, share) if share else None for i in range(number)]
        options = {"num_cpus": 1, "object_store_memory": 300_000_000, "include_dashboard": False}
        cluster = Cluster()
        for group in shares:
            with group or nullcontext():
                cluster.add_node(**options)
        for group in filter(None, shares):
            group.limit()
        seen: list[tuple[int, float, dict[str, float]]] = []
        try:
            with tempfile.TemporaryDirectory(dir=folder) as output, Watch(os.getpid()) as watch:
                settings = SurveySettings(
                    str(catalogue),
                    f"{output}/out",
                    str(folder / "frames"),
                    index=str(folder / "index.parquet"),
                )

                def note(done: int, rows: int, failed: int, now: int, watch: Watch = watch, seen: list = seen) -> None:
                    # From a tenth on: all nodes work by then.
                    if now == rows or (now >= rows / 10 and not seen):
                        watch.look()
                        seen.append((now, time.perf_counter(), watch.cpu_seconds()))

                resources = Resources(address=cluster.address, workers=number, readers=number)
                report = run_survey(settings, resources, advance=note)
        finally:
            cluster.shutdown()
            for group in filter(None, shares):
                group.remove()
        (done, start, before), (_, end, after) = seen
        rate = (count - done) / (end - start)
        first = first or rate
        stages = ", ".join(f"{1e3 * report.cpu_seconds[key] / count:.2f}" for key in ("read", "model", "rows"))
        kinds = " | ".join(f"{1e3 * (after[kind] - before[kind]) / (count - done):.2f}" for kind in after)
        click.echo(f"| {number} | {rate:.1f} | {rate / first:.2f} | {stages} | {kinds} |")


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
    rows = [
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
        index = FrameIndex(pa.Table.from_pylist(rows, schema=SCHEMA))
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


def hand_on(batch: Any, parts: int) -> Any:
    """In place of a reader: some parts with little in them."""
    from p2p_keras.sky_survey.stages import payload, unpack

    for unit in unpack(batch):
        for part in range(parts):
            yield payload((unit * parts + part, os.urandom(20_000)))


class NothingToMeasure:
    """In place of a process with the model."""

    def __init__(self, parts: int) -> None:
        pass

    def __call__(self, batch: Any) -> Any:
        """Say that parts are done."""
        from p2p_keras.sky_survey.stages import PartDone, payload, unpack

        for number, _ in unpack(batch):
            yield payload(PartDone(number, 256, 0, {"read": 1.0, "model": 1.0, "rows": 1.0}))


@main.command()
@click.option("--parts", default=20_000)
@click.option("--parts-per-unit", default=20)
def driver(parts: int, parts_per_unit: int) -> None:
    """Parts a second that the driver and Ray Data pass on where nothing is measured, and the driver's memory."""
    import psutil

    from p2p_keras.sky_survey import Resources
    from p2p_keras.sky_survey.ray_engine import RayEngine
    from p2p_keras.sky_survey.stages import payload, unpack

    process = psutil.Process()
    click.echo("| parts | parts/s | driver's memory, MiB | driver's CPU ms a part |")
    click.echo("|---|---|---|---|")
    with RayEngine(Resources(object_store_memory=400_000_000)) as engine:
        blocks = [payload(unit) for unit in range(parts // parts_per_unit)]
        done, last = 0, (0, time.perf_counter(), sum(process.cpu_times()[:2]))
        for batch in engine.stream(blocks, hand_on, NothingToMeasure, {"parts": parts_per_unit}):
            done += len(list(unpack(batch)))
            if done >= last[0] + parts / 10:
                now, cpu = time.perf_counter(), sum(process.cpu_times()[:2])
                info = process.memory_info()
                click.echo(
                    f"| {done} | {(done - last[0]) / (now - last[1]):.0f} | {(info.rss - info.shared) / 2**20:.0f} "
                    f"| {1e3 * (cpu - last[2]) / (done - last[0]):.1f} |"
                )
                last = done, now, cpu


@main.command()
@click.option("--read", "read_ms", default=0.2, help="CPU ms a galaxy of reading and cutting.")
@click.option("--model", "model_ms", default=3.1, help="CPU ms a galaxy of the model.")
@click.option("--rows", "rows_ms", default=2.0, help="CPU ms a galaxy of making and writing rows.")
@click.option(
    "--moving", "moving_ms", default=0.5, help="CPU ms a galaxy of all else: data moved by Ray, its own work."
)
@click.option("--plan-rate", default=50_000.0, help="Rows a second of the planning.")
@click.option("--row-bytes", default=1600, help="Bytes of a row.")
@click.option("--pixels-per-galaxy", default=18_641, help="Of the frames, read once.")
@click.option("--galaxies", default=100_000_000)
def budget(
    read_ms: float,
    model_ms: float,
    rows_ms: float,
    moving_ms: float,
    plan_rate: float,
    row_bytes: int,
    pixels_per_galaxy: int,
    galaxies: int,
) -> None:
    """What a survey takes, from CPU times that `memory` tells."""
    stages = {"read": read_ms, "model": model_ms, "rows": rows_ms, "moving": moving_ms}
    hours = {name: galaxies * ms / 3.6e6 for name, ms in stages.items()}
    core_hours = sum(hours.values())
    shares = ", ".join(f"{name} {value:.0f}" for name, value in hours.items())
    frames = galaxies * pixels_per_galaxy * 4
    click.echo(f"| {galaxies:.0e} galaxies in one band | |\n|---|---|")
    click.echo(f"| planning, one process | {galaxies / plan_rate / 3600:.1f} h |")
    click.echo(f"| core hours | {core_hours:.0f} ({shares}) |")
    for cores in (2, 64, 1000):
        speed = frames / (core_hours / cores * 3600) / 1e9
        click.echo(f"| measuring on {cores} cores | {core_hours / cores:.1f} h, reading {speed:.2g} GB/s |")
    click.echo(f"| core hours beside GPUs | {core_hours - hours['model']:.0f} |")
    click.echo(f"| result | {galaxies * row_bytes / 1e9:.0f} GB; as much again while it is made |")
    click.echo(f"| frames, read once | {frames / 1e12:.1f} TB (float32, not packed) |")


if __name__ == "__main__":
    main()
