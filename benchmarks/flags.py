"""How often each flag is right: on mocks whose truth is known, and on images unlike anything seen.

``python benchmarks/flags.py --data SHARDS [--split test] [--model M]``

First table, on mocks: each rule of `p2p_keras.profile.flags` is applied twice to the same image, to the model's
outputs and to the truth. A false alarm is a flag that the truth doesn't set; a miss is one that only the truth sets.
Then how wrong profiles of each quality are, and those with each flag. Last table, on strange images (blank sky, noise,
stars, two equal galaxies, saturated cores, gradients, holes, edges) and on clean galaxies: how often the words that
are meant to be set are set.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice

import click
import numpy as np

BAD_ERROR = 0.2  # mag: median error from which a profile is called wrong


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False), help="Folder of shards with mocks.")
@click.option("--split", default="test", show_default=True)
@click.option("--model", default=None, help="Model folder or file; the shipped one by default.")
@click.option("--count", default=300, show_default=True, help="Galaxies, and strange images of all kinds together.")
@click.option("--seed", default=1, show_default=True)
@click.option("--show", is_flag=True, help="Name the flags of every strange image.")
def main(data: str | None, split: str, model: str | None, count: int, seed: int, show: bool) -> None:
    """Print the tables."""
    from p2p_keras import Predictor

    predictor = Predictor.load(model)
    if data:
        from p2p_keras.data.shards import find_shards, read_shards

        on_mocks(predictor, islice(read_shards(find_shards(data, split)), count))
    on_strange_images(predictor, max(1, count // len(STRANGE)), seed, show)


def on_mocks(predictor, labels) -> None:
    """Rates against the same rules applied to the truth."""
    from p2p_keras.core.accuracy import profile_error
    from p2p_keras.evaluation.run import image_of_label
    from p2p_keras.profile.columns import valid_rows
    from p2p_keras.profile.flags import FLAGS, find_flags, quality_of

    false, missed, true, counted = Counter(), Counter(), Counter(), Counter()
    errors: dict[int, list[float]] = {0: [], 1: [], 2: [], 4: []}
    by_word: dict[str, list[float]] = {}
    total = 0
    for label in labels:
        image = image_of_label(label)
        outputs = {name: values[0] for name, values in predictor.run([image]).items()}
        words, should = set(find_flags(outputs, image)), set(find_flags(true_outputs(label), image))
        total += 1
        for word in FLAGS:
            false[word] += word in words - should
            missed[word] += word in should - words
            true[word] += word in should
            counted[word] += word in words
        keep, inside = valid_rows(outputs), label.sma <= label.extent
        error = profile_error(label.sma[inside], label.mu[inside], outputs["sma"][keep], outputs["mu"][keep])
        errors[quality_of(words)].append(error)
        for word in words or {"none"}:
            by_word.setdefault(word, []).append(error)
    click.echo(f"{total} mocks\n\n| flag | true of | set | false alarms | misses |\n|---|---|---|---|---|")
    for word in FLAGS:
        alarms = f"{false[word]} of {total - true[word]}"
        click.echo(f"| `{word}` | {true[word]} | {counted[word]} | {alarms} | {missed[word]} of {true[word]} |")
    errors_table("quality", errors)
    errors_table("flag set", {f"`{word}`": by_word[word] for word in ("none", *FLAGS) if word in by_word})


def errors_table(title: str, groups: dict) -> None:
    """How wrong the profiles of each group are; one without radii is infinitely wrong."""
    click.echo(f"\n| {title} | profiles | median error | wrong by more than {BAD_ERROR} mag or without profile |")
    click.echo("|---|---|---|---|")
    for name, values in groups.items():
        if values:
            array = np.nan_to_num(values, nan=np.inf)
            wrong = int(np.sum(array > BAD_ERROR))
            share = f"{wrong} ({100 * wrong / array.size:.0f} %)"
            click.echo(f"| {name} | {array.size} | {np.median(array):.3f} | {share} |")


def true_outputs(label) -> dict[str, np.ndarray]:
    """What a model would answer that knew the truth."""
    from p2p_keras.core.extent import annulus_snr
    from p2p_keras.core.growth import curve_of_growth
    from p2p_keras.core.units import MAG_PER_RELATIVE_ERROR, intensity_from_mu

    intensity = intensity_from_mu(label.mu, label.zero_point, label.pixel_scale)
    snr = annulus_snr(intensity, label.sma / label.pixel_scale, label.ellipticity, label.noise)
    grown = curve_of_growth(label.sma / label.pixel_scale, intensity, label.ellipticity)
    return {
        "sma": label.sma,
        "mu": label.mu,
        "mu_err": MAG_PER_RELATIVE_ERROR / np.maximum(snr, 1e-3),
        "ellipticity": label.ellipticity,
        "pa": label.pa,
        "growth": label.zero_point - 2.5 * np.log10(grown),
        "valid": label.sma <= label.extent,
        "x0": label.x0,
        "y0": label.y0,
        "mag_total": label.mag_total,
        "sky": label.sky,
    }


# --- images unlike anything seen ---

SIDE, SCALE, ZERO, NOISE = 160, 0.396, 22.5, 0.02


def galaxy(rng, *, mag=None, re=None, x=None, y=None, n=None, q=None, side=SIDE) -> np.ndarray:
    """A Sersic galaxy seen through a PSF, nanomaggies."""
    from astropy.modeling.models import Sersic2D
    from scipy.ndimage import gaussian_filter

    mag = rng.uniform(15.0, 17.0) if mag is None else mag
    re = rng.uniform(6.0, 14.0) if re is None else re
    n = rng.uniform(0.8, 3.0) if n is None else n
    q = rng.uniform(0.4, 0.95) if q is None else q
    rows, columns = np.mgrid[:side, :side].astype(float)
    x = (side - 1) / 2 if x is None else x
    y = (side - 1) / 2 if y is None else y
    light = Sersic2D(1.0, re, n, x, y, 1.0 - q, rng.uniform(0, np.pi))(columns, rows)
    light = gaussian_filter(light, 1.4)
    wide = Sersic2D(1.0, re, n, 255.5, 255.5, 1.0 - q, 0.0)(*np.mgrid[:512, :512][::-1].astype(float))
    return light * 10.0 ** (0.4 * (ZERO - mag)) / wide.sum()


def star(rng, mag, x=None, y=None) -> np.ndarray:
    """A Moffat star."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float)
    x = (SIDE - 1) / 2 + rng.uniform(-1, 1) if x is None else x
    y = (SIDE - 1) / 2 + rng.uniform(-1, 1) if y is None else y
    fwhm, beta = rng.uniform(2.6, 4.0), 3.0
    alpha = fwhm / 2.0 / np.sqrt(2.0 ** (1.0 / beta) - 1.0)
    light = (1.0 + ((columns - x) ** 2 + (rows - y) ** 2) / alpha**2) ** -beta
    return light * 10.0 ** (0.4 * (ZERO - mag)) * (beta - 1.0) / (np.pi * alpha**2)


def noise(rng) -> np.ndarray:
    return rng.normal(0.0, NOISE, (SIDE, SIDE))


def two_galaxies(rng) -> np.ndarray:
    angle, apart = rng.uniform(0, 2 * np.pi), rng.uniform(18, 40)
    middle = (SIDE - 1) / 2
    mag, re = rng.uniform(15.5, 17.0), rng.uniform(6.0, 10.0)
    other = galaxy(rng, mag=mag, re=re, x=middle + apart * np.cos(angle), y=middle + apart * np.sin(angle))
    return galaxy(rng, mag=mag, re=re) + other + noise(rng)


def saturated(rng) -> np.ndarray:
    image = galaxy(rng, mag=rng.uniform(13.5, 15.0), n=3.0) + noise(rng)
    return np.minimum(image, np.sort(image.ravel())[-rng.integers(12, 40)])


def gradient(rng) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(10, 25) * NOISE * (np.cos(angle) * columns + np.sin(angle) * rows)
    return galaxy(rng, mag=rng.uniform(16.0, 17.0)) + slope + noise(rng)


def hole(rng) -> np.ndarray:
    image = galaxy(rng) + noise(rng)
    middle = SIDE // 2
    image[middle - 3 : middle + 4, middle - 3 : middle + 4] = np.nan
    return image


def at_edge(rng) -> np.ndarray:
    return galaxy(rng, x=rng.uniform(4, 12), y=SIDE / 2 + rng.uniform(-20, 20), re=12.0, mag=15.0) + noise(rng)


def large(rng) -> np.ndarray:
    return galaxy(rng, mag=rng.uniform(11.5, 12.5), re=rng.uniform(50, 80), n=1.0) + noise(rng)


def beside_bright_star(rng) -> np.ndarray:
    middle, angle = (SIDE - 1) / 2, rng.uniform(0, 2 * np.pi)
    apart = rng.uniform(20, 35)
    bright = star(rng, rng.uniform(12.5, 14.0), x=middle + apart * np.cos(angle), y=middle + apart * np.sin(angle))
    return galaxy(rng, mag=rng.uniform(16.0, 17.0)) + bright + noise(rng)


def rotated_noise(rng) -> np.ndarray:
    """Resampled sky: noise that is correlated between pixels."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(noise(rng), 1.0) * 3.0


STRANGE = {
    "clean galaxy": (lambda rng: galaxy(rng) + noise(rng), set()),
    "noise": (noise, {"no_profile", "low_snr", "out_of_distribution"}),
    "correlated noise": (rotated_noise, {"no_profile", "low_snr", "out_of_distribution"}),
    "star": (lambda rng: star(rng, rng.uniform(14, 19)) + noise(rng), {"unresolved", "no_profile"}),
    "two equal galaxies": (two_galaxies, {"bright_neighbour"}),
    "beside a bright star": (beside_bright_star, {"bright_neighbour", "no_profile"}),
    "saturated core": (saturated, {"saturated"}),
    "sky gradient": (gradient, {"uneven_sky"}),
    "hole in the centre": (hole, {"masked_centre"}),
    "at the edge": (at_edge, {"near_edge", "truncated", "out_of_distribution", "no_profile"}),
    "larger than the image": (large, {"truncated"}),
}
"""Kind of image: what makes it, and the words of which one at least is meant to be set (none for a clean galaxy)."""


def on_strange_images(predictor, count: int, seed: int, show: bool) -> None:
    """How often the right words are set."""
    from p2p_keras.images import GalaxyImage

    rng = np.random.default_rng(seed)
    click.echo("\n| image | meant | right | any flag | flags set |\n|---|---|---|---|---|")
    for kind, (make, meant) in STRANGE.items():
        words, right, any_flag = Counter(), 0, 0
        for number in range(count):
            image = GalaxyImage.from_array(make(rng), zero_point=ZERO, pixel_scale=SCALE, name=f"{kind} {number}")
            meta = predictor.predict(image).meta
            flags = set(meta["flags"])
            right += bool(flags & meant) if meant else not flags
            any_flag += bool(flags)
            words.update(flags or {"none"})
            if show:
                click.echo(f"{kind}: {meta['flags']}, r50 {meta['r50'] / SCALE:.2f} px", err=True)
        listed = ", ".join(f"{word} {100 * n / count:.0f} %" for word, n in words.most_common())
        wanted = " or ".join(f"`{word}`" for word in sorted(meant)) or "none"
        click.echo(f"| {kind} | {wanted} | {100 * right / count:.0f} % | {100 * any_flag / count:.0f} % | {listed} |")


if __name__ == "__main__":
    main()
