"""A study of a few milliseconds."""

import keras
import numpy as np
import pytest

from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Run, TrainingSettings


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(96, 6)).astype(np.float32)
    y = (x[:, 0] + 0.5 * rng.normal(size=96) > 0).astype(np.float32)[:, None]
    return TrainingData(Split(x[:64], y[:64]), Split(x[64:], y[64:]))


@pytest.fixture
def settings():
    return TrainingSettings(epochs=3, batch_size=16, task="binary", score="log_loss")


def make_model(rate=0.3):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, "relu"),
            keras.layers.Dropout(rate),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(keras.optimizers.AdamW(1e-2, weight_decay=0.1), "binary_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def runs():
    models = {"baseline": make_model(0.0), "dropout": make_model(0.3)}
    return [Run(name, seed, model) for seed in range(3) for name, model in models.items()]
