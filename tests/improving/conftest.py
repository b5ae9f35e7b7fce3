"""Small problems that one call improves in a moment."""

import keras
import numpy as np
import pytest


@pytest.fixture
def net():
    layers = keras.layers
    model = keras.Sequential([keras.Input((4,)), layers.Dense(16, activation="relu"), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@pytest.fixture(scope="session")
def noisy():
    """A line in noise, which a net of 16 units overfits."""
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 4)).astype(np.float32)
    return x, (x[:, 0] + random.normal(size=500)).astype(np.float32)


@pytest.fixture
def few_trials(monkeypatch):
    """Two rounds at most, and few seeds: what is tested is what becomes of them."""
    monkeypatch.setattr("gengap.improving.dividing.FEW", 300)
    monkeypatch.setattr("gengap.improving.planning.MOST_TRIALS", 8)
    monkeypatch.setattr("gengap.improving.planning._FEWEST_SEEDS", 2)
    monkeypatch.setattr("gengap.improving.one_call.MOST_SEEDS", 2)
    monkeypatch.setattr("gengap.improving.planning.MOST_EPOCHS", 3)
