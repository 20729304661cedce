"""Figures, in a publication's style and safe for colour-blind readers.

They are made without pyplot, so they neither need nor disturb a display, and threads may draw.
"""

from __future__ import annotations

from p2p_keras.plots.comparison import comparison_figure
from p2p_keras.plots.galaxy import galaxy_figure
from p2p_keras.plots.style import save_figure

__all__ = ["comparison_figure", "galaxy_figure", "save_figure"]
