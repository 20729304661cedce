"""What every test may use: the folder of real images, a seeded generator, a quiet TensorFlow."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import random
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: threads of TensorFlow's own would only wait for each other.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

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


def pytest_addoption(parser: pytest.Parser) -> None:
    """The same tests with other seeds: what passes by the luck of its seed is found so."""
    parser.addoption("--seed-shift", type=int, default=0, metavar="N", help="add N to the seed of every test")


@pytest.fixture(scope="session")
def seed_shift(request: pytest.FixtureRequest) -> int:
    """What to add to a seed that a test or fixture chooses itself."""
    return request.config.getoption("--seed-shift")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's top folder."""
    return ROOT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: else one worker is left alone with them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


TOGETHER = {
    "tests/page/test_judging.py": "the page",  # the program `view`, and the browser
    "tests/page/test_measuring.py": "the page",
    "tests/docs/test_code_blocks.py": "the servers",
    "tests/serving/test_client.py": "the servers",
    "tests/serving/test_cpp_loader.py": "the servers",
    "tests/serving/test_server_contract.py": "the servers",
    "tests/sky_survey/test_result.py": "the servers",
}
"""Files that share what each worker makes for itself: one worker gets them all."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """`--dist loadfile`, with the files that are `TOGETHER` as one."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class LoadFilesScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return TOGETHER.get(file, file)

    return LoadFilesScheduling(config, log)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Function of a name and of what fills a folder: the folder, filled by whichever worker needs it first.

    For what takes long to make and is only read. The others wait for it.
    """
    common = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent

    def folder_of(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = common / f"once-{name}", common / f"once-{name}.done"
        with open(common / f"once-{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker whose attempt failed
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return folder_of


@pytest.fixture(scope="session")
def shipped_server() -> Iterator[object]:
    """A server of the shipped models in this process, which tests of serving, documentation and surveys ask.

    Its `address` is HOST:PORT. A process of its own would import TensorFlow once more.
    """
    sys.path.insert(0, str(ROOT / "tests" / "serving"))
    from running_server import ServerInThread

    from p2p_keras.client import ProfileClient

    # The 12 warm-up requests have 315 images: tests/serving/test_server_contract.py asks those of one.
    server = ServerInThread(ROOT / "saved_models", settle_s=0.2, poll_s=0.5, warm_up=False)
    try:
        server.wait_for_a_model()
        # The first answer takes 4 s of processor time; beside other work, more than the patience of a page's client.
        with ProfileClient(server.address, model="isophote", timeout=300) as client:
            client.profile(np.random.default_rng(0).normal(size=(64, 64)), zero_point=22.5, pixel_scale=0.4)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images (galaxies/, sky/); the test is skipped where it is absent."""
    if not (REAL_DATA / "galaxies").is_dir():
        pytest.skip(f"no real images in {REAL_DATA} (set P2P_REAL_DATA)")
    return REAL_DATA


def _seed_of(request: pytest.FixtureRequest) -> int:
    """A seed of the test's own name: the same alone, in another order and in another worker."""
    return (zlib.crc32(request.node.nodeid.encode()) + request.config.getoption("--seed-shift")) % 2**32


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
        with pytest.MonkeyPatch.context() as patch:
            _keep_tensorflows_seed(patch, request.config.getoption("--seed-shift"))
            sys.modules["keras"].utils.set_random_seed(seed)


def _keep_tensorflows_seed(patch: pytest.MonkeyPatch, seed: int) -> None:
    """Let TensorFlow have one seed in all tests.

    To set it throws away every function that TensorFlow has optimized: each test that asks the shipped SavedModel
    would wait 4 s for it anew. Nothing of ours draws from that generator; only the order in which tf.data shuffles
    depends on its seed, too.
    """
    if "tensorflow.python.eager.context" in sys.modules:
        random_of_tensorflow = sys.modules["tensorflow"].random
        if sys.modules["tensorflow.python.eager.context"].global_seed() != seed:
            random_of_tensorflow.set_seed(seed)
        patch.setattr(random_of_tensorflow, "set_seed", lambda _: None)
