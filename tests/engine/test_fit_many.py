"""`fit_many`: models in, trained models out, with histories as Keras writes them."""

import keras
import numpy as np
import pytest
from keras import layers

from gengap.engine.computation import Computation
from gengap.engine.fit_many import fit_many
from gengap.errors import DataError, ModelError
from gengap.remedies.stopping import StoppingRule

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4)).astype(np.float32)
Y = (X[:, 0] + RNG.normal(size=80) > 0).astype(np.float32)


def model(units=5):
    built = keras.Sequential(
        [keras.Input((4,)), layers.Dense(units, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )
    built.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    return built


def test_models_are_trained_in_place_and_agree_with_their_history():
    models = [model(), model(), model(7)]
    histories = fit_many(models, X, Y, seeds=[0, 1, 0], epochs=5, batch_size=16, validation_data=(X[:30], Y[:30]))
    for one, history in zip(models, histories, strict=True):
        loss, accuracy = one.evaluate(X[:30], Y[:30, None], verbose=0)
        assert history.history["val_loss"][-1] == pytest.approx(loss, abs=1e-5)
        assert history.history["val_accuracy"][-1] == pytest.approx(accuracy, abs=1e-5)
        assert history.epoch == [0, 1, 2, 3, 4]
    assert histories[0].history["loss"] != histories[1].history["loss"]


def test_the_training_score_can_be_left_out_and_changes_nothing_else():
    with_it, without = [
        fit_many([model()], X, Y, seeds=[0], epochs=3, validation_data=(X[:30], Y[:30]), training_score=wanted)[
            0
        ].history
        for wanted in (True, False)
    ]
    assert with_it.pop("train_score")[0] > 0
    assert with_it == without


def test_keep_starts_from_the_models_own_weights_and_best_weights_come_back():
    first = model()
    fit_many([first], X, Y, seeds=[0], epochs=3)
    before = first.get_weights()
    (history,) = fit_many(
        [first], X, Y, seeds=[1], epochs=30, batch_size=8, initial_weights="keep", validation_data=(X[:30], 1 - Y[:30]),
        restore_best_weights=True, stopping=StoppingRule(2),
    )  # fmt: skip
    assert history.status.startswith("stopped at epoch")
    assert history.best_epoch == 1 + int(np.argmin(history.history["val_score"]))
    loss, _ = first.evaluate(X[:30], 1 - Y[:30, None], verbose=0)
    assert min(history.history["val_loss"]) == pytest.approx(loss, abs=1e-4)
    assert max(float(np.abs(a - b).max()) for a, b in zip(before, first.get_weights(), strict=True)) > 0


def test_bad_input_is_said_in_one_sentence():
    with pytest.raises(DataError, match="2 models, 1 seeds"):
        fit_many([model(), model()], X, Y, seeds=[0])
    with pytest.raises(DataError, match="`x` holds 80 cases, `y` 79"):
        fit_many([model()], X, Y[:-1], seeds=[0])
    with pytest.raises(TypeError, match="`compile` must be True or False; received 'yes'"):
        fit_many([model()], X, Y, seeds=[0], computation=Computation(compile="yes"))
    unbuilt = keras.Sequential([layers.Dense(1, activation="sigmoid")])
    unbuilt.compile("sgd", "binary_crossentropy")
    with pytest.raises(ModelError, match="not built"):
        fit_many([unbuilt], X, Y, seeds=[0])
