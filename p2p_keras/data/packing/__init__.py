"""One's own images and profiles -> shards.

`rows` says which image goes with which profile, `frames` which galaxy is on which frame, `profiles` reads profiles of
several programs, `measuring` measures those that are missing, `labelling` joins image and profile, and `shard_run`
writes the shards and the report.
"""

from __future__ import annotations

from p2p_keras.data.packing.frames import rows_of_frames
from p2p_keras.data.packing.labelling import label_galaxy
from p2p_keras.data.packing.profiles import ProfileLabel, read_profile
from p2p_keras.data.packing.rows import PackRow, rows_of_catalogue, rows_of_images, rows_of_paper_layout
from p2p_keras.data.packing.shard_run import PackReport, pack_rows

__all__ = [
    "PackReport",
    "PackRow",
    "ProfileLabel",
    "label_galaxy",
    "pack_rows",
    "read_profile",
    "rows_of_catalogue",
    "rows_of_frames",
    "rows_of_images",
    "rows_of_paper_layout",
]
