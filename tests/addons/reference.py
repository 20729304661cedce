"""Answers of the shipped SavedModel in today's TensorFlow, for the comparison in TensorFlow 2.15.

Run by ``make test-addons``: ``python tests/addons/reference.py OUT.npz [MODEL_FOLDER]``. For each image size it saves
inputs and outputs of ``serving_default`` as ``SIZE/in/NAME`` and ``SIZE/out/NAME``, and as ``model`` the folder of the
newest version.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

SAVED_MODELS = Path(__file__).resolve().parents[2] / "saved_models" / "isophote"
SHAPES = ((64, 64), (128, 96), (256, 256))


def newest_version(folder: Path) -> Path:
    """Folder of the highest version number."""
    versions = [path for path in folder.glob("*") if path.name.isdigit()]
    if not versions:
        sys.exit(f"{folder}: no version of the model is here; export one with python -m p2p_keras.export")
    return max(versions, key=lambda path: int(path.name))


def galaxies(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Two inclined exponential discs on a noisy sky; the second with a block of masked pixels."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    scale = min(height, width) / 12
    disc = [3 * np.exp(-np.hypot(x, y / q) / scale) for q in (0.9, 0.5)]
    image = np.stack(disc) + 0.02 * rng.standard_normal((2, height, width))
    image[1, 4:12, 4:20] = np.nan
    return image.astype(np.float32)


def main() -> None:
    """Write the reference."""
    import tensorflow as tf

    model = newest_version(Path(sys.argv[2]) if len(sys.argv) > 2 else SAVED_MODELS).resolve()
    serve = tf.saved_model.load(str(model)).signatures["serving_default"]
    rng = np.random.default_rng(2010_00622)
    arrays: dict[str, np.ndarray] = {"model": np.array(str(model))}
    for height, width in SHAPES:
        inputs = {
            "image": galaxies(height, width, rng),
            "zero_point": np.array([22.5, 27.0], np.float32),
            "pixel_scale": np.array([0.396, 0.262], np.float32),
        }
        outputs = serve(**{name: tf.constant(value) for name, value in inputs.items()})
        arrays |= {f"{height}x{width}/in/{name}": value for name, value in inputs.items()}
        arrays |= {f"{height}x{width}/out/{name}": value.numpy() for name, value in outputs.items()}
    np.savez(sys.argv[1], **arrays)
    print(f"TensorFlow {tf.__version__}: {model} answered for {len(SHAPES)} sizes -> {sys.argv[1]}")


if __name__ == "__main__":
    main()
