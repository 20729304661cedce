"""The trained object: a network, its loss and the moving average of its weights, for Keras' own `fit`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
from keras import ops

from p2p_keras.core import units
from p2p_keras.network.training import losses as isophote_losses
from p2p_keras.network.training.metrics import GalaxyQuantile, masked_median
from p2p_keras.network.training.teaching import Teaching

__all__ = ["ProfileTrainer"]


class ProfileTrainer(keras.Model):
    """Wraps a network for training; `evaluate` uses the moving average of the weights.

    Parameters
    ----------
    network : keras.Model
        From `p2p_keras.network.models.build_network`.
    ema : float
        Momentum of the moving average; it warms up as (1 + n) / (10 + n) after n steps, so that short runs profit too.
    ease_in_steps : int
        Steps over which the likelihood's weight rises from 0.05 to 1.
    losses : module
        With ``WEIGHTS`` and ``loss_terms``, see `p2p_keras.network.training.losses`.
    teaching : Teaching, optional
        Feeds a network that writes captions while it is trained; validation is always of what it writes by itself.
    outputs : sequence of str, optional
        Train only what leads to these outputs of the network, and freeze its other layers; by default all.

    Attributes
    ----------
    whole : keras.Model
        The network that was given.
    network : keras.Model
        What of it is trained: shares its weights.
    """

    def __init__(
        self,
        network: keras.Model,
        ema: float = 0.998,
        ease_in_steps: int = 500,
        losses=isophote_losses,
        teaching: Teaching | None = None,
        outputs: Sequence[str] = (),
        **kwargs,
    ):
        # Fluxes and zero points must reach the network in float32 under every policy: float16 overflows at 65504.
        super().__init__(**{"autocast": False, **kwargs})
        self.whole = network
        if outputs:
            network = keras.Model(network.input, {name: network.output[name] for name in outputs})
            for layer in self.whole.layers:
                layer.trainable = layer in network.layers
        self.network, self.ema, self.ease_in_steps = network, ema, ease_in_steps
        self.loss_terms, self.teaching = losses.loss_terms, teaching
        self.seeds = teaching and teaching.seeds  # a part of the state that JAX passes from step to step
        # The statistics of batch normalisation belong to the weights that they were taken with.
        statistics = [v for v in network.non_trainable_variables if "/moving_" in v.path]
        self.averaged_variables = [*network.trainable_variables, *statistics]
        self.averages = [
            self.add_weight(
                name=f"average_{i}",
                shape=v.shape,
                dtype="float32",
                trainable=False,
                initializer="zeros",
                autocast=False,
            )
            for i, v in enumerate(self.averaged_variables)
        ]
        # Never cast to the policy's precision: bfloat16 can't count past 256, and the teacher compares in float32.
        self.steps = self.add_weight(
            name="steps", shape=(), dtype="float32", trainable=False, initializer="zeros", autocast=False
        )
        self.reset_averages()
        self.term_means = {name: keras.metrics.Mean(name=name) for name in losses.WEIGHTS}
        self.profile_metrics = [
            GalaxyQuantile(0.5, name="error_bright"),
            GalaxyQuantile(0.9, name="error_bright_p90"),
            GalaxyQuantile(0.5, name="error_all"),
            GalaxyQuantile(0.5, name="ellipticity_error"),
            GalaxyQuantile(0.5, name="centre_error"),
            GalaxyQuantile(0.5, name="mag_error"),
        ]
        self.coverage = keras.metrics.Mean(name="coverage")
        self.built = True  # else Keras would trace the network once more, to build what is built

    def call(self, inputs, training=False):
        """Outputs of the network, or what it writes with a teacher where the inputs have the truth."""
        if self.teaching is not None and "truth" in inputs:
            teacher = self.teaching.tokens(inputs["truth"], self.steps)
            inputs = {**{name: v for name, v in inputs.items() if name != "truth"}, "teacher": teacher}
            return self.teaching.model(inputs, training=training)
        return self.network(inputs, training=training)

    def reset_averages(self):
        """Set the moving average to the present weights (after loading them)."""
        _copy(self.averaged_variables, self.averages)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Sum of the weighted terms."""
        # Validation figures of different epochs must be comparable: no easing there.
        steps = ops.convert_to_tensor(self.steps)
        ease = ops.minimum(1.0, 0.05 + steps / max(1, self.ease_in_steps)) if training else 1.0
        terms = self.loss_terms(x, y, y_pred, likelihood_weight=ease)
        for name, value in terms.items():
            self.term_means[name].update_state(value)
        return sum(terms.values())

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The paper's error and the rest of the profile's, per galaxy."""
        if "mu" not in y_pred:  # of a part there is no profile, and with a teacher errors mean nothing
            return {name: v for name, v in self.get_metrics_result().items() if name in {"loss", *self.term_means}}
        error = ops.abs(y_pred["mu"] - y["mu"])
        use = y["known"] & y["within"]
        bright = use & (y["mu"] <= units.FAINT_MU)
        for metric in self.profile_metrics[:2]:
            metric.update_state(masked_median(error, bright))
        self.profile_metrics[2].update_state(masked_median(error, use))
        true_length = ops.sqrt(ops.square(y["e1"]) + ops.square(y["e2"]))
        e_error = ops.abs(y_pred["ellipticity"] - 2.0 * true_length / (1.0 + true_length))
        self.profile_metrics[3].update_state(masked_median(e_error, use & y["geometry_known"]))
        distance = ops.sqrt(ops.square(y_pred["x0"] - y["x0"]) + ops.square(y_pred["y0"] - y["y0"]))
        self.profile_metrics[4].update_state(distance, y["centre_known"])
        self.profile_metrics[5].update_state(ops.abs(y_pred["mag_total"] - y["mag_total"]), y["mag_known"])
        inside = ops.cast(error <= y_pred["mu_err"], "float32")
        self.coverage.update_state(inside, sample_weight=ops.cast(use, "float32"))
        return self.get_metrics_result()

    if keras.config.backend() == "jax":

        def train_step(self, state, data):
            """One step, then the moving average."""
            logs, (trained, others, *rest) = super().train_step(state, self._with_truth(data))
            values = [*zip(self.trainable_variables, trained, strict=True)]
            values += zip(self.non_trainable_variables, others, strict=True)
            with keras.StatelessScope(state_mapping=values) as scope:
                self._move_averages()
            others = [scope.get_current_value(variable) for variable in self.non_trainable_variables]
            return logs, (trained, others, *rest)

    else:

        def train_step(self, data):  # type: ignore[misc]
            """One step, then the moving average."""
            logs = super().train_step(self._with_truth(data))
            self._move_averages()
            return logs

    def _with_truth(self, data):
        """A batch with the true captions among its inputs, where a teacher is to be made of them."""
        if self.teaching is None:
            return data
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        return {**inputs, "truth": self.teaching.truth(inputs, targets)}, targets

    def _move_averages(self):
        self.steps.assign_add(1.0)
        share = 1.0 - ops.minimum(self.ema, (1.0 + self.steps) / (10.0 + self.steps))
        for average, variable in zip(self.averages, self.averaged_variables, strict=True):
            present = ops.cast(ops.stop_gradient(variable), "float32")
            before = ops.convert_to_tensor(average)  # read once: of hundreds of variables each operation counts
            average.assign(before + share * (present - before))

    def fit(self, *args, **kwargs):
        """Keras' own; batches come in the order of their dataset, which shuffles."""
        return super().fit(*args, **{"shuffle": False, **kwargs})

    def train_on_batch(self, x, y=None, **kwargs):
        """Keras' own, which on PyTorch would pass numpy's arrays on as they are."""
        return super().train_on_batch(*_tensors((x, y)), **kwargs)

    def test_on_batch(self, x, y=None, **kwargs):
        """Keras' own, which on PyTorch would pass numpy's arrays on as they are."""
        return super().test_on_batch(*_tensors((x, y)), **kwargs)

    def evaluate(self, *args, **kwargs):
        """Evaluate the moving average of the weights."""
        # Devices share batches evenly, which the last one of a split can't be: each of them does it all.
        distribution = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        try:
            with self.averaged():
                return super().evaluate(*args, **kwargs)
        finally:
            keras.distribution.set_distribution(distribution)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, the network has the moving average of its weights."""
        kept = [keras.ops.convert_to_numpy(variable) for variable in self.averaged_variables]
        _copy(self.averages, self.averaged_variables)
        try:
            yield
        finally:
            for variable, value in zip(self.averaged_variables, kept, strict=True):
                variable.assign(value)


def _tensors(batch):
    """Arrays of a batch as tensors."""
    return keras.tree.map_structure(lambda value: None if value is None else ops.convert_to_tensor(value), batch)


def _copy(values, variables):
    """Give variables the values of others; a copy, since JAX would let both have the same memory."""
    for value, variable in zip(values, variables, strict=True):
        variable.assign(keras.ops.convert_to_numpy(value))
