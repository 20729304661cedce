"""What a run starts from, and what it says of the code that it ran."""

from __future__ import annotations

import subprocess

import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.network.training import run, session


def test_init_takes_a_model_by_its_name():
    """Who installed the package has no folder saved_models, and could not fine-tune the shipped model."""
    from pathlib import Path

    assert run._initial_file(Path("isophote")).name == "model.keras"
    with pytest.raises(UsageError, match="nosuch"):
        run._initial_file(Path("nosuch"))


def test_commit_is_that_of_this_code(tmp_path, monkeypatch):
    """A model's card would name the commit of the user's own project, in which the environment lies."""

    def git(*words):
        author = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *author, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "theirs.txt").write_text("")
    git("add", "theirs.txt")
    git("commit", "-m", "theirs")
    (tmp_path / "site-packages").mkdir()
    module = tmp_path / "site-packages" / "session.py"
    module.write_text("")
    monkeypatch.setattr(session, "__file__", str(module))
    assert session._commit() == ""
    git("add", "site-packages/session.py")
    git("commit", "-m", "ours")
    assert len(session._commit()) >= 7
