"""TensorFlow's speed of a preset in this tree and at another commit, in turns: inference and training.

    python benchmarks/tensorflow_speed.py --against COMMIT --presets isophote pix2prof

Figures are processor time with one thread: milliseconds an image of the compiled network (batches of 32, as a
SavedModel's graph runs) and of a training step (batches of 16). Both trees run in processes of their own that stay
alive, and are measured in turns; the table has each median, and the ratio of each pair: its median, least and
greatest. Weights are the shipped model's for `isophote`, else from one seed; with ``--seeded`` they are always from one
seed, and `isophote` is the network of versions 1 to 3, which a commit before version 4 has too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIDE = 112
BATCHES = {"inference": 32, "training": 16}
SETTINGS = {"isophote": {"sky_free": True, "errors": True}}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")


def main() -> None:
    """Measure both trees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", default="HEAD", help="A commit.")
    parser.add_argument("--presets", nargs="+", default=["isophote"])
    parser.add_argument("--width", type=float, default=0.125, help="Of the paper's networks, 1 as published.")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="Processor time of each measurement.")
    parser.add_argument("--seeded", action="store_true", help="The default networks, weights from one seed.")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.width, options.seconds, options.seeded)
        return
    from rates import tree_of

    print("| preset | | before (ms/image) | now (ms/image) | now / before: median (least to greatest) |")
    print("|---|---|---|---|---|", flush=True)
    with tree_of(options.against) as before:
        for preset in options.presets:
            workers = [started(tree, preset, options) for tree in (before, ROOT)]
            pairs = [(answer(workers[0]), answer(workers[1])) for _ in range(options.pairs)]
            for worker in workers:
                worker.stdin.close()
                worker.wait()
            for what in BATCHES:
                then, now = ([pair[i][what] for pair in pairs] for i in range(2))
                ratios = [b / a for a, b in zip(then, now, strict=True)]
                cells = (f"{statistics.median(then):.2f}", f"{statistics.median(now):.2f}")
                spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
                print(f"| {preset} | {what} | {' | '.join(cells)} | {spread} |", flush=True)


def started(tree: Path, preset: str, options: argparse.Namespace) -> subprocess.Popen:
    """A process that measures the package of a tree whenever it gets a line."""
    environment = {**os.environ, **ONE_THREAD, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(tree)}
    command = [sys.executable, __file__, "--worker", preset, "--width", str(options.width)]
    command += ["--seconds", str(options.seconds), *["--seeded"] * options.seeded]
    return subprocess.Popen(
        command, cwd=tree, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def answer(worker: subprocess.Popen) -> dict[str, float]:
    """One measurement of a process."""
    worker.stdin.write("again\n")
    worker.stdin.flush()
    return json.loads(worker.stdout.readline())


def work(preset: str, width: float, seconds: float, seeded: bool) -> None:
    """Measure the package that is imported, once for each line of standard input."""
    import keras
    import numpy as np
    import tensorflow as tf

    # By the paths of version 0.1, which lead to the modules of today too.
    warnings.simplefilter("ignore")
    from p2p_keras.models import finish_model
    from p2p_keras.pipeline import make_dataset
    from p2p_keras.training.config import FitConfig
    from p2p_keras.training.run import load_initial, make_trainer

    keras.utils.set_random_seed(1)
    settings = SETTINGS.get(preset, {"width": width})
    if seeded and preset == "isophote":
        settings = {}
    config = {"preset": preset, **{f"model.{name}": value for name, value in settings.items()}}
    config |= {"schedule": "constant", "learning_rate": 0.0}  # the same weights at each measurement
    trainer = make_trainer(FitConfig.from_mapping(config, "benchmark"), 1000)
    if preset == "isophote" and not seeded:
        load_initial(trainer.network, str(ROOT / "saved_models" / "isophote" / "model.keras"))
    data = {
        what: next(iter(make_dataset(ROOT / "tfrecords", "train", batch_size=batch, image_sizes=(SIDE,), seed=1)))
        for what, batch in BATCHES.items()
    }
    model = finish_model(trainer.network)
    network = tf.function(lambda inputs: model(inputs, training=False))
    runs = {
        "inference": lambda: np.asarray(network(data["inference"][0])["mu"]),
        "training": lambda: trainer.train_on_batch(*data["training"]),
    }
    for run in runs.values():
        run()
    for _ in sys.stdin:
        costs = {}
        for what, run in runs.items():
            began, calls = time.process_time(), 0
            while time.process_time() - began < seconds:
                run()
                calls += 1
            costs[what] = 1e3 * (time.process_time() - began) / calls / BATCHES[what]
        print(json.dumps(costs), flush=True)


if __name__ == "__main__":
    main()
