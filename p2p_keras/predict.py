"""Measure the profiles of galaxies in FITS images: ``python -m p2p_keras.predict IMAGE.fits --output profile.ecsv``."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from p2p_keras.core.json_lines import json_option
from p2p_keras.core.program import Program, quiet_option
from p2p_keras.measure.outputs.derived_options import DERIVED, derived_options
from p2p_keras.measure.outputs.isophote_options import isophote_options
from p2p_keras.measure.outputs.running_options import RUNNING, running_options

__all__ = ["COMMON", "GROUPS", "main"]

_PRODUCTS = ("summary", "plot", "plot_format", "model_image", "mask_image", "model_kind", "regions", "report")
_FOLDER = click.Path(path_type=Path, file_okay=False)


COMMON = (
    "output", "model", "catalogue", "zero_point", "pixel_scale", "band", "hdu", "plane", "ra", "dec", "size", "mask",
    "forced", "plot", "summary", "report", "resume",
)  # fmt: skip
"""Options that --help shows."""

_OUTPUT = (
    "output", "table_format", "resume", "summary", "plot", "plot_format", "attention", "model_image", "model_kind",
    "mask_image", "regions", "report",
)  # fmt: skip
GROUPS = {
    "Output": _OUTPUT,
    "Which galaxies": ("catalogue", "columns", "ra", "dec", "x", "y", "size"),
    "Which pixels": ("hdu", "plane", "mask", "mask_bits", "sigma", "variance", "weight", "companions", "sky"),
    "Calibration": ("zero_point", "pixel_scale", "band", "to_ab"),
    "Several bands": ("forced", "reference", "align", "match_psf"),
    "Photometry along ellipses": ("photometry", "ellipses", "fixed", "radii", "statistic", "pixels"),
    "Derived quantities": DERIVED,
    "Running": RUNNING,
}
"""All options, as --help-all shows them."""


@click.command(cls=Program, groups=GROUPS, common=COMMON)
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Table for all inputs (.ecsv, .fits, .csv, .parquet), or a folder. A folder gets a table NAME.ecsv "
    "for each galaxy; a single galaxy may go to .prof (AutoProf).",
)
@click.option("--resume", is_flag=True, help="Skip galaxies that OUT already has, add the rest, try failed ones again.")
@click.option(
    "--model",
    metavar="DIR",
    help="SavedModel folder (NAME/VERSION or NAME) or .onnx file.  [default: the shipped model]",
)
@click.option(
    "--server",
    metavar="HOST:PORT",
    help="Measure on a model server (TensorFlow Serving or p2p_keras.serve) at this address; --model is the "
    "model's name there.",
)
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="TABLE",
    help="Table with one galaxy per row, in any format that astropy reads. Columns: name; ra and dec, or x "
    "and y, of the galaxy on the IMAGEs; or file, its own image. Optional: redshift, zero_point, band, "
    "size and others.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="KEY=COLUMN",
    help="Column of the catalogue for a key, if it has another name: ra=RA_J2000. May be repeated.",
)
@click.option("--zero-point", type=float, help="AB magnitude of a pixel value of 1.  [default: from the header]")
@click.option("--pixel-scale", type=float, help="Arcsec per pixel.  [default: from the WCS or header]")
@click.option("--band", help="Name of the filter.  [default: from the header]")
@click.option(
    "--hdu",
    help="Number or name of the HDU with the image.  [default: the one whose name says that it is an image]",
)
@click.option(
    "--plane",
    metavar="NAME|N",
    help="Plane of a cube, or HDU of a file of bands: its band, or its number from 0.",
)
@click.option("--ra", help="Right ascension of the target: degrees, or hours as 13:22:02.4.")
@click.option("--dec", help="Declination of the target: degrees, as a number or as +36:43:51.")
@click.option("--x", type=float, help="Column of the target in the file, in pixels from 0.")
@click.option("--y", type=float, help="Row of the target in the file, in pixels from 0.")
@click.option("--size", type=int, help="Side of the cutout around the target, in pixels.  [default: 256]")
@click.option(
    "--mask",
    metavar="FILE[HDU]",
    help="Pixels to ignore: a FITS mask or a DS9 region file. A FITS mask has the shape of the image and "
    "is not 0 at pixels to ignore.",
)
@click.option(
    "--mask-bits",
    metavar="BITS",
    help="Bits of the mask that count: values as 1,2,16, or names in its header as SAT,CR.  [default: all, or "
    "a survey's bad ones]",
)
@click.option(
    "--sigma",
    metavar="FILE[HDU]",
    help="Map of the 1-sigma noise per pixel.  [default: a map in the file or beside it]",
)
@click.option("--variance", metavar="FILE[HDU]", help="Map of the variance per pixel.")
@click.option("--weight", metavar="FILE[HDU]", help="Map of weights; pixels of weight 0 are ignored.")
@click.option(
    "--companions/--no-companions",
    default=True,
    help="Use noise maps and masks in the image's file, or beside it by their names.",
)
@click.option("--to-ab", is_flag=True, help="Convert Vega zero points to AB with published offsets.")
@click.option(
    "--sky",
    metavar="VALUE|unknown",
    help="Sky level to subtract, flux per pixel; `unknown`: the zero level of the image has no meaning.  "
    "[default: the model measures the sky, and trusts a level near 0]",
)
@click.option(
    "--forced",
    is_flag=True,
    help="Forced photometry: IMAGEs are BAND=FILE (g=a.fits r=b.fits); all bands are measured along the "
    "--reference's ellipses.",
)
@click.option(
    "--reference",
    metavar="BAND",
    help="With --forced: the band whose ellipses are used; `all`: those of a stack of all bands; `joint`: those that "
    "fit all bands together.",
)
@click.option(
    "--align", is_flag=True, help="With --forced: register the bands by the galaxy's light instead of by their WCS."
)
@click.option(
    "--summary", type=click.Path(path_type=Path, dir_okay=False), help="Also write a table with one row per galaxy."
)
@click.option(
    "--plot",
    type=_FOLDER,
    metavar="DIR",
    help="Draw each galaxy: image with ellipses, profile, geometry, growth. With --forced: all bands and colours.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="A page with a card for each galaxy: picture, profile, numbers and flags (the first 1,000 of this run), to "
    "look through or to send to someone.",
)
@click.option(
    "--attention",
    type=_FOLDER,
    metavar="DIR",
    help="Draw which pixels were used at which radius. Needs the Keras file beside the model.",
)
@click.option("--plot-format", type=click.Choice(["png", "pdf", "svg"]), default="png", help="Format of the drawings.")
@click.option(
    "--model-image",
    type=_FOLDER,
    metavar="DIR",
    help="Write NAME-model.fits: an image made from the profile, and the residual.",
)
@click.option(
    "--mask-image",
    type=_FOLDER,
    metavar="DIR",
    help="Write NAME-mask.fits: 1 marks pixels that were ignored (stars, neighbours, bad pixels).",
)
@click.option(
    "--format",
    "table_format",
    type=click.Choice(["ecsv", "fits", "csv", "parquet", "prof"]),
    help="Format of the tables.  [default: by the ending of OUT]",
)
@isophote_options
@derived_options
@running_options
@quiet_option
@json_option
@click.pass_context
def main(
    context: click.Context,
    images: tuple[str, ...],
    output: Path,
    model: str | None,
    server: str | None,
    sky: str | None,
    attention: Path | None,
    threads: int | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Measure the surface-brightness profiles of galaxies.

    IMAGE is a FITS file (plain, .gz, .bz2, .fz), a folder of them, a quoted pattern, or @list.txt, a file with
    one of these per line. Noise maps and masks of other images are recognised by their names and left out. The
    target is taken to be in the middle of the image, unless --ra and --dec, --x and --y, or a --catalogue give
    its position.

    Exit status: 0 if all inputs were measured, 1 if some failed (each is named on standard error with the
    cause, and the others are written), 2 for wrong usage. After Ctrl-C the measured galaxies are kept, and
    --resume continues.
    """
    from p2p_keras.core.processes import keep_freed_memory, stopped_as_by_ctrl_c
    from p2p_keras.measure.backends import begin_loading

    keep_freed_memory()
    begun = None
    if server is None and options["ellipses"] is None and options["fixed"] is None:
        # While all else is imported. Forced bands ask the network for one galaxy at a time.
        begun = begin_loading(model, threads=threads, side_by_side=not options["forced"])
    from p2p_keras.core.errors import P2PError
    from p2p_keras.core.last_words import took, write_last_words
    from p2p_keras.core.progress import Progress
    from p2p_keras.core.settings_file import write_settings
    from p2p_keras.measure.outputs.attention_drawing import attention_drawer
    from p2p_keras.measure.outputs.measurers import crew_of, measurer_of
    from p2p_keras.measure.outputs.prediction_run import PredictionRun
    from p2p_keras.measure.outputs.products import Products
    from p2p_keras.measure.predictor import Predictor
    from p2p_keras.profile.tables.files import ProfileWriter

    hush = ExitStack()
    context.call_on_close(hush.close)
    if options["report"] is not None and options["forced"]:
        raise click.UsageError("--report shows galaxies of one band: it doesn't go with --forced")
    run = PredictionRun(images, options | {"attention": attention})
    resume = options["resume"]
    asked = options | {"model": model, "server": server, "sky": sky, "threads": threads}
    bar = Progress("measuring", run.total, quiet=quiet)
    connect, workers = partial(_connected, model, server), run.workers(begun)
    if workers > 1:
        predictor = crew_of(asked, begun, connect, workers)
    else:
        predictor = measurer_of(asked, connect if begun is None else lambda: Predictor(begun()))
    writer = ProfileWriter(output, options["table_format"], resume=resume)
    parts = {key: options[key] for key in _PRODUCTS}
    parts["draw_attention"] = attention_drawer(attention, model, options["plot_format"], server)
    failed, measured, interrupted = 0, 0, False
    start = time.perf_counter()
    hush.enter_context(_odd_headers_unsaid())
    for note in [] if quiet else run.notes:
        click.echo(f"note: {note}", err=True)
    products = Products(writer, run.settings, resume=resume, **parts)
    with stopped_as_by_ctrl_c(), products, bar as progress:
        try:
            for error, notes, write in run.done(predictor, writer):
                if error is None:
                    try:
                        write(products)
                        measured += 1
                    except P2PError as refusal:
                        error = refusal
                if error is not None:
                    failed += 1
                    progress.write_line(f"error: {error}")
                elif not quiet:
                    for note in notes:
                        progress.write_line(f"note: {note}")
                progress.advance(failed + measured + run.skipped, measured / (time.perf_counter() - start))
        except KeyboardInterrupt:
            interrupted = True
    seconds, total = time.perf_counter() - start, max(run.total, failed + measured + run.skipped)
    if writer.is_folder:
        write_settings(context, writer.output, "predict")
    for old, new in writer.renamed:
        click.echo(f"note: a second galaxy named {old} is kept as {new}", err=True)
    kept = f"; {run.skipped} were there already" if run.skipped else ""
    write_last_words(
        f"Measured {measured} of {total} galaxies in {took(measured, 'galaxies', seconds)}{kept}{products.judged()}",
        _places(writer, options | {"attention": attention}) if measured else (),
        then=f"python -m p2p_keras.view {shlex.quote(str(output))}" if writer.written else "",
        quiet=quiet,
    )
    if interrupted:
        click.echo("interrupted: the galaxies measured so far are kept, and --resume continues", err=True)
    if failed:
        click.echo(f"{failed} of {total} inputs failed", err=True)
    context.exit(1 if failed or interrupted else 0)


def _places(writer: Any, options: Mapping[str, Any]) -> list[tuple[str, str | Path | None]]:
    """What was written, and where."""
    there = f"{writer.output}{' (replaced)' if writer.replaced and not options['resume'] else ''}"
    keys = ("summary", "plot", "attention", "model_image", "mask_image", "regions", "report")
    others = [(key.replace("_", " ").capitalize(), options[key]) for key in keys]
    return [("Profiles", there if writer.written else None), *others]


@contextmanager
def _odd_headers_unsaid() -> Iterator[None]:
    """Leave out astropy's warnings of odd cards: what matters of them is an error or a note of ours.

    Once for the program, and before its threads: filters of warnings are the process's.
    """
    import warnings

    from astropy.utils.exceptions import AstropyWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        yield


def _connected(model: str | None, server: str | None) -> Any:
    """What measures by a model server, under the model's name there."""
    from p2p_keras.client import ProfileClient
    from p2p_keras.core.contract import DEFAULT_MODEL
    from p2p_keras.measure.many_files import ServerMeasurer

    return ServerMeasurer(ProfileClient(str(server), model=model or DEFAULT_MODEL))


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.predict")
