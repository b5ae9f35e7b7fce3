"""Which runs train together: equal architecture, whatever Keras calls the layers inside layers."""

import keras
import numpy as np
import pytest
from keras import layers

from gengap.engine.cohorts import cohorts
from gengap.engine.fit_many import fit_many
from gengap.engine.runs import Run

WRAPPED = {
    "bidirectional": lambda: layers.Bidirectional(layers.LSTM(3)),
    "time distributed": lambda: layers.TimeDistributed(layers.Dense(3)),
    "cells": lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]),
    "bidirectional penalized": lambda: layers.Bidirectional(layers.GRU(3, kernel_regularizer="l2")),
}


def compiled(layer):
    model = keras.Sequential([keras.Input((5, 4)), layer, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("name", WRAPPED)
def test_equal_layers_inside_layers_are_one_cohort(name):
    runs = [Run(f"variant {n}", 0, compiled(WRAPPED[name]())) for n in range(4)]
    assert [len(cohort) for cohort in cohorts(runs)] == [4]


def test_layers_inside_layers_that_differ_are_not():
    different = [
        layers.Bidirectional(layers.LSTM(3)),
        layers.Bidirectional(layers.LSTM(3), merge_mode="sum"),
        layers.Bidirectional(layers.LSTM(3, activation="relu")),
        layers.Bidirectional(layers.LSTM(3, dtype="float64")),
        layers.Bidirectional(layers.GRU(3)),
    ]
    runs = [Run(f"variant {n}", 0, compiled(layer)) for n, layer in enumerate(different)]
    assert len(cohorts(runs)) == len(different)


def reading(names):
    keras.utils.set_random_seed(1)
    inputs = {name: keras.Input((3,), name=name) for name in names}
    first, second = (layers.Dense(units)(inputs[name]) for units, name in zip((4, 2), names, strict=True))
    model = keras.Model(list(inputs.values()), layers.Dense(1)(layers.Concatenate()([first, second])))
    model.compile("sgd", "mse")
    return model


def test_mappings_of_arrays_are_bound_by_each_models_own_names():
    """Equal models that name their inputs in another order read other arrays: as one program they read the first's."""
    generator = np.random.default_rng(0)
    x = {name: generator.normal(shift, 1, (40, 3)).astype("float32") for name, shift in (("u", 0), ("v", 3))}
    y = generator.normal(size=(40, 1)).astype("float32")
    orders = ("uv", "vu")
    settings = {"epochs": 2, "batch_size": 10, "shuffle": False}
    histories = fit_many([reading(names) for names in orders], x, y, seeds=[0, 0], initial_weights="keep", **settings)
    for names, history in zip(orders, histories, strict=True):
        expected = reading(names).fit(x, y, verbose=0, **settings)
        np.testing.assert_allclose(history.history["loss"], expected.history["loss"], rtol=1e-5)


def test_names_that_keras_numbers_part_no_cohort():
    def numbered():
        inputs = [keras.Input((3,)) for _ in range(2)]
        model = keras.Model(inputs, [layers.Dense(1)(one) for one in inputs])
        model.compile("sgd", ["mse", "mse"])
        return model

    assert len(cohorts([Run(f"variant {n}", 0, numbered()) for n in range(3)])) == 1
