"""`fit_many`: models in, trained models out, with histories as Keras writes them."""

import re

import keras
import numpy as np
import pytest
from keras import callbacks, layers

from gengap.datasets.split import Split
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


NAN = np.where(np.arange(80)[:, None] == 7, np.nan, X)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"x": NAN}, "The input of the training split holds NaN"),
        ({"x": X[:, :3]}, "The model takes inputs of shape (None, 4), but the training split has shape (80, 3)"),
        ({"y": Y[:-1]}, "80 cases but answers of shape (79,)"),
        ({"y": Y + 1}, "labels"),
        ({"y": np.where(Y, np.nan, Y)}, "Answers of the training split hold NaN"),
        ({"y": np.stack([Y, Y, Y], axis=1)}, "shape (n,) for a binary task"),
        ({"validation_data": (NAN, Y)}, "The input of the validation split holds NaN"),
        ({"validation_data": (X, Y[:3])}, "answers of shape (3,)"),
        ({"sample_weight": -np.ones(80)}, "weight"),
        ({"y": None}, "`y` is missing"),
        ({"class_weight": {7: 1.0}}, "`class_weight` names [7], and the labels are [0, 1]"),
        ({"class_weight": [1.0, 2.0]}, "`class_weight` must be a mapping"),
    ],
)
def test_bad_data_are_refused_in_a_sentence_before_training(given, said):
    one = model()
    before = one.get_weights()
    with pytest.raises(DataError, match=re.escape(said)):
        fit_many([one], **{"x": X, "y": Y, "seeds": [0], **given})
    assert all(map(np.array_equal, before, one.get_weights()))


def test_weights_of_one_hot_labels_must_name_labels_that_there_are():
    kinds = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
    kinds.compile("sgd", "categorical_crossentropy")
    with pytest.raises(DataError, match=r"names \[3\], and the labels are \[0, 1, 2\]"):
        fit_many([kinds], X, np.eye(3)[np.arange(80) % 3], seeds=[0], class_weight={3: 1.0})


def test_splits_and_targets_of_several_axes_are_taken():
    field = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(1, 3, padding="same")])
    field.compile(keras.optimizers.SGD(0.0), "mse")
    x = RNG.normal(size=(20, 4, 4, 1)).astype(np.float32)
    (history,) = fit_many([field], Split(x, 2 * x), validation_data=Split(x, 2 * x), seeds=[0])
    expected = np.square(field.predict(x, verbose=0) - 2 * x).mean()
    assert history.history["val_score"] == pytest.approx([expected], rel=1e-5)


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
    with pytest.raises(DataError, match="80 cases but answers of shape"):
        fit_many([model()], X, Y[:-1], seeds=[0])
    with pytest.raises(TypeError, match="`compile` must be True or False; received 'yes'"):
        fit_many([model()], X, Y, seeds=[0], computation=Computation(compile="yes"))
    unbuilt = keras.Sequential([layers.Dense(1, activation="sigmoid")])
    unbuilt.compile("sgd", "binary_crossentropy")
    with pytest.raises(ModelError, match="not built"):
        fit_many([unbuilt], X, Y, seeds=[0])


def test_callbacks_act_on_each_model_by_itself(tmp_path):
    held = {"validation_data": (X[:30], 1 - Y[:30]), "epochs": 30, "batch_size": 8}
    heard = []
    given = [
        callbacks.EarlyStopping(patience=2, restore_best_weights=True),
        callbacks.ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.0),
        callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: heard.append((logs["model"], logs["seed"], epoch))),
        callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    models = [model(), model(7)]
    found = fit_many(models, X, Y, seeds=[4, 4], callbacks=given, **held)
    assert sorted(heard) == [(place, 4, epoch) for place, one in enumerate(found) for epoch in one.epoch]
    for one, history in zip(models, found, strict=True):
        assert history.status.startswith("stopped at epoch")
        loss, _ = one.evaluate(X[:30], 1 - Y[:30, None], verbose=0)
        assert min(history.history["val_loss"]) == pytest.approx(loss, abs=1e-4), "the best weights are back"
        assert history.history["learning_rate"][-1] < history.history["learning_rate"][0]
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert rows[0].startswith("model,seed,epoch,")
    assert len(rows) == 1 + len(heard)


def test_a_schedule_gives_every_model_the_rates_of_keras_own_callback():
    schedule = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else rate)
    own = model()
    own.fit(X, Y, epochs=3, callbacks=[schedule], verbose=0)
    (history,) = fit_many([model()], X, Y, seeds=[0], epochs=3, callbacks=schedule)
    assert history.history["learning_rate"] == pytest.approx(own.history.history["learning_rate"], rel=1e-7)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (callbacks.ModelCheckpoint("best.keras"), TypeError, "`restore_best_weights=True` leaves each model"),
        (callbacks.History(), TypeError, "fit_many returns them"),
        (callbacks.EarlyStopping(patience=2), DataError, "give `validation_data=`"),
        (callbacks.ReduceLROnPlateau(), DataError, "monitor='loss'"),
        (callbacks.LearningRateScheduler(lambda *_: "0.1"), ValueError, "must return a rate"),
    ],
)
def test_callbacks_that_cannot_be_had_are_refused_before_anything_trains(given, error, said):
    untouched = model()
    before = untouched.get_weights()
    with pytest.raises(error, match=said):
        fit_many([untouched], X, Y, seeds=[0], callbacks=[given])
    assert all(np.array_equal(one, other) for one, other in zip(before, untouched.get_weights(), strict=True))


def test_a_model_has_one_stopping_rule_and_a_rate_that_callbacks_can_change():
    held = {"seeds": [0], "validation_data": (X[:30], Y[:30])}
    with pytest.raises(ValueError, match="one stopping rule"):
        fit_many([model()], X, Y, stopping=StoppingRule(2), callbacks=callbacks.EarlyStopping(patience=2), **held)
    scheduled = model()
    scheduled.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 10)), "binary_crossentropy")
    with pytest.raises(ModelError, match="optimizer of model 1 has a schedule of its own"):
        fit_many(
            [model(), scheduled], X, Y, **{**held, "seeds": [0, 1]},
            callbacks=callbacks.LearningRateScheduler(lambda epoch: 0.1),
        )  # fmt: skip
