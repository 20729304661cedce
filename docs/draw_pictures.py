"""Draw the documentation's pictures of measurements into docs/images anew, with a model: make pictures.

``python docs/draw_pictures.py [--real FOLDER] [--only failures]``. The pictures are those of the examples, of the code
in docs/figures.md, of the failures and the violins; with --real, the folder of real galaxies, also their comparison
with photutils (minutes). All are brought to few colours, so that they stay small.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
IMAGES = DOCS / "images"
COLOURS = 64


def run(script: Path, *arguments: object) -> None:
    """Run an example as its own program, in this process."""
    before, sys.argv = sys.argv, [str(script), *map(str, arguments)]
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = before


def simulate(output: Path, *options: str) -> Path:
    """Make mocks, all in the split test."""
    command = [sys.executable, "-m", "p2p_keras.simulate", *options, "--splits", "test=1", "--output", str(output)]
    subprocess.run(command, check=True)
    return output


def examples(scratch: Path) -> Iterator[tuple[Path, str]]:
    """Pictures of the two examples."""
    galaxy = scratch / "galaxy.fits"
    run(ROOT / "examples" / "mock_galaxy.py", galaxy)
    run(ROOT / "examples" / "measure_and_plot.py", galaxy, scratch / "one.png")
    yield scratch / "one.png", "measure-and-plot.png"
    run(ROOT / "examples" / "compare_with_truth.py", scratch / "truth.png")
    yield scratch / "truth.png", "compare-with-truth.png"


def figures(scratch: Path) -> Iterator[tuple[Path, str]]:
    """Pictures of docs/figures.md: its code is run as it stands there, up to the last of them."""
    page = (DOCS / "figures.md").read_text(encoding="utf-8")
    before = os.getcwd()
    os.chdir(scratch)
    try:
        names: dict[str, object] = {}
        for language, code in re.findall(r"```(bash|python)\n(.*?)```", page, re.DOTALL):
            if language == "bash":
                program = code.replace("python -m", f"{sys.executable} -m")
                subprocess.run(["bash", "-euc", program], check=True)
            else:
                exec(compile(code, "docs/figures.md", "exec"), names)
    finally:
        os.chdir(before)
    for name in ("profile", "own", "galaxy", "bands"):
        yield scratch / f"{name}.png", f"figures-{name}.png"


def violins(scratch: Path) -> Iterator[tuple[Path, str]]:
    """The errors of a hundred mocks."""
    data = simulate(scratch / "hundred", "--survey", "mixed", "--count", "100", "--seed", "22")
    command = [sys.executable, "-m", "p2p_keras.evaluate", "--data", str(data), "--output", str(scratch / "report")]
    subprocess.run([*command, "--worst", "0", "--plot-format", "png"], check=True, stdout=subprocess.DEVNULL)
    yield scratch / "report" / "figures" / "figure4-violins.png", "evaluate-violins.png"


def failures(scratch: Path) -> Iterator[tuple[Path, str]]:
    """The ten worst of the SDSS mocks that benchmarks/accuracy.py measures."""
    data = simulate(scratch / "held-out", "--survey", "sdss", "--count", "400", "--seed", "7001")
    picture = scratch / "failures.png"
    subprocess.run([sys.executable, str(DOCS / "draw_failures.py"), str(data), str(picture)], check=True)
    yield picture, "failures.png"


def real_galaxies(folder: str, scratch: Path) -> Iterator[tuple[Path, str]]:
    """Real galaxies beside photutils."""
    output = scratch / "real.json"
    subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "real_galaxies.py"), folder, "--output", str(output)], check=True
    )
    yield output.with_suffix(".png"), "real-galaxies.png"


def keep_small(picture: Path, name: str) -> None:
    """Put a picture into docs/images in few colours."""
    from PIL import Image

    with Image.open(picture) as image:
        # Maximum coverage: the median cut would give thin coloured lines the mean colour of many grey pixels.
        small = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(IMAGES / name, optimize=True)
    click.echo(f"docs/images/{name}: {(IMAGES / name).stat().st_size / 1000:.0f} kB")


KINDS = {"examples": examples, "figures": figures, "violins": violins, "failures": failures}


@click.command()
@click.option("--only", multiple=True, type=click.Choice([*KINDS, "real"]), help="Only these.  [default: all]")
@click.option("--real", type=click.Path(exists=True, file_okay=False), help="Folder of real galaxies.")
def main(only: tuple[str, ...], real: str | None) -> None:
    """Draw the pictures."""
    if "real" in only and real is None:
        raise click.UsageError("--only real needs --real FOLDER")
    for kind, draw in KINDS.items():
        if not only or kind in only:
            with tempfile.TemporaryDirectory() as scratch:
                for picture, name in draw(Path(scratch)):
                    keep_small(picture, name)
    if real is not None and (not only or "real" in only):
        with tempfile.TemporaryDirectory() as scratch:
            for picture, name in real_galaxies(os.path.abspath(real), Path(scratch)):
                keep_small(picture, name)


if __name__ == "__main__":
    main()
