"""Masks that travel on tensors: what trains with one is trained as Keras trains it, and what cannot is refused."""

import keras
import numpy as np
import pytest
from keras import layers

from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.fused import train_fused
from gengap.engine.reference import train_reference
from gengap.engine.runs import Run
from gengap.errors import ModelError
from gengap.keras_models.fusable import why_not_fused

ops = keras.ops


def texts(n=(40, 20, 12), words=9):
    """Sequences of word numbers that end in zeros."""
    rng = np.random.default_rng(0)

    def split(size):
        x = rng.integers(1, words, (size, 6)).astype("int32")
        x[np.arange(6) >= rng.integers(1, 7, (size, 1))] = 0
        return Split(x, (x.sum(axis=1) > 2 * words).astype("float32"))

    return TrainingData(*map(split, n))


def attention(layer):
    start = keras.Input((6,), dtype="int32")
    h = layers.Embedding(9, 4, mask_zero=True)(start)
    h = layers.LayerNormalization()(h + layer(h))
    return keras.Model(start, layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(h)))


def read_twice():
    """A decoder whose two steps attend to one text: Keras' attention takes its mask off the first time."""
    start = keras.Input((6,), dtype="int32")
    text = h = layers.Embedding(9, 4, mask_zero=True)(start)
    for _ in range(2):
        h = layers.LayerNormalization()(h + layers.MultiHeadAttention(2, 3)(h, text))
    return keras.Model(start, layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(h)))


def sequential():
    parts = [layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3), layers.Dense(1, activation="sigmoid")]
    return keras.Sequential([keras.Input((6,), dtype="int32"), *parts])


MODELS = {
    "attention": lambda: attention(lambda h: layers.MultiHeadAttention(2, 3)(h, h)),
    "grouped": lambda: attention(lambda h: layers.GroupQueryAttention(2, 2, 1)(h, h)),
    "additive": lambda: attention(lambda h: layers.AdditiveAttention()([h, h])),
    "read twice": read_twice,
    "sequential": sequential,
}


def compiled(model, rate):
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def ways():
    """Every model trains, and every second one is also evaluated as it stands; the others when there is time."""
    for place, name in enumerate(MODELS):
        yield name, 0.1
        yield pytest.param(name, 0.0, marks=pytest.mark.slow if place % 2 else ())


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
@pytest.mark.filterwarnings("ignore:.*was passed an input with a mask")
@pytest.mark.parametrize(("name", "rate"), list(ways()))
def test_masked_models_train_as_keras_trains_them(name, rate, settings, collect):
    model, data = compiled(MODELS[name](), rate), texts()
    before = model.predict(data.test.x, verbose=0)[:, 0]
    runs = [Run("masked", seed, model) for seed in range(2)]
    given = settings(initial_weights="keep")
    fused, by_keras = (collect(engine, runs, data, given) for engine in (train_fused, train_reference))
    for key, record in fused.items():
        if rate == 0.0:
            np.testing.assert_allclose(record.predictions["test"].last, before, atol=1e-6)
        np.testing.assert_allclose(record.predictions["test"].last, by_keras[key].predictions["test"].last, atol=1e-5)
        for curve in ("loss", "val_loss", "train_score"):
            np.testing.assert_allclose(record.history[curve], by_keras[key].history[curve], atol=1e-5)


def test_an_output_that_carries_a_mask_takes_keras_loop():
    start = keras.Input((6, 4))
    assert "mask" in why_not_fused(compiled(keras.Model(start, layers.Dense(1)(layers.Masking()(start))), 0.1))


def test_a_mask_that_only_shows_when_the_model_runs_is_refused(settings, collect):
    start = keras.Input((6,))
    model = keras.Model(start, ops.cast(layers.Dense(1, activation="sigmoid")(layers.Masking()(start)), "float32"))
    rng = np.random.default_rng(0)
    data = TrainingData(*(Split(rng.normal(size=(n, 6)).astype("float32"), np.ones(n)) for n in (20, 8)))
    assert why_not_fused(compiled(model, 0.1)) is None
    with pytest.raises(ModelError, match=r"carries a mask.*engine='keras'"):
        collect(train_fused, [Run("cast", 0, model)], data, settings())
