"""A table whose answers a small net overfits in a moment, and the net."""

import keras
import numpy as np
import pytest

from gengap.datasets import Split


@pytest.fixture(scope="session")
def make_net():
    def make():
        layers = keras.layers
        model = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
        return model

    return make


@pytest.fixture
def net(make_net):
    return make_net()


@pytest.fixture(scope="session")
def parts():
    """Training, validation and test cases of a noisy ring."""
    random = np.random.default_rng(0)
    x = random.normal(size=(240, 6)).astype(np.float32)
    y = (np.square(x[:, :2]).sum(axis=1) + random.normal(size=240) < 1.4).astype(np.float32)
    return tuple(Split(x[rows], y[rows]) for rows in (slice(80), slice(80, 160), slice(160, 240)))
