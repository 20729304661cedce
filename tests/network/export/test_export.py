"""One export of a stand-in model, looked at from all sides; and exports that must leave nothing behind."""

from __future__ import annotations

import json
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from standin_model import build_standin

from p2p_keras.core.contract import MAX_SIDE, MIN_SIDE, OUTPUTS
from p2p_keras.core.errors import UsageError
from p2p_keras.data.shards import encode_image
from p2p_keras.network.export import write_version as export
from p2p_keras.network.export.warmup import galaxy_like_image

pytest.importorskip("tf2onnx", reason="needs p2p-keras[onnx]")
pytest.importorskip("tensorflow_serving", reason="needs p2p-keras[serve]")
CARD = {"summary": "A stand-in.", "training_data_hash": "abc", "commit": "1234567", "limits": ["none | known"]}


@pytest.fixture(scope="module")
def standin() -> keras.Model:
    """The Keras model."""
    return build_standin()


@pytest.fixture(scope="module")
def exported(standin, tmp_path_factory):
    """``NAME/1``, checked in a fresh process."""
    root = tmp_path_factory.mktemp("saved_models")
    return export.export_model(standin, root, "standin", 1, card=CARD, metrics={"test": {"error": np.float32(0.03)}})


@pytest.fixture(scope="module")
def loaded(exported):
    """The SavedModel."""
    return tf.saved_model.load(str(exported))


def serve(loaded, image, zero_point=22.5, pixel_scale=0.4):
    """Outputs of serving_default as arrays."""
    image = np.asarray(image, np.float32)
    count = len(image)
    outputs = loaded.signatures["serving_default"](
        image=tf.constant(image),
        zero_point=tf.constant(np.broadcast_to(np.float32(zero_point), [count])),
        pixel_scale=tf.constant(np.broadcast_to(np.float32(pixel_scale), [count])),
    )
    return {key: value.numpy() for key, value in outputs.items()}


def test_every_file_is_there(exported):
    """A server, a script or a reader of the card would miss what the contract promises."""
    beside = {path.name for path in exported.parent.iterdir()}
    assert beside == {"1", "model.onnx", "model.keras", "MODEL_CARD.md", "metrics.json"}
    extra = {path.name for path in (exported / "assets.extra").iterdir()}
    assert extra == {"tf_serving_warmup_requests", "model_card.json"}
    root = {path.name for path in exported.parent.parent.iterdir()}
    assert root == {"standin", "models.config", "batching.config", "monitoring.config"}


def test_the_check_compared_all_forms(exported):
    """A form of the model could differ from Keras unseen."""
    metrics = json.loads((exported.parent / "metrics.json").read_text())
    assert metrics["test"]["error"] == pytest.approx(0.03)
    check = metrics["export_check"]
    forms = {f"{loader} {name}" for loader in ("saved_model.load", "v1.Session") for name in loaded_signatures()}
    speeds = "images/s, 256 px"
    assert set(check) == {"onnx", "warm-up", speeds, *forms}
    assert all(check[name]["mu"] < 1e-3 for name in {"onnx", *forms})
    assert check["warm-up"]["requests"] == 12
    assert set(check[speeds]) == {"onnx", "saved_model.load"}
    assert "v1.Session serialized_example: largest difference" in (exported.parent / "MODEL_CARD.md").read_text()


def loaded_signatures():
    """Signatures that measure."""
    return ("serving_default", "serialized_example")


def test_card_names_what_was_given(exported):
    """A user could not tell which data and which code made the model."""
    text = (exported.parent / "MODEL_CARD.md").read_text()
    assert "# standin, version 1" in text
    assert "A stand-in." in text
    assert "abc" in text
    assert "0.03" in text
    assert json.loads((exported / "assets.extra" / "model_card.json").read_text())["commit"] == "1234567"


def test_signatures_and_their_types(loaded):
    """Clients would send or expect other tensors."""
    assert set(loaded.signatures) == {"serving_default", "serialized_example", "describe"}
    function = loaded.signatures["serving_default"]
    assert {k: v.shape.as_list() for k, v in function.structured_input_signature[1].items()} == {
        "image": [None, None, None],
        "zero_point": [None],
        "pixel_scale": [None],
    }
    for name, output in OUTPUTS.items():
        tensor = function.structured_outputs[name]
        assert tensor.dtype == (tf.bool if name == "valid" else tf.float32)
        assert tensor.shape.rank == (2 if output.radial else 1)


def test_describe_tells_what_it_is(loaded):
    """Nobody could ask a running server which model it serves."""
    facts = {key: value.numpy() for key, value in loaded.signatures["describe"]().items()}
    assert (facts["model_name"], facts["model_version"], facts["training_data_hash"]) == (b"standin", 1, b"abc")
    assert dict(zip(facts["outputs"], facts["units"], strict=True))[b"mu"] == b"mag / arcsec2"
    assert facts["radii_256_px"][0] == pytest.approx(0.5)
    assert json.loads(facts["card"])["summary"] == "A stand-in."


@pytest.mark.parametrize(
    ("shape", "zero_point", "pixel_scale", "sentence"),
    [
        ((1, MIN_SIDE - 1, 64), 22.5, 0.4, "images are 47 x 64 px (height x width), but each side must be 48 to 2048"),
        ((1, 64, MAX_SIDE + 1), 22.5, 0.4, "images are 64 x 2049 px"),
        ((0, 64, 64), 22.5, 0.4, "the batch is empty"),
        ((1, 64, 64), np.nan, 0.4, "zero_point must be finite, but is [nan]"),
        ((1, 64, 64), 22.5, 0.0, "pixel_scale must be finite and above 0 (arcsec per pixel), but is [0]"),
        ((1, 64, 64), 22.5, np.inf, "pixel_scale must be finite"),
    ],
)
def test_wrong_requests_get_a_sentence(loaded, shape, zero_point, pixel_scale, sentence):
    """A caller would get a crash, a NaN or a riddle."""
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        serve(loaded, np.ones(shape), zero_point, pixel_scale)
    assert sentence in str(caught.value)


def test_one_number_for_many_images_is_refused(loaded):
    """A zero point meant for one image would be taken for all of a batch."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="one value for each of the 3 images, but have 1 and 3"):
        loaded.signatures["serving_default"](
            image=tf.ones([3, 64, 64]), zero_point=tf.constant([22.5]), pixel_scale=tf.ones([3])
        )


def test_image_without_pixels_spoils_no_other(loaded):
    """One blank image of one client would fail all requests that the server joined with it."""
    images = np.stack([galaxy_like_image(64, 1), np.full((64, 64), np.nan), galaxy_like_image(64, 2)])
    together = serve(loaded, images)
    assert not together["valid"][1].any()
    assert all(np.isfinite(value).all() for value in together.values())
    for row in (0, 2):
        alone = serve(loaded, images[row : row + 1])
        assert alone["valid"].any()
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][row], value[0], rtol=1e-5, atol=1e-5, err_msg=name)


def test_examples_of_several_sizes_are_measured_as_alone(loaded):
    """A profile would depend on what else happened to be in the batch."""
    images = [galaxy_like_image(64, 1), galaxy_like_image(200, 2)[:, 20:180], galaxy_like_image(64, 3)]
    examples = [encode_image(image, 22.5, 0.4) for image in images]
    outputs = loaded.signatures["serialized_example"](examples=tf.constant(examples))
    for row, image in enumerate(images):
        for name, value in serve(loaded, image[None]).items():
            np.testing.assert_allclose(outputs[name][row], value[0], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("examples", [[b"nonsense"], [], [encode_image(np.ones((20, 20)), 22.5, 0.4)]])
def test_wrong_examples_are_refused(loaded, examples):
    """A garbled record would crash the server or be measured."""
    with pytest.raises(tf.errors.InvalidArgumentError):
        loaded.signatures["serialized_example"](examples=tf.constant(examples, tf.string))


def test_onnx_file_describes_itself(exported):
    """Whoever finds the file alone could not tell what goes in, in which units, or which version it is."""
    import onnxruntime

    session = onnxruntime.InferenceSession(exported.parent / "model.onnx", providers=["CPUExecutionProvider"])
    assert {value.name: value.shape for value in session.get_inputs()}["image"] == ["batch", "height", "width"]
    assert {value.name for value in session.get_outputs()} == set(OUTPUTS)
    description = session.get_modelmeta().custom_metadata_map
    assert (description["model_name"], description["model_version"]) == ("standin", "1")
    assert json.loads(description["units"])["growth"] == "mag"


def test_onnx_masks_what_is_not_finite(exported):
    """tf2onnx writes tf.where as a sum of products, through which NaN and inf pass."""
    import onnxruntime

    session = onnxruntime.InferenceSession(exported.parent / "model.onnx", providers=["CPUExecutionProvider"])
    image = galaxy_like_image(64)[None].copy()
    image[0, 10:20] = np.nan
    image[0, 30, 30] = np.inf
    feeds = {"image": image, "zero_point": np.float32([22.5]), "pixel_scale": np.float32([0.4])}
    values = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))
    assert values["valid"].any()
    assert all(np.isfinite(value).all() for value in values.values())


def test_gathers_along_rows_are_exported_in_their_quick_form():
    """An image would take a seventh longer in ONNX Runtime; or pixels be gathered from another row."""
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    from p2p_keras.network.export.onnx_export import HANDLERS
    from p2p_keras.network.layers.per_backend import gathered

    table = np.arange(12.0, dtype=np.float32).reshape(4, 3)
    signature = [tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None, None], tf.int32)]

    def gather(values, index):
        of_pairs = tf.gather(tf.stack([values, -values], axis=-1), index, batch_dims=1)
        return gathered(values, index), tf.gather(tf.constant(table), index % 4), of_pairs

    function = tf.function(gather, input_signature=signature, autograph=False)
    proto, _ = tf2onnx.convert.from_function(
        function, input_signature=signature, opset=17, custom_op_handlers=dict(HANDLERS)
    )
    kinds = sorted(node.op_type for node in proto.graph.node if "Gather" in node.op_type)
    assert kinds == ["Gather", "GatherElements", "GatherND"]
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    values, index = rng.normal(size=(3, 9)).astype(np.float32), rng.integers(0, 9, (3, 5)).astype(np.int32)
    names = [one.name for one in session.get_inputs()]
    for ours, theirs in zip(
        session.run(None, dict(zip(names, (values, index), strict=True))), gather(values, index), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_branches_with_short_names_compute_the_same():
    """A third of the file would be names; or a branch within a branch would read another tensor."""
    import onnx
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    from p2p_keras.network.export.onnx_export import _shorten_names_of_branches

    def nested(x):
        y = 2.0 * x

        def inner():
            return tf.cond(tf.reduce_sum(x) > 10.0, lambda: y - 1.0, lambda: tf.exp(y) + x)

        return tf.cond(tf.reduce_sum(x) > 0.0, lambda: inner() + y, lambda: y)

    signature = [tf.TensorSpec([None], tf.float32)]
    function = tf.function(nested, input_signature=signature, autograph=False)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=17)
    before = len(proto.SerializeToString())
    _shorten_names_of_branches(proto.graph, {})
    onnx.checker.check_model(proto, full_check=True)
    assert len(proto.SerializeToString()) < before
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for value in (-1.0, 1.0, 20.0):
        x = np.array([value, 0.5], np.float32)
        np.testing.assert_allclose(session.run(None, {session.get_inputs()[0].name: x})[0], nested(x), rtol=1e-6)


def test_a_model_by_name_runs_in_onnx_runtime_where_versions_agree(exported, tmp_path):
    """The first profile would take ten seconds in place of one, or come from another version than the newest."""
    from p2p_keras.measure.backends import OnnxBackend, SavedModelBackend, load_backend

    by_name, by_version = load_backend(exported.parent), load_backend(exported)
    assert isinstance(by_version, SavedModelBackend)
    if not os.path.exists("/dev/nvidia0"):
        assert isinstance(by_name, OnnxBackend)
    assert (by_name.name, by_name.version) == (by_version.name, by_version.version) == ("standin", "1")
    shutil.copytree(exported, tmp_path / "standin" / "2")
    shutil.copy(exported.parent / "model.onnx", tmp_path / "standin")
    assert isinstance(load_backend(tmp_path / "standin"), SavedModelBackend)


@pytest.fixture
def quick_files(monkeypatch):
    """Exports whose SavedModel and ONNX file are empty: what is in them doesn't count where only the files do."""

    def saved_model(_model, path, *_):
        (path / "assets.extra").mkdir(parents=True)
        (path / "saved_model.pb").touch()

    monkeypatch.setattr(export, "write_saved_model", saved_model)
    monkeypatch.setattr(export, "write_onnx", lambda _model, path, *_: path.touch())


def test_float16_file_of_an_older_version_goes(standin, quick_files, tmp_path, monkeypatch):
    """The file that versions before wrote would stay beside the new model and measure as the old one."""
    monkeypatch.setattr(export, "check_export", lambda *_: {})
    (tmp_path / "standin").mkdir()
    (tmp_path / "standin" / "model_float16.onnx").write_text("of an older version")
    export.export_model(standin, tmp_path, "standin", 1, card={}, metrics={})
    assert (tmp_path / "standin" / "model.onnx").exists()
    assert not (tmp_path / "standin" / "model_float16.onnx").exists()


def test_warm_up_file_stays_small(exported):
    """The shipped model would grow past what a repository should hold."""
    assert (exported / "assets.extra" / "tf_serving_warmup_requests").stat().st_size < 1_000_000


def test_existing_and_older_versions_are_refused(standin, exported):
    """A model in production would change under its clients, or a new one never be served."""
    root = exported.parent.parent
    with pytest.raises(UsageError, match="exists already"):
        export.export_model(standin, root, "standin", 1, card={}, metrics={})
    (exported.parent / "7").mkdir()
    (exported.parent / "7" / "saved_model.pb").touch()
    try:
        with pytest.raises(UsageError, match="version above"):
            export.export_model(standin, root, "standin", 3, card={}, metrics={})
    finally:
        (exported.parent / "7" / "saved_model.pb").unlink()
        (exported.parent / "7").rmdir()


@pytest.mark.parametrize(("name", "version"), [("../up", 1), ("standin", 0), ("standin", True), ("", 1)])
def test_wrong_names_and_versions_are_refused(standin, tmp_path, name, version):
    """A model would be written where no server looks."""
    with pytest.raises(UsageError):
        export.export_model(standin, tmp_path, name, version, card={}, metrics={})
    assert os.listdir(tmp_path) == []


def test_a_model_of_other_outputs_is_refused(tmp_path):
    """A network with its training outputs would be served."""
    image = keras.Input((8,), name="image")
    with pytest.raises(UsageError, match="expected a dict"):
        export.export_model(keras.Model(image, image * 2.0), tmp_path, "m", 1, card={}, metrics={})


def test_failed_export_leaves_nothing(standin, quick_files, tmp_path, monkeypatch):
    """A half-done version would be picked up by a server."""

    def fail(*_):
        raise export.CheckError("mu by 0.5 (at most 0.001)")

    monkeypatch.setattr(export, "check_export", fail)
    with pytest.raises(export.ExportError, match=r"mu by 0\.5"):
        export.export_model(standin, tmp_path, "standin", 1, card={}, metrics={})
    assert os.listdir(tmp_path) == []
