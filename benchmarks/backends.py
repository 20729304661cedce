"""Images a second of the Keras, SavedModel and ONNX forms of an exported model.

``python benchmarks/backends.py saved_models/isophote [--threads 2] [--side 256] [--batch 1 --batch 64]``

Each form runs in a process of its own, so that none has the other's threads; the figure is the best of several repeats.
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

FORMS = ("keras", "saved_model", "onnx")


def runner(form: str, folder: Path, version: int, threads: int):
    """Function from a dict of arrays to outputs."""
    if form == "onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
        return lambda batch: session.run(None, batch)

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    if form == "saved_model":
        loaded = tf.saved_model.load(str(folder / str(version)))
        serve = loaded.signatures["serving_default"]
        # The loaded object must outlive its function: it holds the weights.
        return lambda batch, _keep=loaded: {k: v.numpy() for k, v in serve(**to_tensors(tf, batch)).items()}

    import keras

    import p2p_keras.layers  # noqa: F401 - registers the layers

    model = keras.models.load_model(folder / "model.keras", compile=False)
    compiled = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)
    return lambda batch: {k: v.numpy() for k, v in compiled(to_tensors(tf, batch)).items()}


def to_tensors(tf, batch):
    return {key: tf.constant(value) for key, value in batch.items()}


def measure(form: str, folder: Path, version: int, threads: int, side: int, batches: list[int], repeats: int) -> dict:
    """Images a second by batch size."""
    from p2p_keras.serving.warmup import galaxy_like_image

    run = runner(form, folder, version, threads)
    result = {}
    for count in batches:
        image = np.stack([galaxy_like_image(side, seed) for seed in range(count)])
        batch = {"image": image, "zero_point": np.full(count, 22.5, "f4"), "pixel_scale": np.full(count, 0.4, "f4")}
        run(batch)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            run(batch)
            times.append(time.perf_counter() - start)
        result[count] = count / min(times)
    return result


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--threads", default=2, show_default=True)
@click.option("--side", default=256, show_default=True, help="Pixels a side.")
@click.option("--batch", "batches", type=int, multiple=True, default=(1, 64), show_default=True)
@click.option("--repeats", default=5, show_default=True)
@click.option("--form", type=click.Choice(FORMS), help="Only this form, in this process, as JSON.")
def main(folder: Path, threads: int, side: int, batches: tuple[int, ...], repeats: int, form: str | None) -> None:
    """Compare the forms of the newest version in FOLDER."""
    from p2p_keras.serving.server_config import versions_of

    if form:
        found = measure(form, folder, versions_of(folder)[-1], threads, side, list(batches), repeats)
        click.echo(json.dumps(found))
        return
    click.echo(f"{side} x {side} px, {threads} threads, images/s\n")
    click.echo("| form | " + " | ".join(f"batch {count}" for count in batches) + " |")
    click.echo("|---|" + "---|" * len(batches))
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    for each in FORMS:
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--form", each], capture_output=True, text=True, env=environment
        )
        if done.returncode:
            raise click.ClickException(done.stderr[-2000:])
        speeds = json.loads(done.stdout.splitlines()[-1])
        click.echo(f"| {each} | " + " | ".join(f"{speeds[str(count)]:.1f}" for count in batches) + " |")


if __name__ == "__main__":
    main()
