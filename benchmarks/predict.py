"""Ten thousand images in one call of `predict`: rate, peak memory, and the same answers as one by one.

``python benchmarks/predict.py [--count 10000] [--folder DIR] [--model M] [--side 128]``
``python benchmarks/predict.py --frames --count 1000 --count 10000 --count 100000 --side 48``

Makes the images (a few hundred mock-like galaxies, each written several times with other noise), or with ``--frames``
whole frames of mocks and a catalogue of positions on them (10,000 galaxies; more are the same under other names). Then
runs the program as a user would, in a process of its own whose memory is watched. Printed for each count: galaxies a
second, the highest memory after a tenth of the run and at its end (flat: the same). At the end: what the network alone
takes for such images in this process, what reading and what tables, flags and derived quantities take of one core
beside it, and the largest difference of any radius between the one call and galaxies measured alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import click
import numpy as np

from p2p_keras.images import GalaxyImage, InputFile, Target


def make_images(folder: Path, count: int, side: int) -> None:
    """Write FITS files; those that are there already stay."""
    from astropy.io import fits
    from astropy.wcs import WCS

    from p2p_keras.network.export.warmup import galaxy_like_image

    folder.mkdir(parents=True, exist_ok=True)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [side / 2, side / 2]
    wcs.wcs.cd = np.diag([-0.396, 0.396]) / 3600
    header = wcs.to_header()
    header["BUNIT"], header["FILTER"] = "nanomaggy", "r"
    galaxies = [galaxy_like_image(side, seed) for seed in range(min(count, 200))]
    rng = np.random.default_rng(1)
    for number in range(count):
        path = folder / f"galaxy{number:06d}.fits"
        if not path.exists():
            image = galaxies[number % len(galaxies)]
            noise = 0.2 * np.std(image[:8]) * rng.normal(size=image.shape)
            fits.PrimaryHDU((image + noise).astype(np.float32), header).writeto(path)


def _own_memory(pid: str) -> float:
    """MiB of a process, its share of what it shares with others."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 2**10
    raise ValueError(pid)


class Watch:
    """Memory of a process and its own processes (MiB), sampled while it runs."""

    def __init__(self, pid: int) -> None:
        self.pid, self.samples = pid, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.25):
            with suppress(OSError, IndexError, ValueError):
                children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
                self.samples.append((time.perf_counter(), sum(map(_own_memory, (str(self.pid), *children)))))

    def stop(self) -> list[tuple[float, float]]:
        """All samples: time and MiB."""
        self._stop.set()
        self._thread.join()
        return self.samples


def make_frames(folder: Path, galaxies: int, count: int, side: int) -> tuple[Path, list[Target]]:
    """Frames with galaxies and a catalogue of `count` rows on them; frames that are there already stay."""
    from astropy.table import Table
    from survey_sky import make_sky

    if not (folder / "catalogue.parquet").exists():
        make_sky(folder, min(galaxies, 10_000), seed=1)
    sky = Table.read(folder / "catalogue.parquet")
    row = np.arange(count) % len(sky)
    names = [f"g{number:07d}" for number in range(count)]
    table = Table({"name": names, "ra": sky["ra"][row], "dec": sky["dec"][row], "size": np.full(count, side)})
    path = folder / f"catalogue-{count}.fits"
    table.write(path, overwrite=True)
    return path, [Target(ra=float(r["ra"]), dec=float(r["dec"]), size=side) for r in table]


def read_targets(inputs: list[InputFile]) -> list[GalaxyImage]:
    """Images of some targets, as `predict` reads them."""
    from p2p_keras.measure.reading_ahead import read_ahead

    return [cutting.image for cutting in read_ahead(inputs, readers=1) if cutting.image is not None]


def stages(inputs: list[InputFile], model: str | None, batch: int) -> str:
    """What each stage takes of a galaxy: the network by the clock, the others in processor time."""
    from p2p_keras import Predictor
    from p2p_keras.profile.derived.complete import complete_profiles

    predictor = Predictor.load(model)
    read_targets(inputs)
    start = time.process_time()
    images = read_targets(inputs)
    reading = time.process_time() - start
    predictor.run(images[:batch])
    start = time.perf_counter()
    for first in range(0, len(images), batch):
        predictor.run(images[first : first + batch])
    network = time.perf_counter() - start
    some = images[:batch]
    outputs = predictor.run(some)
    predictor.run = lambda images: outputs  # type: ignore[method-assign]
    for _ in range(2):
        start = time.process_time()
        for _ in range(8):
            complete_profiles(predictor.measure(some))
        tables = (time.process_time() - start) / (8 * len(some))
    read, net = 1e3 * reading / len(images), 1e3 * network / len(images)
    return (
        f"network alone: {1e3 / net:.1f} galaxies/s ({net:.2f} ms); on one core beside it: "
        f"reading {read:.2f} ms, tables, flags and derived quantities {1e3 * tables:.2f} ms"
    )


def largest_difference(table: Path, inputs: dict[str, Target], model: str | None, checked: int) -> tuple[float, int]:
    """Largest difference of mu (mag) from galaxies measured alone, and galaxies whose radii differ."""
    from p2p_keras import Predictor
    from p2p_keras.profile.tables.files import read_profiles

    predictor = Predictor.load(model)
    profiles = read_profiles(table)
    worst, other_rows = 0.0, 0
    for profile in profiles[:: max(1, len(profiles) // checked)]:
        target = inputs[profile.meta["name"]]
        alone = predictor.predict(profile.meta["source"], ra=target.ra, dec=target.dec, size=target.size)
        if len(alone) != len(profile):
            other_rows += 1
            continue
        if len(alone):
            worst = max(worst, float(np.max(np.abs(alone["mu"].value - profile["mu"].value))))
    return worst, other_rows


def run_program(arguments: list[str], model: str | None, table: Path) -> tuple[float, list[tuple[float, float]]]:
    """Seconds and memory of a run of `predict` in a process of its own."""
    command = [sys.executable, "-m", "p2p_keras.predict", *arguments, "-o", str(table), "--quiet"]
    command += ["--model", model] if model else []
    start = time.perf_counter()
    process = subprocess.Popen(command, env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3"))
    watch = Watch(process.pid)
    status = process.wait()
    seconds = time.perf_counter() - start
    if status:
        raise click.ClickException(f"predict ended with status {status}")
    return seconds, [(time - start, memory) for time, memory in watch.stop()]


@click.command()
@click.option("--count", "counts", multiple=True, default=(10000,), show_default=True, help="Galaxies; several runs.")
@click.option("--side", default=128, show_default=True, help="Pixels a side.")
@click.option("--frames", is_flag=True, help="A catalogue of positions on whole frames instead of a file a galaxy.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where images are kept.")
@click.option("--model", default=None, help="Model folder or file; the shipped one by default.")
@click.option("--batch-size", default=16, show_default=True)
@click.option("--readers", default=4, show_default=True)
@click.option("--output", default="out.fits", show_default=True, help="Name of the table: its ending is the format.")
@click.option("--checked", default=100, show_default=True, help="Galaxies measured alone, for comparison.")
def main(
    counts: tuple[int, ...],
    side: int,
    frames: bool,
    folder: Path | None,
    model: str | None,
    batch_size: int,
    readers: int,
    output: str,
    checked: int,
) -> None:
    """Measure the program on COUNT images."""
    with tempfile.TemporaryDirectory() as temporary:
        images = folder or Path(temporary) / "images"
        table = Path(temporary) / output
        for count in counts:
            if frames:
                catalogue, targets = make_frames(images, max(counts), count, side)
                arguments = [str(images / "frames"), "--catalogue", str(catalogue)]
                inputs = {f"g{number:07d}": target for number, target in enumerate(targets)}
                first = [InputFile(str(images / "frames" / "frame-00000.fits"), tuple(targets[: 4 * batch_size]))]
            else:
                make_images(images, count, side)
                listed = Path(temporary) / "list.txt"
                names = [f"galaxy{number:06d}" for number in range(count)]
                listed.write_text("".join(f"{images / name}.fits\n" for name in names))
                arguments = [f"@{listed}"]
                inputs = dict.fromkeys(names, Target())
                first = [InputFile(str(images / f"{name}.fits")) for name in names[: 4 * batch_size]]
            arguments += ["--batch-size", str(batch_size), "--readers", str(readers)]
            seconds, samples = run_program(arguments, model, table)
            early = max((m for t, m in samples if t < 0.1 * seconds + 5.0), default=float("nan"))
            what = f"{count} galaxies of {side} x {side} px{' on frames' if frames else ''} -> {output}"
            click.echo(
                f"{what} ({table.stat().st_size / 2**20:.0f} MiB): {count / seconds:.1f} galaxies/s with the start "
                f"({seconds:.0f} s); peak memory {early:.0f} MiB after a tenth, "
                f"{max(m for _, m in samples):.0f} MiB in all"
            )
        click.echo(stages(first, model, batch_size))
        if checked:
            worst, other_rows = largest_difference(table, inputs, model, checked)
            click.echo(
                f"alone and together: mu differs by {worst:.1e} mag at most, other radii in {other_rows} galaxies"
            )


if __name__ == "__main__":
    main()
