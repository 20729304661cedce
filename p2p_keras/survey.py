"""Measure whole surveys on Ray: ``python -m p2p_keras.survey CATALOGUE --images FRAMES --output OUT``."""

from __future__ import annotations

import shlex
import time
from typing import Any

import click

from p2p_keras.core.json_lines import json_option
from p2p_keras.core.program import Program, column_option, quiet_option

__all__ = ["main"]


def _bytes(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Read a size such as 500M or 2G."""
    if value is None:
        return None
    factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(value[-1:].upper(), 1)
    try:
        return int(float(value[:-1] if factor > 1 else value) * factor)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no size; use 500M or 2G") from error


@click.command(cls=Program)
@click.argument("catalogue")
@click.option("-o", "--output", required=True, metavar="OUT", help="Folder or URL of the result.")
@click.option(
    "--images",
    metavar="DIR",
    help="Folder or URL (s3://, gs://, https://, ...) of the frames. Not needed if the catalogue has a column "
    "of files.",
)
@click.option(
    "--index",
    metavar="FILE",
    help="File with the footprints of the frames; it is made if it doesn't exist.  [default: in OUT]",
)
@click.option("--reindex", is_flag=True, help="Read the footprints again, since frames were added.")
@column_option(
    "name, file, band, hdu, mask, ra, dec, x, y, size (px), zero_point, pixel_scale, redshift, radius (arcsec)"
)
@click.option(
    "--band",
    "bands",
    multiple=True,
    help="Measure in this band (may be repeated), if the catalogue has no column of bands.  [default: all "
    "bands of the frames]",
)
@click.option("--size", type=int, help="Side of every cutout, in pixels.  [default: from the catalogue, else 256]")
@click.option("--first-look", is_flag=True, help="Choose the size of each cutout from the galaxy's light.")
@click.option("--radius-factor", default=8.0, help="Side of a cutout in units of the catalogue's radius.")
@click.option("--max-size", default=1024, help="Largest side of a cutout, in pixels.")
@click.option("--hdu", help="Number or name of the HDU with the image.  [default: the HDU that shows the galaxy]")
@click.option("--zero-point", type=float, help="AB magnitude of a pixel value of 1.  [default: from the headers]")
@click.option("--pixel-scale", type=float, help="Arcsec per pixel.  [default: from the WCS or header]")
@click.option(
    "--model",
    metavar="DIR",
    help="SavedModel folder (NAME/VERSION or NAME) or .onnx file.  [default: the shipped model]",
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=16, help="Cutouts of one size that the network takes at a time."
)
@click.option(
    "--rows-per-part", type=click.IntRange(min=1), default=256, help="Galaxies that are read and written together."
)
@click.option(
    "--rows-per-partition", type=click.IntRange(min=1), default=100_000, help="Most rows in a file of the result."
)
@click.option(
    "--address",
    metavar="RAY",
    help="Ray cluster to join: auto, HOST:6379 or ray://HOST:10001.  [default: Ray on this machine, all cores]",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes that run the model.  [default: one per core]")
@click.option("--readers", type=click.IntRange(min=1), help="Processes that read frames.  [default: one per core]")
@click.option("--worker-cpus", default=0.75, help="Cores that Ray reserves for a process with the model.")
@click.option("--reader-cpus", default=0.25, help="Cores that Ray reserves for a process that reads.")
@click.option(
    "--worker-gpus", default=0.0, help="GPUs that Ray reserves for a process with the model; with 0.25 four share one."
)
@click.option("--threads", type=click.IntRange(min=1), default=1, help="Threads of each model on CPUs.")
@click.option(
    "--object-store-memory",
    callback=_bytes,
    metavar="SIZE",
    help="Shared memory for images that are passed between processes, such as 500M or 2G.  [default: 1G; a cluster "
    "has its own]",
)
@click.option(
    "--dashboard", is_flag=True, help="Ray's dashboard, on port 8265 of this machine (needs p2p-keras[dashboard])."
)
@click.option(
    "--metrics-port", type=int, metavar="PORT", help="Prometheus metrics on this port (needs p2p-keras[dashboard])."
)
@click.option("--overwrite", is_flag=True, help="First remove the result of another run from OUT.")
@quiet_option
@json_option
@click.pass_context
def main(
    context: click.Context,
    address: str | None,
    workers: int | None,
    readers: int | None,
    worker_cpus: float,
    reader_cpus: float,
    worker_gpus: float,
    threads: int,
    object_store_memory: int | None,
    dashboard: bool,
    metrics_port: int | None,
    overwrite: bool,
    reindex: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Measure the galaxies of a catalogue in the frames of a survey.

    CATALOGUE is a Parquet, FITS, VOTable or CSV file, a folder of Parquet files, or a HATS catalogue. It has an
    identifier and RA and Dec, or a column of files, and optionally band, redshift, and size or radius. OUT
    becomes a HATS catalogue: Parquet files by position on the sky, with one row per galaxy and band and the
    profile as lists. A galaxy that can't be measured has a row with a flag and the cause. If the same command
    is started again, it continues.

    Exit status: 0 if all rows are written, 1 if it was interrupted (start it again to continue), 2 for wrong
    usage.
    """
    from p2p_keras.core.last_words import write_last_words
    from p2p_keras.core.settings_file import settings_text
    from p2p_keras.sky_survey.place import Place
    from p2p_keras.sky_survey.run import SETTINGS_FILE, run_survey
    from p2p_keras.sky_survey.settings import Resources, SurveySettings

    settings = SurveySettings(**options)
    resources = Resources(
        address=address,
        workers=workers,
        readers=readers,
        worker_cpus=worker_cpus,
        reader_cpus=reader_cpus,
        worker_gpus=worker_gpus,
        threads=threads,
        object_store_memory=object_store_memory,
        dashboard=dashboard,
        metrics_port=metrics_port,
    )
    with _Progress(quiet) as progress:
        try:
            report = run_survey(
                settings,
                resources,
                overwrite=overwrite,
                reindex=reindex,
                log=progress.log,
                advance=progress.advance,
            )
        except KeyboardInterrupt:
            progress.stop()
            click.echo("interrupted: the rows measured so far are kept, and the same command continues", err=True)
            context.exit(1)
    Place(settings.output).write(SETTINGS_FILE, settings_text(context).encode())
    if quiet:
        return
    click.echo(report.text(), nl=False)
    write_last_words(
        f"Measured {report.rows} rows, {report.failed} of them without a profile; "
        f"{report.rows_now} by this run at {report.rate:.1f} rows/s",
        [("Catalogue", settings.output), ("Report", Place(settings.output).url_of("report/report.md"))],
        then="" if "://" in settings.output else f"python -m p2p_keras.view {shlex.quote(settings.output)}",
    )


class _Progress:
    """How far the survey is, by `p2p_keras.core.progress.Progress`, as `run_survey` tells it."""

    def __init__(self, quiet: bool) -> None:
        from p2p_keras.core.progress import Progress

        self._shown = Progress("measuring", None, quiet=quiet, unit="rows")
        self._quiet = quiet
        self._start: float | None = None

    def __enter__(self) -> _Progress:
        self._shown.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the bar."""
        self._shown.stop()

    def log(self, message: str) -> None:
        """Write a line."""
        if not self._quiet:
            self._shown.write_line(message)

    def advance(self, done: int, rows: int, failed: int, now: int) -> None:
        """Show how far it is: rows done of all, failures, and rows that this run has done."""
        clock = time.monotonic()
        self._start = clock if self._start is None else self._start
        rate = now / (clock - self._start) if clock > self._start else 0.0
        self._shown.advance(done, rate, f"{failed} failed", total=rows, facts={"failed": failed})


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.survey")
