"""What the wheel and the source distribution hold, before anybody installs them."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile

from environment import ROOT

from p2p_keras.core.contract import DEFAULT_MODEL
from p2p_keras.core.model_files import find_model


def shipped() -> dict[str, bytes]:
    """The tracked files of the shipped model's newest version and of those beside it, by their name from the top."""
    newest = f"saved_models/{DEFAULT_MODEL}/{find_model(ROOT / 'saved_models' / DEFAULT_MODEL).version}/"
    listed = subprocess.run(["git", "ls-files", "-z", "saved_models"], cwd=ROOT, capture_output=True, text=True)
    names = [name for name in listed.stdout.split("\0") if name]
    versions = [name for name in names if name.split("/")[2:3] and name.split("/")[2].isdigit()]
    wanted = [name for name in names if name not in versions or name.startswith(newest)]
    assert len(wanted) > 8
    return {name: (ROOT / name).read_bytes() for name in wanted}


def test_wheel_holds_the_model(wheel):
    """Who installs from a package index would be told that the shipped model was not found."""
    with zipfile.ZipFile(wheel) as archive:
        held = {
            name.removeprefix("p2p_keras/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith("p2p_keras/saved_models/")
        }
    assert held == shipped()


def test_wheel_holds_the_package_alone(wheel):
    """Modules of an earlier build, tests or a second copy of the model would be installed too, or a page be missing."""
    kinds = (".py", ".html", ".css")
    paths = [path for path in (ROOT / "p2p_keras").rglob("*") if path.suffix in kinds]
    written = {path.relative_to(ROOT).as_posix() for path in paths}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name for name in names if name.endswith(kinds)} == written
    assert {name.split("/")[0] for name in names} == {"p2p_keras", f"{wheel.name.rsplit('-', 3)[0]}.dist-info"}


def test_sdist_holds_what_a_wheel_is_built_from(sdist):
    """Distributions of Linux and conda build from the sdist: theirs would have no model, or no licence."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(shipped()) <= names
    assert {"LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "pyproject.toml", "setup.py"} <= names
    assert not [name for name in names if name.startswith("tests")]
