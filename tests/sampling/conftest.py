import keras
import numpy as np
import pytest

L = keras.layers


@pytest.fixture(scope="module")
def random():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def storm_net():
    """The net of T2.2, small: SpatialDropout2D after each activation."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((16, 16, 3))
    for filters in (4, 6, 8):
        x = L.Conv2D(filters, 5, padding="same")(x)
        x = L.Activation("relu")(x)
        x = L.SpatialDropout2D(0.3)(x)
        x = L.AveragePooling2D(2)(x)
    model = keras.Model(inputs, L.Dense(1, activation="sigmoid")(L.Flatten()(x)))
    model.compile("adam", "binary_crossentropy")
    return model


@pytest.fixture(scope="module")
def storms(random):
    return random.normal(size=(5, 16, 16, 3)).astype("float32")
