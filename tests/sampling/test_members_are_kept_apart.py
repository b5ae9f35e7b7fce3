"""Layers that mix the rows of a batch see the cases of one member, never other members."""

import keras
import numpy as np
import pytest
from keras import ops

from gengap.sampling import predict_distribution
from gengap.sampling.found_noise import treats_rows_alone
from gengap.sampling.graph_sampler import GraphSampler
from gengap.sampling.masks import Block
from gengap.sampling.noise_layers import NoiseStrength
from gengap.sampling.sampler import WholeModelSampler
from gengap.sampling.switch import NoiseSource

L = keras.layers


class Capacity(L.Layer):
    """Lets through the first rows that ask, a quarter of the batch, as an expert of a Switch transformer does."""

    def call(self, x):
        asks = ops.cast(ops.sum(x, axis=-1) > 0, "int32")
        let_in = ops.cast(ops.cumsum(asks) <= max(1, int(x.shape[0]) // 4), x.dtype)
        return x * let_in[:, None]


class Centred(L.Layer):
    def call(self, x):
        return x - ops.mean(x, axis=0)


class Shuffled(L.Layer):
    """Mixes rows by its noise: a part of another row is added to each."""

    def call(self, x, training=False):
        return x + 0.5 * keras.random.shuffle(x) if training else x


def mixing(last):
    inputs = keras.Input((8,))
    return keras.Model(inputs, L.Dense(1)(last(L.Dropout(0.4)(inputs))))


MIXING = {
    "capacity": lambda: mixing(Capacity()),
    "layer": lambda: mixing(Centred()),
    "operation": lambda: mixing(lambda x: x - ops.mean(x, axis=0)),
    "lambda": lambda: mixing(L.Lambda(lambda x: x - ops.mean(x, axis=0))),
    "activation": lambda: mixing(L.Dense(8, activation=lambda x: x - ops.mean(x, axis=0))),
    "axis": lambda: mixing(L.Softmax(axis=0)),
    "noise": lambda: mixing(Shuffled()),
}


@pytest.fixture
def cases(random):
    return random.normal(size=(40, 8)).astype("float32")


def one_by_one(model, x, members):
    """The oracle: the model as Keras calls it, 32 cases of one member at a time."""
    sampler = WholeModelSampler(model, NoiseSource(0, fixed_mask=False))
    parts = []
    for first in range(0, len(x), 32):
        sampler.load([x[first : first + 32]], first)
        cases = len(x[first : first + 32])
        parts.append([sampler.draw(Block(first, cases, member, 1), NoiseStrength())[:, 0] for member in range(members)])
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("name", MIXING)
@pytest.mark.parametrize("members", [2, 40])
def test_members_are_what_they_are_alone(name, members, cases):
    keras.utils.set_random_seed(0)
    model = MIXING[name]()
    model.compile(loss="mse")
    forecast = predict_distribution(model, cases, num_members=members)
    np.testing.assert_allclose(forecast.members, one_by_one(model, cases, members), atol=2e-5)
    np.testing.assert_array_equal(forecast.deterministic, model.predict(cases, verbose=0)[:, 0])
    assert not treats_rows_alone(model)


def test_the_spread_does_not_depend_on_the_number_of_members(cases):
    keras.utils.set_random_seed(0)
    model = MIXING["capacity"]()
    model.compile(loss="mse")
    spread = [float(predict_distribution(model, cases, num_members=n).spread.mean()) for n in (10, 100, 400)]
    assert spread[0] == pytest.approx(spread[2], rel=0.15)
    assert spread[1] == pytest.approx(spread[2], rel=0.05)


def test_what_is_known_to_treat_rows_alone_is_not_watched():
    inputs = keras.Input((6, 4))
    x = L.MultiHeadAttention(2, 3, dropout=0.1)(inputs, inputs)
    x = L.Bidirectional(L.LSTM(3, return_sequences=True))(L.LayerNormalization()(L.Add()([x, inputs])))
    x = L.Concatenate()([L.GlobalAveragePooling1D()(x), L.Flatten()(x)])
    model = keras.Model(inputs, L.Dense(1, "sigmoid")(L.BatchNormalization()(L.Dropout(0.1)(x))))
    assert treats_rows_alone(model)


def test_a_layer_of_ones_own_that_mixes_nothing_stays_in_large_passes(cases, monkeypatch):
    class Scale(L.Layer):
        def call(self, x):
            return 2 * x

    model = mixing(Scale())
    model.compile(loss="mse")
    rows = []
    draw = GraphSampler.draw
    monkeypatch.setattr(
        GraphSampler, "draw", lambda self, block, how: rows.append(block.rows) or draw(self, block, how)
    )
    predict_distribution(model, cases, num_members=200)
    assert sum(rows) < 1.7 * 40 * 200
    assert max(rows) > 1000
