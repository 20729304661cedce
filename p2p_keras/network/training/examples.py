"""Pictures of held-out galaxies: true and predicted profiles, at a run's end and every few epochs in TensorBoard."""

from __future__ import annotations

import logging
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from p2p_keras.data.shards import find_shards, read_shards
from p2p_keras.images import GalaxyImage
from p2p_keras.network.models import finish_model
from p2p_keras.profile.tables.building import profile_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from p2p_keras.data.labelled import LabelledGalaxy

__all__ = ["NUM_EXAMPLES", "HeldOutPictures", "examples_figure", "first_galaxies"]

log = logging.getLogger(__name__)
NUM_EXAMPLES = 6


def first_galaxies(data: str, split: str) -> list[LabelledGalaxy]:
    """The galaxies of a split that are drawn."""
    return list(islice(read_shards(find_shards(data, split)), NUM_EXAMPLES))


def examples_figure(model: keras.Model, galaxies: list[LabelledGalaxy], title: str) -> Figure:
    """Draw galaxies with true and predicted profiles and their uncertainty.

    Parameters
    ----------
    model : keras.Model
        With the contract's outputs.
    galaxies : list of LabelledGalaxy
    title : str
    """
    from p2p_keras.profile.plots import comparison_figure

    entries = []
    for galaxy in galaxies:
        image = GalaxyImage.from_array(
            galaxy.image,
            zero_point=galaxy.zero_point,
            pixel_scale=galaxy.pixel_scale,
            name=galaxy.name,
            band=galaxy.band,
        )
        inputs = {
            "image": galaxy.image[None],
            "zero_point": np.full(1, galaxy.zero_point, "float32"),
            "pixel_scale": np.full(1, galaxy.pixel_scale, "float32"),
        }
        answers = model(inputs, training=False).items()
        outputs = {name: keras.ops.convert_to_numpy(value)[0] for name, value in answers}
        entries.append((image, galaxy, profile_table(outputs, image)))
    return comparison_figure(entries, title=title)


class HeldOutPictures(keras.callbacks.Callback):
    """Puts a picture of held-out galaxies into TensorBoard's image tab, every few epochs and after the last.

    Parameters
    ----------
    folder : Path
        Of TensorBoard's files.
    data : str
        Shards, of whose `val` split the galaxies are.
    every : int
        Epochs.
    epochs : int
        Of the whole run.
    """

    def __init__(self, folder: Path, data: str, every: int, epochs: int) -> None:
        super().__init__()
        self.folder, self.data, self.every, self.epochs = folder, data, every, epochs
        self._finished: keras.Model | None = None  # Keras has a _model of its own
        self._galaxies: list[LabelledGalaxy] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Draw, where it is time."""
        if (epoch + 1) % self.every and epoch + 1 != self.epochs:
            return
        try:
            self._draw(epoch + 1)
        except Exception as error:  # a picture isn't worth the night's training
            log.warning("no picture of held-out galaxies for TensorBoard: %s: %s", type(error).__name__, error)

    def _draw(self, epoch: int) -> None:
        import tensorflow as tf

        from p2p_keras.profile.plots.style import figure_bytes

        if self._finished is None:
            self._finished = finish_model(self.model.whole)
            self._galaxies = first_galaxies(self.data, "val")
        with self.model.averaged():
            figure = examples_figure(self._finished, self._galaxies, f"Held-out galaxies after epoch {epoch}")
        picture = tf.io.decode_png(figure_bytes(figure, kind="png"), channels=3)
        with tf.summary.create_file_writer(str(self.folder / "pictures")).as_default():
            tf.summary.image("held-out galaxies", picture[None], step=epoch)
