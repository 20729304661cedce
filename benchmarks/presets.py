"""The presets beside each other on one test set: error, worst tenth, coverage, images/s, weights, core hours.

python benchmarks/presets.py --data SHARDS runs/isophote runs/pix2prof ... [--output FILE.json]

Each run folder is of `python -m p2p_keras.fit`; its network runs in Keras, as trained, in batches of 64. A galaxy
without a profile counts as infinitely wrong. Core hours are processor time, resumed runs and all.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


class Run:
    """A run's network as something that `evaluate_models` measures with."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        from p2p_keras.network.training.run import load_run_model

        self.config = json.loads((folder / "config.json").read_text())
        self.metrics = json.loads((folder / "metrics.json").read_text())
        self.model_name, self.model_version = self.config["preset"], folder.name
        self.network = load_run_model(folder)
        self.weights = sum(int(np.prod(v.shape)) for v in self.network.trainable_variables)
        self._run = tf.function(lambda inputs: self.network(inputs, training=False), reduce_retracing=True)

    def run(self, images: Sequence[Any]) -> dict[str, np.ndarray]:
        """Raw outputs of images of one shape."""
        inputs = {
            "image": np.stack([np.asarray(image.pixels, np.float32) for image in images]),
            "zero_point": np.float32([image.zero_point for image in images]),
            "pixel_scale": np.float32([image.pixel_scale for image in images]),
        }
        return {name: value.numpy() for name, value in self._run(inputs).items()}

    def images_per_second(self, images: Sequence[Any], repeats: int) -> float:
        """Of batches of 64, the median of some after the first."""
        batch = [images[i % len(images)] for i in range(64)]
        self.run(batch)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            self.run(batch)
            times.append(time.perf_counter() - start)
        return 64 / float(np.median(times))


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True), help="Shards with a split `test`.")
@click.option("--repeats", default=5, show_default=True, help="Batches that are timed.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="JSON file of all figures.")
def main(runs: tuple[Path, ...], data: str, repeats: int, output: Path | None) -> None:
    """Print a row a run."""
    from p2p_keras.data.shards import find_shards, read_shards
    from p2p_keras.evaluation import evaluate_models, summarise_evaluation
    from p2p_keras.evaluation.report import plain
    from p2p_keras.evaluation.run import image_of_label

    labels = list(read_shards(find_shards(data, "test")))
    largest = max(label.image.shape for label in labels)
    images = [image_of_label(label) for label in labels if label.image.shape == largest]
    click.echo(f"{len(labels)} galaxies of {data}\n")
    click.echo(
        "| preset | median error | worst tenth from | off by > 0.5 or none | inside 1 sigma | images/s | "
        "million weights | galaxies seen | core hours |"
    )
    click.echo("|---" * 9 + "|")
    figures = []
    for folder in runs:
        run = Run(folder)
        summary = plain(summarise_evaluation(evaluate_models([run], labels, batch_size=64)[0]))
        errors, speed = summary["error_bright"], run.images_per_second(images, repeats)
        seen = run.metrics["steps"] * run.config["batch_size"]
        worst = "inf" if errors["worst_tenth"] is None else f"{errors['worst_tenth']:.3f}"
        click.echo(
            f"| `{run.config['preset']}` | {errors['median']:.3f} | {worst} | "
            f"{100 * errors['share_bad']:.1f} % | {100 * summary['coverage']['one_sigma']:.0f} % | {speed:.0f} | "
            f"{run.weights / 1e6:.2f} | {seen:,} | {run.metrics.get('core_hours', float('nan')):.2f} |"
        )
        figures.append(
            {"summary": summary, "images_per_second": speed, "weights": run.weights, "galaxies_seen": seen}
            | {"config": run.config, "metrics": run.metrics}
        )
    if output is not None:
        output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
