"""Galaxies measured by several processes: the same profiles as by threads, whatever becomes of a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from p2p_keras.core import processes
from p2p_keras.core.errors import InputError
from p2p_keras.images import InputFile, Target
from p2p_keras.measure.many_files import predict_inputs
from p2p_keras.measure.outputs.measurers import in_worker
from p2p_keras.measure.outputs.prediction_run import completed
from p2p_keras.measure.outputs.products import Products
from p2p_keras.measure.predictor import Predictor
from p2p_keras.measure.workers import Crew, crew, default_workers, network
from p2p_keras.measure.workers.jobs import Jobs
from p2p_keras.measure.workers.worker import Result
from p2p_keras.predict import main
from p2p_keras.profile.derived import DerivedSettings
from p2p_keras.profile.tables.files import read_profiles

OPTIONS = dict.fromkeys(("ellipses", "fixed", "radii", "statistic", "pixels", "sky", "model", "server", "threads"))
OPTIONS |= {"photometry": False, "forced": False}
FINISH = partial(completed, DerivedSettings())


class Discs:
    """A network that takes every galaxy for the same disc, as bright as its image; `on_run` is called before."""

    name, version, path, at_once = "discs", "1", Path("discs.onnx"), 2

    def __init__(self, on_run=None, survives_fork=False):
        self.on_run, self.survives_fork = on_run, survives_fork

    def run(self, image, zero_point, pixel_scale):
        if self.on_run is not None:
            self.on_run()
        ones = np.ones((len(image), 20), np.float32)
        sma = np.geomspace(0.5, 20.0, 20, dtype=np.float32) * pixel_scale[:, None]
        flux = np.nansum(image, axis=(1, 2))[:, None]
        total = zero_point - 2.5 * np.log10(np.maximum(flux[:, 0], 1e-3))
        outputs = {"sma": sma, "mu": total[:, None] + sma, "mu_err": 0.05 * ones, "ellipticity": 0.2 * ones}
        outputs |= {"pa": 30.0 * ones, "growth": total[:, None] + 2.0 / sma, "valid": ones > 0, "mag_total": total}
        middle = {"x0": (image.shape[2] - 1) / 2, "y0": (image.shape[1] - 1) / 2, "sky": 0.0}
        outputs |= {name: np.full(len(image), value, np.float32) for name, value in middle.items()}
        return {**outputs, "extent": sma[:, -1]}


@pytest.fixture(params=["served", "forked"])
def forked(request, monkeypatch):
    """Whether each process runs the network itself."""
    if request.param == "forked" and sys.platform != "linux":
        pytest.skip("processes are forked on Linux only")
    # Other tests of this process may have loaded TensorFlow, which nothing here runs.
    monkeypatch.setattr(crew, "can_fork", lambda backend, workers: backend.survives_fork)
    return request.param == "forked"


def crew_of(workers, on_run=None, forked=False):
    return Crew(partial(in_worker, OPTIONS, list), workers, Discs(on_run, forked))


def by_number(predictions):
    """All that is said of galaxies, by their file and name."""
    results = {}
    for one in predictions:
        key = one.source, one.target and one.target.name
        assert key not in results
        result = str(one.error) if one.measured is None else (one.measured.meta, one.measured.columns)
        results[key] = (result, None if one.image is None else (one.image.pixels, one.image.wcs.to_header_string()))
    return results


def both_ways(inputs, forked, **options):
    """What threads say, and what two processes say."""
    inputs = list(inputs)
    by_threads = predict_inputs(Predictor(Discs()), inputs, batch_size=4, finish=FINISH, **options)
    by_processes = crew_of(2, forked=forked).predict_inputs(
        inputs, batch_size=4, finish=FINISH, with_images=True, **options
    )
    return by_number(by_threads), list(by_processes)


def test_files_are_measured_as_by_threads(forked, write_galaxy, tmp_path):
    """A run would change with --workers: other numbers, another order, a broken file unnamed or at another's cost."""
    paths = [write_galaxy(f"g{i}.fits", (64, 64 + 16 * (i == 3)), seed=i) for i in range(11)]
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  =                    T")
    inputs = [InputFile(str(path)) for path in (*paths[:5], tmp_path / "broken.fits", *paths[5:], tmp_path / "no.fits")]
    threads, predictions = both_ways(inputs, forked, skip=lambda path, target: path.endswith("g7.fits"))
    np.testing.assert_equal(by_number(predictions), threads)
    assert [one.source for one in predictions] == [file.path for file in inputs if not file.path.endswith("g7.fits")]
    assert multiprocessing.active_children() == []


def test_a_catalogue_is_measured_as_by_threads(forked, write_galaxy, tmp_path):
    """Galaxies of a catalogue would be missing, or be said to lie on no image by a process that hasn't seen theirs."""
    targets = tuple(Target(name=f"g{i}", ra=150.0 + (i - 3) / 1500, dec=2.0, size=48) for i in range(7))
    targets += (Target(name="far", ra=10.0, dec=2.0, label="row 8"),)
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  =                    T")
    frames = [write_galaxy("one.fits"), tmp_path / "broken.fits", write_galaxy("two.fits", rotation=90.0, noise=0.1)]
    skip = lambda path, target: target.name == "g2"  # noqa: E731
    threads, predictions = both_ways([InputFile(str(path), None, targets) for path in frames], forked, skip=skip)
    assert len(threads) > 6
    np.testing.assert_equal(by_number(predictions), threads)


def kill_one():
    """End a worker as the system does that has no memory left."""
    if children := multiprocessing.active_children():
        os.kill(children[0].pid, signal.SIGKILL)


def test_a_killed_process_is_replaced(forked, write_galaxy, tmp_path):
    """A run of a night would end, hang or lose galaxies when the system ends one of its processes."""
    inputs = [InputFile(str(write_galaxy(f"g{i}.fits", (48, 48), seed=i))) for i in range(12)]
    runs, mark = iter(range(100)), tmp_path / "killed"

    def kill():
        if next(runs) == 1 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL) if multiprocessing.parent_process() else kill_one()

    some = crew_of(2, kill, forked).predict_inputs(inputs, batch_size=2, finish=FINISH)
    assert [(one.source, one.error) for one in some] == [(file.path, None) for file in inputs]
    assert multiprocessing.active_children() == []


def test_what_kills_two_processes_has_failed():
    """A galaxy that takes all memory would end one process after the other, for ever."""
    jobs, in_work = Jobs([InputFile("a.fits"), InputFile("b.fits")], (), 2, None), {}
    for _ in range(2):
        assert [item.path for item in jobs.take(1, in_work)] == ["a.fits"]
        assert not jobs.finished
        jobs.lost(in_work)
    [failed] = jobs.results()
    assert isinstance(failed.error, InputError)
    assert "was killed" in str(failed.error)
    [item] = jobs.take(9, in_work)
    jobs.done([Result(item.number, 0, None, None, None)], in_work)
    assert [one.source for one in jobs.results()] == ["b.fits"]
    assert jobs.finished


def test_interrupted_and_resumed(fake_models, write_galaxy, tmp_path, monkeypatch):
    """Ctrl-C would leave processes behind or lose what was measured, or --resume measure it again."""
    paths = [str(write_galaxy(f"g{i}.fits", (48, 48), seed=i)) for i in range(8)]
    output, arguments = (
        tmp_path / "out.parquet",
        ["--workers", "2", "--batch-size", "2", "--model", str(fake_models.onnx)],
    )
    add, added = Products.add, []

    def interrupted(self, image, profile):
        if len(added) == 3:
            raise KeyboardInterrupt
        added.append(profile.name)
        return add(self, image, profile)

    monkeypatch.setattr(Products, "add", interrupted)
    stopped = CliRunner().invoke(main, [*paths, "-o", str(output), *arguments])
    assert stopped.exit_code == 1, stopped.output
    assert "--resume continues" in stopped.stderr
    assert multiprocessing.active_children() == []
    monkeypatch.setattr(Products, "add", add)
    done = CliRunner().invoke(main, [*paths, "-o", str(output), *arguments, "--resume"])
    assert done.exit_code == 0, done.output
    assert "3 were there already" in done.stderr
    assert [profile.meta["name"] for profile in read_profiles(output)] == [f"g{i}" for i in range(8)]


@pytest.mark.skipif(sys.platform != "linux", reason="asks for Linux's shared memory")
def test_without_shared_memory_pixels_go_through_the_pipe(monkeypatch, write_galaxy):
    """In a container with little shared memory a run would be killed by the system, without a word."""

    def full(file, start, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = set(os.listdir("/dev/shm"))
    service = network.NetworkService(Discs())
    lines = service.new_lines()
    shared = network.SharedNetwork(service.model, lines)
    image = np.random.default_rng(1).normal(1.0, 0.1, (3, 48, 50)).astype(np.float32)
    numbers = np.full(3, 22.5, np.float32), np.full(3, 0.4, np.float32)
    np.testing.assert_equal(shared.run(image, *numbers), Discs().run(image, *numbers))
    assert set(os.listdir("/dev/shm")) <= before
    del shared
    for line in lines:
        line.close()
    service.close()  # waits for ever unless its threads end with the lines


def test_how_many_workers(monkeypatch):
    """Two cores would get processes that only cost memory, many cores one thread of Python, few files a slow start."""
    for cores, expected in ((1, 1), (2, 1), (3, 2), (8, 3), (64, 22)):
        monkeypatch.setattr(crew, "available_cores", lambda cores=cores: cores)
        assert default_workers(100_000) == expected
    assert (default_workers(10), default_workers(500)) == (1, 2)
    own, served, asked = Discs(survives_fork=True), Discs(), []
    own.at_once = served.at_once = 8
    monkeypatch.setattr(crew, "available_cores", lambda: 8)
    monkeypatch.setattr(crew, "can_fork", lambda backend, workers: backend.survives_fork)
    for galaxies, expected in ((10_000, 8), (400, 3), (140, 1)):
        assert default_workers(galaxies, lambda: asked.append(1) or own) == expected
        assert default_workers(galaxies, lambda: served) == {10_000: 3, 400: 2, 140: 1}[galaxies]
    assert len(asked) >= 2
    assert default_workers(140, lambda: pytest.fail("one galaxy would wait for the model")) == 1
    own.at_once = 2  # --threads 2
    assert default_workers(10_000, lambda: own) == 2
    assert processes.available_cores() >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_forked_only_with_what_survives_it(monkeypatch):
    """A run would hang: threads of TensorFlow, or of a network that takes all cores, don't survive a fork."""
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    assert crew.can_fork(Discs(survives_fork=True), 2)
    assert not crew.can_fork(Discs(survives_fork=True), 3)  # --threads 2 --workers 3
    assert not crew.can_fork(Discs(), 2)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert not crew.can_fork(Discs(survives_fork=True), 2)


def test_a_run_by_the_program_is_that_of_one_process(fake_models, write_galaxy, tmp_path):
    """--workers 2 would give another table than --workers 1, or a warning of the fork."""
    files = [str(write_galaxy(f"g{i}.fits", (48, 48), seed=i)) for i in range(40)]
    tables = []
    for more in (["--workers", "1"], ["--workers", "2"]):
        output = tmp_path / f"{more[1]}.parquet"
        command = [sys.executable, "-m", "p2p_keras.predict", *files, "-o", str(output), "--model", fake_models.onnx]
        run = subprocess.run([*map(str, command), *more], capture_output=True, text=True, timeout=300)
        assert run.returncode == 0, run.stderr
        assert "Warning" not in run.stderr
        tables.append(list(read_profiles(output)))
    for one, other in zip(*tables, strict=True):
        assert one.meta["name"] == other.meta["name"]
        for name in one.colnames:
            np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]))


def test_forced_bands_have_no_workers(write_galaxy, tmp_path):
    """--workers would be taken and change nothing."""
    path = write_galaxy("a.fits")
    arguments = ["--forced", f"r={path}", "--reference", "r", "-o", str(tmp_path / "o.ecsv"), "--workers", "2"]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert "--forced" in refused.stderr
