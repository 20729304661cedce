"""Every preset on every backend: how far mu is from TensorFlow's with the same weights, and how fast it is.

    python benchmarks/backend_table.py --torch .venv-torch/bin/python

Prints the table after each preset. Without ``--torch`` (the Python of an environment with PyTorch, see
``make test-torch``) PyTorch is looked for in this environment, and left out where it isn't.

Images have 112 px, one of them masked pixels and one a sky of 500. The weights of `isophote` are the shipped model's,
those of the others random; the paper's networks are as wide as published, or narrower by ``--width``. Rates are images
per second of processor time with one thread, in batches of 16, without the first call: the median of rounds in which
the backends take turns, a process each, so that a machine that others use is equally slow for all.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SIDE, BATCH = 112, 16
PRESETS = ("isophote", "pix2prof", "pix2prof_attention", "pix2prof_transformer")
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
ONE_THREAD = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")
ONE_THREAD |= {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}


def main() -> None:
    """Measure each preset, the backends in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="*", choices=PRESETS, default=PRESETS)
    parser.add_argument("--torch", metavar="PYTHON", help="Python of an environment with PyTorch.")
    parser.add_argument("--width", type=float, default=1.0, help="Of the paper's networks, over the published one.")
    parser.add_argument("--rounds", type=int, default=5, help="0 measures no rates.")
    parser.add_argument("--worker", nargs=2, metavar=("PRESET", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker[0], Path(options.worker[1]), options.width, options.rounds)
        return
    pythons = {name: sys.executable for name in BACKENDS if importlib.util.find_spec(name)}
    if options.torch:
        pythons["torch"] = options.torch
    print("| preset | backend | mu, largest difference (mag) | radii compared | inference | training (images/s) |")
    print("|---|---|---|---|---|---|")
    for preset in options.presets:
        for row in measure(preset, pythons, options):
            print("| " + " | ".join(row) + " |", flush=True)


def measure(preset: str, pythons: dict[str, str], options: argparse.Namespace) -> list[tuple[str, ...]]:
    """Rows of one preset."""
    with tempfile.TemporaryDirectory() as folder:
        workers, answers = {}, {}
        for backend, python in pythons.items():
            file = Path(folder, f"{backend}.npz")
            command = [python, __file__, "--worker", preset, str(file)]
            command += ["--width", str(options.width), "--rounds", str(options.rounds)]
            environment = {**os.environ, **ONE_THREAD, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            workers[backend] = subprocess.Popen(command, env=environment, text=True, bufsize=1, **pipes)
            if options.rounds:
                asked(workers[backend], "inference")  # ready, one after the other
            else:
                workers[backend].wait()
            answers[backend] = dict(np.load(file))
        times = {(backend, what): [] for backend in workers for what in ("inference", "training")}
        for _ in range(options.rounds):
            for backend, what in times:
                times[backend, what].append(asked(workers[backend], what))
        for worker in workers.values():
            worker.stdin.close()
            worker.wait()
    rows, reference = [], answers["tensorflow"]
    for backend, answer in answers.items():
        both = reference["valid"] & answer["valid"]
        largest = np.abs(answer["mu"] - reference["mu"])[both].max(initial=0.0)
        compared = ("", "") if backend == "tensorflow" else (f"{largest:.1g}", f"{both.sum()} of {both.size}")
        taken = [times[backend, what] for what in ("inference", "training")]
        rates = (f"{BATCH / statistics.median(seconds):.3g}" if seconds else "" for seconds in taken)
        rows.append((preset, BACKENDS[backend], *compared, *rates))
    return rows


def asked(worker: subprocess.Popen, what: str) -> float:
    """Seconds of processor time that a worker takes for one batch."""
    worker.stdin.write(what + "\n")
    if not (answer := worker.stdout.readline()):
        sys.exit(f"{worker.args}: ended with {worker.wait()}")
    return float(answer)


def work(preset: str, file: Path, width: float, rounds: int) -> None:
    """Write the answers to one batch, then do what standard input asks for, and say how long each took."""
    answers, requests = os.dup(1), sys.stdin
    os.dup2(2, 1)  # what libraries print is no answer
    import keras

    from p2p_keras.data.pipeline import ShardBatches
    from p2p_keras.network.models import build_network, finish_model
    from p2p_keras.network.training.recipes import RECIPES
    from p2p_keras.network.training.run import load_initial
    from p2p_keras.network.training.teaching import teaching_of
    from p2p_keras.network.training.trainer import ProfileTrainer

    recipe, shipped = RECIPES[preset], preset == "isophote"
    network = build_network(preset, sky_free=True, **({"errors": True} if shipped else {"width": width}))
    if shipped:
        load_initial(network, str(ROOT / "saved_models" / "isophote" / "model.keras"))
    rng = np.random.default_rng(1)
    for variable in network.weights:
        if not shipped and (len(variable.shape) > 1 or variable.path.endswith("attention_v")):  # all that is random
            variable.assign(rng.normal(0, 0.5 / np.sqrt(np.prod(variable.shape[:-1])), variable.shape))
    data = ShardBatches(ROOT / "tfrecords", "train", batch_size=BATCH, image_sizes=(SIDE,), seed=1)
    inputs, targets = next(iter(data))
    inputs["image"][1, 20:35, 60:90] = np.nan
    inputs["image"][2] += 500.0
    model = finish_model(network)
    answer = (model if shipped else network).predict_on_batch(inputs)
    # Random weights write no caption that is a profile: then all radii are compared.
    np.savez(file, mu=answer["mu"], valid=answer["valid"] if shipped else np.isfinite(answer["mu"]))
    if not rounds:
        return
    losses = import_module(f"p2p_keras.network.training.{recipe.loss}")
    trainer = ProfileTrainer(network, losses=losses, teaching=teaching_of(network, recipe.teaching, 1000))
    trainer.compile(keras.optimizers.AdamW(1e-4), jit_compile=keras.config.backend() == "jax")
    trainer.optimizer.build(trainer.trainable_variables)
    trainer.train_on_batch(inputs, targets)
    steps = {
        "inference": lambda: model.predict_on_batch(inputs),
        "training": lambda: trainer.train_on_batch(inputs, targets),
    }
    for line in requests:
        began = time.process_time()
        steps[line.strip()]()
        os.write(answers, f"{time.process_time() - began}\n".encode())


if __name__ == "__main__":
    main()
