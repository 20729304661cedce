"""What a GPU does with the networks, on JAX: the same numbers as the CPU, rates, training in each precision.

    pip install "p2p-keras[jax-gpu]"
    python benchmarks/gpu.py --minutes 10 --output gpu

Ends with a table on standard output and gpu/gpu.json, both written anew after each part: an interrupted run loses only
the part that it was in. Each part is a process with a time limit of its own. Without a GPU all runs on the CPU, with
smaller images and batches, and in 10 minutes or fewer with programs that XLA doesn't optimize.

`--bundle FOLDER` makes a copy of the package and of the few packages that it needs, below 60 MB, for a machine that has
only Python, numpy, scipy and JAX: there, ``python FOLDER/gpu.py --minutes 10``.

`--small` tries the script itself in a minute on a CPU, with tiny networks and few steps.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()
HERE = Path(__file__).resolve().parent
ROOT = HERE if (HERE / "p2p_keras").is_dir() else HERE.parent
for place in (ROOT, HERE / "packages"):
    sys.path.insert(0, str(place))
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # so that the memory that is used can be told

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SETTINGS = {"sky_free": True, "errors": True}  # of the shipped model
SMALL = {"filters": [4, 8], "depths": [0, 1], "centre_filters": [4, 8], "dim": 16, "num_heads": 2}
SMALL |= {"sky_blocks": 1, "decoder_blocks": 1}
BUNDLED = """absl click google_crc32c google_crc32c.libs google/protobuf google/_upb h5py h5py.libs keras markdown_it
mdurl ml_dtypes namex optree packaging pygments rich typing_extensions.py"""


def model_file() -> Path:
    """The shipped model."""
    return ROOT / "saved_models" / "isophote" / "model.keras"


def images(batch: int, side: int):
    """Noisy exponential discs of different sizes, as inputs of a network."""
    import numpy as np

    rng = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side].astype("float32")
    few = []
    for _ in range(min(batch, 16)):
        x0, y0 = (side - 1) / 2 + rng.normal(0, side / 50, 2)
        q, scale = rng.uniform(0.4, 1), rng.uniform(side / 30, side / 10)
        disc = 10 ** rng.uniform(1, 3) * np.exp(-np.hypot(x - x0, (y - y0) / q) / scale)
        few.append((disc + rng.normal(size=disc.shape)).astype("float32"))
    image = np.resize(np.stack(few), (batch, side, side))
    numbers = {"zero_point": np.full(batch, 22.5, "float32"), "pixel_scale": np.full(batch, 0.4, "float32")}
    return {"image": image, **numbers}


def network_of(precision: str, small: bool):
    """The shipped model's network and weights in a precision, or a tiny one as it begins."""
    import keras

    from p2p_keras.network.models import build_network
    from p2p_keras.network.training.run import load_initial

    keras.utils.clear_session()
    network = build_network("isophote", dtype=precision, **SETTINGS, **(SMALL if small else {}))
    if not small:
        load_initial(network, str(model_file()))
    return network


def as_function(network):
    """A jitted function of (weights, inputs), and the weights: they decide on which device it runs."""
    import jax

    from p2p_keras.network.models import finish_model

    model = finish_model(network)

    def answer(weights, inputs):
        outputs, _ = model.stateless_call(*weights, inputs, training=False)
        return {name: outputs[name] for name in ("mu", "mu_err", "ellipticity", "pa", "growth", "valid")}

    weights = [[v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables)]
    return jax.jit(answer), weights


def until(seconds: float, run, least: int = 2) -> float:
    """Seconds that one call takes, after one to warm up, measured for so many seconds."""
    run()
    began, calls = time.perf_counter(), 0
    while calls < least or time.perf_counter() - began < seconds:
        run()
        calls += 1
    return (time.perf_counter() - began) / calls


@contextlib.contextmanager
def failures(results: dict, name: str):
    """Write down why a case failed, such as a batch that is too large for the memory, and go on with the next."""
    try:
        yield
    except Exception as error:
        results[f"{name}: failed"] = f"{type(error).__name__}: {error}".splitlines()[0][:200]


# Each part writes into `results` as it goes, and calls `keep` after each figure.


def compare(results, keep, options):
    """1. The shipped model here and on the CPU: largest difference of mu where it is valid in both."""
    import jax
    import numpy as np

    run, weights = as_function(network_of("float32", options.small))
    inputs, cpu = images(16, options.side), jax.devices("cpu")[0]
    true = jax.device_get(run(*jax.device_put((weights, inputs), cpu)))
    for precision in ("highest", "tensorfloat32", "bfloat16") if options.gpu else ("highest",):
        # A CPU has this one alone; to ask for it would compile the same program again.
        with jax.default_matmul_precision(precision if options.gpu else None):
            here = jax.device_get(run(*jax.device_put((weights, inputs), jax.devices()[0])))
        both = true["valid"] & here["valid"]
        difference = float(np.abs(true["mu"] - here["mu"])[both].max(initial=0.0))
        results[f"largest difference of mu (mag), matrix units: {precision}"] = difference
        results[f"radii valid in one alone: {precision}"] = int((true["valid"] != here["valid"]).sum())
        keep()


def inference(results, keep, options):
    """2. Images a second, from the host's memory and from the device's, and the share of the matrix units' rate."""
    import jax
    import jax.numpy as jnp

    peaks = {}
    size, seconds = 8192 if options.gpu else 256 if options.small else 1024, min(1.0, 2 * options.slice_s)
    for kind in ("float32", "bfloat16"):
        square = jnp.ones((size, size), kind)
        product = jax.jit(lambda x: x @ x)
        peaks[kind] = 2.0 * size**3 / until(seconds, lambda x=square, f=product: f(x).block_until_ready())
        results[f"a product of matrices of {size}, {kind} (TFLOP/s)"] = peaks[kind] / 1e12
        keep()
    precisions = PRECISIONS[1:2] if options.small else PRECISIONS[:2]
    cases = [(precision, batch) for batch in options.batches for precision in precisions]
    networks = {}
    for precision, batch in cases:
        if precision not in networks:
            networks[precision] = as_function(network_of(precision, options.small))
        run, weights = networks[precision]
        inputs, name = images(batch, options.side), f"{precision}, batch {batch}"
        with failures(results, name):
            there = jax.device_put(inputs)
            compiled = run.lower(weights, there).compile()

            def answered(given, f=compiled, w=weights):
                jax.block_until_ready(f(w, given))

            fresh = until(options.slice_s, lambda f=answered, x=inputs: f(jax.device_put(x)))
            held = until(options.slice_s, lambda f=answered, x=there: f(x))
            results[f"{name} (images/s): from the host"] = batch / fresh
            results[f"{name} (images/s): on the device"] = batch / held
            flops = (compiled.cost_analysis() or {}).get("flops", 0.0)
            results[f"{name}: share of the product's rate"] = flops / held / peaks[precision.removeprefix("mixed_")]
        keep()


def training(results, keep, options):
    """3. Steps in each precision: images a second, memory, and the loss from one seed on the same batches."""
    import jax
    import keras
    import numpy as np

    from p2p_keras.data.pipeline import ShardBatches
    from p2p_keras.network.training.config import FitConfig
    from p2p_keras.network.training.run import make_trainer

    data = mocks(options, 512 if options.gpu else 24)
    curves: dict[str, list[float]] = {}
    precisions = PRECISIONS[-1:] if options.small else PRECISIONS
    # The curves first, for all precisions, with four times the time of each larger batch.
    cases = [(precision, batch) for batch in options.training_batches for precision in precisions]
    weights = [4.0 if batch == options.training_batches[0] else 1.0 for _, batch in cases]
    network = {f"model.{name}": value for name, value in (SMALL if options.small else {}).items()}
    for done, (precision, batch) in enumerate(cases):
        began = time.perf_counter()
        share = (options.ends - began) * weights[done] / sum(weights[done:])
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        settings = {"precision": precision, "batch_size": batch, "warmup_steps": 50, **network}
        trainer = make_trainer(FitConfig.from_mapping(settings, "benchmark"), 500)
        held = ShardBatches(data, "train", batch_size=batch, image_sizes=(options.side,), shuffle=True, seed=1)
        batches = [b for _, b in zip(range(8), held.repeat(), strict=False)]
        losses, name, timed = [], f"{precision}, batch {batch}", 0.0
        with failures(results, name):
            for step in range(options.steps if batch == options.training_batches[0] else 20):
                start = time.perf_counter()
                losses.append(float(trainer.train_on_batch(*batches[step % len(batches)], return_dict=True)["loss"]))
                timed += (time.perf_counter() - start) * (step > 0)
                if step > 2 and time.perf_counter() - began > share:
                    break
            results[f"{name} (images/s)"] = batch * (len(losses) - 1) / timed
            results[f"{name}: loss, last of {len(losses)} steps"] = float(np.mean(losses[-8:]))
            curves[name] = losses
            (options.output / "curves.json").write_text(json.dumps(curves))
        memory = jax.devices()[0].memory_stats() or {}
        if "peak_bytes_in_use" in memory:
            results[f"{name}: peak memory so far (GiB)"] = memory["peak_bytes_in_use"] / 2**30
        keep()


def pipeline(results, keep, options):
    """4. How fast this machine's cores read, vary and batch images, and how long the device would wait for them."""
    from p2p_keras.data.pipeline import ShardBatches

    data = mocks(options, 512 if options.gpu else 24)
    batches = ShardBatches(
        data, "train", batch_size=16, image_sizes=(options.side,), shuffle=True, augment=True, seed=1
    )
    endless = iter(batches.repeat())
    rate = 16 / until(min(20 * options.slice_s, options.seconds / 2), lambda: next(endless))
    results[f"without TensorFlow, {os.cpu_count()} cores (images/s)"] = rate
    keep()
    trained = [v for name, v in known(options, "training").items() if name.startswith("float32") and "images/s" in name]
    if trained:
        results["share of the time that training in float32 waits for images"] = max(0.0, 1.0 - rate / max(trained))
    keep()


def simulation(results, keep, options):
    """5. Mock galaxies a second, all cores."""
    count = 200 * (os.cpu_count() or 1) if options.gpu else 24
    folder = options.output / "simulated"
    shutil.rmtree(folder, ignore_errors=True)
    began = time.perf_counter()
    simulate(folder, count, options.side)
    results[f"{os.cpu_count()} cores (galaxies/s)"] = count / (time.perf_counter() - began)
    keep()


def longer(results, keep, options):
    """6. With the time that is left: isophote from the shipped weights, then pix2prof at the paper's full size."""
    data, steps = mocks(options, 512 if options.gpu else 24), 50 if options.gpu else 2
    runs = {"isophote": ["--init", str(model_file()), "--learning-rate", "3e-4"], "pix2prof": []}
    if options.small:
        runs = {"isophote": [f"--set=model.{name}={json.dumps(value)}" for name, value in SMALL.items()]}
    elif not options.gpu:
        runs = {"isophote": runs["isophote"]}
    for done, (preset, further) in enumerate(runs.items()):
        folder = options.output / f"run_{preset}"
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "p2p_keras.fit", "--data", str(data), "--preset", preset, *further]
        command += ["--epochs", "2" if options.small else "1000", "--no-export", "--quiet"]
        command += ["--steps-per-epoch", str(steps)]
        batch = "64" if options.gpu else "4"
        command += ["--run", str(folder), "--image-sizes", str(options.side), "--batch-size", batch]
        stopped(command, (options.ends - time.perf_counter()) / (len(runs) - done))
        table = folder / "metrics.csv"
        rows = table.read_text().splitlines() if table.exists() else []
        if len(rows) > 1:
            row = dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))
            results[f"{preset}: epochs of {steps} steps"] = len(rows) - 1
            results[f"{preset}: held-out error (mag)"] = float(row["val_error_bright"])
        keep()


PARTS = {
    "compare": (compare, 0.12, 0.28),
    "inference": (inference, 0.18, 0.15),
    "training": (training, 0.35, 0.40),
    "pipeline": (pipeline, 0.05, 0.05),
    "simulation": (simulation, 0.05, 0.05),
    "longer": (longer, 0.25, 0.07),
}
"""Function of each part and its share of the time, on a GPU and on a CPU, where compilations take most of it."""


def simulate(folder: Path, count: int, side: int) -> None:
    """Make mock galaxies."""
    command = [sys.executable, "-m", "p2p_keras.simulate", "--survey", "mixed", "--count", str(count), "--seed", "7"]
    command += ["--size", str(side), "--splits", "train=0.75,val=0.25", "--output", str(folder), "--quiet"]
    subprocess.run(command, check=True, env=environment())


def mocks(options, count: int) -> Path:
    """Mock galaxies to train on, made once."""
    folder = options.output / "mocks"
    if not (folder / "dataset.json").exists():
        simulate(folder, count, options.side)
    return folder


def environment() -> dict[str, str]:
    """Of processes that import the package and what lies beside it."""
    paths = [str(ROOT), str(HERE / "packages"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p)}


def stopped(command: list[str], seconds: float, *, apart: bool = False) -> str:
    """Run a command for so many seconds at most; how it ended. If `apart`, all that it has started ends with it."""
    process = subprocess.Popen(command, env=environment(), start_new_session=apart)
    send = (lambda sent: os.killpg(process.pid, sent)) if apart else process.send_signal
    try:
        code = process.wait(max(seconds, 1.0))
        return "done" if code == 0 else f"failed (exit status {code})"
    except subprocess.TimeoutExpired:
        send(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3.0)
        return "stopped at its time limit"
    finally:
        with contextlib.suppress(ProcessLookupError):
            send(signal.SIGKILL)
        process.wait()


def known(options, part: str) -> dict:
    """Figures that a part has written."""
    path = options.output / f"{part}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def draw(folder: Path) -> None:
    """The loss of all precisions in one picture, where matplotlib is at hand."""
    path = folder / "curves.json"
    if not path.exists() or importlib.util.find_spec("matplotlib") is None:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    curves = json.loads(path.read_text())
    first = next(iter(curves)).rpartition(" ")[2]
    for name, losses in curves.items():
        if name.endswith(f" {first}"):
            axes.plot(range(1, len(losses) + 1), losses, lw=1, label=name)
    axes.set(xlabel="step", ylabel="loss", title="Training from one seed, same batches")
    axes.legend(frameon=False)
    figure.savefig(folder / "curves.png", dpi=150)


def table(result: dict) -> str:
    """Markdown, a row a figure."""
    rows = [f"{result['device']}, JAX {result['jax']}, {result['date']} {result['xla_flags']}".strip()]
    rows += ["", "| part | figure | |", "|---|---|---|"]
    for part, figures in result["parts"].items():
        rows += [f"| {part} | {name} | {f'{v:.4g}' if isinstance(v, float) else v} |" for name, v in figures.items()]
    return "\n".join(rows)


def bundle(folder: Path) -> None:
    """Copy what a machine with only Python, numpy, scipy and JAX needs."""
    skipped = shutil.ignore_patterns("__pycache__", "*.pyi", "tests", "saved_models")
    folder.mkdir(parents=True)
    shutil.copy(__file__, folder / "gpu.py")
    shutil.copytree(ROOT / "p2p_keras", folder / "p2p_keras", ignore=skipped)
    (folder / "saved_models" / "isophote").mkdir(parents=True)
    shutil.copy(model_file(), folder / "saved_models" / "isophote")
    site = Path(importlib.util.find_spec("keras").origin).parents[1]
    for name in BUNDLED.split():
        if (site / name).is_dir():
            shutil.copytree(site / name, folder / "packages" / name, ignore=skipped)
        elif (site / name).exists():
            shutil.copy(site / name, folder / "packages" / name)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.0f} MB")


def main() -> None:
    """Run all parts, or one of them in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--output", type=Path, default=Path("gpu"))
    parser.add_argument("--side", type=int, help="Side of the images in px [default: 256; 64 on a CPU].")
    parser.add_argument("--small", action="store_true", help="Tiny networks, few steps: tries the script alone.")
    parser.add_argument("--bundle", type=Path, metavar="FOLDER", help="Make a copy for a bare machine, and stop.")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bundle:
        bundle(options.bundle)
        return
    options.output = options.output.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    import jax

    device = jax.devices()[0]
    options.gpu = device.platform == "gpu"
    options.side = options.side or (256 if options.gpu else 64)
    options.batches = (1, 16, 64, 256, 1024) if options.gpu else (2,) if options.small else (16, 1)
    options.training_batches = (64, 256, 1024) if options.gpu else (8,)
    options.slice_s = 0.05 if options.small else 2.0 if options.gpu else 0.5
    options.steps = 4 if options.small else 500
    if options.part:
        options.ends = STARTED + options.seconds - 3.0
        results: dict = {}
        keep = lambda: (options.output / f"{options.part}.json").write_text(json.dumps(results, indent=1))  # noqa: E731
        PARTS[options.part][0](results, keep, options)
        return
    if not options.gpu and options.minutes <= 10:  # LLVM would take minutes to optimize what then runs for seconds
        flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
        os.environ["XLA_FLAGS"] = f"{flags} {os.environ.get('XLA_FLAGS', '')}".strip()
    began = time.perf_counter()
    result = {"device": device.device_kind, "platform": device.platform, "jax": jax.__version__}
    result |= {"date": time.strftime("%Y-%m-%d"), "minutes": options.minutes, "side": options.side}
    result |= {"xla_flags": os.environ.get("XLA_FLAGS", ""), "parts": {}}
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(options.output / "compiled")  # parts share programs
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"  # also the many small ones that weights begin with
    shares = {part: PARTS[part][1 if options.gpu else 2] for part in options.parts}
    left = sum(shares.values())
    for part in options.parts:
        # Time that a part didn't need is the others'.
        rest = 60.0 * options.minutes - (time.perf_counter() - began)
        seconds = max(5.0, rest * shares[part] / left)
        left -= shares[part]
        (options.output / f"{part}.json").unlink(missing_ok=True)
        command = [sys.executable, __file__, "--part", part, "--seconds", f"{seconds:.0f}"]
        command += ["--output", str(options.output), "--side", str(options.side), *["--small"] * options.small]
        ended = stopped(command, seconds, apart=True)
        result["parts"][part] = {**known(options, part), "ended": ended}
        (options.output / "gpu.json").write_text(json.dumps(result, indent=1) + "\n")
        (options.output / "gpu.md").write_text(table(result) + "\n")
    draw(options.output)
    for made in ("mocks", "simulated", "compiled"):  # a person wants figures and weights back
        shutil.rmtree(options.output / made, ignore_errors=True)
    print(table(result))


if __name__ == "__main__":
    main()
