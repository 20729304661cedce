"""Images a second of the Keras, SavedModel and ONNX forms of an exported model, and how far their profiles differ.

``python benchmarks/backends.py saved_models/isophote [--threads 2] [--side 256] [--batch 1 --batch 64] [--data DIR]``

Each form runs in a process of its own, so that none has the other's threads; the figure is the best of several repeats.
The first answer is counted from the start of the process. With --data, galaxies of the test split are measured by every
form and compared with the SavedModel.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np

FORMS = ("saved_model", "keras", "onnx")
FILES = {"onnx": "model.onnx", "keras": "model.keras"}
STARTED = "P2P_BENCHMARK_STARTED"


def runner(form: str, folder: Path, version: int, threads: int):
    """Function from a dict of arrays to outputs."""
    if form == "onnx":
        from p2p_keras.measure.backends import load_backend

        backend = load_backend(folder / FILES[form], threads=threads)
        return lambda batch: backend.run(**batch)

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    if form == "saved_model":
        loaded = tf.saved_model.load(str(folder / str(version)))
        serve = loaded.signatures["serving_default"]
        # The loaded object must outlive its function: it holds the weights.
        return lambda batch, _keep=loaded: {k: v.numpy() for k, v in serve(**to_tensors(tf, batch)).items()}

    import keras

    import p2p_keras.network.layers  # noqa: F401 - registers the layers

    model = keras.models.load_model(folder / FILES["keras"], compile=False)
    compiled = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)
    return lambda batch: {k: v.numpy() for k, v in compiled(to_tensors(tf, batch)).items()}


def to_tensors(tf, batch):
    return {key: tf.constant(value) for key, value in batch.items()}


def disc(side: int, seed: int) -> np.ndarray:
    """An exponential disc over noise, float32 (side, side)."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2.0
    noise = np.random.default_rng(seed).normal(0.0, 0.02, (side, side))
    return (20.0 * np.exp(-np.hypot(x, y / 0.7) / (0.08 * side)) + noise).astype(np.float32)


def batch_of(images: np.ndarray, zero_point: float = 22.5, pixel_scale: float = 0.4) -> dict[str, np.ndarray]:
    """Inputs for images (B, H, W)."""
    count = len(images)
    scalars = {"zero_point": np.full(count, zero_point, "f4"), "pixel_scale": np.full(count, pixel_scale, "f4")}
    return {"image": images, **scalars}


def measure(form: str, folder: Path, version: int, threads: int, side: int, batches: list[int], repeats: int) -> dict:
    """Seconds to the first answer, images a second by batch size, and the function itself."""
    run = runner(form, folder, version, threads)
    run(batch_of(disc(side, 0)[None]))
    result: dict = {"first_s": time.time() - float(os.environ.get(STARTED, "nan")), "run": run}
    for count in batches:
        batch = batch_of(np.stack([disc(side, seed) for seed in range(count)]))
        run(batch)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            run(batch)
            times.append(time.perf_counter() - start)
        result[count] = count / min(times)
    return result


def profiles(run, data: str, most: int) -> list[dict]:
    """`mu` and `valid` of the galaxies of a test split."""
    from itertools import islice

    from p2p_keras.data.shards import find_shards, read_shards

    answers = []
    for galaxy in islice(read_shards(find_shards(data, "test")), most):
        outputs = run(batch_of(galaxy.image[None], galaxy.zero_point, galaxy.pixel_scale))
        answers.append({name: np.asarray(outputs[name][0]).tolist() for name in ("mu", "valid")})
    return answers


def differences(reference: list[dict], answers: list[dict]) -> str:
    """Cells of the table: how far mu is from the reference's where both are valid."""
    apart, medians, changed = [], [0.0], 0
    for one, other in zip(reference, answers, strict=True):
        both = np.array(one["valid"]) & np.array(other["valid"])
        changed += int((np.array(one["valid"]) != np.array(other["valid"])).sum())
        apart.append(np.abs(np.array(one["mu"]) - np.array(other["mu"]))[both])
        medians.append(float(np.median(apart[-1])) if both.any() else 0.0)
    mu = np.concatenate(apart)
    cells = (np.median(mu), np.quantile(mu, 0.99), mu.max(), max(medians))
    return " | ".join(f"{value:.2g}" for value in cells) + f" | {changed} of {64 * len(reference)}"


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--threads", default=2, show_default=True)
@click.option("--side", default=256, show_default=True, help="Pixels a side.")
@click.option("--batch", "batches", type=int, multiple=True, default=(1, 64), show_default=True)
@click.option("--repeats", default=5, show_default=True)
@click.option("--data", help="Folder of shards with a test split: compare profiles too.")
@click.option("--galaxies", default=96, show_default=True, help="Most galaxies of --data.")
@click.option("--form", type=click.Choice(FORMS), help="Only this form, in this process, as JSON.")
def main(
    folder: Path,
    threads: int,
    side: int,
    batches: tuple[int, ...],
    repeats: int,
    data: str | None,
    galaxies: int,
    form: str | None,
) -> None:
    """Compare the forms of the newest version in FOLDER."""
    from p2p_keras.network.export.server_config import versions_of

    if form:
        figures = measure(form, folder, versions_of(folder)[-1], threads, side, list(batches), repeats)
        run = figures.pop("run")
        click.echo(json.dumps(figures | {"profiles": profiles(run, data, galaxies) if data else None}))
        return
    forms = [each for each in FORMS if each == "saved_model" or (folder / FILES[each]).exists()]
    results = {}
    for each in forms:
        environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", **{STARTED: repr(time.time())})
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--form", each], capture_output=True, text=True, env=environment
        )
        if done.returncode:
            raise click.ClickException(f"{each}: {done.stderr[-2000:]}")
        results[each] = json.loads(done.stdout.splitlines()[-1])
    click.echo(f"{side} x {side} px, {threads} threads, images/s; first answer from the start of the process\n")
    click.echo("| form | first answer, s | " + " | ".join(f"batch {count}" for count in batches) + " |")
    click.echo("|---|---|" + "---|" * len(batches))
    for each, figures in results.items():
        speeds = " | ".join(f"{figures[str(count)]:.1f}" for count in batches)
        click.echo(f"| {each} | {figures['first_s']:.1f} | {speeds} |")
    if data:
        click.echo(
            "\n| form | median difference of mu | 99th percentile | largest | worst galaxy's median | validity |"
        )
        click.echo("|---|---|---|---|---|---|")
        for each, figures in results.items():
            click.echo(f"| {each} | {differences(results['saved_model']['profiles'], figures['profiles'])} |")


if __name__ == "__main__":
    main()
