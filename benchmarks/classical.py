"""Accuracy and speed of the model beside classical measurements of the same mock galaxies.

``python benchmarks/classical.py [--count 24] [--isoster CHECKOUT] [--without autoprof]`` makes mocks that no model was
trained on, measures them by every method and prints one table (Markdown), as in the README. Methods:

* the model;
* isoster's ``fit_image`` (with numba), from a checkout that ``--isoster`` names;
* photutils ``Ellipse``, blind: sky, mask and first ellipse from the image alone (`p2p_keras.data.packing.measuring`);
* photutils from the true ellipse at the half-light radius, with the true centre kept (``photutils-true``);
* SEP's sums in rings of the source's own ellipse: no fit, the least that a profile can cost;
* AutoProf, given the same mask of other sources; in an environment of its own, which this command makes (``RECIPE``:
  AutoProf 1.3 needs an older numpy and photutils than p2p_keras).

isoster, photutils and SEP get the same sky, mask and first ellipse (by sep), and end by the same rule. A galaxy that a
method gives no profile counts as infinitely wrong. Times are processor seconds per galaxy, one thread a process: from a
FITS file to the measured columns (to a written table, with derived quantities, for the model), and of the fit alone
(the network alone). The first galaxies of each process, in which numba compiles, aren't counted. For AutoProf they are
seconds by the clock, from its own file on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

RECIPE = ("autoprof==1.3.4", "numpy==1.26.4", "astropy==5.3.4", "photutils==1.5.0", "scipy<1.18", "setuptools<81")
"""Versions that work together; photutils 1.5 is built from source where there is no wheel (needs a C compiler)."""


METHODS = ("photutils", "photutils-true", "apertures", "autoprof")


class Classical:
    """A fit of isophotes (`classical_fits`) in processes of one thread; given the true ellipse with `labels`.

    `paths` has the FITS file of each galaxy by its name and band.
    """

    def __init__(
        self, name: str, version: str, fit: Any, paths: dict[Any, str], workers: int, labels: Sequence[Any] = ()
    ) -> None:
        self.paths = paths
        self.model_name, self.model_version, self.fit = name, version, fit
        self.truths = {(label.name, label.band): label for label in labels}
        self.pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        self.seconds = self.fit_seconds = 0.0
        list(self.pool.map(_ready, range(workers)))

    def run(self, images: Sequence[Any]) -> dict[str, Any]:
        """Raw outputs of images of one shape."""
        from p2p_keras.evaluation.classical import stacked_outputs

        starts = [None] * len(images)
        if self.truths:
            starts = [_true_start(self.truths[image.name, image.band], image) for image in images]
        # The first galaxy of each process compiles, imports and fills caches: it isn't counted.
        paths, fits = [self.paths[image.name, image.band] for image in images], [self.fit] * len(images)
        list(self.pool.map(_timed, paths[:4], images[:4], starts[:4], fits[:4]))
        timed = list(self.pool.map(_timed, paths, images, starts, fits))
        self.seconds += sum(seconds for seconds, _, _ in timed)
        self.fit_seconds += sum(seconds for _, seconds, _ in timed)
        return stacked_outputs([outputs for _, _, outputs in timed])


def _timed(path: str, image: Any, start: Any, fit: Any) -> tuple[float, float, dict[str, Any]]:
    """Processor seconds of one galaxy from its FITS file on, and of its fit alone; and its outputs."""
    from classical_fits import Timed

    from p2p_keras.evaluation.classical import classical_outputs
    from p2p_keras.images import read_image

    timed = Timed(fit)
    begin = time.process_time()
    read_image(path)  # the same pixels as those of `image`
    outputs = classical_outputs(image, start, method=timed)
    return time.process_time() - begin, timed.seconds, outputs


class Model:
    """The model, its processor time added up: of the network alone, and from FITS files to a table."""

    def __init__(self, predictor: Any) -> None:
        self.predictor, self.seconds, self.fit_seconds = predictor, 0.0, 0.0
        self.model_name, self.model_version = predictor.model_name, predictor.model_version

    def run(self, images: Sequence[Any]) -> dict[str, Any]:
        """Raw outputs of images of one shape."""
        begin = time.process_time()
        outputs = self.predictor.run(images)
        self.fit_seconds += time.process_time() - begin
        return outputs

    def write_table(self, paths: Sequence[str], table: Path) -> None:
        """What `predict` does, without its start."""
        from p2p_keras.images.targets import files_as_inputs
        from p2p_keras.measure.many_files import predict_inputs
        from p2p_keras.profile.derived.complete import complete_profiles
        from p2p_keras.profile.tables.files import ProfileWriter

        begin = time.process_time()
        inputs = files_as_inputs(paths)
        with ProfileWriter(table) as writer:
            for done in predict_inputs(self.predictor, inputs, finish=lambda some, _: complete_profiles(some)):
                if done.measured is not None:
                    writer.add(done.measured)
        self.seconds += time.process_time() - begin


class AutoProf:
    """AutoProf in its own environment, some processes at a time."""

    model_name = "AutoProf"

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder, self.workers = folder, workers
        self.python = autoprof_environment(folder / "autoprof")
        self.model_version = RECIPE[0].partition("==")[2]
        self.seconds, self.fit_seconds = 0.0, float("nan")

    def run(self, images: Sequence[Any]) -> dict[str, Any]:
        """Raw outputs of images of one shape."""
        from p2p_keras.evaluation.classical import no_outputs, raw_outputs, stacked_outputs

        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            jobs = [_autoprof_job(image, Path(scratch) / f"{number}") for number, image in enumerate(images)]
            running = []
            for worker in range(self.workers):
                share = Path(scratch) / f"jobs-{worker}.json"
                share.write_text(json.dumps(jobs[worker :: self.workers]))
                command = [self.python, str(Path(__file__).with_name("autoprof_runner.py")), str(share)]
                environment = dict(os.environ, MPLBACKEND="Agg", OMP_NUM_THREADS="1")
                running.append(
                    subprocess.Popen(
                        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=scratch, env=environment
                    )
                )
            for process in running:
                lines = process.communicate()[0].decode().splitlines()
                self.seconds += sum(json.loads(line)["seconds"] for line in lines)
            outputs = []
            for image, job in zip(images, jobs, strict=True):
                label = _autoprof_label(image, Path(job["ap_saveto"]))
                outputs.append(no_outputs("AutoProf gave no profile") if label is None else raw_outputs(label))
        return stacked_outputs(outputs)


def _autoprof_job(image: Any, place: Path) -> dict[str, Any]:
    """Write the input of one galaxy; AutoProf's options for it."""
    from astropy.io import fits

    from p2p_keras.core.errors import InputError
    from p2p_keras.data.packing.measuring import mask_of_others

    place.mkdir()
    try:
        mask = mask_of_others(image)
    except InputError:
        mask = ~np.isfinite(image.pixels)
    fits.writeto(place / "image.fits", np.nan_to_num(np.asarray(image.pixels, dtype=np.float32)))
    fits.writeto(place / "mask.fits", mask.astype(np.int16))
    return {
        "ap_process_mode": "image",
        "ap_image_file": str(place / "image.fits"),
        "ap_mask_file": str(place / "mask.fits"),
        "ap_name": "galaxy",
        "ap_pixscale": float(image.pixel_scale),
        "ap_zeropoint": float(image.zero_point),
        "ap_saveto": f"{place}/",
        "ap_isoclip": True,
        "ap_doplot": False,
    }


def _autoprof_label(image: Any, place: Path) -> Any:
    """What AutoProf measured, with position angles from +x; None where it gave no profile."""
    from p2p_keras.core.errors import InputError
    from p2p_keras.data.labelled import LabelledGalaxy
    from p2p_keras.data.packing.profiles import read_profile

    try:
        profile = read_profile(place / "galaxy.prof", zero_point=image.zero_point, pixel_scale=image.pixel_scale)
    except InputError:
        return None
    x0, y0 = _autoprof_centre(place / "galaxy.aux")
    good = np.isfinite(profile.mu) & (profile.ellipticity < 1.0)
    if good.sum() < 2:
        return None
    return LabelledGalaxy(
        image.name, image.band, image.pixels, image.zero_point, image.pixel_scale, profile.sma[good], profile.mu[good],
        profile.ellipticity[good], (profile.pa[good] + 90.0) % 180.0, mu_err=profile.mu_err[good], x0=x0, y0=y0,
        extent=float(profile.sma[good][-1]),
    )  # fmt: skip


def autoprof_environment(folder: Path) -> str:
    """Python of an environment with AutoProf, which is made where it is missing."""
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        click.echo(f"making an environment for AutoProf in {folder}", err=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *RECIPE], check=True)
        subprocess.run([str(python), "-c", "import autoprof"], check=True)
        (folder / "ready").touch()
    return str(python)


def _autoprof_centre(path: Path) -> tuple[float, float]:
    for line in path.read_text().splitlines():
        if line.startswith("center x:"):
            x, y = (part.split(":")[1].split()[0] for part in line.split(","))
            return float(x), float(y)
    return float("nan"), float("nan")


def _true_start(label: Any, image: Any) -> Any:
    from p2p_keras.data.packing.measuring import StartEllipse
    from p2p_keras.evaluation.galaxy import half_light_radius

    radius = half_light_radius(label)
    radius = radius if np.isfinite(radius) else 0.3 * label.extent
    nearest = int(np.argmin(np.abs(label.sma - radius)))
    return StartEllipse(
        label.x0 - image.x_offset,
        label.y0 - image.y_offset,
        radius / label.pixel_scale,
        float(label.ellipticity[nearest]),
        float(label.pa[nearest]),
    )


def _ready(_: int) -> None:
    import photutils.isophote  # noqa: F401
    import sep  # noqa: F401


@click.command()
@click.option("--count", default=24, show_default=True, help="Mock galaxies.")
@click.option("--survey", default="sdss", show_default=True, help="Preset of the mocks.")
@click.option("--seed", default=9001, show_default=True, help="Of the mocks.")
@click.option("--data", type=click.Path(exists=True), help="Shards (split test) to use in place of new mocks.")
@click.option("--model", default=None, help="Model folder or file.  [default: the shipped one]")
@click.option("--cores", default=os.cpu_count(), show_default=True, help="Threads of the model, processes of others.")
@click.option("--without", multiple=True, type=click.Choice(METHODS), help="Leave one out.")
@click.option(
    "--isoster",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Checkout of github.com/MassiveSeaOtters/isoster, to measure with it too (needs numba and pydantic).",
)
@click.option("--scratch", type=click.Path(file_okay=False, path_type=Path), help="Folder for the mocks and AutoProf.")
@click.option("--output", type=click.Path(path_type=Path), help="JSON file of all figures.")
def main(
    count: int,
    survey: str,
    seed: int,
    data: str | None,
    model: str | None,
    cores: int,
    without: tuple[str, ...],
    isoster: Path | None,
    scratch: Path | None,
    output: Path | None,
) -> None:
    """Compare the model with isoster, photutils, AutoProf and plain apertures."""
    from classical_fits import ByIsoster, by_apertures, by_photutils, version_of

    from p2p_keras import Predictor
    from p2p_keras.data.shards import find_shards, read_shards
    from p2p_keras.evaluation import evaluate_models, summarise_evaluation
    from p2p_keras.evaluation.report import write_json
    from p2p_keras.evaluation.run import image_of_label

    scratch = scratch or Path(tempfile.gettempdir()) / "p2p_keras-benchmark"
    scratch.mkdir(parents=True, exist_ok=True)
    if data is None:
        data = str(scratch / f"{survey}-{seed}-{count}")
        command = [sys.executable, "-m", "p2p_keras.simulate", "--survey", survey, "--count", str(count)]
        subprocess.run([*command, "--seed", str(seed), "--splits", "test=1", "--output", data], check=True)
    labels = list(read_shards(find_shards(data, "test")))[:count]
    predictor = Predictor.load(model, threads=cores)
    paths = write_images(labels, scratch / "images")
    files = {(label.name, label.band): path for label, path in zip(labels, paths, strict=True)}
    ours = Model(predictor)
    methods: list[Any] = [ours]
    if isoster is not None:
        methods.append(Classical("isoster", version_of(isoster), ByIsoster(str(isoster)), files, cores))
    if "photutils" not in without:
        methods.append(Classical("photutils, blind", version("photutils"), by_photutils, files, cores))
    if "photutils-true" not in without:
        methods.append(Classical("photutils, true ellipse", version("photutils"), by_photutils, files, cores, labels))
    if "apertures" not in without:
        methods.append(Classical("SEP apertures", version("sep"), by_apertures, files, cores))
    if "autoprof" not in without:
        methods.append(AutoProf(scratch, cores))
    images = [image_of_label(label) for label in labels]
    predictor.run([images[0]] * min(16, len(images)))  # graphs are compiled in the first run

    rows, summaries = [], []
    for method in methods:
        start = time.perf_counter()
        # All galaxies are one batch of the others, so that no process waits for the slowest of sixteen.
        batch = 16 if method is ours else len(labels)
        summary = summarise_evaluation(evaluate_models([method], labels, batch_size=batch)[0])
        if method is ours:
            ours.write_table(paths, scratch / "warm.parquet")
            ours.seconds = 0.0
            ours.write_table(paths, scratch / "profiles.parquet")
        summary["core_seconds_per_galaxy"] = method.seconds / len(labels)
        summary["fit_seconds_per_galaxy"] = method.fit_seconds / len(labels)
        summaries.append(summary)
        click.echo(f"{summary['model']}: {time.perf_counter() - start:.0f} s", err=True)
        rows.append(row_of(summary, summaries[0]))
    click.echo(f"{len(labels)} mocks of {data}, {cores} cores\n")
    click.echo("| method | median error | quartiles | worst tenth from | > 0.5 mag or none | e | pa (deg) | ", nl=False)
    click.echo("inside 1 sigma | core s per galaxy, FITS to table | times the model's | of it the fit | times |")
    click.echo("|---" * 12 + "|")
    click.echo("\n".join(rows))
    if output is not None:
        write_json(summaries, output, {"data": data, "cores": cores})


def write_images(labels: Sequence[Any], folder: Path) -> list[str]:
    """A FITS file of each mock, in nanomaggies."""
    from astropy.io import fits

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, label in enumerate(labels):
        path = folder / f"{number:05d}.fits"
        header = fits.Header({"BUNIT": "nanomaggy", "FILTER": label.band or "r", "PIXSCALE": label.pixel_scale})
        flux = np.asarray(label.image, float) * 10.0 ** (0.4 * (22.5 - label.zero_point))
        fits.PrimaryHDU(flux.astype(np.float32), header).writeto(path, overwrite=True)
        paths.append(str(path))
    return paths


def row_of(summary: dict[str, Any], first: dict[str, Any]) -> str:
    """One method's line of the table; the error is the paper's where mu_true <= 26.5."""
    error, scalars = summary["error_bright"], summary["scalars"]
    cells = [
        summary["model"],
        f"{error['median']:.3f}",
        f"{error['quartile_low']:.3f} to {error['quartile_high']:.3f}",
        f"{error['worst_tenth']:.3f}",
        f"{100 * error['share_bad']:.0f} %",
        f"{scalars['ellipticity']['median']:.3f}",
        f"{scalars['pa_deg']['median']:.1f}",
        f"{100 * summary['coverage']['one_sigma']:.0f} %",
    ]
    for key in ("core_seconds_per_galaxy", "fit_seconds_per_galaxy"):
        ratio = summary[key] / first[key]
        cells += [f"{summary[key]:.4f}", f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
