"""Run AutoProf on a list of images; for the Python of AutoProf's own environment, called by ``classical.py``.

``python autoprof_runner.py JOBS.json``: a list of dicts of AutoProf's options (``ap_name``, ``ap_image_file``, ...).
One JSON line a galaxy goes to standard output: its name, its seconds, whether it was done.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings

from autoprof.Pipeline import Isophote_Pipeline

STEPS = ["background", "psf", "center", "isophoteinit", "isophotefit", "isophoteextract", "checkfit", "writeprof"]
"""AutoProf's own order; a mask of other sources goes first where there is one."""


def main() -> None:
    warnings.simplefilter("ignore")
    with open(sys.argv[1], encoding="utf-8") as file:
        jobs = json.load(file)
    for job in jobs:
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            pipeline = Isophote_Pipeline(loggername=job["ap_saveto"] + job["ap_name"] + ".log")
            pipeline.UpdatePipeline(new_pipeline_steps=["mask segmentation map", *STEPS])
            done = pipeline.Process_Image(dict(job))
        report = {"name": job["ap_name"], "seconds": time.perf_counter() - start, "done": isinstance(done, dict)}
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
