"""Which pixels made the radius under the pointer: a model's attention over the image."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import ColumnDataSource

from p2p_keras.core.errors import P2PError
from p2p_keras.core.program import missing_package
from p2p_keras.page.style import GREEN
from p2p_keras.profile.columns import plain_arrays

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p_keras.measure.attention import Attention
    from p2p_keras.page.measuring.measurement import Measurement
    from p2p_keras.page.measuring.models import Models

__all__ = ["AttentionOverlay", "AttentionFollower", "squares_of"]

log = logging.getLogger(__name__)
_FULL = 99.0  # percentile of a radius' weights that is drawn opaque
_LEAST = 0.02  # of it: fainter samples aren't drawn
_ONE_BY_ONE = ThreadPoolExecutor(1, thread_name_prefix="attention")
"""Loading the Keras file takes some ten seconds, in which the page goes on."""


class AttentionOverlay:
    """Squares over the image, stronger where a pixel made more of a radius.

    Attributes
    ----------
    every : ColumnDataSource
        A row for each radius of the profile: ``x``, ``y``, ``alpha`` of its squares and their ``side``, pixels of the
        field. Empty where there is no attention.
    shown : ColumnDataSource
        The squares of one radius; the page's script fills it.
    """

    def __init__(self) -> None:
        self.every = ColumnDataSource({key: [] for key in ("x", "y", "alpha", "side")}, name="attention-every")
        self.shown = ColumnDataSource({key: [] for key in ("x", "y", "alpha", "side")}, name="attention-shown")

    def draw_on(self, figure: Any) -> None:
        """Add the squares to a figure."""
        figure.rect("x", "y", "side", "side", source=self.shown, fill_color=GREEN, fill_alpha="alpha", line_color=None)

    def clear(self) -> None:
        """Show none."""
        for source in (self.every, self.shown):
            source.data = {key: [] for key in source.data}

    def show(self, measurement: Measurement, attention: Attention) -> None:
        """Show the attention of a measurement, first that of the half-light radius."""
        rows = squares_of(measurement, attention)
        self.every.data = {key: [row[key] for row in rows] for key in self.every.data}
        assert measurement.profile is not None
        sma = plain_arrays(measurement.profile)["sma"]
        r50 = float(measurement.profile.meta.get("r50", np.nan))
        k = int(np.abs(sma - r50).argmin()) if np.isfinite(r50) else len(sma) // 2
        self.shown.data = {
            key: rows[k][key] if key != "side" else [rows[k]["side"]] * len(rows[k]["x"]) for key in rows[k]
        }


def squares_of(measurement: Measurement, attention: Attention) -> list[dict[str, Any]]:
    """For each radius of a measurement's profile the squares that it was made of, in pixels of the field."""
    field, image, profile = measurement.field, measurement.image, measurement.profile
    assert field is not None and image is not None and profile is not None
    usable = np.flatnonzero(attention.valid & (attention.weight.sum(axis=1) > 0))
    if not usable.size:
        return [{"x": [], "y": [], "alpha": [], "side": 0.0} for _ in range(len(profile))]
    (left, right), _ = field.from_file(*image.to_file(np.array([0.0, 1.0]), np.zeros(2)))
    rows = []
    for sma in plain_arrays(profile)["sma"]:
        k = usable[np.abs(np.log(attention.sma[usable] / sma)).argmin()]
        weight, place = attention.weight[k], min(k, len(attention.x) - 1)
        strength = np.minimum(weight / np.percentile(weight[weight > 0], _FULL), 1.0)
        seen = strength > _LEAST
        x, y = field.from_file(*image.to_file(attention.x[place][seen], attention.y[place][seen]))
        side = abs(float(right - left)) * max(float(attention.width[k]), 1.0)
        alpha = 0.8 * np.sqrt(strength[seen])
        rows.append({"x": np.float32(x), "y": np.float32(y), "alpha": np.float32(alpha), "side": side})
    return rows


class AttentionFollower:
    """Reads the attention of what is measured in the background, and shows it unless the page has gone on.

    Parameters
    ----------
    overlay : AttentionOverlay
    models : Models
    show_message : callable
        Shows a sentence, '' for none.
    in_turn : callable
        Calls a function in the page's turn, from any thread.
    """

    def __init__(
        self,
        overlay: AttentionOverlay,
        models: Models,
        show_message: Callable[[str], object],
        in_turn: Callable[[Callable[[], object]], object],
    ) -> None:
        self._overlay, self._models, self._show_message, self._in_turn = overlay, models, show_message, in_turn
        self._measurement: Measurement | None = None

    def follow(self, measurement: Measurement | None) -> None:
        """Show the attention of a measurement; None shows none."""
        self._measurement = measurement
        self._overlay.clear()
        self._show_message("")
        if measurement is None or measurement.profile is None or not len(measurement.profile):
            return
        if measurement.request.ellipses is not None or measurement.request.fixed is not None:
            self._show_message("there is no attention: the ellipses were given, and no network measured")
            return
        self._show_message("reading the network's attention; the first time this takes some ten seconds")
        _ONE_BY_ONE.submit(self._read, measurement)

    def _read(self, measurement: Measurement) -> None:
        attention: Attention | None = None
        sentence = ""
        try:
            assert measurement.image is not None
            attention = self._models.attention(measurement.request.model)(measurement.image)
        except P2PError as error:
            sentence = str(error)
        except ModuleNotFoundError as error:
            sentence = missing_package(error) or str(error)
        except Exception as error:  # of a thread nobody would hear
            log.exception("the attention can't be read")
            sentence = f"the attention can't be read: {type(error).__name__}: {error}"
        self._in_turn(lambda: self._show(measurement, attention, sentence))

    def _show(self, measurement: Measurement, attention: Attention | None, sentence: str) -> None:
        if measurement is self._measurement:
            self._show_message(sentence)
            if attention is not None:
                self._overlay.show(measurement, attention)
