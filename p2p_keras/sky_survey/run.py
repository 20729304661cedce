"""A survey from its catalogue to its report; started again, it goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from p2p_keras.core.errors import UsageError
from p2p_keras.sky_survey.assembly import read_done
from p2p_keras.sky_survey.catalogue import RADIUS, Catalogue
from p2p_keras.sky_survey.footprints import find_frames
from p2p_keras.sky_survey.frame_index import FrameIndex, build_index, open_index
from p2p_keras.sky_survey.hats_files import write_hats_files
from p2p_keras.sky_survey.manifest import FILE as MANIFEST
from p2p_keras.sky_survey.manifest import Manifest, fingerprint
from p2p_keras.sky_survey.measuring import ShippedModel
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.plan import PARTS, PLAN, WORK, Plan, load_plan, make_plan
from p2p_keras.sky_survey.report import SurveyReport, write_report
from p2p_keras.sky_survey.settings import Resources, SurveySettings
from p2p_keras.sky_survey.stages import Engine, Job, units_of, write_model

__all__ = ["INDEX", "SETTINGS_FILE", "Log", "Advance", "run_survey", "problem_of"]

INDEX = "frame_index.parquet"
SETTINGS_FILE = "survey.toml"
"""The program's options, which it writes beside the result."""
_MANIFEST_EVERY_S = 5.0

Log = Callable[[str], None]
Advance = Callable[[int, int, int, int], None]
"""Called with the rows done, all rows, those that failed, and the rows done by this run."""


def run_survey(
    settings: SurveySettings,
    resources: Resources | None = None,
    *,
    engine: Engine | None = None,
    overwrite: bool = False,
    reindex: bool = False,
    log: Log = lambda text: None,
    advance: Advance = lambda done, rows, failed, now: None,
) -> SurveyReport:
    """Measure a catalogue's galaxies in their frames; the package's docstring describes the flow of data.

    Parameters
    ----------
    settings : SurveySettings
    resources : Resources, optional
        By default all cores of this machine.
    engine : Engine, optional
        Default: a `RayEngine` with these resources.
    overwrite : bool
        Remove another run's result from the output first.
    reindex : bool
        Build the footprint index anew.
    log, advance : callable
        Called with what is being done, and with how far it is.

    Returns
    -------
    SurveyReport

    Raises
    ------
    UsageError
        Catalogue, images, model or output can't be used, or the output holds another run.
    """
    resources = resources or Resources()
    output = Place(settings.output)
    catalogue = Catalogue(settings.catalogue, settings.columns)
    model = ShippedModel.of(settings.model, on_gpu=resources.worker_gpus > 0)
    images = _images(settings, catalogue)
    if overwrite:
        _clear(output)
    identity = settings.deciding() | {
        "catalogue": fingerprint(Place(settings.catalogue)),
        "model": model.sha256,
        "threads": resources.threads,
    }
    manifest = Manifest(output, identity)
    report = SurveyReport(name=_name_of(output))
    if manifest.complete and not reindex:
        log(f"{output.url} is complete: nothing to do")
        report.add_all(manifest.done.values())
        return report
    if engine is None:
        from p2p_keras.sky_survey.ray_engine import RayEngine

        engine = RayEngine(resources)
    job = Job(settings, images, output, resources.threads, engine.finish_apart, model.name, model.sha256)
    with engine:
        started = time.perf_counter()
        plan = _plan(settings, catalogue, images, output, manifest, engine, reindex, log)
        report.seconds["plan"] = time.perf_counter() - started
        started = time.perf_counter()
        write_model(model, output)
        _measure(plan, job, engine, manifest, report, log, advance)
        report.seconds["measure"] = time.perf_counter() - started
    started = time.perf_counter()
    write_hats_files(output, report.name, plan.partitions, manifest.done)
    report.add_all(manifest.done[p.file] for p in plan.partitions)
    write_report(report, plan.partitions, manifest.done, output)
    manifest.save(plan.partitions, complete=True)
    output.delete(WORK)
    report.seconds["finish"] = time.perf_counter() - started
    return report


def _images(settings: SurveySettings, catalogue: Catalogue) -> Place:
    if settings.images is None:
        if not catalogue.has("file"):
            raise UsageError(f"{settings.catalogue}: has no column of files: name the folder of frames with --images")
        return Place("/")
    images = Place(settings.images)
    if not images.exists():
        raise UsageError(f"{settings.images}: no such folder of images")
    return images


def _plan(
    settings: SurveySettings,
    catalogue: Catalogue,
    images: Place,
    output: Place,
    manifest: Manifest,
    engine: Engine,
    reindex: bool,
    log: Log,
) -> Plan:
    if output.exists(f"{PLAN}/parts.parquet") and output.exists(MANIFEST) and not reindex:
        return load_plan(output)
    index = _index(settings, catalogue, images, output, engine, reindex, log)
    log("planning: which galaxy lies on which frame")
    plan = make_plan(catalogue, index, settings, output)
    if not plan.parts:
        raise UsageError(f"{settings.catalogue}: the catalogue has no rows")
    manifest.save(plan.partitions)
    return plan


def _index(
    settings: SurveySettings,
    catalogue: Catalogue,
    images: Place,
    output: Place,
    engine: Engine,
    reindex: bool,
    log: Log,
) -> FrameIndex | None:
    """The footprint index, built where there is none yet; None where rows give all that it could."""
    named = catalogue.has("file")
    if named and catalogue.has("ra") and not catalogue.has(RADIUS):
        return None
    place, name = (output, INDEX) if settings.index is None else _split(settings.index)
    if place.exists(name) and not reindex:
        return open_index(place, name)
    log(f"reading footprints of the frames (once: {place.url_of(name)})")
    files = _named_files(catalogue, settings) if named else find_frames(images)
    if not files:
        raise UsageError(f"{images.url}: there are no FITS images in it")
    band = settings.bands[0] if len(settings.bands) == 1 else None
    index = build_index(images, files, engine.map, band=band)
    for file, problem in list(index.problems.items())[:20]:
        log(f"warning: {images.url_of(file)}: {problem}")
    if not named and not len(index):
        raise UsageError(f"{images.url}: none of its {len(files)} FITS files can be used: {problem_of(index)}")
    place.write(name, index.to_bytes())
    log(f"{len(index)} images in {len(files)} files; {len(index.problems)} files can't be used")
    return index


def problem_of(index: FrameIndex) -> str:
    """First reason why a file of an index can't be used."""
    return next(iter(index.problems.values()), "")


def _named_files(catalogue: Catalogue, settings: SurveySettings) -> list[tuple[str, int]]:
    """Files that a catalogue names, as its rows will name them."""
    from p2p_keras.sky_survey.row_frames import with_frames

    names: dict[str, None] = {}
    for rows in with_frames(catalogue, None, settings):
        names.update(dict.fromkeys(rows["file"].to_pylist()))
    return [(name, 0) for name in names if name]


def _measure(
    plan: Plan,
    job: Job,
    engine: Engine,
    manifest: Manifest,
    report: SurveyReport,
    log: Log,
    advance: Advance,
) -> None:
    """Measure what isn't measured, assemble what is whole; both go on where an earlier run was."""
    output = job.output
    written = (
        {f"{PARTS}/{name}" for name, _ in Place(f"{output.url}/{PARTS}").names()} if output.exists(PARTS) else set()
    )
    for partition in plan.partitions:
        if partition.file not in manifest.done and output.exists(partition.file):
            manifest.done[partition.file] = read_done(partition, output)
    open_partitions = {i for i, p in enumerate(plan.partitions) if p.file not in manifest.done}
    needed = [i for i, part in enumerate(plan.parts) if open_partitions & set(part.partitions)]
    todo = [i for i in needed if plan.parts[i].file not in written]
    members: dict[int, list[str]] = {i: [] for i in open_partitions}
    missing: dict[int, int] = dict.fromkeys(open_partitions, 0)
    todo_set = set(todo)
    for i in needed:
        for number in set(plan.parts[i].partitions) & open_partitions:
            members[number].append(plan.parts[i].file)
            missing[number] += i in todo_set
    rows = plan.rows
    failed = sum(done.failed for done in manifest.done.values())
    before = rows - sum(plan.parts[i].rows for i in todo)
    if before:
        log(f"continuing: {before} of {rows} rows have been measured already")
    advance(before, rows, failed, 0)
    for number in sorted(open_partitions):
        if not missing[number]:
            engine.assemble(plan.partitions[number], members[number], output)
    clock = _Clock(_MANIFEST_EVERY_S)

    def note(finished: Any) -> None:
        for partition, done in finished:
            manifest.done[partition.file] = done
        if clock.struck():
            manifest.save(plan.partitions)

    if todo:
        done_now, started = 0, time.perf_counter()
        for part in engine.measure(units_of(plan.parts, todo), job):
            done_now += part.rows
            failed += part.failed
            report.note(part.rows, part.failed, part.seconds, time.perf_counter() - started)
            for number in set(plan.parts[part.part].partitions) & open_partitions:
                missing[number] -= 1
                if not missing[number]:
                    engine.assemble(plan.partitions[number], members[number], output)
            note(engine.assembled())
            advance(before + done_now, rows, failed, done_now)
    note(engine.assembled(wait=True))
    manifest.save(plan.partitions)


class _Clock:
    """Strikes at most once in some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def struck(self) -> bool:
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


def _split(path: str) -> tuple[Place, str]:
    folder, _, name = path.rpartition("/")
    return Place(folder or "."), name


def _name_of(output: Place) -> str:
    return output.url.rstrip("/").rpartition("/")[2] or "survey"


def _clear(output: Place) -> None:
    """Remove a run's files, and nothing else that may be in the folder."""
    from p2p_keras.sky_survey.hats_files import FILES

    for name in (*FILES, "dataset", "without_position.parquet", WORK, "report", INDEX, MANIFEST, SETTINGS_FILE):
        output.delete(name)
