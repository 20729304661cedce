"""How many images a second the input pipeline delivers, from shards it writes itself.

Run: ``python benchmarks/input_pipeline.py``. Wall-clock figures depend on what else runs; images per second of CPU time
(all threads of this process) times the cores is what an idle machine would give.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import click

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


@click.command()
@click.option("--images", default=512, show_default=True, help="Images in the shards.")
@click.option("--size", default=256, show_default=True, help="Pixels a side.")
@click.option("--batch-size", default=16, show_default=True)
@click.option("--epochs", default=4, show_default=True, help="Passes over the shards, after one to warm up.")
def main(images: int, size: int, batch_size: int, epochs: int) -> None:
    """Print images per second, plain and augmented."""
    import numpy as np

    from p2p_keras.core import radii
    from p2p_keras.data.labelled import LabelledGalaxy
    from p2p_keras.data.pipeline import make_dataset
    from p2p_keras.data.shards import ShardWriter, shard_name, write_manifest

    rng = np.random.default_rng(1)
    pixels = rng.normal(size=(size, size)).astype(np.float32)
    sma = radii.grid_px(size) * 0.396
    label = {
        "sma": sma,
        "mu": 19 + 0.1 * sma,
        "ellipticity": 0 * sma + 0.3,
        "pa": 0 * sma + 30,
        "extent": float(sma[50]),
    }
    with tempfile.TemporaryDirectory() as folder:
        for index in range(4):
            with ShardWriter(Path(folder) / shard_name("train", index, 4)) as shard:
                for number in range(images // 4):
                    shard.write(
                        LabelledGalaxy(f"g{index}-{number}", "r", pixels, 22.5, 0.396, x0=99.0, y0=99.0, **label)
                    )
        write_manifest(folder, program="benchmark")
        first = None
        for title, options in {
            "plain": {},
            "shuffled": {"shuffle": True},
            "shuffled, augmented": {"shuffle": True, "augment": True},
        }.items():
            dataset = make_dataset(folder, "train", batch_size=batch_size, image_sizes=(size,), seed=1, **options)
            for _ in dataset:
                pass
            wall, cpu, seen = time.perf_counter(), time.process_time(), 0
            for _ in range(epochs):
                for inputs, _ in dataset:
                    seen += int(inputs["image"].shape[0])
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            first = first or seen / cpu
            click.echo(
                f"{title:20s} {seen / wall:7.0f} images/s by the clock ({os.cpu_count()} cores, load "
                f"{os.getloadavg()[0]:.1f}), {seen / cpu:7.0f} per second of CPU time, "
                f"{seen / cpu / first:.2f} times plain"
            )


if __name__ == "__main__":
    main()
