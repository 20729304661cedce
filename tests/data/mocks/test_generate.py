"""Shards of mocks: resumable, never mixed, the same whatever the number of workers."""

import hashlib
import subprocess
from dataclasses import replace

import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks import workers as module
from p2p_keras.data.mocks.generate import generate
from p2p_keras.data.mocks.job import Job, plan_shards
from p2p_keras.data.shards import ShardWriteError, find_shards, read_shards

JOB = Job("sdss", 10, 5, 64, {"train": 0.8, "val": 0.2}, galaxies_per_shard=4)


def digests(folder):
    """Name and checksum of every file that is meant to be read."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir()) if p.name[0] != "."}


def test_same_bytes_whatever_the_workers(tmp_path):
    """A data set made on another machine wouldn't be the same, and results couldn't be compared."""
    assert generate(JOB, tmp_path / "one", workers=1) == 10
    generate(JOB, tmp_path / "two", workers=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert {"dataset.json"} | set(plan_shards(JOB)) == set(digests(tmp_path / "one"))


def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    """Hours of work would be lost, or finished shards rewritten, when a run is killed."""
    generate(JOB, tmp_path / "whole", workers=1)
    simulate, calls = module.simulate_galaxy, []

    def dies(*args, **kwargs):
        calls.append(args)
        if len(calls) > 6:
            raise KeyboardInterrupt
        return simulate(*args, **kwargs)

    monkeypatch.setattr(module, "simulate_galaxy", dies)
    with pytest.raises(KeyboardInterrupt):
        generate(JOB, tmp_path / "killed", workers=1)
    finished = digests(tmp_path / "killed")
    times = {name: (tmp_path / "killed" / name).stat().st_mtime_ns for name in finished}
    assert 0 < len(finished) < len(plan_shards(JOB))
    monkeypatch.setattr(module, "simulate_galaxy", simulate)
    assert generate(JOB, tmp_path / "killed", workers=1) < 10
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")
    assert times == {name: (tmp_path / "killed" / name).stat().st_mtime_ns for name in times}
    assert not list((tmp_path / "killed").glob("*.part"))


def test_another_job_is_refused(tmp_path):
    """Shards of two seeds would mix in one folder unnoticed."""
    generate(replace(JOB, count=1), tmp_path, workers=1)
    with pytest.raises(UsageError, match="another seed"):
        generate(replace(JOB, count=1, seed=6), tmp_path, workers=1)


def test_extras_are_in_the_settings_and_older_data_sets_still_match(tmp_path):
    """Nobody could make the data set again; or one made without the options would be refused as another's."""
    from p2p_keras.data.mocks.extras import Extras

    assert not {"sky", "masks", "front", "field", "truth", "troubles", "extras"} & JOB.settings().keys()
    every = replace(JOB, survey="any").settings()
    assert {every[name] for name in ("sky", "masks", "front", "field", "truth")} == {"any"}
    job = replace(JOB, count=2, extras=Extras(sky="300", masks="grid"))
    assert (job.settings()["sky"], job.settings()["masks"]) == ("300", "grid")
    generate(job, tmp_path, workers=1)
    (galaxy, *_) = [g for path in find_shards(tmp_path) for g in read_shards(path)]
    assert galaxy.sky > 200 * galaxy.noise
    with pytest.raises(UsageError, match="another sky"):
        generate(replace(job, extras=Extras(sky="20", masks="grid")), tmp_path, workers=1)


def test_all_bands_stay_in_one_split():
    """The same galaxy would be trained on in g and tested on in r."""
    plan = plan_shards(replace(JOB, count=500, bands=("g", "r", "i")))
    indices = [index for members in plan.values() for index in members]
    assert sorted(indices) == list(range(500))


def test_a_full_disk_keeps_finished_shards_and_the_run_goes_on(tmp_path):
    """A night's mocks would be lost when the disk is full, or half a shard be trained on."""
    out = tmp_path / "small"
    out.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(out)], capture_output=True)
    if mount.returncode:
        pytest.skip("may not mount a small file system here")
    job = replace(JOB, galaxies_per_shard=2)
    try:
        with pytest.raises(ShardWriteError, match="No space left on device; finished shards are kept"):
            generate(job, out, workers=1)
        finished = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tfrecord")}
        assert 1 <= len(finished) < len(plan_shards(job))
        assert not list(out.glob(".*.part"))
        subprocess.run(["mount", "-o", "remount,size=2m", str(out)], check=True)
        assert 0 < generate(job, out, workers=1) < 10
        assert {name: (out / name).stat().st_mtime_ns for name in finished} == finished
        generate(job, tmp_path / "whole", workers=1)
        assert digests(out) == digests(tmp_path / "whole")
    finally:
        subprocess.run(["umount", "-l", str(out)], check=True)


def test_bands_of_a_galaxy_are_in_its_shard(tmp_path):
    """`--bands g,r,i` would not make three images of each galaxy, or spread them over the splits."""
    generate(replace(JOB, count=4, bands=("g", "r", "i")), tmp_path, workers=1)
    seen = {}
    for path in find_shards(tmp_path):
        for galaxy in read_shards(path):
            seen.setdefault(galaxy.name, []).append((path.name.split("-")[0], galaxy.band))
    assert len(seen) == 4
    for places in seen.values():
        assert [band for _, band in places] == ["g", "r", "i"]
        assert len({split for split, _ in places}) == 1
