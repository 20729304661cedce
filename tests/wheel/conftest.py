"""What `make wheel` built, and the two environments that users make of it. Skipped where nothing was built."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from environment import ROOT, Environment


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder with one wheel and one source distribution, which P2P_DIST names."""
    named = os.environ.get("P2P_DIST")
    if not named:
        pytest.skip("no wheel was built (make wheel)")
    return Path(named)


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    """The wheel."""
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def sdist(built: Path) -> Path:
    """The source distribution."""
    (path,) = built.glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment made by ``pip install 'p2p-keras[serve]'``."""
    environment = Environment(tmp_path_factory.mktemp("installed"))
    environment.install(f"p2p-keras[serve] @ {wheel.resolve().as_uri()}")
    return environment


def readme_lines() -> list[list[str]]:
    """The words of the README's ``pip install`` lines for those who only measure, and the wheel's place among them."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```bash\n((?:pip install [^\n]*\n)*pip install --no-deps p2p-keras\n[^`]*)```", text)
    lines = re.sub(r"\\\n\s*", " ", block).strip().splitlines()
    return [shlex.split(line.partition("  #")[0])[2:] for line in lines]


@pytest.fixture(scope="session")
def measuring(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment without TensorFlow, made by the README's two lines."""
    environment = Environment(tmp_path_factory.mktemp("measuring"))
    for words in readme_lines():
        environment.install(*(str(wheel) if word == "p2p-keras" else word for word in words))
    return environment
