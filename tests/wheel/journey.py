"""Steps of a new user's first hour, the same in every environment."""

from __future__ import annotations

import json
from pathlib import Path

from astropy.io import fits
from astropy.table import QTable
from environment import ROOT, Environment

MEASURE_ARRAY = """
import json, sys
from astropy.io import fits
from p2p_keras import Predictor

predictor = Predictor.load()
array = fits.getdata("galaxy.fits")
profile = predictor.predict(array, zero_point=22.5, pixel_scale=0.396)
print(json.dumps({
    "model": f"{predictor.model_name} {predictor.model_version}",
    "rows": len(profile),
    "mu": [float(mu) for mu in profile["mu"].value],
    "tensorflow": "tensorflow" in sys.modules,
}))
"""


def draw_galaxy(environment: Environment) -> Path:
    """A mock galaxy with a known magnitude, drawn by the installed package; once in an environment."""
    path = environment.work / "galaxy.fits"
    if not path.exists():
        environment.run("python", str(ROOT / "examples" / "mock_galaxy.py"), "galaxy.fits")
    return path


def measure(environment: Environment, *options: str) -> tuple[dict, float]:
    """``p2p-keras predict galaxy.fits``: what it wrote, and the magnitude that was drawn."""
    environment.run("p2p-keras", "predict", "galaxy.fits", "--output", "galaxy.ecsv", *options)
    table = QTable.read(environment.work / "galaxy.ecsv")
    meta = table.meta["galaxies"][0] if "galaxies" in table.meta else table.meta
    truth = float(fits.getheader(environment.work / "galaxy.fits")["TRUEMAG"])
    return {"mag_total": float(getattr(meta["mag_total"], "value", meta["mag_total"])), "table": table}, truth


def info(environment: Environment) -> dict:
    """``p2p-keras info --json``."""
    return json.loads(environment.run("p2p-keras", "info", "--json").stdout)
