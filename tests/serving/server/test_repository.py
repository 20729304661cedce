"""Versions on disk, with a loader made of Python: which are loaded, kept, retired and tried again."""

from __future__ import annotations

import asyncio
import shutil
import time

import pytest

pytest.importorskip("grpc")
pytest.importorskip("prometheus_client")

import grpc

from p2p_keras.serving.server.metrics import Metrics
from p2p_keras.serving.server.refusals import Refusal
from p2p_keras.serving.server.repository import Repository, State, scan
from p2p_keras.serving.server.servable import Servable


class FakeServable(Servable):
    """A loaded version without TensorFlow."""

    def __init__(self, name, version, path):
        self.name, self.version, self.path = name, version, path
        self.closed = False
        self.in_use = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def close(self):
        self.closed = True


def write(base, name, version, text="good"):
    """A version whose load succeeds if its graph says 'good'."""
    folder = base / name / str(version)
    (folder / "variables").mkdir(parents=True, exist_ok=True)
    (folder / "variables" / "variables.index").write_text("index")
    (folder / "saved_model.pb").write_text(text)
    return folder


def load(name, version, path, *, warm_up):
    """Loader of fake versions."""
    if (path / "saved_model.pb").read_text() != "good":
        raise ValueError("truncated")
    return FakeServable(name, version, path), {"load_seconds": 0.0, "warm_up_seconds": 0.0}


def repository(base, **settings):
    """A repository over a folder that settles at once unless told otherwise."""
    return Repository(base, metrics=Metrics(), loader=load, **({"settle_s": 0.0} | settings))


def run(work):
    """Run a coroutine."""
    return asyncio.run(asyncio.wait_for(work, 120))


async def settled(repo, *, leased=False):
    """Poll, and let unloading finish, which it does not while a version is leased."""
    await repo.poll()
    if repo._unloading:
        await asyncio.wait(set(repo._unloading), timeout=0.5 if leased else 15)


def code_of(repo, name, version=None):
    """Why a model or version can't be had."""
    with pytest.raises(Refusal) as caught:
        repo.resolve(name, version)
    return caught.value.code


def test_newest_of_each_model_is_served(tmp_path):
    """A server would answer with last year's model."""

    async def work():
        for name, version in (("a", 1), ("a", 10), ("a", 9), ("b", 2)):
            write(tmp_path, name, version)
        (tmp_path / "a" / "latest").mkdir()
        (tmp_path / "a" / ".11").mkdir()
        (tmp_path / "a" / "model.onnx").write_text("")
        repo = repository(tmp_path)
        assert code_of(repo, "a") is grpc.StatusCode.UNAVAILABLE
        await settled(repo)
        assert repo.resolve("a", None).version == 10
        assert repo.resolve("b", 2).version == 2
        assert code_of(repo, "a", 9) is grpc.StatusCode.NOT_FOUND
        assert code_of(repo, "c") is grpc.StatusCode.NOT_FOUND
        assert [v.number for v in repo.statuses("a", None)] == [10]

    run(work())


def test_several_versions_at_once(tmp_path):
    """A client could not go on with the version that it knows."""

    async def work():
        for version in (1, 2, 3):
            write(tmp_path, "a", version)
        repo = repository(tmp_path, versions=2)
        await settled(repo)
        assert [repo.resolve("a", n).version for n in (None, 3, 2)] == [3, 3, 2]
        assert code_of(repo, "a", 1) is grpc.StatusCode.NOT_FOUND

    run(work())


def test_an_old_version_is_drained_before_it_is_closed(tmp_path):
    """A request in the queue would lose its model."""

    async def work():
        write(tmp_path, "a", 1)
        repo = repository(tmp_path)
        await settled(repo)
        old = repo.resolve("a", None)
        with old.lease():
            write(tmp_path, "a", 2)
            await settled(repo, leased=True)
            assert repo.resolve("a", None).version == 2
            assert not old.closed
            assert repo.statuses("a", 1)[0].state is State.UNLOADING
        await settled(repo)
        assert old.closed
        assert repo.statuses("a", 1)[0].state is State.END

    run(work())


def test_a_folder_in_the_making_is_left_alone(tmp_path):
    """A half-copied version would be loaded."""

    async def work():
        write(tmp_path, "a", 1)
        repo = repository(tmp_path)
        await settled(repo)
        assert repo.resolve("a", None).version == 1
        repo.settle_s = 1000.0
        new = write(tmp_path, "a", 2)
        for _ in range(4):
            (new / "variables" / "variables.data").write_text(str(time.time()))
            await settled(repo)
            assert repo.resolve("a", None).version == 1
        repo.settle_s = 0.1
        await asyncio.sleep(0.15)
        await settled(repo)
        assert repo.resolve("a", None).version == 2

    run(work())


def test_a_broken_version_falls_back_and_is_tried_again_when_it_changes(tmp_path):
    """A broken upload would take the service down, or be loaded again and again in vain."""

    async def work():
        write(tmp_path, "a", 1)
        write(tmp_path, "a", 2, "bad")
        repo = repository(tmp_path)
        await settled(repo)
        assert repo.resolve("a", None).version == 1
        broken = repo.statuses("a", 2)[0]
        assert (broken.state, broken.error) == (State.END, "ValueError: truncated")
        await settled(repo)
        assert repo.statuses("a", 2)[0].state is State.END
        write(tmp_path, "a", 2)
        await settled(repo)
        assert repo.resolve("a", None).version == 2
        assert repo.statuses("a", 2)[0].error == ""

    run(work())


def test_rollback_and_deletion(tmp_path):
    """Deleting a bad version would not bring the old one back, or deleting all would stop the service."""

    async def work():
        write(tmp_path, "a", 1)
        write(tmp_path, "a", 2)
        repo = repository(tmp_path)
        await settled(repo)
        shutil.rmtree(tmp_path / "a" / "2")
        await settled(repo)
        assert repo.resolve("a", None).version == 1
        shutil.rmtree(tmp_path / "a")
        await settled(repo)
        assert repo.resolve("a", None).version == 1
        assert "deleted" in repo.statuses("a", 1)[0].error
        write(tmp_path, "a", 3)
        await settled(repo)
        assert repo.resolve("a", None).version == 3

    run(work())


def test_ended_versions_are_forgotten(tmp_path, monkeypatch):
    """A server that sees a version a day would grow for ever."""
    # Beside TensorFlow's objects forty looks for garbage take most of a minute.
    monkeypatch.setattr("gc.collect", lambda: 0)

    async def work():
        repo = repository(tmp_path)
        for version in range(1, 41):
            write(tmp_path, "a", version)
            if version > 1:
                shutil.rmtree(tmp_path / "a" / str(version - 1))
            await settled(repo)
        assert len(repo.statuses("a", None)) < 20

    run(work())


def test_the_base_may_be_one_model(tmp_path):
    """A folder given as to TensorFlow Serving would be found empty."""
    write(tmp_path, "a", 1)
    assert list(scan(tmp_path / "a")) == ["a"]
    assert list(scan(tmp_path)["a"]) == [1]
    assert scan(tmp_path / "missing") == {}
