"""The default preset: the network decides where to look and what to ignore, the pixels carry the flux.

1. The image in units of its own noise, as a pyramid of means (`sampled_image`).
2. Centre: `find_centre`.
3. First look, along circles: an ellipse for every radius, and where the rings say that the centre is.
4. Second look, along those ellipses: attention over angle (which samples are the galaxy) and, from the harmonics of the
   intensity under that attention, corrected ellipses and a corrected centre: one iteration of the classical fit, for
   all radii at once.
5. Third look, along the corrected ellipses: the attention's mean of the pixels is the copied intensity; a further
   harmonic correction gives the geometry that is reported.
6. Decoder: transformer blocks over radius find the sky, mend the copied intensity and say how sure they are.

Flux never passes through a weight: scaling an image shifts mu exactly. With `sky_free`, a constant on an image that
wasn't sky-subtracted changes nothing but the sky.
"""

from __future__ import annotations

import keras
from keras import layers

from p2p_keras.network import layers as p2p
from p2p_keras.network.models.beside_mu import contract_inputs, pyramid_of
from p2p_keras.network.models.centre import find_centre

__all__ = ["NUM_ANGLES", "polar_unet", "displacements", "profile_errors", "sampled_image", "build_network"]

NUM_ANGLES = 32


def polar_unet(x, filters, depths, name, policy):
    """U-Net over (radius, angle); returns full-resolution and half-resolution features."""
    x = p2p.PolarConv2D(filters[0], dtype=policy, name=f"{name}_stem")(x)
    skips = [x]
    for level, width in enumerate(filters[1:], start=1):
        x = layers.Activation("silu", dtype=policy, name=f"{name}_act{level}")(x)
        x = p2p.PolarDown(width, dtype=policy, name=f"{name}_down{level}")(x)
        for i in range(depths[level]):
            x = p2p.PolarResidual(width, dtype=policy, name=f"{name}_enc{level}_{i}")(x)
        skips.append(x)
    half = x
    for level in range(len(filters) - 2, -1, -1):
        x = p2p.PolarUp(filters[level], dtype=policy, name=f"{name}_up{level}")(x, skips[level])
        if level:
            x = p2p.PolarResidual(filters[level], dtype=policy, name=f"{name}_dec{level}")(x)
        if level == 1:
            half = x
    x = layers.Activation("silu", dtype=policy, name=f"{name}_act_top")(x)
    x = p2p.PolarConv2D(filters[0], dtype=policy, name=f"{name}_top")(x)
    return layers.Activation("silu", dtype=policy, name=f"{name}_act_out")(x), half


def displacements(features, name, policy):
    """What each ring of a look says of the centre, learned: (batch, radii, 1, 2), zero before training."""
    maps = layers.Conv2D(1, 1, kernel_initializer="zeros", dtype=policy, name=f"{name}_displacement")(features)
    return p2p.HarmonicPool(harmonic=1, name=f"{name}_displacements")(maps)


def profile_errors(tokens, trust, e, dim):
    """Uncertainties of all but mu, and the probability that the profile is bad, from what the decoder knows."""
    of_rings = layers.Dense(2, kernel_initializer="zeros", dtype="float32", name="ring_errors")(tokens)
    where = layers.Dense(1, kernel_initializer="zeros", dtype="float32", name="doubt_where")(tokens)
    pooled = p2p.RadialPool(name="doubt_pool")(tokens, where)
    pooled = layers.Concatenate(dtype="float32", name="doubt_in")([pooled, trust])
    hidden = layers.Dense(dim, activation="silu", dtype="float32", name="doubt_hidden")(pooled)
    hidden = layers.Dense(dim, activation="silu", dtype="float32", name="doubt_deep")(hidden)
    of_galaxy = layers.Dense(3, kernel_initializer="zeros", dtype="float32", name="doubt")(hidden)
    return p2p.ProfileErrors(name="errors")(of_rings, of_galaxy, e)


def sampled_image(image, sky_free):
    """The image ready to be looked at, the log of its noise unit, and the level taken off it (None: nothing is).

    The first is a function of a layer's name to a function of x, y and width, as `PyramidSampler` takes them. That one
    gives value, good and level, and what convolutions are shown of the good share.
    """
    pyramid, removed = pyramid_of(image, sky_free)

    def sampler(name):
        layer = p2p.PyramidSampler(name=name)

        def sample(x, y, width):
            value, share, level, *shown = layer(image, *pyramid[:3], x, y, width, *pyramid[3:])
            return value, share, level, shown[0] if shown else share

        return sample

    return sampler, pyramid[2], removed


def look_along_ellipses(image, centre, sample, filters, depths, dtype, *, sky_free):
    """Ellipses and centre from three looks, and what the last of them sees.

    Parameters
    ----------
    image : tensor (batch, height, width), for its shape
    centre : tensor (batch, 2) in pixels
    sample : callable
        Of x, y and width, see `sampled_image`.
    filters, depths, dtype, sky_free
        As `build_network`.

    Returns
    -------
    dict of tensors
        `sma` (batch, K) px; `e_first`, `e_second` (batch, K, 2); `centre_moved`, `centre` (batch, 2); of the third look
        `value`, `attention` (batch, K, samples), `intensity`, `number`, `covered`, `on_image`, `level` (batch, K) and
        `harmonics` (batch, K, 3, 2); `half_ring` (batch, K, channels), what the second U-Net knows of each ring.
    """
    jittered = p2p.CentreJitter(name="centre_jitter")(centre, image)
    sma = p2p.RadialGrid(name="grid")(image)
    look_features = p2p.LookFeatures(name="look")

    # First look, along circles: an ellipse for every radius, and where the rings say that the centre is.
    circle = p2p.Circles(name="circles")(sma)
    points = p2p.EllipsePoints(NUM_ANGLES, name="points")
    x, y, width = points(jittered, sma, circle)
    value, good, level, shown = sample(x, y, width)
    features, half = polar_unet(look_features(value, shown, level, sma), filters, depths, "first", dtype)
    maps = layers.Conv2D(2, 1, dtype=dtype, name="first_geometry")(features)
    vectors = p2p.HarmonicPool(name="first_harmonics")(maps)
    e_first = p2p.EllipseCorrection(name="first_ellipse")(circle, p2p.SumVectors(name="first_sum")(vectors))
    dipoles = p2p.SumVectors(name="first_shift")(displacements(features, "first", dtype))
    trust = layers.Dense(1, dtype=dtype, name="first_say")(p2p.RingPool(name="first_ring_pool")(half))
    moved = p2p.MovedCentre(name="first_centre")(jittered, sma, circle, dipoles, trust)

    # Second look, along those ellipses: attention over angle and the classical correction of ellipses and centre.
    x, y, width = points(moved, sma, e_first)
    value, good, level, shown = sample(x, y, width)
    features, half = polar_unet(look_features(value, shown, level, sma), filters, depths, "second", dtype)
    logits = layers.Conv2D(1, 1, dtype=dtype, name="attention_logits")(features)
    logits = layers.Reshape((-1, NUM_ANGLES), dtype="float32", name="attention_flat")(logits)
    attention = p2p.AngularAttention(name="attention")
    weight, _, _, _ = attention(logits, value, good)
    harmonics = p2p.IntensityHarmonics(name="second_intensity_harmonics")(value, weight, sma)
    maps = layers.Conv2D(2, 1, dtype=dtype, name="second_geometry")(features)
    vectors = p2p.HarmonicPool(name="second_harmonics")(maps)
    half_ring = p2p.RingPool(name="ring_pool")(half)
    gates = layers.Dense(3, dtype=dtype, name="second_gates")(half_ring)
    e_second = p2p.EllipseCorrection(name="second_ellipse")(
        e_first, p2p.GatedVectors(name="second_sum")(harmonics, gates, vectors)
    )
    dipoles = p2p.GatedVectors(name="second_shift")(
        p2p.IntensityHarmonics(harmonic=1, name="second_dipoles")(value, weight, sma),
        layers.Dense(3, dtype=dtype, name="second_shift_gates")(half_ring),
        displacements(features, "second", dtype),
    )
    trust = layers.Dense(1, dtype=dtype, name="second_say")(half_ring)
    centre = p2p.MovedCentre(name="centre")(moved, sma, e_first, dipoles, trust)

    # Third look, along the corrected ellipses: the copied intensity.
    x, y, width = p2p.EllipsePoints(2 * NUM_ANGLES, name="fine_points")(centre, sma, e_second)
    value, good, level, shown = sample(x, y, width)
    weight, intensity, number, covered = attention(logits, value, good)
    return {
        "sma": sma,
        "e_first": e_first,
        "e_second": e_second,
        "centre_moved": moved,
        "centre": centre,
        "value": value,
        "attention": weight,
        "intensity": intensity,
        "number": number,
        "covered": covered,
        "level": level,
        "harmonics": p2p.IntensityHarmonics(name="third_intensity_harmonics")(value, weight, sma),
        "on_image": p2p.MeanOverAngle(name="on_image")(shown) if sky_free else covered,
        "half_ring": half_ring,
    }


def decode_radii(looks, dim, num_heads, sky_blocks, decoder_blocks, dtype):
    """Sky, mended intensity with its error, final ellipses and correction of the total, by a transformer over radii.

    Parameters
    ----------
    looks : dict
        Of `look_along_ellipses`.
    dim, num_heads, sky_blocks, decoder_blocks, dtype
        As `build_network`.

    Returns
    -------
    dict of tensors
        `log_intensity`, `log_scale` (batch, K), `sky` (batch,) in noise units, `net`, `error` (batch, K), the copied
        intensity above the sky and its noise, `e` (batch, K, 2), `mag_correction` (batch, 1); `tokens` (batch, K, dim)
        and `copied_features`, what the decoder knows of each ring.
    """
    copied = p2p.CopiedFeatures(name="copied")(
        *(looks[name] for name in ("value", "attention", "intensity", "number", "on_image", "level", "sma")),
        looks["e_second"],
        looks["harmonics"],
    )
    tokens = layers.Concatenate(dtype="float32", name="tokens_in")([copied, looks["half_ring"]])
    tokens = layers.Dense(dim, dtype=dtype, name="tokens")(tokens)
    tokens = p2p.RadialPosition(name="tokens_position")(tokens)

    # Sky: attention over radii, less the galaxy's light there.
    for i in range(sky_blocks):
        tokens = p2p.RadialTransformer(dim, num_heads, dtype=dtype, name=f"sky_block{i}")(tokens)
    sky_logits = layers.Dense(1, dtype="float32", name="sky_logits")(tokens)
    sky_logits = layers.Reshape((-1,), dtype="float32", name="sky_logits_flat")(sky_logits)
    pooled = layers.GlobalAveragePooling1D(dtype="float32", name="sky_pool")(tokens)
    pooled = layers.Dense(dim, activation="silu", dtype="float32", name="sky_hidden")(pooled)
    correction = layers.Dense(1, kernel_initializer="zeros", dtype="float32", name="sky_correction")(pooled)
    sky, net, error, sky_features = p2p.SkyLevel(name="sky")(
        *(looks[name] for name in ("intensity", "number", "level", "sma")), sky_logits, correction
    )

    # What is above the sky: intensity, its error, the last correction of the ellipses, light beyond the last one.
    tokens = layers.Add(dtype="float32", name="tokens_sky")(
        [tokens, layers.Dense(dim, dtype=dtype, name="sky_embed")(sky_features)]
    )
    for i in range(decoder_blocks):
        tokens = p2p.RadialTransformer(dim, num_heads, dtype=dtype, name=f"decoder_block{i}")(tokens)
    tokens = layers.LayerNormalization(dtype="float32", name="tokens_out")(tokens)
    answer = layers.Dense(2, kernel_initializer="zeros", dtype="float32", name="answer")(tokens)
    gates = layers.Dense(3, kernel_initializer="zeros", dtype="float32", name="third_gates")(tokens)
    e = p2p.EllipseCorrection(name="ellipse")(
        looks["e_second"], p2p.GatedVectors(name="third_sum")(looks["harmonics"], gates)
    )
    where = layers.Dense(1, kernel_initializer="zeros", dtype="float32", name="total_where")(tokens)
    pooled = p2p.RadialPool(name="total_pool")(tokens, where)
    pooled = layers.Dense(dim, activation="silu", dtype="float32", name="total_hidden")(pooled)
    mag_correction = layers.Dense(1, kernel_initializer="zeros", dtype="float32", name="mag_correction")(pooled)
    log_intensity, log_scale = p2p.MendedIntensity(name="mended")(answer, net, error)
    return {
        "log_intensity": log_intensity,
        "log_scale": log_scale,
        "sky": sky,
        "net": net,
        "error": error,
        "e": e,
        "mag_correction": mag_correction,
        "tokens": tokens,
        "copied_features": copied,
    }


def physical_profile(looks, decoded, log_noise, removed, zero_point, pixel_scale):
    """The profile in mag, arcsec and degrees (`PhysicalProfile`), from what looks and decoder say in noise units."""
    return p2p.PhysicalProfile(by_snr=True, by_scale=True, gated_total=True, name="physical")(
        {
            "log_intensity": decoded["log_intensity"],
            "log_scale": decoded["log_scale"],
            "sma": looks["sma"],
            "e": decoded["e"],
            "centre": looks["centre"],
            "sky": decoded["sky"],
            **({} if removed is None else {"level": removed}),
            "log_noise": log_noise,
            "mag_correction": decoded["mag_correction"],
            "zero_point": zero_point,
            "pixel_scale": pixel_scale,
        }
    )


def build_network(
    *,
    filters=(16, 32, 40, 48),
    depths=(0, 1, 1, 2),
    centre_filters=(12, 32),
    dim=64,
    num_heads=4,
    sky_blocks=2,
    decoder_blocks=2,
    sky_free=False,
    errors=False,
    dtype="float32",
):
    """Functional model from an image to the decoder's answer and all that training supervises.

    Parameters
    ----------
    filters, depths : tuple of int
        Channels, and residual blocks, of each depth of both U-Nets.
    centre_filters : tuple of int
        Channels of the centre's network.
    dim, num_heads : int
        Width and heads of the transformer over radii.
    sky_blocks, decoder_blocks : int
        Transformer blocks before and after the sky is subtracted.
    errors : bool
        Answer with the uncertainties of all that is measured, and with `p_bad` (`ProfileErrors`).
    sky_free : bool
        A constant sky is taken off the image and its holes are filled before anything else sees it (`SkyFreePyramid`,
        version 4 and later); else the image goes in as it is (`ImagePyramid`).
    dtype : str
        Precision policy of convolutions and transformers; statistics, coordinates and outputs stay in float32.

    Returns
    -------
    keras.Model
        Inputs dict image (batch, height, width), zero_point, pixel_scale (batch,); outputs dict: the physical profile
        (`PhysicalProfile`) without fills, `covered`, and the answers of each stage for deep supervision.
    """
    image, zero_point, pixel_scale = contract_inputs()
    sample, log_noise, removed = sampled_image(image, sky_free)
    centres = find_centre(image, sample("centre_samples"), centre_filters, dtype)
    looks = look_along_ellipses(
        image, centres["centre_nearest"], sample("samples"), filters, depths, dtype, sky_free=sky_free
    )
    decoded = decode_radii(looks, dim, num_heads, sky_blocks, decoder_blocks, dtype)
    profile = physical_profile(looks, decoded, log_noise, removed, zero_point, pixel_scale)
    stages = {
        "covered": looks["covered"],
        "log_noise": log_noise,
        "e": decoded["e"],
        "e_first": looks["e_first"],
        "e_second": looks["e_second"],
        "copied": decoded["net"],
        "copied_error": decoded["error"],
        "sky_noise_units": decoded["sky"],
        "attention": looks["attention"],
        **centres,
        "centre_moved": looks["centre_moved"],
        "centre": looks["centre"],
    }
    doubts = {}
    if errors:
        known = {"image": image, "mu": profile["mu"], "covered": looks["covered"], **stages, **decoded}
        names = "image mu log_scale covered copied_features e e_first sky"
        names += " centre_heat centre_nearest centre_moved centre"
        trust = p2p.TrustFeatures(name="trust")({name: known[name] for name in names.split()})
        doubts = profile_errors(decoded["tokens"], trust, decoded["e"], dim)
    return keras.Model(
        {"image": image, "zero_point": zero_point, "pixel_scale": pixel_scale},
        {**profile, **doubts, **stages},
        name="isophote",
    )
