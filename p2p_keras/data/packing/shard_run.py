"""Write rows as shards; what can't be used is reported and the rest is packed."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from p2p_keras.core.errors import InputError, P2PError, UsageError
from p2p_keras.core.processes import in_order
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.packing.labelling import label_galaxy
from p2p_keras.data.packing.rows import PackRow
from p2p_keras.data.shards import (
    DEFAULT_FRACTIONS,
    Manifest,
    ShardWriteError,
    ShardWriter,
    find_shards,
    read_manifest,
    shard_name,
    split_of,
    write_manifest,
)

__all__ = ["REPORT_NAME", "PROGRAM", "Failure", "PackReport", "pack_rows"]

REPORT_NAME = "failures.csv"
_STATE_NAME = ".pack-state.json"
PROGRAM = "p2p_keras.pack"


@dataclass(frozen=True)
class Failure:
    """A row that wasn't packed: the galaxy, its band and file, and why."""

    name: str
    band: str
    image: str
    cause: str


@dataclass
class PackReport:
    """What a run did.

    Attributes
    ----------
    manifest : Manifest
        As written to ``dataset.json``; its `counts` are the images packed, by split.
    failures : list of Failure
        Also written to ``failures.csv``.
    """

    manifest: Manifest
    failures: list[Failure] = field(default_factory=list)

    def causes(self) -> list[tuple[str, int]]:
        """Kinds of causes and how many rows were left out for each, most frequent first; names and numbers as "..."."""
        return Counter(_kind_of(failure) for failure in self.failures).most_common()


def _kind_of(failure: Failure) -> str:
    """A cause without what differs from row to row: files, numbers, quoted cells."""
    kind = re.sub(r"^\S*[/.]\S*: ", "", failure.cause.removeprefix(f"{failure.image}: "))
    kind = re.sub(r"\S*/\S*|'[^']*'|\b\d[\d.]*", "...", kind)
    return re.sub(r"(\.\.\.)(\W{0,2}\.\.\.)+", "...", kind)


def pack_rows(
    rows: Sequence[PackRow],
    folder: str | os.PathLike,
    *,
    fractions: Mapping[str, float] = DEFAULT_FRACTIONS,
    images_per_shard: int = 256,
    gzip: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    on_row: Callable[[PackRow, str | None], None] | None = None,
    size: int | None = None,
    zero_point: float | None = None,
    pixel_scale: float | None = None,
    radius_start: float | None = None,
    radius_step: float | None = None,
    measure: str | bool | None = None,
) -> PackReport:
    """Pack rows into shards of a folder, beside them ``dataset.json`` and ``failures.csv``.

    A run that was killed or met a full disk goes on where it was when it is started again: finished shards are kept.

    Parameters
    ----------
    rows : sequence of PackRow
    folder : path
    fractions : mapping, optional
        Of the splits, see `split_of`.
    images_per_shard : int, optional
    gzip : bool, optional
        Compress the shards.
    overwrite : bool, optional
        Replace the shards of another run in this folder.
    workers : int, optional
        Processes that read and measure.
    on_row : callable, optional
        Told each row and its cause of failure, None where it was packed.
    size, zero_point, pixel_scale, radius_start, radius_step, measure : optional
        As `p2p_keras.data.packing.labelling.label_galaxy` takes them.

    Raises
    ------
    UsageError
        When there are no rows, or the folder has shards of another run.
    ShardWriteError
        When the disk is full: finished shards are kept.
    """
    if not rows:
        raise UsageError("nothing to pack: no images were found")
    folder = Path(folder)
    labelling = {
        "size": size,
        "zero_point": zero_point,
        "pixel_scale": pixel_scale,
        "radius_start": radius_start,
        "radius_step": radius_step,
        "measure": measure,
    }
    plan = _plan(rows, fractions, images_per_shard, gzip)
    settings: dict[str, Any] = {
        "rows": len(rows),
        "fractions": dict(fractions),
        "images_per_shard": images_per_shard,
        **labelling,
    }
    settings["fingerprint"] = _fingerprint(rows, settings, list(plan))
    finished = _finished(folder, settings["fingerprint"], overwrite)
    state = {"fingerprint": settings["fingerprint"], "finished": finished}
    _write_text(folder / _STATE_NAME, json.dumps(state))
    missing = {shard: members for shard, members in plan.items() if shard not in finished}
    task = partial(_try_label, labelling=labelling)
    every_row = [row for members in missing.values() for row in members]
    with closing(in_order(task, every_row, workers=workers)) as results:
        for shard, members in missing.items():
            finished[shard] = _write_shard(folder / shard, members, results, on_row)
            _write_text(folder / _STATE_NAME, json.dumps(state))
    failures = [Failure(**entry) for shard in plan for entry in finished[shard]]
    _write_report(folder / REPORT_NAME, failures)
    manifest = write_manifest(folder, program=PROGRAM, settings=settings)
    (folder / _STATE_NAME).unlink(missing_ok=True)
    return PackReport(manifest, failures)


def _plan(
    rows: Sequence[PackRow], fractions: Mapping[str, float], images_per_shard: int, gzip: bool
) -> dict[str, list[PackRow]]:
    """Shard name to its rows; a galaxy's bands follow each other."""
    by_split: dict[str, list[PackRow]] = {}
    for row in rows:
        by_split.setdefault(split_of(row.name, fractions), []).append(row)
    plan = {}
    for split in fractions:
        members = by_split.get(split, [])
        count = -(-len(members) // images_per_shard)
        for index in range(count):
            start = index * images_per_shard
            plan[shard_name(split, index, count, gzip=gzip)] = members[start : start + images_per_shard]
    return plan


def _write_shard(
    path: Path,
    members: list[PackRow],
    results: Iterator[LabelledGalaxy | Exception],
    on_row: Callable[[PackRow, str | None], None] | None,
) -> list[dict[str, str]]:
    """Write one shard of the next results; the failures in it."""
    failures = []
    with ShardWriter(path) as shard:
        for row, result in zip(members, results, strict=False):  # the other shards' results follow
            cause = None
            try:
                if isinstance(result, Exception):
                    raise result
                shard.write(result)
            except ShardWriteError:
                raise
            except P2PError as error:
                cause = str(error)
                failures.append(asdict(Failure(row.name, row.band or "", row.image, cause)))
            if on_row is not None:
                on_row(row, cause)
    return failures


def _try_label(row: PackRow, labelling: dict[str, Any]) -> LabelledGalaxy | Exception:
    try:
        return label_galaxy(row, **labelling)
    except P2PError as error:
        return error
    except Exception as error:  # one odd file must not cost the others: astropy and photutils raise many kinds
        return InputError(row.image, f"{type(error).__name__}: {error}")


def _finished(folder: Path, fingerprint: str, overwrite: bool) -> dict[str, list[dict[str, str]]]:
    """Shards that an earlier part of this very run has written, with their failures."""
    state = folder / _STATE_NAME
    if state.is_file():
        try:
            content = json.loads(state.read_text())
            if content["fingerprint"] == fingerprint:
                return {name: failed for name, failed in content["finished"].items() if (folder / name).is_file()}
        except (ValueError, KeyError, TypeError):
            pass  # cut off by the full disk itself
    try:
        present = find_shards(folder) if folder.is_dir() else []
    except UsageError:
        present = []
    if not present:
        return {}
    manifest = None if overwrite else read_manifest(folder)
    if not overwrite:
        made = f" made by {manifest.program}" if manifest else ""
        raise UsageError(f"{folder}: has {len(present)} shards{made} already; give an empty folder, or --overwrite")
    for path in present:
        path.unlink()
    return {}


def _fingerprint(rows: Sequence[PackRow], settings: Mapping[str, Any], shards: list[str]) -> str:
    """Tells one run from another: its rows and settings."""
    text = json.dumps([[asdict(row) for row in rows], settings, shards], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write_report(path: Path, failures: list[Failure]) -> None:
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, ["name", "band", "image", "cause"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(failure) for failure in failures)
    _write_text(path, text.getvalue())


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ShardWriteError(path, f"can't be written: {error.strerror}") from error
