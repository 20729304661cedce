"""Ten thousand images in one call of `predict`: rate, peak memory, and the same answers as one by one.

``python benchmarks/predict.py [--count 10000] [--folder DIR] [--model M] [--side 128]``

Makes the images (a few hundred mock-like galaxies, each written several times with other noise), then runs the program
as a user would, in a process of its own whose memory is watched. Printed: galaxies a second, the highest memory after a
tenth of the run and at its end (flat: the same), what the network alone would take for the same images in this process,
and the largest difference of any radius between the one call and galaxies measured alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
import numpy as np


def make_images(folder: Path, count: int, side: int) -> None:
    """Write FITS files; those that are there already stay."""
    from astropy.io import fits
    from astropy.wcs import WCS

    from p2p_keras.serving.warmup import galaxy_like_image

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


class Watch:
    """Resident memory of a process (MiB), sampled while it runs."""

    def __init__(self, pid: int) -> None:
        self.pid, self.samples = pid, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE") / 2**20
        while not self._stop.wait(0.25):
            try:
                resident = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
            except (OSError, IndexError):
                return
            self.samples.append((time.perf_counter(), resident * page))

    def stop(self) -> list[tuple[float, float]]:
        """All samples: time and MiB."""
        self._stop.set()
        self._thread.join()
        return self.samples


def network_alone(folder: Path, model: str | None, count: int, batch: int) -> float:
    """Galaxies a second of the model itself on images in memory."""
    from p2p_keras import Predictor
    from p2p_keras.images import read_image

    predictor = Predictor.load(model)
    images = [read_image(folder / f"galaxy{number:06d}.fits") for number in range(min(count, 4 * batch))]
    predictor.run(images[:batch])
    start = time.perf_counter()
    for first in range(0, len(images), batch):
        predictor.run(images[first : first + batch])
    return len(images) / (time.perf_counter() - start)


def largest_difference(table: Path, folder: Path, model: str | None, checked: int) -> tuple[float, int]:
    """Largest difference of mu (mag) from galaxies measured alone, and galaxies whose radii differ."""
    from p2p_keras import Predictor
    from p2p_keras.profile_files import read_profiles

    predictor = Predictor.load(model)
    profiles = read_profiles(table)
    worst, other_rows = 0.0, 0
    for profile in profiles[:: max(1, len(profiles) // checked)]:
        alone = predictor.predict(folder / f"{profile.meta['name']}.fits")
        if len(alone) != len(profile):
            other_rows += 1
            continue
        if len(alone):
            worst = max(worst, float(np.max(np.abs(alone["mu"].value - profile["mu"].value))))
    return worst, other_rows


@click.command()
@click.option("--count", default=10000, show_default=True)
@click.option("--side", default=128, show_default=True, help="Pixels a side.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where images are kept.")
@click.option("--model", default=None, help="Model folder or file; the shipped one by default.")
@click.option("--batch-size", default=16, show_default=True)
@click.option("--readers", default=4, show_default=True)
@click.option("--output", default="out.fits", show_default=True, help="Name of the table: its ending is the format.")
@click.option("--checked", default=100, show_default=True, help="Galaxies measured alone, for comparison.")
def main(
    count: int,
    side: int,
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
        make_images(images, count, side)
        listed = Path(temporary) / "list.txt"
        listed.write_text("\n".join(str(images / f"galaxy{n:06d}.fits") for n in range(count)) + "\n")
        table = Path(temporary) / output
        command = [sys.executable, "-m", "p2p_keras.predict", f"@{listed}", "-o", str(table), "--quiet"]
        command += ["--batch-size", str(batch_size), "--readers", str(readers)]
        command += ["--model", model] if model else []
        start = time.perf_counter()
        process = subprocess.Popen(command, env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3"))
        watch = Watch(process.pid)
        status = process.wait()
        seconds = time.perf_counter() - start
        samples = watch.stop()
        if status:
            raise click.ClickException(f"predict ended with status {status}")
        early = max((m for t, m in samples if t < start + 0.1 * seconds + 5.0), default=float("nan"))
        click.echo(f"{count} images of {side} x {side} px -> {output} ({table.stat().st_size / 2**20:.0f} MiB)")
        click.echo(f"program: {count / seconds:.1f} galaxies/s, start of the model included ({seconds:.0f} s)")
        click.echo(f"network alone: {network_alone(images, model, count, batch_size):.1f} galaxies/s")
        click.echo(f"peak memory: {early:.0f} MiB after a tenth, {max(m for _, m in samples):.0f} MiB in all")
        worst, other_rows = largest_difference(table, images, model, checked)
        click.echo(f"alone and together: mu differs by {worst:.1e} mag at most, other radii in {other_rows} galaxies")


if __name__ == "__main__":
    main()
