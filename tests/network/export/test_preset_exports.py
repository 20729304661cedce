"""Every preset's exported forms agree: Keras, SavedModel, the v1 Session and ONNX."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.network.export import check, warmup
from p2p_keras.network.export.form_runner import run_form
from p2p_keras.network.export.onnx_export import write_onnx
from p2p_keras.network.export.signatures import IMAGE_SIGNATURE
from p2p_keras.network.export.write_version import write_saved_model
from p2p_keras.network.models import build_network, finish_model

pytest.importorskip("tf2onnx", reason="needs p2p-keras[onnx]")
pytest.importorskip("tensorflow_serving", reason="needs p2p-keras[serve]")
# Captions that halt, but not at once, as untrained ones would by the paper's rule.
HALTING = {"window": 20, "tolerance": 1e-4}
SMALL = {"width": 1 / 16, "sky_free": True}
SETTINGS = {
    "pix2prof": {**SMALL, **HALTING},
    "pix2prof_attention": {**SMALL, **HALTING},
    "pix2prof_transformer": {**SMALL, "blocks": 2, "num_heads": 4},
}


@pytest.mark.slow
@pytest.mark.parametrize("preset", SETTINGS)
def test_exported_forms_agree(preset, tmp_path, monkeypatch):
    """A decoder's loop would write another profile in a server, or in ONNX Runtime, than in Keras."""
    keras.utils.set_random_seed(1)
    network = build_network(preset, **SETTINGS[preset])
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.02, variable.shape))
    if "decoder" in {layer.name for layer in network.layers}:
        network.get_layer("decoder").head.bias.assign([0.5])  # of a galaxy: mu = 16
    model = finish_model(network)
    monkeypatch.setattr(warmup, "BATCH_SIZES", (1, 2))  # the stand-in's export has them all
    write_saved_model(model, tmp_path / "1", preset, 1, {})
    model.save(tmp_path / "model.keras")
    write_onnx(model, tmp_path / "model.onnx", preset, 1, {})
    reference, run = {}, check.run_in_fresh_process

    def remember(kind, path, requests, *modules):
        """The Keras file compiled: step by step, its captions take long. New processes are for the SavedModel alone."""
        if kind == "saved_model":
            return run(kind, path, requests, *modules)
        if kind == "onnx":
            return run_form(kind, str(path), requests)
        opened = keras.models.load_model(path, compile=False)

        @tf.function(input_signature=IMAGE_SIGNATURE, autograph=False)
        def answer(image, zero_point, pixel_scale):
            return opened({"image": image, "zero_point": zero_point, "pixel_scale": pixel_scale}, training=False)

        for case, inputs in requests.items():
            outputs = answer(**{name: tf.constant(value) for name, value in inputs.items()})
            reference[case] = {name: value.numpy() for name, value in outputs.items()}
        return {"keras": {"answers": reference}}

    monkeypatch.setattr(check, "run_in_fresh_process", remember)
    report = check.check_export(tmp_path, 1)
    assert sum(np.sum(outputs["valid"]) for outputs in reference.values()) > 50, "nothing valid was compared"
    assert all(values["mu"] < 1e-3 for name, values in report.items() if "mu" in values)
