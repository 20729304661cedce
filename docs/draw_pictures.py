"""Run the examples and put their pictures into docs/images, in few colours so that they stay small: make pictures."""

import runpy
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
COLOURS = 64


def run(example, *arguments):
    sys.argv = [example, *map(str, arguments)]
    runpy.run_path(str(ROOT / "examples" / example), run_name="__main__")


with tempfile.TemporaryDirectory() as folder:
    galaxy = Path(folder) / "galaxy.fits"
    run("mock_galaxy.py", galaxy)
    run("measure_and_plot.py", galaxy, IMAGES / "measure-and-plot.png")
    run("compare_with_truth.py", IMAGES / "compare-with-truth.png")
for name in ("measure-and-plot.png", "compare-with-truth.png"):
    with Image.open(IMAGES / name) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(IMAGES / name, optimize=True)
    print(f"docs/images/{name}: {(IMAGES / name).stat().st_size / 1000:.0f} kB")
