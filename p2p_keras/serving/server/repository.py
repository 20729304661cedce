"""Versions on disk: found, loaded, warmed up, served; the old ones drained and unloaded.

``BASE/NAME/VERSION/saved_model.pb``, or ``BASE/VERSION/saved_model.pb`` where the base is itself one model's folder.
The newest version that loads is served; while a new one loads, the old one answers. A folder that is still being
copied is left alone: a version counts once its ``saved_model.pb`` and variables are there and nothing in it has changed
for the settle time, and one that does not load is tried again when its files change. A version that is deleted from
disk gives way to an older one; where no other is left the loaded one goes on serving, since it needs its files no more.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path

import grpc

from p2p_keras.serving.server.logs import log
from p2p_keras.serving.server.metrics import Metrics
from p2p_keras.serving.server.refusals import Refusal, not_found
from p2p_keras.serving.server.servable import Servable, load

__all__ = ["Repository", "State", "Version", "last_change", "scan"]

_MOST_ENDED = 16
"""Ended versions whose status is kept, so that years of versions do not grow the server."""


class State(Enum):
    """States of TensorFlow Serving's ModelVersionStatus, by their numbers."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass
class Version:
    """What the server knows of one version.

    Attributes
    ----------
    changed : float or None
        When its files changed last, seconds since 1970; None while a part that a SavedModel must have is missing.
    settled_since : float
        The same on this machine's monotonic clock.
    failed : float or None
        `changed` of the files that did not load.
    """

    number: int
    path: Path
    state: State = State.START
    error: str = ""
    servable: Servable | None = None
    changed: float | None = None
    settled_since: float = 0.0
    failed: float | None = None


def last_change(path: Path) -> float | None:
    """When a version's files and folders changed last; None while a part that a SavedModel must have is missing."""
    variables = path / "variables"
    if not (path / "saved_model.pb").exists() or (variables.exists() and not (variables / "variables.index").exists()):
        return None
    # ctime, not mtime: copying tools set the latter back to the original's.
    return max(each.stat().st_ctime for each in (path, *path.rglob("*")))


def scan(base: Path) -> dict[str, dict[int, Path]]:
    """Folders that could be versions, by model name and number. A folder that can't be listed counts as empty."""
    versions = _numbered(base)
    if versions:
        return {base.resolve().name: versions}
    return {folder.name: numbered for folder in _folders(base) if (numbered := _numbered(folder))}


def _folders(base: Path) -> list[Path]:
    try:
        return sorted(p for p in base.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []


def _numbered(base: Path) -> dict[int, Path]:
    return {int(p.name): p for p in _folders(base) if p.name.isascii() and p.name.isdigit() and int(p.name) > 0}


class Repository:
    """The models under a folder, kept in step with it.

    Parameters
    ----------
    base : Path
    metrics : Metrics
    versions : int
        Newest versions of each model served at once.
    poll_s, settle_s : float
        Seconds between looks at the disk, and for which a folder must have stayed unchanged.
    warm_up : bool
        Replay the warm-up requests before a version is served.
    on_change : callable, optional
        Called with (model name, is it served) after each change.
    loader : callable
        `load`; tests give their own.
    """

    def __init__(
        self,
        base: Path,
        *,
        metrics: Metrics,
        versions: int = 1,
        poll_s: float = 2.0,
        settle_s: float = 1.0,
        warm_up: bool = True,
        on_change: Callable[[str, bool], None] | None = None,
        loader: Callable = load,
    ) -> None:
        self.base = Path(base)
        self._metrics = metrics
        self._most = versions
        self.poll_s, self.settle_s, self.warm_up = poll_s, settle_s, warm_up
        self._on_change = on_change or (lambda _name, _served: None)
        self._loader = loader
        self._models: dict[str, dict[int, Version]] = {}
        # One thread: loads never run beside each other, and the event loop answers meanwhile.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._unloading: set[asyncio.Task] = set()
        self._looked = False

    # --- what the service asks ---

    def names(self) -> list[str]:
        """Models with at least one version served."""
        return [name for name, versions in self._models.items() if any(v.servable for v in versions.values())]

    def resolve(self, name: str, version: int | None) -> Servable:
        """Find the servable for a request; the newest where `version` is None.

        Raises
        ------
        Refusal
            NOT_FOUND for an unknown model or version, UNAVAILABLE while its first version loads.
        """
        versions = self._models.get(name, {})
        served = {v.number: v.servable for v in versions.values() if v.servable and v.state is State.AVAILABLE}
        if version is not None and version in served:
            return served[version]
        if version is None and served:
            return served[max(served)]
        if not self._looked or self._is_coming(versions, version, served):
            raise Refusal(grpc.StatusCode.UNAVAILABLE, f"model '{name}' is being loaded: try again")
        if version is not None and served:
            there = ", ".join(str(n) for n in sorted(served))
            raise not_found(f"version {version} of model '{name}' is not served (served: {there})")
        known = ", ".join(sorted(self.names())) or "none"
        raise not_found(f"model '{name}' is not served (served models: {known})")

    @staticmethod
    def _is_coming(versions: dict[int, Version], version: int | None, served: dict) -> bool:
        """Whether a version that could answer is loading, or found and not yet loaded where nothing else is served."""
        asked = [v for v in versions.values() if version in (None, v.number)]
        states = {v.state for v in asked}
        return State.LOADING in states or (State.START in states and not served)

    def statuses(self, name: str, version: int | None) -> list[Version]:
        """Tell what is known of a model's versions, newest first; older ones that were never wanted are left out.

        Raises
        ------
        Refusal
            NOT_FOUND where nothing is.
        """
        versions = self._models.get(name, {})
        newest_served = max((n for n, v in versions.items() if v.servable), default=0)
        versions = {n: v for n, v in versions.items() if v.state is not State.START or n > newest_served}
        if version is not None:
            versions = {n: v for n, v in versions.items() if n == version}
        if not versions:
            which = "any versions" if version is None else f"version {version}"
            raise not_found(f"Could not find {which} of model {name}")
        return [versions[n] for n in sorted(versions, reverse=True)]

    # --- keeping in step with the disk ---

    async def keep(self) -> None:
        """Poll for ever. An error in a look at the disk is logged, and the next look comes all the same."""
        first = True
        while True:
            try:
                await self.poll()
            except Exception:
                log("poll failed", level=logging.ERROR, exc_info=True, base=str(self.base))
            if first and not self.names():
                log("no model", level=logging.WARNING, base=str(self.base), note="still looking")
            first = False
            await asyncio.sleep(self.poll_s)

    async def poll(self) -> None:
        """Look at the disk once, and load and retire what that asks for."""
        loop = asyncio.get_running_loop()
        folders = await loop.run_in_executor(self._thread, scan, self.base)
        for name in sorted(set(folders) | set(self._models)):
            on_disk = folders.get(name, {})
            versions = self._models.setdefault(name, {})
            for number, path in on_disk.items():
                versions.setdefault(number, Version(number, path))
            await self._serve_newest(name, versions, on_disk)
            self._forget(versions, on_disk)
            if not versions:
                del self._models[name]
        self._looked = True

    async def close(self) -> None:
        """Unload everything."""
        for versions in self._models.values():
            for version in versions.values():
                if version.servable:
                    version.servable.close()
                    version.servable = None
        for task in self._unloading:
            task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _serve_newest(self, name: str, versions: dict[int, Version], on_disk: dict[int, Path]) -> None:
        serving = 0
        for number in sorted(on_disk, reverse=True):
            version = versions[number]
            if serving == self._most:
                break
            if version.servable or await self._try_load(name, version):
                serving += 1
        keep = [n for n in sorted(on_disk, reverse=True) if versions[n].servable][: self._most]
        for number, version in versions.items():
            if not version.servable or number in keep:
                continue
            if keep:
                self._retire(name, version)
            elif not version.error:
                version.error = "deleted from disk; still served, since there is no other version"
                log("version deleted", level=logging.WARNING, model=name, version=number, note=version.error)

    async def _try_load(self, name: str, version: Version) -> bool:
        """Load a version if its files are all there and still; whether it is served now."""
        loop = asyncio.get_running_loop()
        if version.state is State.UNLOADING:
            return False
        try:
            changed = await loop.run_in_executor(self._thread, last_change, version.path)
        except OSError:
            changed = None  # files came or went while we looked
        if changed is not None and changed != version.changed:
            # A folder that was finished long before we first saw it has settled already.
            version.settled_since = time.monotonic() - max(time.time() - changed, 0.0)
        version.changed = changed
        is_still = time.monotonic() - version.settled_since >= self.settle_s
        if changed is None or changed == version.failed or not is_still:
            return False
        version.state, version.error = State.LOADING, ""
        log("loading", model=name, version=version.number, path=str(version.path))
        try:
            servable, facts = await loop.run_in_executor(
                self._thread, lambda: self._loader(name, version.number, version.path, warm_up=self.warm_up)
            )
        except Exception as error:
            version.state, version.failed = State.END, version.changed
            version.error = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"[:500]
            self._metrics.loads.labels(name, "failed").inc()
            log("load failed", level=logging.ERROR, model=name, version=version.number, cause=version.error)
            return False
        version.servable, version.state, version.failed = servable, State.AVAILABLE, None
        self._metrics.loads.labels(name, "loaded").inc()
        self._metrics.load_seconds.labels(name).set(facts["load_seconds"] + facts["warm_up_seconds"])
        self._announce(name)
        log("serving", model=name, version=version.number, **facts)
        return True

    def _retire(self, name: str, version: Version) -> None:
        version.state = State.UNLOADING
        task = asyncio.get_running_loop().create_task(self._unload(name, version))
        self._unloading.add(task)
        task.add_done_callback(self._unloading.discard)
        self._announce(name)

    async def _unload(self, name: str, version: Version) -> None:
        servable = version.servable
        assert servable is not None
        log("draining", model=name, version=version.number, in_use=servable.in_use)
        await servable.drained()
        servable.close()
        version.servable = servable = None
        version.state = State.END
        # A loaded SavedModel is full of reference cycles: without this its weights stay until Python happens to look.
        await asyncio.get_running_loop().run_in_executor(self._thread, gc.collect)
        log("unloaded", model=name, version=version.number)

    def _announce(self, name: str) -> None:
        served = [v.number for v in self._models[name].values() if v.state is State.AVAILABLE]
        self._metrics.served_version.labels(name).set(max(served, default=0))
        self._on_change(name, bool(served))

    def _forget(self, versions: dict[int, Version], on_disk: dict[int, Path]) -> None:
        gone = {n: v.state for n, v in versions.items() if n not in on_disk}
        never_wanted = [n for n, state in gone.items() if state is State.START]
        ended = sorted(n for n, state in gone.items() if state is State.END)
        for number in [*never_wanted, *ended[:-_MOST_ENDED]]:
            del versions[number]
