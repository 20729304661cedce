"""Predictor: one galaxy, many galaxies, both backends."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from p2p_keras import Predictor
from p2p_keras.core.errors import InputError, MissingCalibrationError, UsageError
from p2p_keras.images import read_image
from p2p_keras.measure.many_files import predict_files
from p2p_keras.profile.columns import COLUMN_UNITS, META_KEYS, plain_arrays


@pytest.fixture(scope="module")
def predictor(fake_models):
    return Predictor.load(fake_models.saved_model)


def test_profile_of_a_file_is_the_galaxys(predictor, write_galaxy):
    """The documented first call would give wrong numbers, columns or units."""
    path = write_galaxy("ngc1.fits", flux=400.0, scale_px=6.0, noise=0.01)
    profile = predictor.predict(path)
    assert profile.colnames == list(COLUMN_UNITS)
    assert {name: str(profile[name].unit or "") for name in ("sma", "mu", "pa", "growth")} == {
        "sma": "arcsec",
        "mu": "mag / arcsec2",
        "pa": "deg",
        "growth": "mag",
    }
    assert set(profile.meta) >= set(META_KEYS)
    assert (profile.meta["name"], profile.meta["band"], profile.meta["model_version"]) == ("ngc1", "r", "10")
    sma, mu = profile["sma"].to_value("arcsec"), profile["mu"].to_value("mag / arcsec2")
    inner = (sma > 1.0) & (sma < 8.0)
    truth = 22.5 - 2.5 * np.log10(400.0 / (2 * np.pi * 36.0) * np.exp(-sma / 0.4 / 6.0) / 0.16)
    assert np.median(np.abs(mu - truth)[inner]) < 0.05
    assert profile.meta["mag_total"] == pytest.approx(22.5 - 2.5 * np.log10(400.0), abs=0.15)
    assert profile.meta["r50"] == pytest.approx(1.678 * 6.0 * 0.4, rel=0.08)  # exponential: r50 = 1.678 h
    assert profile.meta["extent"] == sma[-1]
    assert (profile.meta["ra"], profile.meta["dec"]) == (pytest.approx(150.0, abs=1e-4), pytest.approx(2.0, abs=1e-4))


def test_array_path_and_image_agree(predictor, write_galaxy):
    """The same pixels would have another profile by way of another call."""
    path = write_galaxy("a.fits")
    image = read_image(path)
    by_path, by_image = predictor.predict(path), predictor.predict(image)
    by_array = predictor.predict(image.pixels, zero_point=image.zero_point, pixel_scale=image.pixel_scale, name="a")
    for other in (by_image, by_array):
        np.testing.assert_allclose(plain_arrays(other)["mu"], plain_arrays(by_path)["mu"], atol=1e-5)
    assert by_array.meta["name"] == "a"
    assert by_array.meta["pa_reference"] == "+x"


def test_array_without_calibration_is_refused(predictor):
    """A profile in made-up units would be returned for a bare array."""
    with pytest.raises(MissingCalibrationError, match="zero_point"):
        predictor.predict(np.random.default_rng(0).normal(size=(64, 64)), pixel_scale=0.4)


def test_file_options_are_refused_for_arrays(predictor):
    """A target position given with an array would be ignored silently."""
    with pytest.raises(TypeError, match="ra"):
        predictor.predict(np.zeros((64, 64)), zero_point=22.5, pixel_scale=0.4, ra=1.0, dec=2.0)


def test_batch_keeps_the_order_across_shapes(predictor, make_galaxy):
    """Profiles would be handed to the wrong galaxies when image sizes are mixed."""
    shapes = [(96, 96), (64, 80), (96, 96), (128, 64), (64, 80), (96, 96)]
    images = [make_galaxy(shape, name=f"g{i}", seed=i, flux=300.0 + 50 * i) for i, shape in enumerate(shapes)]
    profiles = predictor.predict_batch(images, batch_size=2)
    assert [p.meta["name"] for p in profiles] == [f"g{i}" for i in range(6)]
    for image, profile in zip(images, profiles, strict=True):
        np.testing.assert_allclose(plain_arrays(profile)["mu"], plain_arrays(predictor.predict(image))["mu"], atol=1e-4)


def test_failures_in_a_batch(predictor, make_galaxy, tmp_path):
    """One bad file would take the night's other galaxies with it, or vanish from the list."""
    images = [make_galaxy(name="good"), tmp_path / "missing.fits", make_galaxy(name="also good")]
    with pytest.raises(InputError, match=r"missing\.fits"):
        predictor.predict_batch(images)
    first, failed, last = predictor.predict_batch(images, on_error="return")
    assert (first.meta["name"], last.meta["name"]) == ("good", "also good")
    assert isinstance(failed, InputError)
    assert "missing.fits" in str(failed)
    assert predictor.predict_batch([]) == []


def test_flux_scale_shifts_mu_alone(predictor, make_galaxy):
    """A tenfold flux must be 2.5 mag and nothing else."""
    image = make_galaxy()
    scaled = predictor.predict(image.pixels * 10.0, zero_point=22.5, pixel_scale=0.4)
    profile = predictor.predict(image)
    np.testing.assert_allclose(plain_arrays(profile)["mu"] - plain_arrays(scaled)["mu"], 2.5, atol=1e-3)


def test_onnx_agrees_with_saved_model(predictor, fake_models, make_galaxy):
    """The two kinds of model file would give different profiles."""
    onnx = Predictor.load(fake_models.onnx)
    images = [make_galaxy(), make_galaxy((64, 120), name="wide")]
    for a, b in zip(predictor.predict_batch(images), onnx.predict_batch(images), strict=True):
        assert len(a) == len(b)
        for name in COLUMN_UNITS:
            np.testing.assert_allclose(plain_arrays(a)[name], plain_arrays(b)[name], atol=1e-3)


def test_onnx_needs_no_tensorflow(fake_models, write_galaxy):
    """The small prediction image has no TensorFlow: the ONNX path must not import it."""
    code = (
        "import sys; from p2p_keras import Predictor\n"
        f"profile = Predictor.load({str(fake_models.onnx)!r}).predict({str(write_galaxy('a.fits'))!r})\n"
        "assert len(profile) > 10, profile\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_default_model_is_the_newest(fake_models, monkeypatch):
    """Version 10 would lose to version 2, or the variable for other folders be ignored."""
    monkeypatch.setenv("P2P_KERAS_MODELS", str(fake_models.root))
    predictor = Predictor.load()
    assert (predictor.model_name, predictor.model_version) == ("isophote", "10")
    assert Predictor.load("isophote").model_version == "10"
    assert Predictor.load(fake_models.root / "isophote").model_version == "10"
    assert Predictor.load(fake_models.root / "isophote" / "1").model_version == "1"


@pytest.mark.parametrize("kind", ["missing", "empty", "file.txt", "name"])
def test_no_model_is_said_in_a_sentence(kind, tmp_path, monkeypatch):
    """A wrong --model would end in a traceback or name no way out."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    monkeypatch.setenv("P2P_KERAS_MODELS", str(tmp_path / "nowhere"))
    model = {"name": "nosuch"} | {name: tmp_path / name for name in ("missing", "empty", "file.txt")}
    with pytest.raises(UsageError) as error:
        Predictor.load(model[kind])
    assert ("P2P_KERAS_MODELS" if kind == "name" else str(model[kind])) in str(error.value)


def test_model_of_another_kind_is_refused(tmp_path):
    """A SavedModel with other outputs would fail at the first galaxy with a KeyError."""
    import tensorflow as tf

    module = tf.Module()
    module.f = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    tf.saved_model.save(module, str(tmp_path / "m" / "1"), signatures={"serving_default": module.f})
    with pytest.raises(UsageError, match="lacks image"):
        Predictor.load(tmp_path / "m")
    (tmp_path / "broken.onnx").write_bytes(b"not an onnx file")
    with pytest.raises(UsageError, match="ONNX Runtime"):
        Predictor.load(tmp_path / "broken.onnx")


def test_model_begun_ahead_is_the_one_asked_for_or_its_error_comes_when_it_is_asked_for(fake_models, tmp_path):
    """A wrong --model would be told as a fault of a thread, or hide what is wrong with the images."""
    from p2p_keras.measure.backends import OnnxBackend, SavedModelBackend, begin_loading

    assert isinstance(begin_loading(fake_models.onnx)(), OnnxBackend)
    assert isinstance(begin_loading(fake_models.saved_model)(), SavedModelBackend)
    wrong = begin_loading(tmp_path / "none")
    with pytest.raises(UsageError, match="none"):
        wrong()


def test_batches_are_measured_side_by_side_but_the_model_runs_once_at_a_time(fake_models, write_galaxy, monkeypatch):
    """Tables of one batch would keep the model waiting, profiles change places, or memory hold two runs of it."""
    predictor = Predictor.load(fake_models.saved_model)
    inside, most, measuring, most_measuring = 0, 0, 0, 0
    run, measure = predictor.backend.run, predictor.measure

    def watched_run(*inputs):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.02)
        outputs = run(*inputs)
        inside -= 1
        return outputs

    def watched_measure(images):
        nonlocal measuring, most_measuring
        measuring += 1
        most_measuring = max(most_measuring, measuring)
        profiles = measure(images)
        time.sleep(0.02 * (images[0].name == "a"))  # the first batch is the last to be done
        measuring -= 1
        return profiles

    monkeypatch.setattr(predictor.backend, "run", watched_run)
    monkeypatch.setattr(predictor, "measure", watched_measure)
    paths = [write_galaxy(f"{name}.fits") for name in "abcdef"]
    done = list(predict_files(predictor, paths, batch_size=1))
    assert [one.profile.meta["name"] for one in done] == list("abcdef")
    assert (most, most_measuring) == (1, 2)
