"""``python -m p2p_keras.simulate``: make mock galaxies with their true profiles."""

from __future__ import annotations

import click

from p2p_keras.core.json_lines import json_option
from p2p_keras.core.program import Program, quiet_option

__all__ = ["main"]

# Those of `mocks.mixtures.NAMES`, which needs numpy; a test holds them together.
_SURVEYS = (
    "sdss", "legacy", "panstarrs", "hsc", "rubin", "euclid-vis", "euclid-nisp", "hst-acs", "hst-exposure", "hst-ir",
    "jwst-short", "jwst-long", "roman", "wise", "galex", "2mass", "decam", "kids", "ztf", "mixed", "any",
)  # fmt: skip


_OLD = {
    "--galaxies-per-shard": "--images-per-shard",
    "--preview": "--picture",
    "--preview-count": "--picture-count",
}


@click.command(cls=Program, old=_OLD)
@click.option(
    "--survey",
    type=click.Choice(_SURVEYS),
    help="Telescope and survey to imitate. `mixed` draws from wide surveys and similar ones, `any` from all "
    "of them and more.",
)
@click.option("--count", type=click.IntRange(1), default=2000, help="Number of galaxies.")
@click.option("--seed", type=click.IntRange(0), default=1, help="Random seed; the same seed gives the same files.")
@click.option("--size", type=click.IntRange(48, 2048), default=256, help="Side of the images, in pixels.")
@click.option("-o", "--output", type=click.Path(file_okay=False), help="Folder for the shards.")
@click.option("--splits", help="Splits and their shares. A galaxy's split follows from its name.")
@click.option(
    "--bands",
    default="one",
    help="`one` puts each galaxy into a single random band; a list such as g,r,i makes all of them.",
)
@click.option(
    "--backgrounds",
    type=click.Path(exists=True, file_okay=False),
    help="Folder of real frames whose sky is put under the galaxies.",
)
@click.option(
    "--background-share", type=click.FloatRange(0, 1), default=1.0, help="Share of the galaxies that get a real sky."
)
@click.option(
    "--templates",
    type=click.Path(exists=True, file_okay=False),
    help="Folder of deep images of real galaxies, used as mock galaxies.",
)
@click.option(
    "--template-share",
    type=click.FloatRange(0, 1),
    default=0.2,
    help="Share of the galaxies that are made from templates.",
)
@click.option(
    "--near-star-share",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of the galaxies with a star in front of them.",
)
@click.option(
    "--sky",
    help="Sky left in the images: `survey` (as the survey leaves it), `any`, or a constant in units of the noise.",
)
@click.option("--masks", help="Masked pixels: `survey`, `any`, or a pattern such as grid or random.")
@click.option("--front", help="Companions, stars and defects in front of the galaxy: `survey` or `any`.")
@click.option("--field", help="Density of other sources: `survey`, `any`, empty, sparse, usual or crowded.")
@click.option(
    "--truth",
    help="Definition of the true isophotes: fit, free (each ellipse fitted on its own, as photutils does), "
    "moments, or `any` (random for each galaxy).",
)
@click.option(
    "--troubles",
    is_flag=True,
    help="Make a test set instead, in which each galaxy has one known trouble (--survey sdss).",
)
@click.option(
    "--images-per-shard",
    type=click.IntRange(1),
    help="Most images in a shard; all bands of a galaxy stay together.",
)
@click.option("--galaxies-per-shard", type=click.IntRange(1), hidden=True, help="At most this many in a shard.")
@click.option("--gzip", is_flag=True, help="Compress the shards.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: all cores]")
@click.option("--picture", type=click.Path(dir_okay=False), help="Draw a contact sheet of galaxies into this PNG file.")
@click.option(
    "--picture-count", type=click.IntRange(1, 400), default=48, help="Number of galaxies on the contact sheet."
)
@quiet_option
@json_option
@click.pass_context
def main(
    context: click.Context,
    survey: str | None,
    count: int,
    seed: int,
    size: int,
    output: str | None,
    splits: str | None,
    bands: str,
    backgrounds: str | None,
    background_share: float,
    templates: str | None,
    template_share: float,
    near_star_share: float,
    sky: str | None,
    masks: str | None,
    front: str | None,
    field: str | None,
    truth: str | None,
    troubles: bool,
    images_per_shard: int | None,
    galaxies_per_shard: int | None,
    gzip: bool,
    workers: int | None,
    picture: str | None,
    picture_count: int,
    quiet: bool,
) -> None:
    """Make mock galaxies with their true profiles, as TFRecord shards or as a contact sheet.

    Each galaxy depends only on the seed and its number. Finished shards are not written again, so the same command
    continues a run that was killed. With --survey any, the options --sky, --masks, --front, --field and --truth
    are `any` by default, with the other surveys `survey`: what is typical of that survey.
    """
    import shlex

    from p2p_keras.core.errors import UsageError
    from p2p_keras.core.last_words import write_last_words
    from p2p_keras.core.processes import available_cores
    from p2p_keras.core.settings_file import write_settings
    from p2p_keras.data.mocks.extras import Extras
    from p2p_keras.data.mocks.generate import generate, preview_job
    from p2p_keras.data.mocks.job import Job
    from p2p_keras.data.mocks.streams import BANDS
    from p2p_keras.data.shards.splits import parse_fractions

    if not output and not picture:
        raise UsageError("nothing to make: give --output DIR or --picture FILE.png")
    chosen = () if bands == "one" else tuple(band.strip() for band in bands.split(","))
    if unknown := [band for band in chosen if band not in BANDS]:
        raise UsageError(f"band {unknown[0]!r} is unknown; known are {', '.join(BANDS)}, and `one`")
    survey = survey or ("sdss" if troubles else "mixed")
    splits = splits or ("test=1" if troubles else "train=0.9,val=0.05,test=0.05")
    if troubles and (sky or masks or front or field):
        raise UsageError("--troubles decides --sky, --masks, --front and --field itself")
    if images_per_shard is not None:
        galaxies_per_shard = max(1, images_per_shard // max(1, len(chosen)))
    job = Job(
        survey=survey,
        count=count,
        seed=seed,
        size=size,
        splits=parse_fractions(splits),
        bands=chosen,
        galaxies_per_shard=galaxies_per_shard or 512,
        gzip=gzip,
        backgrounds=backgrounds,
        background_share=background_share,
        templates=templates,
        template_share=template_share,
        near_star_share=near_star_share,
        extras=Extras.of(survey, sky=sky, masks=masks, front=front, field=field, truth=truth),
        troubles=troubles,
    )
    processes = workers or available_cores()
    if picture:
        preview_job(job, picture, count=picture_count)
    if not output:
        write_last_words(f"Drew {picture_count} galaxies", [("Picture", picture)], quiet=quiet)
        return
    sentence = _generate(generate, job, output, processes, quiet)
    write_settings(context, output, "simulate")
    use = "fit" if "train" in job.splits else "evaluate"
    then = f"python -m p2p_keras.{use} --data {shlex.quote(output)}"
    write_last_words(sentence, [("Shards", output), ("Picture", picture)], then=then, quiet=quiet)


def _generate(generate, job, output: str, workers: int, quiet: bool) -> str:
    """Run with a progress bar; returns what was made, in a sentence."""
    import time

    from p2p_keras.core.last_words import took
    from p2p_keras.core.progress import Progress

    start = time.perf_counter()
    with Progress("simulating", job.count, quiet=quiet) as bar:
        first: list[int] = []

        def progress(done: int, total: int) -> None:
            first.append(done) if not first else None
            bar.advance(done, (done - first[0]) / max(time.perf_counter() - start, 1e-3))

        made = generate(job, output, workers=workers, progress=progress)
    seconds = time.perf_counter() - start
    there = f"; {job.count - made} were there already" if made < job.count else ""
    return f"Made {made} of {job.count} galaxies in {took(made, 'galaxies', seconds)}{there}"


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.simulate")
