"""Peak memory of measuring, beside the number of images: it must not grow with it.

``python benchmarks/memory.py [--count 200 --count 800]``. Each number of images is measured in a process of its own, by
`p2p_keras.Predictor` in batches, from arrays made one at a time; the ratio is that of the two peaks.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


@click.command()
@click.option("--count", "counts", type=int, multiple=True, default=(200, 800), show_default=True, help="Images.")
@click.option("--side", default=256, show_default=True, help="Pixels a side.")
@click.option("--batch-size", default=16, show_default=True)
@click.option("--model", "models", multiple=True, help="Model folder or file.  [default: the shipped one, both forms]")
@click.option("--alone", is_flag=True, hidden=True)
def main(counts: tuple[int, ...], side: int, batch_size: int, models: tuple[str, ...], alone: bool) -> None:
    """Print peak resident memory by number of images."""
    if alone:
        click.echo(json.dumps(measure(models[0], counts[0], side, batch_size)))
        return
    from p2p_keras.core.model_files import find_model

    shipped = find_model(None).path  # NAME/VERSION: by its name alone it would run from the ONNX file
    click.echo(f"{side} x {side} px, batches of {batch_size}\n")
    click.echo("| model | " + " | ".join(f"{n} images, MiB" for n in counts) + " | ratio of the last to the first |")
    click.echo("|---" * (len(counts) + 2) + "|")
    for model in models or (str(shipped), str(shipped.parent / "model.onnx")):
        peaks = []
        for count in counts:
            command = [sys.executable, __file__, "--alone", "--model", model, "--count", str(count)]
            command += ["--side", str(side), "--batch-size", str(batch_size)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise click.ClickException(done.stderr[-2000:])
            peaks.append(json.loads(done.stdout.splitlines()[-1])["peak_mib"])
        cells = " | ".join(f"{peak:.0f}" for peak in peaks)
        click.echo(f"| {'/'.join(Path(model).parts[-2:])} | {cells} | {peaks[-1] / peaks[0]:.3f} |")


def measure(model: str, count: int, side: int, batch_size: int) -> dict[str, float]:
    """Measure so many images; the peak resident memory of this process in MiB."""
    from p2p_keras import Predictor

    predictor, made = Predictor.load(model), images_of(count, side)
    while images := list(islice(made, batch_size)):
        predictor.predict_batch(images, zero_point=22.5, pixel_scale=0.396, batch_size=batch_size)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak_mib": peak / (2**20 if sys.platform == "darwin" else 2**10)}


def images_of(count: int, side: int) -> Iterator[np.ndarray]:
    """Discs in noise, made here: a module that loads TensorFlow would count as the ONNX file's memory."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2.0
    for number in range(count):
        noise = np.random.default_rng(number).normal(0.0, 0.02, (side, side))
        yield (5.0 * np.exp(-np.hypot(x, y) / (0.04 * side)) + noise).astype(np.float32)


if __name__ == "__main__":
    main()
