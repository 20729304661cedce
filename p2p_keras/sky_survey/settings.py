"""What a survey run is asked to do, in one record; what of it decides the bytes of the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from p2p_keras.core.errors import UsageError
from p2p_keras.images.cutout import DEFAULT_SIDE, MAX_SIDE, MIN_SIDE

__all__ = ["SIDES", "SurveySettings", "Resources", "side_for"]

SIDES = (48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
"""Sides of cutouts, px: few enough that galaxies of one side fill a batch."""


@dataclass(frozen=True)
class SurveySettings:
    """Settings of `run_survey`.

    Attributes
    ----------
    catalogue : str
        File, folder or URL: Parquet, HATS, FITS, VOTable, CSV.
    output : str
        Folder or URL of the data set.
    images : str or None
        Folder or URL of frames; None where the catalogue names a file a row.
    index : str or None
        Footprint index of the frames; None: ``frame_index.parquet`` in the output.
    columns : mapping of str to str
        What a row says -> the catalogue's name of the column (see `sky_survey.catalogue`).
    bands : tuple of str
        Measure each galaxy in these, where the catalogue has no column of bands; empty: in all that the frames have.
    size : int or None
        Side of every cutout, px.
    first_look : bool
        Find each galaxy's cutout from its light, where neither `size` nor the catalogue says.
    radius_factor : float
        Side of a cutout over the catalogue's radius, where it has one.
    max_size : int
        No cutout is larger, px.
    hdu, zero_point, pixel_scale
        For all images, as `p2p_keras.images.read_image` takes them.
    model : str or None
        As `p2p_keras.core.model_files.find_model` takes it; None: the shipped one.
    batch_size : int
        Largest number of cutouts in a run of the model.
    rows_per_part : int
        Rows read, measured and written together.
    rows_per_partition : int
        Largest number of rows in a file of the result.
    """

    catalogue: str
    output: str
    images: str | None = None
    index: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    bands: tuple[str, ...] = ()
    size: int | None = None
    first_look: bool = False
    radius_factor: float = 8.0
    max_size: int = 1024
    hdu: str | None = None
    zero_point: float | None = None
    pixel_scale: float | None = None
    model: str | None = None
    batch_size: int = 16
    rows_per_part: int = 256
    rows_per_partition: int = 100_000

    def __post_init__(self) -> None:
        for name in ("size", "max_size"):
            value = getattr(self, name)
            if value is not None and not MIN_SIDE <= value <= MAX_SIDE:
                raise UsageError(f"--{name.replace('_', '-')} {value}: a cutout's side is {MIN_SIDE} to {MAX_SIDE} px")
        if self.size is not None and self.first_look:
            raise UsageError("give either --size or --first-look: both set the size of the cutouts")

    def deciding(self) -> dict[str, Any]:
        """Settings that decide the bytes of the result: all but where things are."""
        return {k: v for k, v in asdict(self).items() if k not in ("catalogue", "output", "index", "images", "model")}


@dataclass(frozen=True)
class Resources:
    """What of a machine or cluster a run takes; nothing here changes a byte of the result but `threads`.

    Attributes
    ----------
    address : str or None
        Ray cluster to join (``"auto"``, ``HOST:PORT``, ``ray://HOST:PORT``); None: Ray in this process.
    workers : int or None
        Processes that hold the model; None: one a core (with GPUs: as many as fit).
    readers : int or None
        Processes that read frames and cut; None: one a core.
    worker_cpus, reader_cpus : float
        Cores that each is counted for.
    worker_gpus : float
        GPUs of each process with a model; a fraction lets several share one.
    threads : int
        Threads of a model on CPUs.
    object_store_memory : int or None
        Bytes of shared memory for images under way, for Ray in this process.
    dashboard : bool
        Ray's dashboard, for Ray in this process.
    metrics_port : int or None
        Port of Prometheus metrics, for Ray in this process.
    """

    address: str | None = None
    workers: int | None = None
    readers: int | None = None
    worker_cpus: float = 0.75
    reader_cpus: float = 0.25
    worker_gpus: float = 0.0
    threads: int = 1
    object_store_memory: int | None = None
    dashboard: bool = False
    metrics_port: int | None = None


def side_for(pixels: float, max_size: int) -> int:
    """Smallest of `SIDES` that is not below a wanted side, within the limit; the default where nothing is wanted.

    Parameters
    ----------
    pixels : float
        Side that is wanted; NaN: none.
    max_size : int
        Largest side.
    """
    if not pixels > 0:
        return min(DEFAULT_SIDE, max_size)
    fitting = next((side for side in SIDES if side >= pixels), MAX_SIDE)
    return min(fitting, max_size)
