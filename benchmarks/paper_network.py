"""Speed of the paper's network beside ours, on the same images in the same run.

``python benchmarks/paper_network.py`` builds the preset ``pix2prof`` (ResNet-18, three GRU layers of 512, 1024 steps at
most) untrained, since its time doesn't depend on its weights but for where it halts, and measures batches of one, as
published, and larger ones. An untrained caption may halt early or late, so the steps that were taken are printed too:
the published network halts 100 steps behind its profile's end.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PUBLISHED = 0.9
"""Galaxies a second of the published program on a Xeon E5-2650 v3 (Smith et al. 2021)."""


@click.command()
@click.option("--side", default=256, show_default=True, help="Pixels a side.")
@click.option("--threads", default=os.cpu_count(), show_default=True)
@click.option("--batch", "batches", type=int, multiple=True, default=(1, 16), show_default=True)
@click.option("--seconds", default=20.0, show_default=True, help="Least time of each measurement.")
@click.option("--model", default=None, help="Our model's folder or file.  [default: the shipped one]")
@click.option("--preset", default="pix2prof", show_default=True, help="Preset that it is compared with.")
def main(side: int, threads: int, batches: tuple[int, ...], seconds: float, model: str | None, preset: str) -> None:
    """Print galaxies a second of both and their ratio."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)

    from p2p_keras.measure.backends import load_backend
    from p2p_keras.network.models import PRESETS, build_network

    if preset not in PRESETS:
        raise click.UsageError(f"there is no preset {preset!r} here; there are {', '.join(PRESETS)}")
    network = build_network(preset)
    theirs = tf.function(lambda inputs: network(inputs, training=False), autograph=False, reduce_retracing=True)
    ours = load_backend(model, threads=threads)
    click.echo(f"{side} x {side} px, {threads} threads, {preset}: {network.count_params():,} weights\n")
    click.echo(f"| batch | {preset}, galaxies/s | ours, galaxies/s | ratio |")
    click.echo("|---|---|---|---|")
    for count in batches:
        inputs = images_of(side, count)
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        slow = rate(lambda tensors=tensors: theirs(tensors)["mu"].numpy(), count, seconds)
        fast = rate(lambda inputs=inputs: ours.run(**inputs), count, seconds)
        click.echo(f"| {count} | {slow:.2f} | {fast:.1f} | {fast / slow:.0f} |")
    outputs = theirs({name: tf.constant(value) for name, value in images_of(side, 1).items()})
    if "caption" in outputs:
        click.echo(f"\nsteps of the caption in the first image: {steps_of(outputs['caption'].numpy()[0])}")
    click.echo(f"published, batch 1, Xeon E5-2650 v3: {PUBLISHED} galaxies/s")


def images_of(side: int, count: int) -> dict[str, Any]:
    """Images of galaxies as the warm-up of a server has them."""
    from p2p_keras.network.export.warmup import galaxy_like_image

    return {
        "image": np.stack([galaxy_like_image(side, seed) for seed in range(count)]).astype(np.float32),
        "zero_point": np.full(count, 22.5, np.float32),
        "pixel_scale": np.full(count, 0.396, np.float32),
    }


def rate(run: Any, count: int, seconds: float) -> float:
    """Galaxies a second: the best of the runs that fit into the time, three at least; the first only warms up."""
    run()
    begin, times = time.perf_counter(), []
    while len(times) < 3 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return count / min(times)


def steps_of(caption: np.ndarray) -> int:
    """Steps until the caption no longer changes."""
    changes = np.flatnonzero(np.abs(np.diff(caption)) > 1e-6)
    return int(changes[-1]) + 2 if changes.size else 1


if __name__ == "__main__":
    main()
