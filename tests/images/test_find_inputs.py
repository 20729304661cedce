"""Files, folders, patterns and lists of a program's arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.images import find_inputs
from p2p_keras.images.inputs import stem_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.fits", "a.fits.gz", "c.FIT", "d.fits.fz", "a-mask.fits", "notes.txt", "g[1].fits"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "e.fits.bz2").write_bytes(b"x")
    return tmp_path


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_folder(folder):
    """`predict DIR` would miss packed images, or measure masks and text files."""
    assert names(find_inputs([folder])) == ["a.fits.gz", "b.fits", "c.FIT", "d.fits.fz", "g[1].fits"]


def test_patterns_and_repeats(folder):
    """Quoted patterns would fail, or a galaxy named twice be measured twice."""
    paths = find_inputs([folder / "b.fits", f"{folder}/*.fits*", f"{folder}/**/*.bz2", str(folder / "g[1].fits")])
    assert names(paths) == ["b.fits", "a.fits.gz", "d.fits.fz", "g[1].fits", "e.fits.bz2"]


def test_list_file(folder, monkeypatch):
    """`predict @list.txt` would fail on comments, blank lines or names relative to the list."""
    (folder / "list.txt").write_text("# galaxies\n\nb.fits\n deeper/*.bz2 \n")
    monkeypatch.chdir("/")
    assert names(find_inputs([f"@{folder}/list.txt"])) == ["b.fits", "e.fits.bz2"]


def test_missing_names_are_kept(folder):
    """One misspelt name would stop the whole batch instead of failing alone."""
    assert names(find_inputs([folder / "nothing.fits", f"{folder}/*.none", folder / "b.fits"])) == [
        "nothing.fits",
        "*.none",
        "b.fits",
    ]


def test_wrong_usage(folder):
    """A list that isn't there, names itself, or an empty command line would pass as done."""
    (folder / "loop.txt").write_text("@loop.txt\n")
    for arguments in ([], ["@/no/such/list"], [f"@{folder}/loop.txt"]):
        with pytest.raises(UsageError):
            find_inputs(arguments)


def test_stem():
    """Output tables would be named galaxy.fits.ecsv."""
    assert [stem_of(n) for n in ("a/ngc1.fits.gz", "x.y.FIT", "plain")] == ["ngc1", "x.y", "plain"]
