import keras
import numpy as np
import pytest
from keras import layers
from sklearn.metrics import log_loss

from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.batches import epoch_order, subset
from gengap.engine.reference import train_reference
from gengap.engine.runs import Collector, Run, StoppingRule, TrainingSettings
from gengap.keras_models.initial_weights import draw_initial_weights

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype(np.float32)
Y = (X[:, 0] + RNG.normal(size=200) > 0).astype(np.int64)
DATA = TrainingData(Split(X[:120], Y[:120]), Split(X[120:160], Y[120:160]), Split(X[160:], Y[160:]))


def net(*, regularizer=None, dropout=0.0, optimizer="rmsprop", loss="binary_crossentropy", activation="sigmoid"):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu", kernel_regularizer=regularizer)])
    if dropout:
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(1, activation=activation))
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def train(*runs, data=DATA, **settings):
    collector = Collector()
    given = {"epochs": 3, "batch_size": 32, "task": "binary", "score": "log_loss"} | settings
    train_reference(runs, data, TrainingSettings(**given), collector)
    return collector.records


@pytest.mark.parametrize("regularizer", [None, "l2"])
def test_it_is_keras_own_fit_on_the_same_batches(regularizer):
    (record,) = train(Run("a", 5, net(regularizer=regularizer)))
    oracle = net(regularizer=regularizer)
    oracle.set_weights(draw_initial_weights(oracle, 5))
    history = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    for epoch in (1, 2, 3):
        order = epoch_order(5, epoch, 120)
        arguments = {
            "batch_size": 32,
            "shuffle": False,
            "verbose": 0,
            "validation_data": (X[120:160], Y[120:160, None]),
        }
        fitted = oracle.fit(X[order], Y[order, None].astype("float32"), **arguments).history
        history = {name: [*values, *fitted[name]] for name, values in history.items()}
    for weight, expected in zip(record.weights_last, oracle.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)
    np.testing.assert_allclose(record.history["accuracy"], history["accuracy"], atol=1e-6)
    np.testing.assert_allclose(record.history["val_accuracy"], history["val_accuracy"], atol=1e-6)
    penalty = record.history["penalty"] if regularizer else 0
    np.testing.assert_allclose(record.history["val_loss"] + penalty, history["val_loss"], atol=1e-6)
    if not regularizer:
        np.testing.assert_allclose(record.history["loss"], history["loss"], atol=1e-6)
    assert (record.history["penalty"] > 0).all() == bool(regularizer)


def test_the_last_predictions_are_those_of_the_last_weights():
    (record,) = train(Run("a", 0, net()))
    model = net()
    model.set_weights(record.weights_last)
    np.testing.assert_allclose(record.predictions["test"].last, model.predict(X[160:], verbose=0)[:, 0], atol=1e-6)
    assert record.predictions["validation"].epochs.shape == (3, 40)
    np.testing.assert_allclose(
        record.predictions["validation"].epochs[-1], record.predictions["validation"].last, atol=1e-3
    )


def test_best_weights_are_those_of_the_best_held_out_score():
    (record,) = train(Run("a", 0, net(optimizer=keras.optimizers.Adam(0.1))), epochs=12)
    best = int(np.argmin(record.history["val_score"])) + 1
    assert record.best_epoch == best
    model = net()
    model.set_weights(record.weights_best)
    prediction = model.predict(X[120:160], verbose=0)[:, 0]
    np.testing.assert_allclose(record.predictions["validation"].best, prediction, atol=1e-6)
    assert log_loss(Y[120:160], prediction) == pytest.approx(record.history["val_score"][best - 1], abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "activation", "extra"),
    [
        (keras.losses.BinaryCrossentropy(label_smoothing=0.2), "sigmoid", {}),
        (keras.losses.BinaryCrossentropy(from_logits=True), None, {}),
        ("binary_crossentropy", "sigmoid", {"class_weight": {0: 1.0, 1: 5.0}}),
    ],
    ids=["label-smoothing", "logits", "class-weight"],
)
def test_variants_that_optimize_different_losses_carry_the_same_score(loss, activation, extra):
    (record,) = train(Run("a", 1, net(loss=loss, activation=activation)), **extra)
    stored = record.predictions["validation"].last
    assert ((stored > 0) & (stored < 1)).all()
    assert record.history["val_score"][-1] == pytest.approx(log_loss(Y[120:160], stored), abs=1e-6)


def test_class_and_sample_weights_enter_the_objective():
    weight = np.where(np.arange(120) < 60, 1.0, 0.0)
    weighted = TrainingData(Split(X[:120], Y[:120], weight), DATA.validation)
    halved = TrainingData(Split(X[:120], np.where(np.arange(120) < 60, Y[:120], 1 - Y[:120]), weight), DATA.validation)
    (a,), (b,) = train(Run("a", 0, net()), data=weighted), train(Run("a", 0, net()), data=halved)
    for one, other in zip(a.weights_last, b.weights_last, strict=True):
        np.testing.assert_array_equal(one, other)  # what weighs nothing may say anything


def test_noise_is_a_function_of_the_seed():
    (a,), (b,), (c,) = (train(Run("a", seed, net(dropout=0.5))) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.history["loss"], b.history["loss"])
    assert not np.array_equal(a.history["loss"], c.history["loss"])


def test_a_diverging_run_is_a_status():
    exploding = net(optimizer=keras.optimizers.SGD(1e38), activation="linear", loss="mse")
    (record,) = train(Run("a", 0, exploding), task="regression", score="squared_error", epochs=6)
    assert record.status == "diverged at epoch 1: the loss is no longer finite"
    assert len(record.history["loss"]) == 1


def test_a_probability_that_becomes_nan_is_a_status_too():
    nan_at_once = net(optimizer=keras.optimizers.SGD(np.inf))
    (record,) = train(Run("a", 0, nan_at_once), epochs=3)
    assert record.status == "diverged at epoch 1: the loss is no longer finite"
    finite_but_huge = net(optimizer=keras.optimizers.SGD(1e30))  # weights of 1e29 give infinity less infinity
    (record,) = train(Run("a", 0, finite_but_huge), epochs=3)
    assert record.status == "diverged at epoch 1: the loss is no longer finite"


def test_an_average_of_weights_is_what_is_scored_and_kept():
    model = net(optimizer=keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.9))
    (record,) = train(Run("a", 0, model))
    oracle = net(optimizer=keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.9))
    oracle.set_weights(draw_initial_weights(oracle, 0))
    for epoch in (1, 2, 3):
        order = epoch_order(0, epoch, 120)
        for start in range(0, 120, 32):
            batch = order[start : start + 32]
            oracle.train_on_batch(X[batch], Y[batch, None].astype("float32"))
    oracle.optimizer.finalize_variable_values(oracle.trainable_variables)
    for weight, expected in zip(record.weights_last, oracle.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_the_stopping_rule_is_that_of_keras():
    (record,) = train(
        Run("a", 0, net(optimizer=keras.optimizers.Adam(0.1)), stopping=StoppingRule(patience=2, min_delta=0.001)),
        epochs=40,
    )
    scores = record.history["val_score"]
    callback = keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, min_delta=0.001, mode="min")
    callback.set_model(net())
    callback.on_train_begin()
    for epoch, score in enumerate(scores):
        callback.on_epoch_end(epoch, {"val_loss": score})
        assert callback.model.stop_training == (epoch == len(scores) - 1)
    assert record.status == f"stopped at epoch {len(scores)}: no better for 2 epochs"


def test_the_order_of_rows_is_shared_by_all_variants_of_a_seed():
    """With x = identity, one zero Dense unit, batch 1 and a huge step, the weights show the order of the rows."""

    def order_seen(seed, optimizer):
        n = 16
        model = keras.Sequential([keras.Input((n,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        model.compile(optimizer, "mse")
        data = TrainingData(Split(np.eye(n, dtype=np.float32), np.ones(n, np.float32)))
        settings = {"epochs": 1, "batch_size": 1, "task": "regression", "score": "squared_error"}
        (record,) = train(Run("a", seed, model), data=data, **settings)
        return record.weights_last[0][:, 0].argsort().tolist()

    # a learning rate that falls with every step writes the time of the step into the weight of its row
    falling = keras.optimizers.schedules.ExponentialDecay(0.4, decay_steps=1, decay_rate=0.9)
    scaled = keras.optimizers.schedules.ExponentialDecay(0.2, decay_steps=1, decay_rate=0.9)
    first = order_seen(0, keras.optimizers.SGD(falling))
    assert first == order_seen(0, keras.optimizers.SGD(scaled))
    assert first[::-1] == epoch_order(0, 1, 16).tolist()
    assert first != order_seen(1, keras.optimizers.SGD(falling))


def test_a_share_of_the_data_is_all_that_a_run_sees():
    poisoned = X[:120].copy()
    poisoned[~subset(2, 120, share=0.5)] = np.nan
    data = TrainingData(Split(poisoned, Y[:120]), DATA.validation)
    (record,) = train(Run("a", 2, net(), share=0.5), data=data)
    assert np.isfinite(record.history["train_score"]).all()


def test_weights_are_kept_where_asked():
    model = net(optimizer=keras.optimizers.SGD(0.0))
    (record,) = train(Run("a", 9, model), initial_weights="keep", epochs=1)
    for one, other in zip(record.weights_last, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
