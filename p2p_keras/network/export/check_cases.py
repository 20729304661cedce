"""The batches on which an export is checked: some that every form must measure alike, some that it must refuse."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from p2p_keras.core.contract import MAX_SIDE, MIN_SIDE
from p2p_keras.data.shards import encode_image
from p2p_keras.network.export.form_runner import Arrays
from p2p_keras.network.export.warmup import galaxy_like_image

__all__ = ["cases", "right_cases"]

_ZERO_POINT, _PIXEL_SCALE = 22.5, 0.396


def right_cases() -> dict[str, Arrays]:
    """Batches that must be measured alike by all: several sizes, masked pixels, infinities, faint and bright."""

    def batch(images: Iterable[np.ndarray]) -> Arrays:
        stack = np.stack(list(images)).astype(np.float32)
        number = np.arange(len(stack), dtype=np.float32)
        return {
            "image": stack,
            "zero_point": np.float32(_ZERO_POINT) + 2 * number,
            "pixel_scale": np.float32(_PIXEL_SCALE) / (1 + number / 2),
        }

    masked = galaxy_like_image(128, seed=4)
    masked[:, 100:] = np.nan
    masked[30:40, 30:50] = np.inf
    masked[60:64, 64:70] = -np.inf
    return {
        "256x256": batch(galaxy_like_image(256, seed) * 10.0 ** (seed - 1) for seed in range(3)),
        "64x64": batch([galaxy_like_image(64)]),
        "200x312": batch([galaxy_like_image(312, 1)[50:250], galaxy_like_image(312, 2)[60:260]]),
        "48x48": batch([galaxy_like_image(48, 3)]),
        "masked": batch([masked, galaxy_like_image(128, 5)]),
    }


def cases() -> dict[str, Arrays]:
    """All batches: those of `right_cases`, their tf.Examples, an image without a pixel, and requests to be refused."""
    right = right_cases()

    def examples(*batches: Arrays) -> Arrays:
        rows = [row for batch in batches for row in zip(*batch.values(), strict=True)]
        return {"examples": np.array([encode_image(*row) for row in rows], dtype=object)}

    def wrong(height: int = 64, width: int = 64, count: int = 1, **values: Iterable[float]) -> Arrays:
        image = np.ones((count, height, width), np.float32)
        default = {"zero_point": np.full(count, _ZERO_POINT), "pixel_scale": np.full(count, _PIXEL_SCALE)}
        return {"image": image} | {k: np.asarray(v, np.float32) for k, v in (default | values).items()}

    blind = {key: value.copy() for key, value in right["256x256"].items()}
    blind["image"][1] = np.nan
    return {
        **right,
        **{f"{name}.example": examples(batch) for name, batch in right.items()},
        "mixed.example": examples(right["64x64"], right["48x48"]),
        "no_pixel": blind,
        "wrong_small": wrong(height=MIN_SIDE - 1),
        "wrong_large": wrong(width=MAX_SIDE + 1),
        "wrong_empty": wrong(count=0),
        "wrong_zero_point": wrong(zero_point=[np.nan]),
        "wrong_pixel_scale": wrong(pixel_scale=[0.0]),
        "wrong_count": wrong(count=3, zero_point=[_ZERO_POINT]),
        "wrong_example": {"examples": np.array([b"nonsense"], dtype=object)},
    }
