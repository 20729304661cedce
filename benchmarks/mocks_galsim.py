"""How many mock galaxies a second one core makes, of each survey, beside the same scene's light drawn by GalSim.

``python benchmarks/mocks_galsim.py [--count 12]``. The ratio is the time of a whole mock (scene, PSF, noise, measured
truth) over that of GalSim drawing a bulge and a disc alone, through the same PSF, on the same stamp.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


@click.command()
@click.option("--count", default=12, show_default=True, help="Galaxies of each survey.")
@click.option("--survey", "surveys", multiple=True, help="Only this one; several times for several.")
@click.option("--seed", default=1, show_default=True)
def main(count: int, surveys: tuple[str, ...], seed: int) -> None:
    """Print milliseconds a galaxy and the ratio to GalSim's."""
    from p2p_keras.data.mocks.presets import SURVEYS

    reference = galsim_seconds()
    click.echo(f"GalSim, bulge and disc alone: {1000 * reference:.0f} ms\n")
    click.echo("| survey | ms a galaxy and core | galaxies/s and core | times GalSim's two components |")
    click.echo("|---|---|---|---|")
    for survey in surveys or tuple(SURVEYS):
        seconds = mock_seconds(survey, count, seed)
        click.echo(f"| {survey} | {1000 * seconds:.0f} | {1 / seconds:.1f} | {seconds / reference:.2f} |")


def mock_seconds(survey: str, count: int, seed: int) -> float:
    """Mean seconds of one mock with its truth, in this process."""
    from p2p_keras.data.mocks.scene import simulate_galaxy

    simulate_galaxy(survey, seed, 0)
    start = time.perf_counter()
    for index in range(1, count + 1):
        simulate_galaxy(survey, seed, index)
    return (time.perf_counter() - start) / count


def galsim_seconds(side: int = 256, repeats: int = 5) -> float:
    """Best time of a bulge and a disc through a Moffat PSF."""
    import galsim

    times = []
    for number in range(repeats):
        start = time.perf_counter()
        # Another bulge in each repeat: GalSim keeps the tables of a profile that it has drawn.
        bulge = galsim.Sersic(n=3.5 + 0.01 * number, half_light_radius=2.0, flux=300.0)
        disc = galsim.Exponential(scale_radius=6.0, flux=900.0).shear(e=0.4, beta=30 * galsim.degrees)
        scene = galsim.Convolve(bulge + disc, galsim.Moffat(beta=3.0, fwhm=1.3))
        scene.drawImage(nx=side, ny=side, scale=0.396)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
