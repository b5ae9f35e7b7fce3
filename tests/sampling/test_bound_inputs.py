"""Inputs are bound as Keras binds them, whatever structure they come in and whatever their layers are called."""

import warnings

import keras
import numpy as np
import pytest

from gengap.sampling import predict_distribution

L = keras.layers


def crossed():
    """A mapping whose keys are the names of the other input."""
    inputs = {"a": keras.Input((3,), name="b"), "b": keras.Input((3,), name="a")}
    return inputs, lambda one, two: {"a": one, "b": two}


def unsorted():
    inputs = {"z": keras.Input((3,), name="first"), "c": keras.Input((3,), name="second")}
    return inputs, lambda one, two: {"z": one, "c": two}


def named():
    inputs = [keras.Input((3,), name="z"), keras.Input((3,), name="c")]
    return inputs, lambda one, two: {"z": one, "c": two}


def listed():
    return [keras.Input((3,), name="z"), keras.Input((3,), name="c")], lambda one, two: [one, two]


@pytest.mark.parametrize("build", [crossed, unsorted, named, listed])
@pytest.mark.parametrize("noise", [0.3, None])
def test_the_forecast_is_that_of_predict(build, noise, random):
    keras.utils.set_random_seed(0)
    inputs, given = build()
    one, two = inputs.values() if isinstance(inputs, dict) else inputs
    x = L.Concatenate()([L.Dense(4, "tanh")(one), L.Dense(2)(two)])
    x = L.Dropout(noise)(x) if noise else L.Attention(dropout=0.2)([L.Reshape((6, 1))(x)] * 2)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="When providing `inputs` as a dict"
        )  # Keras says it, and binds by key
        model = keras.Model(inputs, L.Dense(1)(L.Flatten()(x)))
    model.compile(loss="mse")
    cases = given(*random.normal(size=(2, 5, 3)).astype("float32"))
    forecast = predict_distribution(model, cases, num_members=400)
    exact = model.predict(cases, verbose=0)[:, 0]
    np.testing.assert_allclose(forecast.deterministic, exact, atol=1e-6)
    trained = model(
        {k: np.repeat(v, 400, 0) for k, v in cases.items()}
        if isinstance(cases, dict)
        else [np.repeat(v, 400, 0) for v in cases],
        training=True,
    )
    theirs = keras.ops.convert_to_numpy(trained).reshape(5, 400)
    assert forecast.members.values.std(axis=0) == pytest.approx(theirs.std(axis=1), rel=0.25)


class TwoInputs(keras.Model):
    """A subclassed model, whose code alone knows what it takes."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.drop, self.last = L.Dense(4, "tanh"), L.Dropout(0.3), L.Dense(1)

    def call(self, inputs, training=False):
        one, two = (inputs["a"], inputs["b"]) if isinstance(inputs, dict) else inputs
        return self.last(self.drop(self.first(one), training=training)) + keras.ops.sum(two, axis=1, keepdims=True)


@pytest.mark.parametrize("pack", [lambda one, two: [one, two], lambda one, two: {"b": two, "a": one}])
def test_a_subclassed_model_takes_what_it_is_given(pack, random):
    model, cases = TwoInputs(), pack(*random.normal(size=(2, 5, 3)).astype("float32"))
    exact = np.asarray(keras.ops.convert_to_numpy(model(cases)))[:, 0]
    forecast = predict_distribution(model, cases, num_members=20, task="regression")
    np.testing.assert_allclose(forecast.deterministic, exact, atol=1e-6)
    assert forecast.members.values.std(axis=0).min() > 0
