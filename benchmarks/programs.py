"""Rates of whole programs in this tree and at another commit, in turns: predict, survey, simulate, pack and serve.

    python benchmarks/programs.py --against COMMIT --pairs 7

Both trees run the same command lines, of options that both have, with the other commit's model, so that two networks
aren't compared. A figure is processor time, one thread for each library, with the program's start; of `serve` it is the
server's, a request; of `survey` it is the wall clock's, since Ray's processes outlive the program. The table has each
median, and the ratio of the rates of each pair (above 1: this tree is faster): its median, least and greatest.
`benchmarks/rates.py` tells one step from another, and `benchmarks/tensorflow_speed.py` measures training.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from rates import ONE_THREAD, ROOT, tree_of

PROGRAMS = ("predict", "survey", "simulate", "pack", "serve")


def make_inputs(folder: Path, galaxies: int, packed: int) -> None:
    """Images, frames with a catalogue, and the paper's layout of images with profiles."""
    from predict import make_images
    from survey_sky import make_sky

    make_images(folder / "images", galaxies, 256)
    images = sorted((folder / "images").glob("*.fits"))
    (folder / "images.txt").write_text("".join(f"{path}\n" for path in images))
    make_sky(folder, galaxies, 1)
    (folder / "layout" / "gals").mkdir(parents=True)
    (folder / "layout" / "sbs").mkdir()
    for number in range(packed):
        (folder / "layout" / "gals" / f"G{number:04d}-r.fits").symlink_to(images[number % len(images)])
        np.savetxt(folder / "layout" / "sbs" / f"G{number:04d}_r.txt", 18.0 + 0.2 * np.arange(40))


def arguments_of(program: str, inputs: Path, output: Path, model: Path) -> list[str]:
    """Command line of a program, without what both trees don't have."""
    if program == "predict":
        return [
            f"@{inputs}/images.txt",
            "-o",
            f"{output}/profiles.parquet",
            "--model",
            str(model),
            "--threads",
            "1",
            "-q",
        ]
    if program == "survey":
        places = [f"{inputs}/catalogue.parquet", "--images", f"{inputs}/frames", "-o", f"{output}/survey"]
        return [*places, "--model", str(model), "--workers", "1", "--readers", "1", "-q"]
    if program == "simulate":
        return ["--survey", "sdss", "--count", "48", "--size", "128", "--workers", "1", "--output", f"{output}/mocks"]
    assert program == "pack"
    calibration = ["--zero-point", "22.5", "--pixel-scale", "0.396", "--workers", "1"]
    return ["--layout", f"{inputs}/layout", "--output", f"{output}/shards", *calibration]


def seconds_of(program: str, tree: Path, inputs: Path, model: Path) -> float:
    """Seconds that a program of a tree takes."""
    environment = dict(os.environ, PYTHONPATH=str(tree), TF_CPP_MIN_LOG_LEVEL="3", **ONE_THREAD)
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", f"p2p_keras.{program}", *arguments_of(program, inputs, Path(output), model)]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise click.ClickException(f"{program} in {tree}: exit status {done.returncode}: {done.stderr[-2000:]}")
    return wall if program == "survey" else after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def serving_pairs(trees: tuple[Path, Path], base: Path, pairs: int, seconds: float) -> list[list[float]]:
    """Processor seconds a request of both trees' servers, in turns."""
    from serving import Server, load, request_bytes

    request = request_bytes("isophote", 128)
    servers = []
    try:
        for tree in trees:
            servers.append(Server(base, "--num-threads", "1", "--no-warm-up", tree=tree))
        times: list[list[float]] = []
        for number in range(pairs + 1):
            pair = []
            for server in servers:
                before = server.processor_s()
                requests = load(server, request, 1, seconds if number else 3.0 * seconds)["requests"]
                pair.append((server.processor_s() - before) / requests)
            times += [pair] if number else []  # the first of each isn't counted
        return times
    finally:
        for server in servers:
            server.stop()


@click.command(context_settings={"show_default": True})
@click.option("--against", required=True, help="The commit before.")
@click.option("--programs", default=",".join(PROGRAMS), help="Which, separated by commas.")
@click.option("--pairs", default=7)
@click.option("--galaxies", default=48, help="Images that predict and survey measure.")
@click.option("--packed", default=300, help="Images that are packed.")
@click.option("--seconds", default=2.0, help="Of requests to each server, a pair.")
def main(against: str, programs: str, pairs: int, galaxies: int, packed: int, seconds: float) -> None:
    """Run each program in both trees in turns."""
    click.echo("| program | before, s | now, s | rate now / before: median (least to greatest) |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, tree_of(against) as before:
        inputs, trees = Path(folder), (before, ROOT)
        make_inputs(inputs, galaxies, packed)
        models = before / "saved_models"
        for program in programs.split(","):
            if program == "serve":
                times = serving_pairs(trees, models, pairs, seconds)
            else:
                model = models / "isophote" / "model.onnx"
                times = [[seconds_of(program, tree, inputs, model) for tree in trees] for _ in range(pairs)]
            then, now = zip(*times, strict=True)
            ratios = [one / other for one, other in times]
            spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
            click.echo(f"| {program} | {statistics.median(then):.4g} | {statistics.median(now):.4g} | {spread} |")


if __name__ == "__main__":
    main()
