"""What each step costs a galaxy, in ten minutes: a page of figures, and their ratios to another commit.

``make benchmarks`` writes build/benchmarks.md; ``make benchmarks AGAINST=COMMIT`` also measures that commit, in turns
with this one, so that a machine that is busy is busy for both. By itself: ``python benchmarks/rates.py --against HEAD~1
--output page.md``.

Figures are processor time, with one thread for each library: what another program does beside them matters little, but
caches and cores that two threads share are not told apart. Each is the median of the rounds. Only what every version
offers is called: programs, and documented functions.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
SIDE = 256
ROUNDS = 3
LIBRARIES = ("numpy", "astropy", "onnxruntime", "pyarrow", "scipy")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
WHAT = {
    "read": "read_image, ms a file",
    "network": "the network alone, batches of 16, ms a galaxy",
    "predict_batch": "Predictor.predict_batch of images in memory, ms a galaxy",
    "complete": "complete_profile of a table, ms a galaxy",
    "parquet": "write_profiles to .parquet, ms a galaxy",
    "ecsv": "write_profiles to .ecsv, ms a galaxy",
    "program": "predict, FITS files to .parquet, ms a galaxy without the start",
    "start": "predict of one file, s",
    "simulate": "simulate, ms a galaxy",
}


def measure(images: Path) -> dict[str, float]:
    """Figures of the package that is imported, by the names of `WHAT`."""
    # By paths that version 0.1 had and that still lead to the modules of today.
    from p2p_keras import Predictor
    from p2p_keras.derived import complete_profile
    from p2p_keras.images import read_image
    from p2p_keras.profile_files import write_profiles

    paths = sorted(images.glob("*.fits"))
    predictor = Predictor.load(threads=1)
    read = [read_image(path) for path in paths]
    predictor.run(read[:16])
    profiles = predictor.predict_batch(read)
    complete_profile(profiles[0])
    costs = {
        "read": cost(lambda: [read_image(path) for path in paths]),
        "network": cost(lambda: [predictor.run(read[i : i + 16]) for i in range(0, len(read), 16)]),
        "predict_batch": cost(lambda: predictor.predict_batch(read)),
        "complete": cost(lambda: [complete_profile(profile) for profile in profiles]),
    }
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("parquet", "ecsv"):
            write_profiles(profiles[:2], Path(folder) / f"first.{kind}")
            costs[kind] = cost(lambda kind=kind: write_profiles(profiles, Path(folder) / f"all.{kind}"))
        costs = {key: 1e3 * seconds / len(paths) for key, seconds in costs.items()}
        few, many = Path(folder) / "few.txt", Path(folder) / "many.txt"
        few.write_text(f"{paths[0]}\n")
        many.write_text("".join(f"{path}\n" for path in paths))
        alone, together = (
            run_program("predict", f"@{listed}", "-o", f"{folder}/{listed.stem}.parquet", "--threads", "1", "-q")
            for listed in (few, many)
        )
        costs["start"] = alone
        costs["program"] = 1e3 * (together - alone) / (len(paths) - 1)
        mocks = ("--survey", "sdss", "--size", "128", "--splits", "test=1", "--workers", "1")
        one, some = (
            run_program("simulate", *mocks, "--count", str(count), "--output", f"{folder}/mocks-{count}")
            for count in (2, 26)
        )
        costs["simulate"] = 1e3 * (some - one) / 24
    return costs


def cost(call: Callable[[], object]) -> float:
    """Processor seconds of a call."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def run_program(name: str, *arguments: str) -> float:
    """Processor seconds of a program in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", f"p2p_keras.{name}", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured_in(tree: Path, images: Path) -> dict[str, float]:
    """`measure` of the package in a folder, in a process of its own."""
    environment = dict(os.environ, PYTHONPATH=str(tree), TF_CPP_MIN_LOG_LEVEL="3", **ONE_THREAD)
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", str(images)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=tree)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """The files of a commit in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        yield Path(folder)


def page(ours: list[dict[str, float]], theirs: list[dict[str, float]], against: str | None, count: int) -> str:
    """The figures as Markdown."""
    commit = subprocess.run(
        ["git", "log", "-1", "--format=%h"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    lines = [
        "# Rates",
        "",
        f"Commit {commit}{f' against {against}' if against else ''}; {time.strftime('%Y-%m-%d')}; {machine()}; "
        f"Python {platform.python_version()}, {libraries}. {count} galaxies of {SIDE} x {SIDE} px, processor time, one "
        f"thread; median of {len(ours)} rounds. Load of the machine: {load}.",
        "",
        "| what | now |" + (f" {against} | now / {against} |" if against else ""),
        "|---|---|" + ("---|---|" if against else ""),
    ]
    for key, what in WHAT.items():
        now = statistics.median(figures[key] for figures in ours)
        cells = [what, f"{now:.2f}"]
        if theirs:
            then = statistics.median(figures[key] for figures in theirs)
            cells += [f"{then:.2f}", f"{now / then:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Processor and cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


@click.command()
@click.option("--against", help="A commit to measure too.")
@click.option("--count", default=96, show_default=True, help="Galaxies.")
@click.option("--rounds", default=ROUNDS, show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=ROOT / "build" / "benchmarks.md")
@click.option("--measure", "images", type=click.Path(path_type=Path), hidden=True)
def main(against: str | None, count: int, rounds: int, output: Path, images: Path | None) -> None:
    """Measure this tree, and another commit in turns with it."""
    if images is not None:
        click.echo(json.dumps(measure(images)))
        return
    from predict import make_images

    with tempfile.TemporaryDirectory() as folder, tree_of(against or "HEAD") as other:
        make_images(Path(folder), count, SIDE)
        ours, theirs = [], []
        for number in range(rounds):
            ours.append(measured_in(ROOT, Path(folder)))
            if against:
                theirs.append(measured_in(other, Path(folder)))
            click.echo(f"round {number + 1} of {rounds} is done", err=True)
        text = page(ours, theirs, against, count)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text)
    click.echo(text)


if __name__ == "__main__":
    main()
