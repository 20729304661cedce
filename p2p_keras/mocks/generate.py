"""Shards of mocks from many processes: resumable, and the same bytes for the same seed whatever the number of workers.

Workers simulate and send galaxies back; the parent alone loads TensorFlow, encodes and writes. A shard appears under
its name only when it is whole and is then never touched again, so a run that was killed goes on at the shard it was at.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from p2p_keras.errors import UsageError
from p2p_keras.labelled import LabelledGalaxy
from p2p_keras.mocks.scene import GENERATOR_VERSION, galaxy_name, simulate_galaxy
from p2p_keras.mocks.surveys import NAMES

_log = logging.getLogger(__name__)
PROGRAM = "p2p_keras.simulate"
_SETTINGS_FILE = ".simulate.json"
_AHEAD = 16
"""Galaxies in flight for each worker: enough that none waits, few enough that memory stays flat."""


@dataclass(frozen=True)
class Job:
    """All that decides the bytes of a data set.

    Attributes
    ----------
    survey : str
    count : int
        Galaxies.
    seed : int
    size : int
        Side of the images, pixels.
    splits : mapping of split to fraction
    bands : tuple of str
        Every galaxy is made in each of these; empty: in one band of its own, drawn at random.
    galaxies_per_shard : int
    gzip : bool
    backgrounds : str or None
        Folder of real frames.
    background_share : float
        Share of the galaxies that are put into real frames, where there are any.
    templates : str or None
        Folder of deep images of real galaxies.
    template_share : float
    """

    survey: str
    count: int
    seed: int
    size: int
    splits: Mapping[str, float]
    bands: tuple[str, ...] = ()
    galaxies_per_shard: int = 512
    gzip: bool = False
    backgrounds: str | None = None
    background_share: float = 1.0
    templates: str | None = None
    template_share: float = 0.2

    def __post_init__(self) -> None:
        if self.survey not in NAMES:
            raise UsageError(f"survey {self.survey!r} is unknown; known are {', '.join(NAMES)}")
        if self.count < 1:
            raise UsageError(f"count is {self.count}, expected at least 1")
        if not 64 <= self.size <= 2048:
            raise UsageError(f"size is {self.size}, expected 64 to 2048 pixels")

    def settings(self) -> dict[str, Any]:
        """What ``dataset.json`` says beside the seed; plain JSON, free of where on a disk folders lie."""
        content = asdict(self)
        del content["seed"]
        content["splits"] = dict(self.splits)
        content["bands"] = list(self.bands)
        content["generator_version"] = GENERATOR_VERSION
        for folder in ("backgrounds", "templates"):
            if content[folder]:
                content[folder] = Path(content[folder]).name
        return content


def plan_shards(job: Job) -> dict[str, list[int]]:
    """Which galaxies each shard holds: shard file name to indices, splits decided by the galaxies' names."""
    from p2p_keras.shards import shard_name, split_of

    members: dict[str, list[int]] = {split: [] for split in job.splits}
    for index in range(job.count):
        members[split_of(galaxy_name(job.seed, index), job.splits)].append(index)
    plan = {}
    for split, indices in members.items():
        number = -(-len(indices) // job.galaxies_per_shard)
        for shard in range(number):
            # Equal shards: of the galaxies in order, every number-th.
            plan[shard_name(split, shard, number, gzip=job.gzip)] = indices[shard::number]
    return plan


def prepare(job: Job, folder: Path) -> Job:
    """Read the frames and templates of a job once, into hidden folders of the output, for all workers to map."""
    if job.backgrounds:
        from p2p_keras.mocks.backgrounds import prepare_backgrounds

        cache = folder / ".backgrounds"
        for error in prepare_backgrounds(job.backgrounds, cache):
            _log.warning("not used as background: %s", error)
        job = replace(job, backgrounds=str(cache))
    if job.templates:
        from p2p_keras.mocks.templates import prepare_templates

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
    """
    from p2p_keras.shards import ShardWriter, encode_example, write_manifest

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
    if missing:
        work = prepare(job, folder)
        order = [index for indices in missing.values() for index in indices]
        with _simulated(work, order, workers) as stream:
            for name, indices in missing.items():
                with ShardWriter(folder / name) as shard:
                    for _ in indices:
                        for galaxy in next(stream):
                            shard.write_serialized(encode_example(galaxy))
                        made += 1
                        if progress:
                            progress(done + made, job.count)
    write_manifest(folder, program=PROGRAM, seed=job.seed, settings=job.settings())
    return made


def _claim(folder: Path, job: Job) -> None:
    """Make the folder this job's, or refuse if it is another's: shards of two jobs must not mix."""
    content = {"seed": job.seed, **job.settings()}
    path = folder / _SETTINGS_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            found = json.loads(path.read_text())
            if found != content:
                other = sorted(key for key in found.keys() | content.keys() if found.get(key) != content.get(key))
                raise UsageError(f"{folder}: holds mocks made with another {', '.join(other)}; give another --output")
            return
        if any(folder.glob("*.tfrecord*")):
            raise UsageError(f"{folder}: holds shards that aren't of this program; give another --output")
        path.write_text(json.dumps(content, indent=1) + "\n")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None


class _simulated:
    """Context of an iterator over lists of galaxies (one for each band), in the order of the indices."""

    def __init__(self, job: Job, order: list[int], workers: int) -> None:
        self.job, self.order, self.workers = job, order, workers
        self.pool: Any = None

    def __enter__(self) -> Iterator[list[LabelledGalaxy]]:
        if self.workers <= 1:
            _start_worker(self.job)
            return map(_simulate, self.order)
        import multiprocessing
        import threading

        # Spawned, not forked: TensorFlow's threads in the parent don't survive a fork.
        context = multiprocessing.get_context("spawn")
        with _single_threaded_children():
            self.pool = context.Pool(self.workers, _start_worker, (self.job,))
        # `imap` takes indices as fast as it can; the semaphore holds it back, so results don't pile up.
        room = threading.Semaphore(_AHEAD * self.workers)

        def indices() -> Iterator[int]:
            for index in self.order:
                room.acquire()
                yield index

        def results() -> Iterator[list[LabelledGalaxy]]:
            for result in self.pool.imap(_simulate, indices(), chunksize=1):
                room.release()
                yield result

        self._room = room
        return results()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self.pool is not None:
            # Frees the pool's feeding thread, which may be waiting for room.
            for _ in range(len(self.order)):
                self._room.release()
            self.pool.terminate()
            self.pool.join()


class _single_threaded_children:
    """One thread in each worker's numerical libraries: processes already use all cores."""

    _NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._NAMES}
        os.environ.update(dict.fromkeys(self._NAMES, "1"))

    def __exit__(self, *exc: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_state: dict[str, Any] = {}


def _start_worker(job: Job) -> None:
    """Remember the job and open its frames, once a process."""
    _state["job"] = job
    _state["backgrounds"] = _state["templates"] = None
    if job.backgrounds:
        from p2p_keras.mocks.backgrounds import Backgrounds

        _state["backgrounds"] = Backgrounds(job.backgrounds)
    if job.templates:
        from p2p_keras.mocks.templates import Templates

        _state["templates"] = Templates(job.templates)


def _simulate(index: int) -> list[LabelledGalaxy]:
    """One galaxy in all bands of the job."""
    return simulate_bands(_state["job"], index, _state["backgrounds"], _state["templates"])


def simulate_bands(job: Job, index: int, backgrounds: Any = None, templates: Any = None) -> list[LabelledGalaxy]:
    """The images of one galaxy of a job."""
    return [
        simulate_galaxy(
            job.survey,
            job.seed,
            index,
            size=job.size,
            band=band,
            backgrounds=backgrounds,
            background_share=job.background_share,
            templates=templates,
            template_share=job.template_share,
        )
        for band in (job.bands or (None,))
    ]


def preview_job(job: Job, path: str | os.PathLike, *, count: int = 48, **drawing: Any) -> None:
    """Draw a contact sheet of the first galaxies of a job; `drawing` goes to `preview.draw_contact_sheet`."""
    from p2p_keras.mocks.preview import draw_contact_sheet

    with TemporaryDirectory() as folder:
        _start_worker(prepare(job, Path(folder)))
        draw_contact_sheet([_simulate(index)[0] for index in range(count)], path, **drawing)
