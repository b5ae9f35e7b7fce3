"""A run never depends on its company, whatever its layers, losses and metrics make of a batch as a whole."""

import keras
import numpy as np
import pytest
import torch
from keras import layers

from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.fused import train_fused
from gengap.engine.planner import Chunk, Plan
from gengap.engine.reference import train_reference
from gengap.engine.runs import Run
from gengap.errors import ModelError
from gengap.keras_models.separability import is_keras_made, is_separate
from gengap.layers.probe import PerRun

ops = keras.ops
pytestmark = pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")


def of_pairs(y_true, y_pred):
    """Every positive against every negative of the batch; 0 where there is one label alone."""
    y, p = ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1,))
    pairs = (y[:, None] > 0.5) & (y[None, :] < 0.5)
    losses = ops.where(pairs, ops.softplus(p[None, :] - p[:, None]), 0.0)
    return ops.sum(losses, axis=1) / ops.maximum(ops.sum(ops.cast(pairs, "float32"), axis=1), 1.0)


def hard_ones(y_true, y_pred):
    """The half of the batch that is worst."""
    errors = ops.mean(ops.square(y_true - y_pred), axis=-1)
    return ops.where(errors >= ops.median(errors), errors, 0.0)


def numbers_in_python(y_true, y_pred):
    """Looks at a number, which no tracer can follow."""
    worst = float(ops.stop_gradient(ops.max(ops.abs(y_true - y_pred))))
    return ops.mean(ops.square(y_true - y_pred), axis=-1) * (2.0 if worst > 0.6 else 1.0)


def sometimes(y_true, y_pred):
    """Treats samples independently until one of the batch is badly wrong."""
    errors = ops.mean(ops.square(y_true - y_pred), axis=-1)
    return ops.where(ops.max(errors) > 0.45, errors * ops.mean(errors), errors)


@keras.saving.register_keras_serializable("company")
class Contrast(keras.losses.Loss):
    """Against the mean of the batch, and one number for all."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square((y_true - ops.mean(y_true)) - (y_pred - ops.mean(y_pred))))


LOSSES = {
    "pairs": of_pairs,
    "hard ones": hard_ones,
    "numbers in Python": numbers_in_python,
    "sometimes": sometimes,
    "contrast": Contrast(),
    "independent": lambda y_true, y_pred: ops.mean(ops.abs(y_true - y_pred) ** 1.5, axis=-1),
    "circle": keras.losses.Circle(gamma=2.0),
    "dice": keras.losses.Dice(),
    "tversky": keras.losses.Tversky(alpha=0.3),
    "cosine over samples": keras.losses.CosineSimilarity(axis=0),
    "summed": keras.losses.MeanSquaredError(reduction="sum"),
    "by weights": keras.losses.MeanSquaredError(reduction="mean_with_sample_weight"),
}


@keras.saving.register_keras_serializable("company")
class Capacity(layers.Layer):
    """Only so many samples of a batch pass, in the order in which they come: it mixes them once it is full."""

    def call(self, x):
        wants = ops.cast(ops.sum(x, axis=-1, keepdims=True) > 0, x.dtype)
        return x * wants * ops.cast(ops.cumsum(wants, axis=0) <= 2, x.dtype)


@keras.saving.register_keras_serializable("company")
class Whitened(layers.Layer):
    """Against the batch, in training alone."""

    def call(self, x, training=False):
        return x - ops.mean(x, axis=0, keepdims=True) if training else x


@keras.saving.register_keras_serializable("company")
class Watching(layers.Layer):
    """Looks at a number of the batch."""

    def call(self, x):
        return x * 2.0 if float(ops.stop_gradient(ops.max(x))) > 2.0 else x


@keras.saving.register_keras_serializable("company")
class WithWeight(layers.Layer):
    """Has a weight and looks at the batch: experts with a capacity have both."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale / ops.maximum(ops.max(ops.abs(x), axis=0, keepdims=True), 1.0)


@keras.saving.register_keras_serializable("company")
def below_the_largest(x):
    return x - ops.max(x, axis=0)


@keras.saving.register_keras_serializable("company")
def shrunk(x):
    return x / (1.0 + ops.max(ops.abs(x)))


@keras.saving.register_keras_serializable("company")
def doubled(x):
    return x * 2.0


LAYERS = {
    "capacity": Capacity,
    "whitened": Whitened,
    "watching": Watching,
    "with a weight": WithWeight,
    "lambda": lambda: layers.Lambda(below_the_largest),
    "softmax over samples": lambda: layers.Softmax(axis=0),
    "own activation": lambda: layers.Activation(shrunk),
    "own activation of a layer": lambda: layers.Dense(3, activation=below_the_largest),
    "a layer as activation": lambda: layers.Dense(3, activation=layers.LeakyReLU(0.3)),
    "independent": lambda: layers.Lambda(doubled),
}


def largest_error(y_true, y_pred):
    return ops.max(ops.abs(ops.subtract(y_true, y_pred)))


@keras.saving.register_keras_serializable("company")
class Largest(keras.metrics.Metric):
    """The largest error of an epoch: its states of batches do not add up."""

    def __init__(self, name="largest", **given):
        super().__init__(name=name, **given)
        self.largest = self.add_variable((), "zeros", name="largest")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(ops.cast(y_true, "float32") - y_pred))))

    def result(self):
        return self.largest


METRICS = {
    "largest of a batch": largest_error,
    "pairs": of_pairs,
    "largest": Largest(),
    "area": keras.metrics.AUC(),
    "cosine over samples": keras.metrics.CosineSimilarity(axis=0),
}


def data(n=(52, 26, 10)):
    rng = np.random.default_rng(0)

    def split(size):
        x = rng.normal(size=(size, 4)).astype("float32")
        return Split(x, (x[:, 0] + rng.normal(size=size) > 0).astype("float32"))

    return TrainingData(*map(split, n))


def model(*inside, loss="binary_crossentropy", metrics=()):
    keras.utils.set_random_seed(1)
    built = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, use_bias=False), *inside, layers.Dense(1, activation="sigmoid")]
    )
    built.compile(keras.optimizers.SGD(0.1), loss, metrics=[*metrics])
    return built


def together(runs):
    return Plan("cpu", "float32", (Chunk("chunk-000", tuple((r.variant, r.seed) for r in runs), "fused", "test"),))


def check(one, settings, collect, task="binary"):
    """Two runs together, one alone, and Keras' own loop: the same curves and forecasts."""
    runs, given = [Run("one", seed, one) for seed in range(2)], settings(batch_size=8, task=task)
    splits = data()
    company = collect(train_fused, runs, splits, given, plan=together(runs))
    alone = collect(train_fused, runs[:1], splits, given, plan=together(runs[:1]))
    by_keras = collect(train_reference, runs, splits, given)
    for record, other in ((company["one", 0], alone["one", 0]), *((company[key], by_keras[key]) for key in by_keras)):
        assert set(record.history) == set(other.history)
        for name, curve in record.history.items():
            np.testing.assert_allclose(curve, other.history[name], atol=2e-5, rtol=2e-5, err_msg=name)
        for name, forecast in record.predictions.items():
            np.testing.assert_allclose(forecast.last, other.predictions[name].last, atol=2e-5, err_msg=name)
    return company["one", 0]


@pytest.mark.parametrize("name", [*LOSSES])
def test_losses(name, settings, collect):
    check(model(loss=LOSSES[name]), settings, collect, task="regression")


@pytest.mark.parametrize("name", [*LAYERS])
def test_layers(name, settings, collect):
    check(model(LAYERS[name]()), settings, collect)


@pytest.mark.parametrize("name", [*METRICS])
def test_metrics(name, settings, collect):
    record = check(model(metrics=[METRICS[name]]), settings, collect)
    assert len(record.history) == 7


def test_mixing_is_evaluated_as_keras_evaluates_it(settings, collect):
    """In batches of the training, and never in larger ones."""
    one, splits = model(Capacity()), data()
    record = collect(train_fused, [Run("one", 0, one)], splits, settings(batch_size=8))["one", 0]
    one.set_weights(record.weights_last)
    theirs = one.evaluate(splits.validation.x, splits.validation.y[:, None], batch_size=8, verbose=0)
    forecast = one.predict(splits.test.x, batch_size=8, verbose=0)[:, 0]
    assert record.history["val_loss"][-1] == pytest.approx(theirs, abs=1e-6)
    np.testing.assert_allclose(record.predictions["test"].last, forecast, atol=1e-6)
    assert np.abs(one.predict(splits.test.x, batch_size=5, verbose=0)[:, 0] - forecast).max() > 1e-3


def test_weights_that_are_made_at_the_first_call_are_refused(settings, collect):
    one = model(layers.Dense(3, activation=layers.PReLU()))
    with pytest.raises(ModelError, match="makes weights when it is first called"):
        collect(train_fused, [Run("one", 0, one)], data(), settings())


def test_what_keras_wrote_is_known_and_nothing_else():
    """The names are Keras' own functions: if one is renamed, it is looped in silence."""
    for name in ("binary_crossentropy", "mean_squared_error", "sparse_categorical_crossentropy", "huber"):
        assert is_separate(getattr(keras.losses, name), {})
    for metric in (keras.metrics.BinaryAccuracy(), keras.metrics.SparseCategoricalAccuracy(), keras.metrics.Accuracy()):
        assert is_separate(metric._fn, {})
    assert not is_separate(keras.losses.circle, {})
    assert not is_separate(keras.losses.cosine_similarity, {"axis": 0})
    assert not is_separate(of_pairs, {})
    known = [layers.Flatten(), layers.ReLU(), layers.Activation("relu"), layers.Concatenate(), layers.Reshape((2, 3))]
    assert all(map(is_keras_made, known))
    assert not any(map(is_keras_made, [Capacity(), layers.Lambda(abs), layers.Activation(lambda x: x)]))
    assert not is_keras_made(layers.TimeDistributed(Capacity()))


def test_vmap_computes_what_it_can_and_the_rest_is_called_run_by_run():
    values = torch.rand(3, 6, 1), torch.rand(3, 6, 1)
    for function, maps in ((of_pairs, True), (sometimes, True), (numbers_in_python, False)):
        per_run = PerRun(function, separate=False)
        wanted = torch.stack([function(values[0][k], values[1][k]) for k in range(3)])
        torch.testing.assert_close(per_run(*values), wanted)
        assert per_run._maps is maps
