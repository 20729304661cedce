"""Every preset on every backend: how far mu is from TensorFlow's with the same weights, and how fast it is.

    KERAS_BACKEND=tensorflow python benchmarks/backend_table.py     # first: the others compare with what it leaves
    KERAS_BACKEND=jax python benchmarks/backend_table.py
    KERAS_BACKEND=torch python benchmarks/backend_table.py

Prints the table after each preset. Rates are images per second of processor time with one thread, on images of 112 px
in batches of 16, without the first call. Networks of the paper's presets are an eighth as wide (`--width 1`: as
published); weights are random but for the shipped model's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path

for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SIDE, BATCH = 112, 16
PRESETS = ("isophote", "pix2prof", "pix2prof_attention", "pix2prof_transformer")
ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measure the presets on the backend of this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("table.json"))
    parser.add_argument("--presets", nargs="*", choices=PRESETS, default=PRESETS)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--calls", type=int, default=3, help="Batches measured.")
    options = parser.parse_args()
    for preset in options.presets:
        found = measure(preset, options)
        table = json.loads(options.output.read_text()) if options.output.exists() else {}
        table.setdefault(preset, {}).update(found)
        options.output.write_text(json.dumps(table, indent=1))
        print(markdown(table), flush=True)


def measure(preset: str, options: argparse.Namespace) -> dict:
    """Difference and rates of one preset."""
    import keras
    import numpy as np

    from p2p_keras.data.pipeline import ShardBatches
    from p2p_keras.network.models import build_network, finish_model
    from p2p_keras.network.training.recipes import RECIPES
    from p2p_keras.network.training.run import load_initial
    from p2p_keras.network.training.teaching import teaching_of
    from p2p_keras.network.training.trainer import ProfileTrainer

    backend, recipe = keras.config.backend(), RECIPES[preset]
    shipped = preset == "isophote"
    network = build_network(preset, **({"sky_free": True, "errors": True} if shipped else {"width": options.width}))
    if shipped:
        load_initial(network, str(ROOT / "saved_models" / "isophote" / "model.keras"))
    rng = np.random.default_rng(1)
    for variable in network.weights:
        if not shipped and len(variable.shape) > 1:
            variable.assign(rng.normal(0, 0.5 / np.sqrt(np.prod(variable.shape[:-1])), variable.shape))
    data = ShardBatches(ROOT / "tfrecords", "train", batch_size=BATCH, image_sizes=(SIDE,), seed=1)
    inputs, targets = next(iter(data))
    model = finish_model(network)
    answer = model.predict_on_batch(inputs)
    path = options.output.with_name(f"{options.output.stem}_{preset}.npz")
    if backend == "tensorflow":
        np.savez(path, mu=answer["mu"], valid=answer["valid"])
    with np.load(path) as reference:
        both = reference["valid"] & answer["valid"]
        found = {"mu": float(np.abs(answer["mu"] - reference["mu"])[both].max()) if both.any() else 0.0}
        found["valid"] = int((reference["valid"] != answer["valid"]).sum())
    found["inference"] = rate(lambda: model.predict_on_batch(inputs), options.calls)
    losses = import_module(f"p2p_keras.network.training.{recipe.loss}")
    trainer = ProfileTrainer(network, losses=losses, teaching=teaching_of(network, recipe.teaching, 1000))
    trainer.compile(keras.optimizers.AdamW(1e-4), jit_compile=backend == "jax")
    trainer.optimizer.build(trainer.trainable_variables)
    trainer.train_on_batch(inputs, targets)
    found["training"] = rate(lambda: trainer.train_on_batch(inputs, targets), options.calls)
    return {backend: found}


def rate(run, calls: int) -> float:
    """Images per second of processor time."""
    began = time.process_time()
    for _ in range(calls):
        run()
    return calls * BATCH / (time.process_time() - began)


def markdown(table: dict) -> str:
    """A row for each preset and backend."""
    rows = ["| preset | backend | mu, largest difference (mag) | inference (images/s) | training (images/s) |"]
    rows.append("|---|---|---|---|---|")
    for preset, backends in table.items():
        for backend, found in backends.items():
            difference = "" if backend == "tensorflow" else f"{found['mu']:.1e}"
            rows.append(f"| {preset} | {backend} | {difference} | {found['inference']:.0f} | {found['training']:.1f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
