"""Two laws over models of every make: sampling changes no variable, and all noise is on, or named."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops

from gengap.engine.computation import Computation
from gengap.errors import ModelError, NoiseWarning
from gengap.sampling import predict_distribution

L = keras.layers


class NoiseAndNorm(L.Layer):
    """Noise with a generator of its own around a BatchNormalization."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.draws, self.norm = keras.random.SeedGenerator(1), L.BatchNormalization()

    def call(self, x, training=None):
        x = self.norm(x, training=training)
        return x + keras.random.normal(ops.shape(x), seed=self.draws) if training else x


class AlwaysDropout(L.Dropout):
    """The textbook's Monte-Carlo dropout."""

    def call(self, inputs):
        return super().call(inputs, training=True)


class Sampling(L.Layer):
    """A sampling layer that takes no `training`: its noise never rests."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.draws = keras.random.SeedGenerator(1)

    def call(self, x):
        return x + 0.3 * keras.random.normal(ops.shape(x), seed=self.draws)


class StochasticDepth(L.Layer):
    """As in ConvNeXt: no seed, one number a row."""

    def call(self, x, training=None):
        if not training:
            return x
        kept = ops.floor(0.7 + keras.random.uniform((ops.shape(x)[0], *[1] * (len(x.shape) - 1))))
        return x / 0.7 * kept


class NoisyKernel(L.Layer):
    """Weights that are drawn anew at every call: all rows of a batch share them."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3))

    def call(self, x, training=False):
        kernel = self.kernel
        if training:
            kernel = kernel + 0.3 * keras.random.normal(ops.shape(kernel))
        return ops.matmul(x, kernel)


class TorchNoise(L.Layer):
    def call(self, x, training=False):
        import torch

        return x + 0.3 * torch.randn_like(x) if training else x


class NumpyNoise(L.Layer):
    def call(self, x, training=False):
        noise = np.random.normal(size=tuple(x.shape))  # noqa: NPY002  drawn in inference too, and not used there
        return x + 0.3 * ops.convert_to_tensor(noise.astype("float32")) if training else x


class KeepsGenerators(L.Layer):
    """Generators in a list and in a part that is no layer; a count and a note of every call."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.draws, self.seen = [keras.random.SeedGenerator(5), keras.random.SeedGenerator(6)], []
        self.count, self.last = self.add_weight(shape=(), trainable=False, initializer="zeros"), None

    def call(self, x, training=False):
        self.count.assign_add(1.0)
        self.seen.append(1)
        self.last = x
        if training:
            x = x * keras.random.gamma(ops.shape(x), 4.0, seed=self.draws[0]) / 4
            x = x + 0.2 * keras.random.truncated_normal(ops.shape(x), seed=self.draws[1])
        return x


class OnlyInTraining(L.Layer):
    """Calls its dropout in training mode only."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop = L.Dropout(0.4)

    def call(self, x, training=False):
        return self.drop(x, training=True) if training else x


class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm, self.flat, self.first = L.BatchNormalization(), L.Flatten(), L.Dense(5, "tanh")
        self.drop, self.last = L.Dropout(0.3), L.Dense(1)

    def call(self, x, training=False):
        x = self.first(self.flat(self.norm(x, training=training)))
        return self.last(self.drop(x, training=True))


def plain(*layers):
    return keras.Sequential([keras.Input((6, 4)), *layers, L.Flatten(), L.Dense(1)])


def functional(build):
    inputs = keras.Input((6, 4))
    return keras.Model(inputs, L.Dense(1)(L.Flatten()(build(inputs))))


def residual(x):
    return L.Add()([x, StochasticDepth()(L.Dense(4)(x))])


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 6, 4), "float32"))
    return model


ALIKE = {
    "dropout": lambda: plain(L.Dropout(0.3)),
    "spatial": lambda: plain(L.Conv1D(5, 3), L.SpatialDropout1D(0.3)),
    "gaussian": lambda: plain(L.GaussianNoise(0.5), L.GaussianDropout(0.2)),
    "alpha": lambda: plain(L.Dense(6, "selu"), L.AlphaDropout(0.2)),
    "noise shape": lambda: plain(L.Dropout(0.4, noise_shape=(None, 1, 4))),
    "attention": lambda: functional(lambda x: L.Attention(dropout=0.4)([x, x])),
    "additive attention": lambda: functional(lambda x: L.AdditiveAttention(dropout=0.4)([x, x])),
    "heads": lambda: functional(lambda x: L.MultiHeadAttention(2, 3, dropout=0.4)(x, x)),
    "grouped heads": lambda: functional(lambda x: L.GroupQueryAttention(4, 2, 1, dropout=0.4)(x, x)),
    "attention beside a dropout": lambda: functional(lambda x: L.Dropout(0.1)(L.Attention(dropout=0.4)([x, x]))),
    "lstm": lambda: plain(L.LSTM(5, dropout=0.4, recurrent_dropout=0.2)),
    "gru both ways": lambda: plain(L.Bidirectional(L.GRU(4, dropout=0.4))),
    "cells": lambda: plain(L.RNN([L.LSTMCell(4, dropout=0.3), L.GRUCell(3, recurrent_dropout=0.3)])),
    "every step": lambda: plain(L.TimeDistributed(L.Dropout(0.3)), L.TimeDistributed(L.Dense(3))),
    "nested": lambda: plain(keras.Sequential([L.Dense(5, "tanh"), L.Dropout(0.3)]), L.Dense(3)),
    "textbook dropout": lambda: plain(AlwaysDropout(0.3)),
    "textbook dropout beside another": lambda: plain(AlwaysDropout(0.3), L.Dropout(0.1)),
    "sampling": lambda: plain(Sampling()),
    "stochastic depth": lambda: functional(residual),
    "stochastic depth beside a dropout": lambda: functional(lambda x: L.Dropout(0.1)(residual(x))),
    "kernel": lambda: plain(NoisyKernel()),
    "torch": lambda: plain(TorchNoise()),
    "numpy": lambda: plain(NumpyNoise()),
    "generators": lambda: plain(KeepsGenerators()),
    "only in training": lambda: plain(OnlyInTraining()),
}
"""Models whose training mode differs from inference by noise alone: it is the oracle of the spread."""

UNLIKE = {
    "noise and norm": lambda: plain(NoiseAndNorm()),
    "norm": lambda: plain(L.BatchNormalization(), L.Dropout(0.3), L.Dense(5), L.BatchNormalization()),
    "spectral": lambda: plain(L.SpectralNormalization(L.Dense(4)), L.Dropout(0.3)),
    "subclassed": subclassed,
}
ZOO = ALIKE | UNLIKE
NEVER_RESTS = {"sampling", "textbook dropout", "textbook dropout beside another", "subclassed"}
SLOW = {"kernel", "torch", "numpy"}


def built(name):
    keras.utils.set_random_seed(0)
    model = ZOO[name]()
    model.compile(loss="mse")
    return model


def state(model):
    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in model.variables]


def notes(model):
    """What layers of one's own hold, and what their lists hold."""
    own = [layer for layer in model._flatten_layers() if not type(layer).__module__.startswith("keras.")]
    held = {layer.name: {key: id(value) for key, value in vars(layer).items()} for layer in own}
    return held, {layer.name: len(layer.seen) for layer in own if hasattr(layer, "seen")}


@pytest.fixture
def cases(random):
    return random.normal(size=(3, 6, 4)).astype("float32")


@pytest.fixture
def quietly():
    """`Sampling` says that its noise never rests, which is another test's matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoiseWarning)
        yield


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("name", ZOO)
def test_no_variable_changes(name, cases):
    model = built(name)
    before, forecast = state(model), model.predict(cases, verbose=0)
    model = built(name) if name == "generators" else model  # whose `predict` counts
    before = state(model)
    noted = notes(model)
    drawn = predict_distribution(model, cases, num_members=4, task="regression")
    for now, was in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(now, was)
    assert notes(model) == noted
    if name not in NEVER_RESTS:
        np.testing.assert_allclose(drawn.deterministic, forecast[:, 0], atol=1e-6)
        np.testing.assert_array_equal(model.predict(cases, verbose=0), forecast)


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in ALIKE])
def test_all_noise_is_on(name, cases):
    """The spread is that of Keras' own training mode, called again and again."""
    model, samples = built(name), 600
    ours = predict_distribution(model, cases[:2], num_members=samples, task="regression").members.values
    many = np.repeat(cases[:2], samples, axis=0)
    if name == "kernel":  # one draw a call
        calls = [model(cases[:2], training=True) for _ in range(samples)]
        theirs = np.stack([keras.ops.convert_to_numpy(call)[:, 0] for call in calls], axis=1)
    else:
        theirs = keras.ops.convert_to_numpy(model(many, training=True)).reshape(2, samples)
    assert ours.std(axis=0) == pytest.approx(theirs.std(axis=1), rel=0.2)
    error = theirs.std(axis=1) * np.sqrt(2 / samples)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=1)) < 4.5 * error).all()


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("name", ZOO)
def test_noise_depends_on_case_and_member_alone(name, cases):
    model = built(name)
    whole = predict_distribution(model, cases, num_members=13, task="regression")
    fewer = predict_distribution(
        model, cases[:2], num_members=6, task="regression", computation=Computation(memory_limit=1 << 12)
    )
    np.testing.assert_allclose(fewer.members, whole.members[:6, :2], atol=2e-6)
    np.testing.assert_allclose(fewer.deterministic, whole.deterministic[:2], atol=2e-6)
    assert whole.members.values.std(axis=0).min() > 0
    other = predict_distribution(model, cases, num_members=13, task="regression", seed=1)
    assert np.abs(other.members.values - whole.members.values).max() > 1e-3


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("name", ZOO)
def test_a_fixed_mask_is_one_network_whatever_makes_the_noise(name, cases):
    model, same = built(name), np.repeat(cases[:1], 3, axis=0)
    fixed = predict_distribution(model, same, num_members=5, task="regression", fixed_mask=True).members.values
    np.testing.assert_allclose(fixed[:, 0], fixed[:, 2], atol=2e-6)
    assert fixed.std(axis=0).min() > 0


def test_the_noise_of_a_layer_that_normalizes_is_its_noise_alone(cases):
    """With the moving averages that it was made with, the variance is a sum over the last kernel."""
    model = built("noise and norm")
    forecast = predict_distribution(model, cases, num_members=4000)
    exact = float((model.layers[-1].kernel.numpy() ** 2).sum())
    assert forecast.variance()["total"].values == pytest.approx(exact, rel=0.1)


class Counts(L.Layer):
    """Noise whose strength grows with a count of the steps of training."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.steps = self.add_weight(name="steps", shape=(), trainable=False, initializer="zeros")

    def call(self, x, training=False):
        if not training:
            return x
        self.steps.assign_add(1.0)
        return x + self.steps * keras.random.normal(ops.shape(x))


class Unseeded(L.Layer):
    def __init__(self, *, always=False, **kwargs):
        super().__init__(**kwargs)
        self.random, self.always = np.random.default_rng(0), always

    def call(self, x, training=False):
        noise = ops.convert_to_tensor(self.random.normal(size=tuple(x.shape)).astype("float32"))
        return x + noise if training or self.always else x


class ReturnsMore(keras.Model):
    """Its dropout stands where training mode returns something else."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flat, self.drop, self.also, self.last = (
            L.Flatten(),
            L.Dropout(0.3, name="inner"),
            L.Dropout(0.2),
            L.Dense(1),
        )

    def call(self, x, training=False):
        x = self.also(self.flat(x), training=training)
        return (self.last(self.drop(x, training=True)), x) if training else self.last(x)


def returns_more():
    model = ReturnsMore(name="returns_more")
    model(np.zeros((1, 6, 4), "float32"))
    return model


def torch_dropout():
    import torch

    wrapped = L.TorchModuleWrapper(torch.nn.Sequential(torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.5)), name="torch")
    return plain(wrapped, L.Dropout(0.1))


@pytest.mark.parametrize(
    ("build", "name", "why"),
    [
        (lambda: plain(Counts(name="counts"), L.Dropout(0.1)), "counts", "changes steps"),
        (lambda: plain(Unseeded(name="unseeded"), L.Dropout(0.1)), "unseeded", "cannot be seeded"),
        (lambda: plain(L.Reshape((6, 4, 1)), L.RandomFlip(name="flip"), L.Dropout(0.1)), "flip", "augments"),
        (returns_more, "inner", "training mode only"),
        (torch_dropout, "torch", "torch module"),
    ],
)
def test_noise_that_stays_off_is_named(build, name, why, cases):
    keras.utils.set_random_seed(0)
    model = build()
    model(cases)  # a torch module is built by its first call
    before = state(model)
    with pytest.warns(NoiseWarning, match=f"{name!r} is left off: .*{why}"):
        forecast = predict_distribution(model, cases, num_members=30, task="regression")
    assert list(forecast.settings["noise_off"]) == [name]
    assert why in forecast.settings["noise_off"][name]
    assert forecast.members.values.std(axis=0).min() > 0
    for now, was in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(now, was)


def test_torch_statistics_stay(cases):
    model = torch_dropout()
    mean = model.layers[0].module[0].running_mean
    with pytest.warns(NoiseWarning):
        predict_distribution(model, cases, num_members=5, task="regression")
    np.testing.assert_array_equal(mean.numpy(), 0)


def test_noise_that_nobody_can_seed_is_refused_where_it_cannot_be_left_off(cases):
    with pytest.raises(ModelError, match="'unseeded' gives another answer each time"):
        predict_distribution(plain(Unseeded(always=True, name="unseeded")), cases, task="regression")


def test_augmentation_alone_is_no_noise(cases):
    model = plain(L.Reshape((6, 4, 1)), L.RandomFlip(name="flip"))
    with pytest.raises(ModelError, match="'flip' stays off: it augments"):
        predict_distribution(model, cases, task="regression")


def test_a_dropout_that_forces_itself_on_has_a_forecast_without(cases):
    keras.utils.set_random_seed(0)
    forced = plain(AlwaysDropout(0.3))
    free = plain(L.Dropout(0.3))
    free.set_weights(forced.get_weights())
    ours = predict_distribution(forced, cases, num_members=5, task="regression")
    np.testing.assert_array_equal(ours.deterministic, free.predict(cases, verbose=0)[:, 0])


def test_noise_that_never_rests_is_said_and_repeats(cases):
    model = built("sampling")
    with pytest.warns(NoiseWarning, match="one draw of it"):
        first, again = (predict_distribution(model, cases, num_members=3) for _ in range(2))
    np.testing.assert_array_equal(first.deterministic, again.deterministic)
    assert first.settings["noise_always"] == [model.layers[0].name]


def test_global_generators_are_put_back(cases):
    import random

    import torch

    model = plain(TorchNoise(), NumpyNoise())
    before = random.getstate(), np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    predict_distribution(model, cases[:1], num_members=2, task="regression")
    assert random.getstate() == before[0]
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), before[2])
