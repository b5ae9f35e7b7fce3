"""The certificate takes models as `Model.fit` takes them, in any company, and leaves them as they were."""

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Run, TrainingSettings
from gengap.errors import DataError, ModelError


def net(*inner, units=4, optimizer="adam"):
    made = keras.Sequential([keras.Input((3,)), layers.Dense(units, "relu"), *inner, layers.Dense(1, "sigmoid")])
    made.compile(optimizer, "binary_crossentropy")
    return made


def cases(n=40):
    x = np.random.default_rng(0).normal(size=(n, 3)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


def test_models_of_different_architecture_are_certified_in_their_order():
    models = [net(), net(layers.Dropout(0.5), units=7), net(), net(optimizer="rmsprop")]
    found = gg.certify(models, *cases(), seeds=[3, 4, 5, 6], batch_size=10, steps=3)
    assert [(one.variant, one.seed, one.steps) for one in found] == [("0", 3, 3), ("1", 4, 3), ("2", 5, 3), ("3", 6, 3)]
    assert all(one.holds for one in found)


def test_models_stay_as_they_were():
    model = net()
    before = model.get_weights()
    gg.certify([model], *cases(), initial_weights="keep")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.optimizer.iterations == 0


def test_weights_of_cases_and_classes_count_on_both_sides():
    x, y = cases()
    found = gg.certify([net()], x, y, sample_weight=np.linspace(0, 2, len(x)), class_weight={0: 1.0, 1: 3.0})
    assert found[0].holds


def test_what_is_not_keras_is_not_certified():
    found = gg.certify([net(layers.Dropout(0.5))], *cases(), tolerance=0.0)
    assert found[0].difference > 0
    assert not found[0].holds


def test_runs_as_in_the_release_before_warn_and_work():
    x, y = cases()
    settings = TrainingSettings(epochs=1, batch_size=10, task="binary", score="log_loss")
    with pytest.warns(DeprecationWarning, match="now `gengap.certify"):
        found = gg.certify([Run("a", 0, net())], TrainingData(gg.Split(x, y)), settings, steps=2)
    assert found[0].variant == "a"
    assert found[0].holds


def test_what_cannot_be_certified_is_said():
    x, y = cases()
    with pytest.raises(DataError, match="one seed per model: 1 models, 2 seeds"):
        gg.certify([net()], x, y, seeds=[0, 1])
    with pytest.raises(DataError, match="40 cases but answers of shape"):
        gg.certify([net()], x, y[1:])
    with pytest.raises(ValueError, match="received 0 models"):
        gg.certify([], x, y)
    with pytest.raises(ValueError, match="steps=0"):
        gg.certify([net()], x, y, steps=0)
    unbuilt = keras.Sequential([layers.Dense(1)])
    unbuilt.compile("sgd", "mse")
    with pytest.raises(ModelError, match="is not built"):
        gg.certify([unbuilt], x, y)
