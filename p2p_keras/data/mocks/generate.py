"""Shards of mocks from many processes: resumable, and the same bytes for the same seed whatever the number of workers.

Workers simulate and send galaxies back; the parent encodes and writes. A shard appears under its name only when it is
whole and is then never touched again, so a run that was killed goes on at the shard it was at.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.job import Job, plan_shards
from p2p_keras.data.mocks.workers import simulate_index, simulated, start_worker

__all__ = ["PROGRAM", "prepare", "generate", "preview_job"]

_log = logging.getLogger(__name__)
PROGRAM = "p2p_keras.simulate"
_SETTINGS_FILE = ".simulate.json"


def prepare(job: Job, folder: Path) -> Job:
    """Read the frames and templates of a job once, into hidden folders of the output, for all workers to map."""
    if job.backgrounds:
        from p2p_keras.data.mocks.backgrounds import prepare_backgrounds

        cache = folder / ".backgrounds"
        for error in prepare_backgrounds(job.backgrounds, cache):
            _log.warning("not used as background: %s", error)
        job = replace(job, backgrounds=str(cache))
    if job.templates:
        from p2p_keras.data.mocks.templates import prepare_templates

        cache = folder / ".templates"
        for error in prepare_templates(job.templates, cache):
            _log.warning("not used as template: %s", error)
        job = replace(job, templates=str(cache))
    return job


def generate(
    job: Job, output: str | os.PathLike, *, workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> int:
    """Make the shards of a job that aren't there yet, and ``dataset.json``.

    Parameters
    ----------
    job : Job
    output : path
        Folder; made where missing.
    workers : int
        Processes that simulate.
    progress : callable, optional
        Called with (galaxies done, galaxies in all).

    Returns
    -------
    int
        Galaxies simulated now (those of shards found finished don't count).

    Raises
    ------
    UsageError
        When the folder holds shards of another job.
    ShardWriteError
        When a shard can't be written; finished ones stay.
    ProcessKilledError
        When a worker process was killed; finished shards stay.
    """
    from p2p_keras.data.shards import ShardWriteError, ShardWriter, encode_example, write_manifest
    from p2p_keras.data.shards.manifest import FILE_NAME

    folder = Path(output)
    _claim(folder, job)
    for left in folder.glob(".*.tfrecord*.part"):
        left.unlink(missing_ok=True)  # half a shard of a killed run
    plan = plan_shards(job)
    missing = {name: indices for name, indices in plan.items() if not (folder / name).exists()}
    done = job.count - sum(len(indices) for indices in missing.values())
    made = 0
    if progress:
        progress(done, job.count)
    if not missing and (folder / FILE_NAME).exists():
        return 0
    try:
        work = prepare(job, folder)
    except OSError as error:
        raise ShardWriteError(folder, f"can't be written: {error.strerror or error}") from error
    order = [index for indices in missing.values() for index in indices]
    with closing(simulated(work, order, workers)) as stream:
        for name, indices in missing.items():
            with ShardWriter(folder / name) as shard:
                for _ in indices:
                    for galaxy in next(stream):
                        shard.write_serialized(encode_example(galaxy))
                    made += 1
                    if progress:
                        progress(done + made, job.count)
    write_manifest(folder, program=PROGRAM, seed=job.seed, settings=job.settings() | _images_used(work))
    for cache in (work.backgrounds, work.templates):
        if cache:
            shutil.rmtree(cache, ignore_errors=True)
    return made


def _images_used(work: Job) -> dict[str, list[str]]:
    """Names of the frames and templates of a prepared job: without them nobody could make the data set again."""
    from p2p_keras.data.mocks.backgrounds import Backgrounds
    from p2p_keras.data.mocks.templates import Templates

    used = {}
    if work.backgrounds:
        used["background_frames"] = [frame.name for frame in Backgrounds(work.backgrounds).frames]
    if work.templates:
        used["template_images"] = [template.name for template in Templates(work.templates).templates]
    return used


def _claim(folder: Path, job: Job) -> None:
    """Make the folder this job's, or refuse if it is another's: shards of two jobs must not mix."""
    content = {"seed": job.seed, **job.settings()}
    path = folder / _SETTINGS_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            existing = json.loads(path.read_text())
            if existing != content:
                other = sorted(key for key in existing.keys() | content.keys() if existing.get(key) != content.get(key))
                raise UsageError(
                    f"{folder}: contains mocks that were made with another {', '.join(other)}; give another --output"
                )
            return
        if any(folder.glob("*.tfrecord*")):
            raise UsageError(f"{folder}: contains shards that another program made; give another --output")
        path.write_text(json.dumps(content, indent=1) + "\n")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None


def preview_job(job: Job, path: str | os.PathLike, *, count: int = 48) -> None:
    """Draw a contact sheet of the first galaxies of a job.

    Parameters
    ----------
    job : Job
    path : path
        The PNG file, which is replaced once the picture is finished.
    count : int
        Number of galaxies on it.
    """
    from p2p_keras.data.mocks.preview import draw_contact_sheet

    with TemporaryDirectory() as folder:
        start_worker(prepare(job, Path(folder)))
        galaxies = [simulate_index(index)[0] for index in range(count)]
        draw_contact_sheet(galaxies, path)
