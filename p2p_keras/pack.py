"""``python -m p2p_keras.pack``: put real images with their profiles into TFRecord shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from p2p_keras.core.json_lines import json_option
from p2p_keras.core.program import Program, column_option, quiet_option

__all__ = ["main"]

_FOLDER = click.Path(file_okay=False, path_type=Path)


class _Pack(Program):
    """``--measure`` may stand alone, also before an image: ``pack --measure galaxies/``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put in the default where ``--measure`` isn't followed by a method."""
        named: list[str] = []
        for i, argument in enumerate(args):
            named.append(argument)
            if argument == "--measure" and (i + 1 == len(args) or args[i + 1] not in ("own", "photutils")):
                named.append("own")
        return super().parse_args(ctx, named)


@click.command(cls=_Pack, old={"--split": "--splits"})
@click.argument("inputs", nargs=-1, metavar="[IMAGE.fits|FOLDER|@LIST]...")
@click.option("--output", "-o", type=_FOLDER, required=True, help="Folder for the shards and dataset.json.")
@click.option(
    "--layout", type=_FOLDER, help="Folder with the images gals/NAME-BAND.fits and the profiles sbs/NAME_BAND.txt."
)
@click.option(
    "--names",
    type=click.Path(dir_okay=False),
    help="Text file with the galaxy names to use from --layout, one per line.  [default: the only .txt file "
    "in it, else all images]",
)
@click.option(
    "--catalogue",
    type=click.Path(dir_okay=False),
    help="Table with one galaxy per row: file, name, ra, dec, band, zero_point and others.",
)
@column_option("file, name, ra, dec, x, y, redshift, band, zero_point, pixel_scale, profile, mask")
@click.option(
    "--images",
    type=_FOLDER,
    help="Folder that the catalogue's relative file names start from.  [default: the catalogue's folder]",
)
@click.option(
    "--profiles",
    type=_FOLDER,
    help="Folder of profiles, named NAME-BAND.ecsv or similar.  [default: the folder of the images]",
)
@click.option(
    "--measure",
    type=click.Choice(["own", "photutils"]),
    help="Measure profiles that are missing: `own` is our own isophote fit, `photutils` that of photutils "
    "(slow).  [default of a bare --measure: own]",
)
@click.option("--size", type=click.IntRange(48, 2048), help="Side of the cutouts around the targets, in pixels.")
@click.option("--zero-point", type=float, help="AB magnitude of a pixel value of 1.  [default: from the headers]")
@click.option("--pixel-scale", type=float, help="Arcsec per pixel.  [default: from the headers]")
@click.option(
    "--radius-start", type=float, help="First radius of profiles with a single column, in arcsec.  [default: one step]"
)
@click.option(
    "--radius-step",
    type=float,
    help="Step in radius of profiles with a single column, in arcsec.  [default: one pixel]",
)
@click.option(
    "--splits",
    default="train=0.9,val=0.05,test=0.05",
    help="Splits and their shares. A galaxy's split follows from its name.",
)
@click.option("--images-per-shard", type=click.IntRange(min=1), default=256, help="Most images in a shard.")
@click.option("--gzip", is_flag=True, help="Compress the shards.")
@click.option("--overwrite", is_flag=True, help="First remove the shards of another run from the output folder.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that read and measure.  [default: all cores where profiles are measured, else 1]",
)
@quiet_option
@json_option
@click.pass_context
def main(
    context: click.Context,
    inputs: tuple[str, ...],
    output: Path,
    layout: Path | None,
    names: str | None,
    catalogue: str | None,
    columns: dict[str, str],
    images: Path | None,
    profiles: Path | None,
    splits: str,
    images_per_shard: int,
    gzip: bool,
    overwrite: bool,
    workers: int | None,
    quiet: bool,
    **labelling: Any,
) -> None:
    """Put images with their profiles into TFRecord shards for training.

    There are four ways to say which images and profiles belong together. Give images whose profiles have the
    same name and are beside them or in --profiles; or a folder --layout; or a --catalogue with a column of
    files; or whole frames and a --catalogue of positions, and the galaxies are cut out.

    Profiles may be ECSV tables of predict, .prof files of AutoProf, isophote tables of photutils, or plain text
    with a column of mu, or with sma and mu. A galaxy that can't be used is named on standard error and in
    failures.csv, and the others are packed (exit status 1). The split of a galaxy depends only on its name. If
    the same command is started again, it continues.
    """
    import shlex
    import time
    from itertools import count

    from p2p_keras.core.errors import InputError, UsageError
    from p2p_keras.core.last_words import took, write_last_words
    from p2p_keras.core.processes import available_cores
    from p2p_keras.core.progress import Progress
    from p2p_keras.core.settings_file import write_settings
    from p2p_keras.data.packing import (
        pack_rows,
        rows_of_catalogue,
        rows_of_frames,
        rows_of_images,
        rows_of_paper_layout,
    )
    from p2p_keras.data.shards.splits import parse_fractions

    if not (inputs or layout or catalogue) or (layout and (inputs or catalogue)):
        raise UsageError("give images, or --layout, or --catalogue, or frames and a --catalogue of positions")
    unusable: list[InputError] = []
    if layout:
        rows = rows_of_paper_layout(layout, names)
    elif catalogue and inputs:
        rows, unusable = rows_of_frames(inputs, catalogue, profiles=profiles, columns=columns)
    elif catalogue:
        rows = rows_of_catalogue(catalogue, folder=images, profiles=profiles, columns=columns)
    else:
        rows = rows_of_images(inputs, profiles=profiles)

    for error in unusable:
        click.echo(str(error), err=True)

    start, done = time.perf_counter(), count(1)
    with Progress("packing", len(rows), quiet=quiet, unit="images") as progress:

        def on_row(row, cause: str | None) -> None:
            number = next(done)
            progress.advance(number, number / max(time.perf_counter() - start, 1e-3))
            if cause is not None:
                progress.write_line(f"{row.name} {row.band or ''}: {cause}")

        report = pack_rows(
            rows,
            output,
            fractions=parse_fractions(splits),
            images_per_shard=images_per_shard,
            gzip=gzip,
            overwrite=overwrite,
            workers=workers or (available_cores() if labelling["measure"] else 1),
            on_row=on_row,
            **labelling,
        )
    seconds = time.perf_counter() - start
    write_settings(context, output, "pack")
    packed = sum(report.manifest.counts.values())
    counts = ", ".join(f"{count} {split}" for split, count in report.manifest.counts.items())
    write_last_words(
        f"Packed {packed} of {len(rows)} images ({counts}) in {took(next(done) - 1, 'images', seconds)}",
        [("Shards", output)],
        then=f"python -m p2p_keras.inspect {shlex.quote(str(output))} --picture sheet.png" if packed else "",
        quiet=quiet,
    )
    if report.failures:
        click.echo(f"{len(report.failures)} left out, each with its cause in {output / 'failures.csv'}:", err=True)
        for cause, number in report.causes():
            click.echo(f"{number:6d}  {cause}", err=True)
    if report.failures or unusable:
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.pack")
