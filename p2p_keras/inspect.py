"""``python -m p2p_keras.inspect``: what shards hold: counts, ranges, a picture; checksums verified."""

from __future__ import annotations

from pathlib import Path

import click

from p2p_keras.core.program import Program, quiet_option

__all__ = ["main"]


@click.command(cls=Program, old={"--count": "--picture-count"})
@click.argument("shards", type=str)
@click.option("--split", help="Show only this split.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw galaxies with their true profiles into this file.",
)
@click.option("--picture-count", type=click.IntRange(1, 200), default=24, help="Number of galaxies in the picture.")
@click.option("--checksums/--no-checksums", default=True, help="Compare the files with the checksums in dataset.json.")
@quiet_option
def main(
    shards: str, split: str | None, picture: Path | None, picture_count: int, checksums: bool, quiet: bool
) -> None:
    """Show what SHARDS (a folder, a file or a quoted pattern) contain.

    Every record is read and its checksum is verified. Damaged shards are named on standard error (exit status 1).
    """
    from rich.console import Console
    from rich.table import Table

    from p2p_keras.data.shards import find_shards, read_manifest, verify_checksums
    from p2p_keras.data.shards.summary import summarise

    paths = find_shards(shards, split)
    summary = summarise(paths, num_examples=picture_count if picture else 0)
    errors = list(summary.errors)
    console = Console(highlight=False, quiet=quiet)
    for folder in sorted({path.parent for path in paths}):
        manifest = read_manifest(folder)
        if manifest is None:
            console.print(f"{folder}: no dataset.json: origin unknown, checksums not compared", soft_wrap=True)
            continue
        seed = "" if manifest.seed is None else f", seed {manifest.seed}"
        made = f"made by {manifest.program} {manifest.version}{seed}, schema {manifest.schema_version}"
        console.print(f"{folder}: {len(manifest.shards)} shards {made}", soft_wrap=True)
        wrong = verify_checksums(folder) if checksums else []
        errors += wrong
        if checksums and not wrong:
            console.print(f"{folder}: all {len(manifest.shards)} checksums are right", soft_wrap=True)
    for name, number in summary.images.items():
        console.print(f"{name}: {number} images of {summary.galaxies[name]} galaxies")
    console.print("bands: " + ", ".join(f"{band} {number}" for band, number in sorted(summary.bands.items())))
    table = Table("", "least", "median", "largest", "known")
    for name, (low, middle, high, known) in summary.ranges().items():
        table.add_row(name, f"{low:.4g}", f"{middle:.4g}", f"{high:.4g}", str(known))
    console.print(table)
    if picture:
        from p2p_keras.data.shard_sheet import draw_sheet

        draw_sheet(summary.examples, picture)
        console.print(f"{picture}: {len(summary.examples)} galaxies drawn", soft_wrap=True)
    for error in errors:
        click.echo(str(error), err=True)
    for name in summary.straddling:
        click.echo(f"{name}: this galaxy is in more than one split", err=True)
    if errors or summary.straddling:
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.inspect")
