"""The classical measurement as a method to be evaluated: photutils' isophotes, without any help from the truth.

Sky, mask and first ellipse come from the image alone (`p2p_keras.data.packing.measuring`); where that fails, the
galaxy has no profile and the cause is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.core.growth import curve_of_growth
from p2p_keras.core.units import FILL_MU, FILL_MU_ERR, intensity_from_mu, mag_from_flux
from p2p_keras.data.packing.measuring import Fit, StartEllipse, measure_galaxy

if TYPE_CHECKING:
    from p2p_keras.data.labelled import LabelledGalaxy
    from p2p_keras.images import GalaxyImage

__all__ = ["COLUMNS", "ClassicalMethod", "classical_outputs", "raw_outputs", "no_outputs", "stacked_outputs"]

COLUMNS = ("sma", "mu", "mu_err", "ellipticity", "pa", "growth")
_FILL = {"sma": 1.0, "mu": FILL_MU, "mu_err": FILL_MU_ERR, "growth": FILL_MU}


class ClassicalMethod:
    """Measures galaxies by photutils, a process a core.

    Parameters
    ----------
    workers : int
        Processes; 1 measures in this one.

    Notes
    -----
    The total magnitude is that inside the last ellipse: the classical measurement extrapolates nothing.
    """

    model_name = "photutils"

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    @property
    def model_version(self) -> str:
        """Version of photutils."""
        return version("photutils")

    def run(self, images: Sequence[GalaxyImage]) -> dict[str, Any]:
        """Raw outputs as a model's, padded to the longest profile; ``failure`` says why a profile is missing."""
        self.start()
        run = self._pool.map if self._pool is not None else map
        return stacked_outputs(list(run(classical_outputs, images)))

    def __enter__(self) -> ClassicalMethod:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the processes, so that their start isn't counted as measuring."""
        if self.workers > 1 and self._pool is None:
            # Forking a process in which TensorFlow runs threads can hang.
            self._pool = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"))
            list(self._pool.map(_load_photutils, range(self.workers)))

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def classical_outputs(
    image: GalaxyImage, start: StartEllipse | None = None, *, method: str | Fit = "photutils"
) -> dict[str, Any]:
    """Measure one galaxy; raw outputs as `raw_outputs` gives them, without radii where there is no profile.

    Parameters
    ----------
    image : GalaxyImage
    start : StartEllipse, optional
        An ellipse of the galaxy that is known, to begin with.
    method : str or callable
        Who fits, as `p2p_keras.data.packing.measuring.measure_galaxy` takes it.
    """
    try:
        return raw_outputs(measure_galaxy(image, start=start, method=method))
    except InputError as error:
        return no_outputs(error.cause)


def raw_outputs(measured: LabelledGalaxy) -> dict[str, Any]:
    """A measured label as raw outputs of its radii (`p2p_keras.core.contract`, without the batch axis).

    Returns
    -------
    dict
        Arrays (N,) of `COLUMNS` and ``valid``, the numbers ``x0``, ``y0``, ``extent``, ``mag_total``, ``sky``, and
        ``failure``, the empty text. What the label doesn't know is NaN.
    """
    scale, unknown = measured.pixel_scale, np.full(measured.sma.shape, np.nan)
    ellipticity = unknown if measured.ellipticity is None else measured.ellipticity
    flux = curve_of_growth(
        measured.sma / scale, intensity_from_mu(measured.mu, measured.zero_point, scale), ellipticity
    )
    columns = {
        "sma": measured.sma,
        "mu": measured.mu,
        "mu_err": unknown if measured.mu_err is None else measured.mu_err,
        "ellipticity": ellipticity,
        "pa": unknown if measured.pa is None else measured.pa,
        "growth": mag_from_flux(flux, measured.zero_point),
    }
    return columns | {
        "valid": np.ones(measured.sma.shape, dtype=bool),
        "x0": measured.x0,
        "y0": measured.y0,
        "extent": measured.extent,
        "mag_total": float(columns["growth"][-1]),
        "sky": measured.sky,
        "failure": "",
    }


def no_outputs(cause: str) -> dict[str, Any]:
    """Raw outputs of a galaxy without a profile."""
    nothing: dict[str, Any] = {name: np.empty(0) for name in (*COLUMNS, "valid")}
    return nothing | dict.fromkeys(("x0", "y0", "extent", "mag_total", "sky"), np.nan) | {"failure": cause}


def stacked_outputs(outputs: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Raw outputs of several galaxies with a batch axis, padded to the longest profile."""
    return {name: _stacked(name, [each[name] for each in outputs]) for name in outputs[0]}


def _load_photutils(_: int) -> None:
    import photutils.isophote  # noqa: F401
    import sep  # noqa: F401


def _stacked(name: str, values: list[Any]) -> np.ndarray:
    """One array of all galaxies; profiles are padded as `valid` allows."""
    if name not in (*COLUMNS, "valid"):
        return np.array(values)
    out = np.full((len(values), max(value.size for value in values)), _FILL.get(name, 0.0))
    for row, value in zip(out, values, strict=True):
        row[: value.size] = value
    return out.astype(bool) if name == "valid" else out
