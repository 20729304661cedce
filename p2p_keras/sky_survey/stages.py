"""What is done with a part, wherever it runs: read its rows and cutouts, run the model, write its rows.

The stages hand on pickled values in a column of one table, which is what Ray Data streams from process to process;
an `Engine` runs them. No file is ever unpickled: others may write to where the output lies.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from p2p_keras.core.processes import keep_freed_memory
from p2p_keras.sky_survey.assembly import Done, parquet_bytes
from p2p_keras.sky_survey.cutouts import CutoutReader
from p2p_keras.sky_survey.healpix import Partition
from p2p_keras.sky_survey.measuring import ShippedModel, limit_threads, rows_from_outputs, run_model
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.plan import WORK, Part, bucket_file, rows_of
from p2p_keras.sky_survey.settings import SurveySettings

__all__ = [
    "MODEL",
    "Engine",
    "Job",
    "ModelWorker",
    "PartDone",
    "Units",
    "finish_rows",
    "payload",
    "read_units",
    "units_of",
    "unpack",
    "write_model",
    "write_part",
]

MODEL = f"{WORK}/model"


@dataclass(frozen=True)
class Job:
    """What every worker needs to know; the model's files lie in the output, so that any node finds them at any time.

    Attributes
    ----------
    settings : SurveySettings
    images, output : Place
    threads : int
    finish_apart : bool
        Rows are made by a stage of their own.
    model_name, model_sha256 : str
        Of the `ShippedModel` that lies in the output.
    """

    settings: SurveySettings
    images: Place
    output: Place
    threads: int
    finish_apart: bool
    model_name: str
    model_sha256: str


@dataclass(frozen=True)
class PartDone:
    """A part that was written: its number, rows, failures, and CPU seconds of its stages."""

    part: int
    rows: int
    failed: int
    seconds: dict[str, float]


Units = list[list[tuple[int, Part]]]


class Engine(Protocol):
    """What runs the stages of a survey, within a ``with`` block: `p2p_keras.sky_survey.ray_engine.RayEngine`.

    Attributes
    ----------
    finish_apart : bool
        Rows are made in a stage of their own, so that workers do nothing but run the model.
    """

    finish_apart: bool

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """As the built-in `map`."""

    def measure(self, units: Units, job: Job) -> Iterator[PartDone]:
        """Measure and write parts, yielding each as it is written, in any order."""

    def assemble(self, partition: Partition, part_files: Sequence[str], output: Place) -> None:
        """Begin to write a partition, all of whose parts are there."""

    def assembled(self, *, wait: bool = False) -> Iterator[tuple[Partition, Done]]:
        """Yield the partitions written since; with `wait`, until all are."""


def units_of(parts: Sequence[Part], numbers: Sequence[int]) -> Units:
    """Parts (with their numbers) that one reader reads one after the other, since they share a frame."""
    units: dict[int, list[tuple[int, Part]]] = {}
    for number in numbers:
        units.setdefault(parts[number].unit, []).append((number, parts[number]))
    return list(units.values())


def write_model(model: ShippedModel, output: Place) -> None:
    """Leave the model for the workers."""
    output.write(MODEL, model.to_bytes())


def payload(value: Any) -> pa.Table:
    """A table of one row that holds a pickled value."""
    # Large binary: a column of Python objects would be pickled by Ray a second time.
    return pa.table({"payload": pa.array([pickle.dumps(value, protocol=5)], pa.large_binary())})


def unpack(batch: pa.Table) -> Iterator[Any]:
    """Values of a table that `payload` made."""
    for content in batch["payload"]:
        yield pickle.loads(content.as_buffer())


def read_units(batch: pa.Table, job: Job) -> Iterator[pa.Table]:
    """Stage 1: rows and cutouts of each part of some units."""
    for unit in unpack(batch):
        name = bucket_file(unit[0][1].bucket)
        with job.output.open(name) as file, CutoutReader(job.images, job.settings) as reader:
            bucket = pq.ParquetFile(file)
            for number, part in unit:
                start = time.process_time()
                rows = rows_of(part, bucket)
                cutouts = reader.read(rows)
                yield payload((number, part, rows, cutouts, {"read": time.process_time() - start}))


class ModelWorker:
    """Stage 2: a process that holds the model."""

    def __init__(self, job: Job) -> None:
        limit_threads(job.threads)
        keep_freed_memory()
        self._job = job
        content = job.output.read(MODEL)
        model = ShippedModel.from_bytes(content, job.model_name, job.model_sha256, job.output.url_of(MODEL))
        self._predictor = model.load(None if job.finish_apart else job.threads)

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        """Measure one part."""
        for number, part, rows, cutouts, seconds in unpack(batch):
            start = time.process_time()
            outputs = run_model(self._predictor, cutouts, self._job.settings.batch_size)
            seconds["model"] = time.process_time() - start
            model = (self._predictor.model_name, self._predictor.model_version)
            measured = (number, part, rows, cutouts, outputs, model, seconds)
            yield payload(measured) if self._job.finish_apart else payload(write_part(measured, self._job))


def finish_rows(batch: pa.Table, job: Job) -> Iterator[pa.Table]:
    """Stage 3, where the model has a GPU: rows of the result."""
    for measured in unpack(batch):
        yield payload(write_part(measured, job))


def write_part(measured: Any, job: Job) -> PartDone:
    """Write a part's file; written twice, its bytes are the same."""
    number, part, rows, cutouts, outputs, model, seconds = measured
    start = time.process_time()
    table = rows_from_outputs(rows, cutouts, outputs, *model)
    job.output.write(part.file, parquet_bytes(table))
    seconds["rows"] = time.process_time() - start
    failed = sum(cause != "" for cause in table["cause"].to_pylist())
    return PartDone(number, len(table), failed, seconds)
