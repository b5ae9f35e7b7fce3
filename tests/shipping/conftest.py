"""Small studies that were really trained, one of each kind of forecast."""

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg


def labelled(seed=0, *, labels=2):
    rng = np.random.default_rng(seed)

    def split(n):
        x = rng.normal(size=(n, 5)).astype("float32")
        noisy = x[:, 0] + 0.5 * rng.normal(size=n)
        return gg.Split(x, np.digitize(noisy, np.quantile(noisy, np.arange(1, labels) / labels)))

    return gg.Dataset(
        name="planted", task="binary" if labels == 2 else "multiclass", train=split(120), validation=split(80),
        test=split(150), description="Five normal numbers, the first of which decides.",
        feature_names=("a", "b", "c", "d", "e"), label_names=tuple(["no", "yes", "maybe"][:labels]), target_units="",
        synthetic=True, licence="", citation="",
    )  # fmt: skip


def net(units=1, activation="sigmoid", loss="binary_crossentropy"):
    model = keras.Sequential([
        keras.Input((5,)), layers.Dense(8, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.3),
        layers.Dense(units, activation=activation),
    ])  # fmt: skip
    model.compile(keras.optimizers.Adam(0.02), loss)
    return model


@pytest.fixture(scope="session")
def data():
    return labelled()


@pytest.fixture(scope="session")
def result(data):
    study = gg.Study(net(), remedies=[gg.L2(1e-3)], seeds=4)
    return study.run(data, epochs=4, batch_size=16, progress=False)


@pytest.fixture(scope="session")
def labels():
    return labelled(1, labels=3)


@pytest.fixture(scope="session")
def of_labels(labels):
    """A classifier of three labels that answers in logits."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return gg.Study(net(3, None, loss), seeds=3).run(labels, epochs=3, batch_size=16, progress=False)
