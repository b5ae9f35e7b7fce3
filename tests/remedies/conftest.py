"""The tutorials' nets, written by hand as their authors wrote them."""

import keras
import pytest

layers = keras.layers


@pytest.fixture(autouse=True)
def _fresh_names():
    """Layer names restart at every test, so that failures read alike."""
    keras.utils.clear_session(free_memory=False)


@pytest.fixture
def review_net():
    """T1.2 with any number of words, units, penalty and dropout, as a function."""

    def build(words=40, units=(16, 16), penalty=None, rate=0.0):
        model = keras.Sequential([keras.Input((words,))])
        for width in units:
            model.add(layers.Dense(width, activation="relu", kernel_regularizer=penalty))
            if rate:
                model.add(layers.Dropout(rate))
        model.add(layers.Dense(1, activation="sigmoid"))
        model.compile(keras.optimizers.RMSprop(), "binary_crossentropy", metrics=["accuracy"])
        return model

    return build


@pytest.fixture
def storm_net():
    """T2.1 and T2.2, as a function."""

    def build(filters=(8, 16, 32), penalty=None, rate=0.0, size=32):
        x = start = keras.Input((size, size, 3))
        for width in filters:
            x = layers.Conv2D(width, 5, padding="same", kernel_regularizer=penalty)(x)
            x = layers.Activation("relu")(x)
            if rate:
                x = layers.SpatialDropout2D(rate)(x)
            x = layers.AveragePooling2D(2)(x)
        x = layers.Dense(1, kernel_regularizer=penalty)(layers.Flatten()(x))
        model = keras.Model(start, layers.Activation("sigmoid")(x))
        model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
        return model

    return build
