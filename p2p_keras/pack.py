"""``python -m p2p_keras.pack``: put real images with their profiles into TFRecord shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

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
@click.option("--layout", type=_FOLDER, help="Folder with gals/NAME-BAND.fits and sbs/NAME_BAND.txt.")
@click.option("--names", type=click.Path(dir_okay=False), help="List of galaxy names for --layout.")
@click.option("--catalogue", type=click.Path(dir_okay=False), help="Table: file, name, ra, dec, band, zero_point, ...")
@column_option("file, name, ra, dec, x, y, redshift, band, zero_point, pixel_scale, profile, mask")
@click.option("--images", type=_FOLDER, help="Folder of the catalogue's relative files; its own if not given.")
@click.option(
    "--profiles", type=_FOLDER, help="Folder of profiles, NAME-BAND.ecsv and alike; the images' own if not given."
)
@click.option(
    "--measure",
    type=click.Choice(["own", "photutils"]),
    help="Measure profiles that are missing: by our own fit of isophotes, or by photutils' (slow).  [own where it "
    "stands alone]",
)
@click.option("--size", type=click.IntRange(48, 2048), help="Side in pixels of cutouts round a target.")
@click.option("--zero-point", type=float, help="AB magnitude of a pixel value of one; overrides headers.")
@click.option("--pixel-scale", type=float, help="Arcsec per pixel; overrides headers.")
@click.option("--radius-start", type=float, help="First radius of one-column profiles, arcsec [one step].")
@click.option("--radius-step", type=float, help="Step of radius of one-column profiles, arcsec [one pixel].")
@click.option("--splits", default="train=0.9,val=0.05,test=0.05", help="Splits and their shares, decided by galaxy.")
@click.option("--images-per-shard", type=click.IntRange(min=1), default=256, help="At most this many in a shard.")
@click.option("--gzip", is_flag=True, help="Compress the shards.")
@click.option("--overwrite", is_flag=True, help="Replace shards of another run in the output folder.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that read and measure.  [default: all cores where profiles are measured, else 1]",
)
@quiet_option
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

    Give images (their profiles beside them under the same name, or in --profiles), or --layout, or --catalogue with
    a column of files, or whole frames and a --catalogue of positions, which are cut out.
    Profiles: ECSV as predict writes it, AutoProf .prof, photutils isophote tables, plain text of mu or of sma and mu.
    Rows that can't be used are named on standard error and in failures.csv; the others are packed (exit status 1).
    A galaxy's split is a hash of its name. Started again, the same command goes on where it was.
    """
    import time
    from itertools import count

    from p2p_keras.core.errors import InputError, UsageError
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
                progress.say(f"{row.name} {row.band or ''}: {cause}")

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
    write_settings(context, output, "pack")
    counts = ", ".join(f"{count} {split}" for split, count in report.manifest.counts.items())
    if not quiet:
        click.echo(f"{output}: {sum(report.manifest.counts.values())} of {len(rows)} images packed ({counts})")
    if report.failures:
        click.echo(f"{len(report.failures)} left out, each with its cause in {output / 'failures.csv'}:", err=True)
        for cause, number in report.causes():
            click.echo(f"{number:6d}  {cause}", err=True)
    if report.failures or unusable:
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.pack")
