"""The program `view` with an attention that is known beforehand and needs no TensorFlow: ``python served.py ...``."""

from __future__ import annotations

from typing import Any

import numpy as np

from p2p_keras.measure.attention import Attention
from p2p_keras.page.measuring.models import Models


class CircleReader:
    """Says that each radius was made of eight places on a circle of that radius, all of one weight but the first."""

    def __call__(self, image: Any) -> Attention:
        sma = np.array([0.4, 1.0, 2.0, 4.0, 8.0])
        angle = np.arange(8) * np.pi / 4
        middle = (np.array(image.shape) - 1) / 2
        x, y = (
            m + np.outer(sma / image.pixel_scale, wave)
            for m, wave in zip(middle[::-1], (np.cos(angle), np.sin(angle)), strict=True)
        )
        weight = np.full((5, 8), 0.1)
        weight[:, 0], weight[:, 1] = 0.3, 0.0
        return Attention(sma, np.array([True, True, True, True, False]), weight, x, y, np.array([0.3, 1, 1, 2, 2.0]))


if __name__ == "__main__":
    from p2p_keras.view import main

    Models.attention = lambda self, name=None: CircleReader()  # type: ignore[assignment,method-assign,return-value]
    main(prog_name="python -m p2p_keras.view")
