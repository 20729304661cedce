"""Measure the profiles of galaxies in FITS images: ``python -m p2p_keras.predict IMAGE.fits --output profile.ecsv``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from p2p_keras.program import Program


@click.command(cls=Program)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="A name ending in .ecsv, .fits, .csv or .parquet: one table for all inputs, its first column `name`. "
    "Anything else is a folder that gets one NAME.ecsv for each.",
)
@click.option(
    "--model", metavar="DIR", help="SavedModel (NAME/VERSION or NAME) or .onnx file.  [default: the shipped one]"
)
@click.option(
    "--server",
    metavar="HOST:PORT",
    help="Let a model server measure (TensorFlow Serving or p2p_keras.serve); --model NAME.",
)
@click.option("--zero-point", type=float, help="AB magnitude of a pixel value of 1.  [default: from the header]")
@click.option("--pixel-scale", type=float, help="Arcsec per pixel.  [default: from the WCS or header]")
@click.option("--band", help="Filter.  [default: from the header]")
@click.option("--hdu", help="Number or name of the HDU with the image.  [default: the first image]")
@click.option("--ra", help="The target's right ascension: degrees, or hours as 13:22:02.4.")
@click.option("--dec", help="The target's declination: degrees, or degrees as +36:43:51.")
@click.option("--x", type=float, help="The target's column in the file, from 0.")
@click.option("--y", type=float, help="The target's row in the file, from 0.")
@click.option("--size", type=int, help="Side of the square that is cut out around the target, px.  [default: 256]")
@click.option(
    "--mask",
    type=click.Path(exists=True, dir_okay=False),
    help="FITS image of the same shape; not 0: ignore the pixel.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Draw each galaxy: image with ellipses, profile, geometry, growth.",
)
@click.option(
    "--attention",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Draw which pixels made which radius; needs the model's Keras file beside it.",
)
@click.option("--plot-format", type=click.Choice(["png", "pdf", "svg"]), default="png", help="Kind of the drawings.")
@click.option(
    "--format",
    "table_format",
    type=click.Choice(["ecsv", "fits", "csv", "parquet"]),
    help="Format of the tables.  [default: by OUT's ending]",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=16, help="Images of one shape measured at a time.")
@click.option("--readers", type=click.IntRange(min=1), default=4, help="Threads that read files.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the model.  [default: all cores]")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no notes: only errors on standard error.")
@click.pass_context
def main(
    context: click.Context,
    images: tuple[str, ...],
    output: Path,
    model: str | None,
    server: str | None,
    plot: Path | None,
    attention: Path | None,
    plot_format: str,
    table_format: str | None,
    batch_size: int,
    readers: int,
    threads: int | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Measure the profiles of galaxies.

    IMAGE is a FITS file (plain, .gz, .bz2, .fz) with one band, a folder of them, a pattern, or @list.txt with one of
    these a line. The target is in the image's middle unless --ra and --dec or --x and --y say where it is.

    Exit status: 0 all done, 1 some inputs failed (each is named on standard error with its cause, the others are
    written), 2 wrong usage.
    """
    from p2p_keras.attention import attention_drawer
    from p2p_keras.images import find_inputs
    from p2p_keras.prediction import predict_files
    from p2p_keras.profile_files import ProfileWriter

    paths = find_inputs(images)
    predictor = _measurer(model, server, threads)
    writer = ProfileWriter(output, table_format)
    draws = [
        draw for draw in (_drawer(plot, plot_format), attention_drawer(attention, model, plot_format, server)) if draw
    ]
    failed = measured = 0
    interrupted = False
    start = time.perf_counter()
    with writer, _Progress(len(paths), quiet) as progress:
        try:
            for done in predict_files(predictor, paths, batch_size=batch_size, readers=readers, **options):
                if done.error is not None or done.profile is None or done.image is None:
                    failed += 1
                    progress.say(f"error: {done.error}")
                else:
                    name = writer.add(done.profile)
                    measured += 1
                    if not quiet:
                        for note in done.image.notes:
                            progress.say(f"note: {done.source}: {note}")
                    for draw in draws:
                        draw(done.image, done.profile, name)
                progress.advance(measured / (time.perf_counter() - start))
        except KeyboardInterrupt:
            interrupted = True
    seconds = time.perf_counter() - start
    for old, new in writer.renamed:
        click.echo(f"note: a second galaxy named {old} is kept as {new}", err=True)
    if not quiet:
        where = f" -> {output}" + (" (replaced)" if writer.replaced else "") if writer.written else ""
        click.echo(
            f"{measured} of {len(paths)} measured in {seconds:.1f} s ({measured / seconds:.1f}/s){where}", err=True
        )
    if interrupted:
        click.echo("interrupted: what was measured until then is kept", err=True)
    if failed:
        click.echo(f"{failed} of {len(paths)} inputs failed", err=True)
    context.exit(1 if failed or interrupted else 0)


def _measurer(model: str | None, server: str | None, threads: int | None) -> Any:
    """Load the model, or connect to the server."""
    if server is not None:
        from p2p_keras.backends import DEFAULT_MODEL
        from p2p_keras.client import ProfileClient
        from p2p_keras.prediction import ServerMeasurer

        return ServerMeasurer(ProfileClient(server, model=model or DEFAULT_MODEL))
    from p2p_keras.predictor import Predictor

    return Predictor.load(model, threads=threads)


def _drawer(folder: Path | None, plot_format: str) -> Any:
    """Function that draws one galaxy into a folder; None without one."""
    if folder is None:
        return None
    from p2p_keras.plots import galaxy_figure, save_figure
    from p2p_keras.profile_files import safe_name

    folder.mkdir(parents=True, exist_ok=True)

    def draw(image: Any, profile: Any, name: str) -> None:
        save_figure(galaxy_figure(image, profile), folder / f"{safe_name(name)}.{plot_format}")

    return draw


class _Progress:
    """A bar with galaxies per second on standard error, where that is a terminal; messages go above it."""

    def __init__(self, total: int, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        columns = (
            "measuring",
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        hidden = quiet or total < 2 or not self._console.is_terminal
        self._bar = Progress(*columns, console=self._console, disable=hidden)
        self._task = self._bar.add_task("", total=total, rate="")

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def say(self, message: str) -> None:
        """Write a line on standard error."""
        self._console.print(message)

    def advance(self, rate: float) -> None:
        """Count one galaxy."""
        self._bar.update(self._task, advance=1, rate=f"{rate:.1f} galaxies/s")


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.predict")
