"""What the network is trained for: faint outskirts without a preference for the brighter of two truths."""

import keras
import numpy as np
import pytest

from p2p_keras.core.units import mu_from_noise_units
from p2p_keras.data.pipeline import make_dataset
from p2p_keras.network.models import build_network
from p2p_keras.network.training.losses import loss_terms
from tests.network.training.conftest import SMALL


@pytest.fixture(scope="module")
def batch(shards):
    """Inputs, targets and answers of four discs by a small network."""
    network = build_network("isophote", **{name.removeprefix("model."): value for name, value in SMALL.items()})
    inputs, targets = next(iter(make_dataset(str(shards), "val", batch_size=4)))
    return inputs, targets, network(inputs, training=False)


def test_the_end_of_a_profile_has_no_preference(batch):
    """Where brighter truths count more than fainter ones, the best answer is too bright: so are users' outskirts.

    The last shown radius of two galaxies that look alike is truly within the extent in one and beyond it in the other.
    Of an absolute error any answer between both truths is as good, if both count alike.
    """
    inputs, targets, answers = ({name: np.array(value) for name, value in part.items()} for part in batch)
    zero_point, scale = (inputs[name].reshape(-1, 1) for name in ("zero_point", "pixel_scale"))
    shape = targets["mu"].shape
    bright = np.broadcast_to(
        mu_from_noise_units(np.log(0.2), answers["log_noise"].reshape(-1, 1), zero_point, scale), shape
    )
    one = np.arange(shape[0])[:, None] % 2 == 0
    targets |= {"mu": np.where(one, bright, bright + 1.5).astype("float32"), "within": np.broadcast_to(one, shape)}
    targets["known"] = np.ones(shape, bool)
    answers |= {"snr": np.full(shape, 5.0, "float32"), "covered": np.ones(shape, "float32")}

    def loss(shift):
        tensors = (
            {name: keras.ops.convert_to_tensor(value) for name, value in part.items()} for part in (inputs, targets)
        )
        shifted = answers | {"mu": (bright + shift).astype("float32")}
        terms = loss_terms(*tensors, {name: keras.ops.convert_to_tensor(value) for name, value in shifted.items()})
        return float(terms["mu"])

    assert loss(0.2) == pytest.approx(loss(1.3), rel=1e-3)
    assert loss(-0.5) > 1.2 * loss(0.2)
    # A truth further off than a magnitude draws as much as a near one.
    assert loss(-1.5) - loss(-1.2) == pytest.approx(loss(-0.5) - loss(-0.2), rel=1e-3)
