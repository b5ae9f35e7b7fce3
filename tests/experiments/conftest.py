"""A small problem that trains in a moment."""

import keras
import numpy as np
import pytest

from gengap.datasets import Split


@pytest.fixture
def small_net():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.Dense(8, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    return model


@pytest.fixture(scope="session")
def ring():
    """Training and validation cases: inside of a ring or not, which no linear net can tell."""
    random = np.random.default_rng(0)
    x = random.normal(size=(640, 6)).astype(np.float32)
    y = (np.square(x[:, :2]).sum(axis=1) < 1.4).astype(np.float32)
    return Split(x[:320], y[:320]), Split(x[320:], y[320:])
