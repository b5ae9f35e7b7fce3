"""Which runs train together: equal architecture, whatever Keras calls the layers inside layers."""

import keras
import pytest
from keras import layers

from gengap.engine.cohorts import cohorts
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
        layers.Bidirectional(layers.LSTM(3, dtype="bfloat16")),
        layers.Bidirectional(layers.GRU(3)),
    ]
    runs = [Run(f"variant {n}", 0, compiled(layer)) for n, layer in enumerate(different)]
    assert len(cohorts(runs)) == len(different)
