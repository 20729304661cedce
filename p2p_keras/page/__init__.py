"""The page that `p2p-keras view` serves: to measure galaxies on, and to judge a run by.

In a notebook the same pieces show below a cell: ``profile.explore()`` and ``p2p_keras.page.view(table)``.
"""

from __future__ import annotations

from p2p_keras.page.notebook import explore, view

__all__ = ["explore", "view"]
