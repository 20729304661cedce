"""What a training's end is called."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from p2p_keras.core.errors import InputError
from p2p_keras.network.training.checkpoint import StopAtNaN
from p2p_keras.network.training.run import _explained

CONFIG = SimpleNamespace(run="runs/a", data="data")


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_lost_loss_is_explained(loss):
    """A training whose loss became NaN would end in a traceback, or go on for hours."""
    with pytest.raises(InputError, match="the loss became NaN"), _explained(CONFIG, None):
        StopAtNaN().on_batch_end(3, {"loss": loss})
    StopAtNaN().on_batch_end(3, {"loss": 0.2})


def test_another_error_is_not_called_so():
    """An error that merely speaks of NaN would send the user to lower the learning rate."""
    with pytest.raises(RuntimeError, match="cuDNN") as caught, _explained(CONFIG, None):
        raise RuntimeError("cuDNN kernel has NaN in its plan: invalid lossless conversion")
    assert not isinstance(caught.value, InputError)
