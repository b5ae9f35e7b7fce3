"""Every curve of a loss is free of penalties, and `penalty` holds them all, in both engines.

Penalties on weights, on activities, and what layers add by `add_loss`, whatever else the layer has.
"""

import keras
import numpy as np
import pytest
import torch
from keras import layers

from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.fused import train_fused
from gengap.engine.reference import train_reference
from gengap.engine.runs import Run
from gengap.keras_models.fusable import why_not_fused
from gengap.layers.doors import PassContext
from gengap.layers.program import Program
from gengap.layers.stack import Stack

ops = keras.ops
L2 = keras.regularizers.L2
pytestmark = pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")


@keras.saving.register_keras_serializable("penalties")
class Added(layers.Layer):
    """A layer without weights that adds a loss."""

    def call(self, x):
        self.add_loss(ops.mean(ops.square(x)))
        return x


@keras.saving.register_keras_serializable("penalties")
class AddedInTraining(layers.Layer):
    """Adds a loss per sample, in training alone, and returns its input as it is."""

    def call(self, x, training=False):
        if training:
            self.add_loss(0.01 * ops.sum(ops.square(x), axis=-1))
        return x


@keras.saving.register_keras_serializable("penalties")
class Inside(layers.Layer):
    """A layer whose inner layer adds a loss."""

    def __init__(self, **given):
        super().__init__(**given)
        self.inner = Added()

    def call(self, x):
        return self.inner(x) * 2.0


@keras.saving.register_keras_serializable("penalties")
class Measured(layers.Layer):
    """A layer without weights that keeps a metric."""

    def __init__(self, **given):
        super().__init__(**given)
        self.size = keras.metrics.Mean(name="size")

    def call(self, x):
        self.size.update_state(ops.mean(ops.abs(x)))
        return x


PENALIZED = {
    "activity": lambda: [layers.Dense(4, activity_regularizer=L2(0.5))],
    "activity layer": lambda: [layers.Dense(4), layers.ActivityRegularization(l1=0.1)],
    "added": lambda: [layers.Dense(4), Added()],
    "added in training": lambda: [layers.Dense(4), AddedInTraining()],
    "inside": lambda: [layers.Dense(4), Inside()],
    "inputs": lambda: [Added(), layers.Dense(4)],
    "weights": lambda: [layers.Dense(4, kernel_regularizer=L2(0.1))],
    "all": lambda: [layers.Dense(4, kernel_regularizer=L2(0.1), activity_regularizer=L2(0.5)), Added()],
}


def data(n=(40, 16, 8)):
    rng = np.random.default_rng(0)
    return TrainingData(*(Split(x := rng.normal(size=(k, 3)).astype("float32"), x.sum(axis=1)) for k in n))


def model(name, rate=0.05):
    built = keras.Sequential([keras.Input((3,)), *PENALIZED[name](), layers.Dense(1)])
    built.compile(keras.optimizers.SGD(rate), "mse")
    return built


@pytest.mark.parametrize("name", [*PENALIZED])
def test_both_engines_train_on_penalties_and_show_them_apart(name, settings, collect):
    runs, given = [Run("one", seed, model(name)) for seed in range(2)], settings(task="regression", batch_size=8)
    runs = [Run("one", seed, runs[0].model) for seed in range(2)]
    fused, by_keras = (collect(engine, runs, data(), given) for engine in (train_fused, train_reference))
    for key, record in fused.items():
        assert (record.history["penalty"] > 0).all()
        for curve, values in record.history.items():
            np.testing.assert_allclose(values, by_keras[key].history[curve], rtol=2e-5, err_msg=curve)


@pytest.mark.parametrize("engine", [train_fused, train_reference])
@pytest.mark.parametrize("name", [*PENALIZED])
def test_losses_and_penalty_are_what_keras_sums(name, engine, settings, collect):
    """At learning rate 0 the mean squared error by hand is `loss` and `val_loss`, and `penalty` the rest of Keras'."""
    one, splits = model(name, rate=0.0), data()
    given = settings(task="regression", batch_size=8, epochs=1, initial_weights="keep")
    record = collect(engine, [Run("one", 0, one)], splits, given)["one", 0]
    errors = {key: np.mean((one.predict(part.x, verbose=0)[:, 0] - part.y) ** 2) for key, part in
              (("loss", splits.train), ("val_loss", splits.validation))}  # fmt: skip
    for curve, wanted in errors.items():
        assert record.history[curve][0] == pytest.approx(wanted, rel=1e-4)
    history = one.fit(splits.train.x, splits.train.y[:, None], batch_size=8, epochs=1, verbose=0).history
    assert record.history["loss"][0] + record.history["penalty"][0] == pytest.approx(history["loss"][0], rel=1e-4)


def test_metrics_that_layers_keep_take_keras_loop(settings, collect):
    built = keras.Sequential([keras.Input((3,)), Measured(), layers.Dense(1)])
    built.compile("sgd", "mse")
    assert "metrics" in why_not_fused(built)
    splits = data()
    record = collect(train_fused, [Run("one", 0, built)], splits, settings(task="regression", batch_size=8))["one", 0]
    assert record.history["val_size"][-1] == pytest.approx(np.abs(splits.validation.x).mean(), rel=1e-5)
    assert record.history["size"][-1] == pytest.approx(np.abs(splits.train.x).mean(), rel=1e-5)


def test_models_without_metrics_of_their_own_are_fused():
    assert why_not_fused(model("weights")) is None


@pytest.mark.parametrize(
    "make", [layers.Attention, layers.Add, layers.Identity], ids=["fused", "joined", "nothing to compute"]
)
def test_a_penalty_counts_that_the_first_of_the_runs_does_not_have(make):
    def model(penalty):
        x = keras.Input((5, 4))
        layer = make(activity_regularizer=penalty)
        h = layer(x) if make is layers.Identity else layer([x, x])
        return keras.Model(x, layers.Dense(1)(layers.Flatten()(h)))

    models = [model(None), model(L2(0.1))]
    weights = [np.array(value) for value in models[0].get_weights()]
    context, x = PassContext(training=True), torch.ones(1, 3, 5, 4)
    Program(models, [0, 1], Stack(models[0], [weights] * 2))([x.expand(2, *x.shape[1:])], context)
    models[1](x[0], training=True)
    first, second = sum(context.extra_losses).tolist()
    assert first == 0
    assert second == pytest.approx(float(models[1].losses[0])) != 0
