"""What every test may use: the folder of real images, a seeded generator, a quiet TensorFlow."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
import zlib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get("P2P_REAL_DATA") or ROOT.parent / "shared" / "real")

# tests/addons runs only where tensorflow-addons can be imported (make test-addons), and nothing else runs there.
if importlib.util.find_spec("tensorflow_addons") is None:
    collect_ignore = ["addons"]

if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import settings

    # No deadline: the first call of a TensorFlow function is slow. The same examples in every run, so that a failure
    # seen in continuous integration is seen here too.
    settings.register_profile("p2p", deadline=None, derandomize=True, max_examples=50)
    settings.load_profile("p2p")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's top folder."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images (galaxies/, sky/); the test is skipped where it is absent."""
    if not (REAL_DATA / "galaxies").is_dir():
        pytest.skip(f"no real images in {REAL_DATA} (set P2P_REAL_DATA)")
    return REAL_DATA


def _seed_of(request: pytest.FixtureRequest) -> int:
    """A seed of the test's own name: the same alone, in another order and in another worker."""
    return zlib.crc32(request.node.nodeid.encode())


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A numpy generator with a seed of the test's own."""
    return np.random.default_rng(_seed_of(request))


@pytest.fixture(autouse=True)
def _global_seeds(request: pytest.FixtureRequest) -> None:
    """Seed what tests use without saying so; Keras only where a test module has loaded it."""
    seed = _seed_of(request)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries under test still read the global state
    if "keras" in sys.modules and "tensorflow_addons" not in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)
