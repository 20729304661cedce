"""The attention of an exported model, read from the Keras file beside it: which pixels made which radius.

The SavedModel and the ONNX file don't have it: their outputs are the contract's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.errors import UsageError
from p2p_keras.core.model_files import keras_file

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = ["Attention", "AttentionReader"]


@dataclass(frozen=True)
class Attention:
    """Where a model looked for each radius of one image.

    Attributes
    ----------
    sma : float array (K,)
        Semi-major axes, arcsec.
    valid : bool array (K,)
    weight : float array (K, samples)
        Sums to one over the samples of a radius; 0 for masked ones.
    x, y : float arrays (K or 1, samples)
        Middles of the samples, pixels of the image.
    width : float array (K,)
        Side in pixels of the square that a sample stands for.
    """

    sma: np.ndarray
    valid: np.ndarray
    weight: np.ndarray
    x: np.ndarray
    y: np.ndarray
    width: np.ndarray

    def on_pixels(self, good: np.ndarray) -> np.ndarray:
        """Weights of the image's pixels.

        Parameters
        ----------
        good : bool array (H, W)
            Pixels that aren't masked.

        Returns
        -------
        float array (K, H, W)
            The share of each radius that each pixel made: sums to one where the radius has any attention on the image,
            exactly 0 on masked pixels.
        """
        height, width = good.shape
        maps = np.zeros((len(self.sma), height, width))
        for k, side in enumerate(np.maximum(self.width, 1.0)):
            # A square is filled by points half a pixel apart, at most.
            number = int(np.ceil(2.0 * side))
            offsets = ((np.arange(number) + 0.5) / number - 0.5) * side
            row = min(k, len(self.x) - 1)
            columns = np.rint(self.x[row][:, None, None] + offsets[None, None, :]).astype(int)
            rows = np.rint(self.y[row][:, None, None] + offsets[None, :, None]).astype(int)
            columns, rows = np.broadcast_arrays(columns, rows)
            inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
            usable = inside & good[np.where(inside, rows, 0), np.where(inside, columns, 0)]
            points = usable.sum(axis=(1, 2))
            share = np.where(points > 0, self.weight[k] / np.maximum(points, 1), 0.0)
            spread = np.broadcast_to(share[:, None, None], usable.shape)
            np.add.at(maps[k], (rows[usable], columns[usable]), spread[usable])
            total = maps[k].sum()
            if total > 0:
                maps[k] *= self.weight[k].sum() / total
        return maps


class AttentionReader:
    """Reads attention from the Keras file of a model.

    Parameters
    ----------
    model : keras.Model
        Of `p2p_keras.network.models.attention.attention_model`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    @classmethod
    def load(cls, model: str | os.PathLike[str] | None = None) -> AttentionReader:
        """Load the file ``model.keras`` beside a model's versions.

        Parameters
        ----------
        model : str or path, optional
            As `p2p_keras.measure.predictor.Predictor.load` takes it.

        Raises
        ------
        UsageError
            There is no such file, it is of another version, or its network has no attention.
        """
        path = keras_file(model)
        from p2p_keras.network import load_network
        from p2p_keras.network.models.attention import attention_model

        try:
            loaded = load_network(path)
        except (OSError, TypeError, ValueError) as error:
            raise UsageError(f"{path}: can't be loaded, so its attention can't be drawn ({error})") from error
        return cls(attention_model(loaded))

    def __call__(self, image: GalaxyImage) -> Attention:
        """Attention of one image."""
        inputs = {
            "image": np.asarray(image.pixels, dtype=np.float32)[None],
            "zero_point": np.full(1, image.zero_point, np.float32),
            "pixel_scale": np.full(1, image.pixel_scale, np.float32),
        }
        outputs = {name: np.asarray(value)[0] for name, value in self.model(inputs, training=False).items()}
        return Attention(
            sma=outputs["sma"],
            valid=outputs["valid"].astype(bool),
            weight=outputs["attention"],
            x=outputs["attention_x"],
            y=outputs["attention_y"],
            width=outputs["attention_width"],
        )
