"""Speed and memory of `simulate`: galaxies a second, and the memory of all its processes together.

Expected on two idle cores: at least 30 galaxies of 256 x 256 a second (75 were measured with the mixed preset and real
frames), and no more memory for four times as many galaxies.

    python benchmarks/mocks.py                                        # SDSS preset; about a minute on two idle cores
    python benchmarks/mocks.py --survey mixed --backgrounds DIR       # as training sets are made
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time

import click


def run(count: int, arguments: list[str]) -> tuple[float, float, float]:
    """Make mocks in a process of its own.

    Returns
    -------
    galaxies a second of the whole command, the same once it is up (as its progress bar says), peak memory in MiB of
    its processes together
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "p2p_keras.simulate", "--count", str(count), "--output", folder, *arguments]
        start = time.perf_counter()
        program = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        peak = 0
        while program.poll() is None:
            listed = subprocess.run(["ps", "-o", "rss=", "-g", str(program.pid)], capture_output=True, text=True)
            peak = max(peak, sum(int(line) for line in listed.stdout.split()))
            time.sleep(0.5)
        seconds = time.perf_counter() - start
        output = program.stderr.read() if program.stderr else ""
    if program.returncode:
        raise click.ClickException(f"simulate ended with status {program.returncode}")
    rate = re.search(r"\(([\d.]+) galaxies/s\)", output)
    return count / seconds, float(rate[1]) if rate else float("nan"), peak / 1024.0


@click.command(context_settings={"show_default": True})
@click.option("--survey", default="sdss")
@click.option("--count", default=400, help="Galaxies of the first run; the second makes four times as many.")
@click.option("--size", default=256, help="Side of the images in pixels.")
@click.option("--seed", default=5)
@click.option("--backgrounds", type=click.Path(exists=True, file_okay=False), help="Folder of real frames.")
@click.option("--workers", type=click.IntRange(1), help="Processes; the number of cores by default.")
def main(survey: str, count: int, size: int, seed: int, backgrounds: str | None, workers: int | None) -> None:
    """Measure the speed and the memory of `simulate`."""
    arguments = ["--survey", survey, "--size", str(size), "--seed", str(seed)]
    arguments += ["--backgrounds", backgrounds] if backgrounds else []
    arguments += ["--workers", str(workers)] if workers else []
    for number in (count, 4 * count):
        whole, up, memory = run(number, arguments)
        click.echo(f"{number} galaxies: {up:.1f}/s, {whole:.1f}/s with the start; {memory:.0f} MiB at most")


if __name__ == "__main__":
    main()
