"""Drawings of a model's attention beside the other products of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from p2p_keras.core.atomic_files import safe_name
from p2p_keras.core.errors import UsageError
from p2p_keras.measure.attention import AttentionReader

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["attention_drawer"]


def attention_drawer(
    folder: Path | None, model: str | None, plot_format: str, server: str | None = None
) -> Callable[[GalaxyImage, QTable, str], None] | None:
    """Function that draws the attention of one galaxy (image, profile, name) into a folder; None without a folder.

    Raises
    ------
    UsageError
        The model has no attention, or a server has it.
    """
    if folder is None:
        return None
    if server is not None:
        raise UsageError(
            "--attention needs the model's Keras file, and a server returns only profiles: leave out --server"
        )
    reader = AttentionReader.load(model)
    from p2p_keras.measure.attention_figure import attention_figure
    from p2p_keras.profile.plots import save_figure

    folder.mkdir(parents=True, exist_ok=True)

    def draw(image: GalaxyImage, profile: QTable, name: str) -> None:
        figure = attention_figure(image, profile, reader(image))
        save_figure(figure, folder / f"{safe_name(name)}.{plot_format}")

    return draw
