"""What decides the bytes of a data set of mocks, and which galaxy goes into which shard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.extras import PLAIN, Extras
from p2p_keras.data.mocks.mixtures import NAMES
from p2p_keras.data.mocks.scene import GENERATOR_VERSION, galaxy_name

__all__ = ["MIN_TROUBLE_SIZE", "Job", "plan_shards"]

MIN_TROUBLE_SIZE = 96
"""Companions and edges lie that far out."""


@dataclass(frozen=True)
class Job:
    """All that decides the bytes of a data set.

    Attributes
    ----------
    survey : str
    count : int
        Galaxies.
    seed : int
    size : int
        Side of the images, pixels.
    splits : mapping of split to fraction
    bands : tuple of str
        Every galaxy is made in each of these; empty: in one band of its own, drawn at random.
    galaxies_per_shard : int
    gzip : bool
    backgrounds : str or None
        Folder of real frames.
    background_share : float
        Share of the galaxies that are put into real frames, where there are any.
    templates : str or None
        Folder of deep images of real galaxies.
    template_share : float
    near_star_share : float
        Share of the galaxies with a star on them or beside them.
    extras : Extras or None
        None: those of the survey.
    troubles : bool
        Make the test bed of `troubles`: one named trouble a galaxy.
    """

    survey: str
    count: int
    seed: int
    size: int
    splits: Mapping[str, float]
    bands: tuple[str, ...] = ()
    galaxies_per_shard: int = 512
    gzip: bool = False
    backgrounds: str | None = None
    background_share: float = 1.0
    templates: str | None = None
    template_share: float = 0.2
    near_star_share: float = 0.0
    extras: Extras | None = None
    troubles: bool = False

    def __post_init__(self) -> None:
        if self.survey not in NAMES:
            raise UsageError(f"survey {self.survey!r} is unknown; known are {', '.join(NAMES)}")
        if self.count < 1:
            raise UsageError(f"count is {self.count}, expected at least 1")
        if not 48 <= self.size <= 2048:
            raise UsageError(f"size is {self.size}, expected 48 to 2048 pixels")
        if self.troubles and self.size < MIN_TROUBLE_SIZE:
            raise UsageError(f"size is {self.size}; troubles need images of at least {MIN_TROUBLE_SIZE} pixels")
        if self.troubles and (self.backgrounds or self.templates or self.near_star_share):
            raise UsageError(
                "--troubles uses mock fields and mock galaxies: it doesn't go with backgrounds, templates or near stars"
            )

    def settings(self) -> dict[str, Any]:
        """What ``dataset.json`` says beside the seed; plain JSON, free of where on a disk folders lie."""
        content = asdict(self)
        del content["seed"]
        content["splits"] = dict(self.splits)
        content["bands"] = list(self.bands)
        if not self.near_star_share:
            del content["near_star_share"]  # as data sets have it that were made before there was the option
        extras = asdict(self.extras or Extras.of(self.survey))
        del content["extras"]
        content |= {name: value for name, value in extras.items() if value != PLAIN}
        if not self.troubles:
            del content["troubles"]
        content["generator_version"] = GENERATOR_VERSION
        for folder in ("backgrounds", "templates"):
            if content[folder]:
                content[folder] = Path(content[folder]).name
        return content


def plan_shards(job: Job) -> dict[str, list[int]]:
    """Which galaxies each shard holds: shard file name to indices, splits decided by the galaxies' names."""
    from p2p_keras.data.shards import shard_name, split_of

    members: dict[str, list[int]] = {split: [] for split in job.splits}
    for index in range(job.count):
        members[split_of(galaxy_name(job.seed, index), job.splits)].append(index)
    plan = {}
    for split, indices in members.items():
        number = -(-len(indices) // job.galaxies_per_shard)
        for shard in range(number):
            # Equal shards: of the galaxies in order, every number-th.
            plan[shard_name(split, shard, number, gzip=job.gzip)] = indices[shard::number]
    return plan
