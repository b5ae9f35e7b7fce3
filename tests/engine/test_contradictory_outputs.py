"""Loss, last activation and what is declared: contradictions are refused before training, with what serves instead."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, losses, ops

import gengap as gg
from gengap.errors import DataError, ModelError
from gengap.keras_models.loss_kinds import read_loss
from gengap.keras_models.outputs import describe_output

RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 3)).astype(np.float32)
EVENT = (X[:, 0] + 0.5 * RNG.normal(size=60) > 0.3).astype(int)
LABEL = RNG.integers(0, 3, 60)
ENGINES = ("keras", "fused")


def net(units, activation, loss, *, metrics=None, last=None):
    keras.utils.set_random_seed(1)
    ends = [layers.Dense(units, activation)] if last is None else [layers.Dense(units), last]
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), *ends])
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=metrics)
    return model


def run(model, y, engine="keras", **given):
    study = gg.Study(model, seeds=1, engine=engine, **given)
    return study.run(X[:40], y[:40], validation_data=(X[40:], y[40:]), epochs=2, progress=False)


class Bare(losses.SparseCategoricalCrossentropy):
    pass


class Twice(losses.BinaryCrossentropy):
    def call(self, y_true, y_pred):
        return 2 * super().call(y_true, y_pred)


class Own(losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


def binary_crossentropy(y_true, y_pred):
    return ops.mean(ops.softplus(y_pred) - y_true * y_pred, axis=-1)


LOGITS = losses.BinaryCrossentropy(from_logits=True)
SEVERAL = losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("loss", "family", "from_logits"),
    [
        ("bce", "binary", False),
        (losses.binary_crossentropy, "binary", False),
        (partial(losses.binary_crossentropy, from_logits=True), "binary", True),
        (LOGITS, "binary", True),
        (Twice(from_logits=True), "binary", True),
        (Bare(from_logits=True), "codes", True),
        (losses.CategoricalFocalCrossentropy(), "one-hot", False),
        ("crossentropy", "one-hot", False),
        (losses.Huber(), "numbers", False),
        ("kl_divergence", "numbers", False),
        (Own(), "own", False),
        (binary_crossentropy, "own", False),
        (lambda a, b: ops.abs(a - b), "own", False),
    ],
)
def test_losses_are_judged_by_what_they_are_not_by_their_names(loss, family, from_logits):
    kind = read_loss(loss, 3)
    assert (kind.family, kind.from_logits) == (family, from_logits)


REFUSED = {
    "sigmoid, from_logits": (net(1, "sigmoid", LOGITS), EVENT, "already a probability.*leave out the activation"),
    "softmax, from_logits": (net(3, "softmax", SEVERAL), LABEL, "already a probability"),
    "softmax layer": (net(3, None, SEVERAL, last=layers.Softmax()), LABEL, "already a probability"),
    "sigmoid before a reshape": (
        net(1, None, LOGITS, last=keras.Sequential([layers.Activation("sigmoid"), layers.Reshape((1,))])),
        EVENT,
        "already a probability",
    ),
    "tanh": (net(1, "tanh", "binary_crossentropy"), EVENT, "ends in 'tanh'.*give the last layer a sigmoid"),
    "relu": (net(3, "relu", "sparse_categorical_crossentropy"), LABEL, "ends in 'relu'.*give the last layer a softmax"),
    "relu layer": (net(1, None, "binary_crossentropy", last=layers.ReLU()), EVENT, "ends in 'relu'"),
    "relu, from_logits": (net(1, "relu", LOGITS), EVENT, "cannot be every real number"),
    "no activation": (net(1, None, "bce"), EVENT, "ends without an activation"),
    "softmax of one unit": (net(1, "softmax", "bce"), EVENT, "softmax of one unit, which is 1 whatever it sees"),
    "sigmoids of one label": (net(3, "sigmoid", "sparse_categorical_crossentropy"), LABEL, "need not sum to 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_contradictions_are_refused_before_training(case):
    model, y, sentence = REFUSED[case]
    with pytest.raises(ModelError, match=f"(?s){sentence}"):
        run(model, y)


DECLARED = {
    "an own loss on a linear layer": (net(1, None, binary_crossentropy), {}, "declare it, as task="),
    "its task alone": (net(1, None, binary_crossentropy), {"task": "binary"}, "declare from_logits=True"),
    "binary under squared error": (net(1, None, "mse"), {"task": "binary"}, "give the last layer a sigmoid"),
    "binary of three units": (net(3, "softmax", "mse"), {"task": "binary"}, "declare task='multiclass'"),
    "several labels of one unit": (net(1, "sigmoid", "bce"), {"task": "multiclass"}, "one unit for each label"),
    "numbers under codes": (
        net(3, "softmax", "sparse_categorical_crossentropy"),
        {"task": "regression"},
        "categorical_crossentropy for shares",
    ),
}


@pytest.mark.parametrize("case", DECLARED)
def test_what_is_declared_must_be_possible(case):
    model, given, sentence = DECLARED[case]
    with pytest.raises(ModelError, match=sentence):
        run(model, EVENT, **given)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_own_loss_trains_once_task_and_link_are_declared(engine):
    own = run(net(1, None, binary_crossentropy), EVENT, engine, task="binary", from_logits=True)
    keras_own = run(net(1, None, LOGITS), EVENT, engine)
    np.testing.assert_allclose(own.history.val_score, keras_own.history.val_score, rtol=1e-4)
    forecasts = own.validation.prediction_last.values
    assert forecasts.min() > 0
    assert forecasts.max() < 1
    numbers = run(net(1, None, Own()), X[:, 1], engine, task="regression")
    assert numbers.manifest["task"] == "regression"


@pytest.mark.parametrize("engine", ENGINES)
def test_an_own_loss_of_labels_gets_them_as_they_were_given(engine):
    def of_codes(y_true, y_pred):
        return losses.sparse_categorical_crossentropy(y_true, y_pred)

    def of_columns(y_true, y_pred):
        return losses.categorical_crossentropy(y_true, y_pred)

    expected = run(net(3, "softmax", "sparse_categorical_crossentropy"), LABEL, engine).history.val_loss
    for loss, y in ((of_codes, LABEL), (of_codes, LABEL[:, None]), (of_columns, np.eye(3)[LABEL])):
        np.testing.assert_allclose(run(net(3, "softmax", loss), y, engine).history.val_loss, expected, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("metric", ["accuracy", "binary_accuracy", keras.metrics.BinaryAccuracy])
def test_the_accuracy_of_logits_is_that_of_the_stored_probabilities(engine, metric):
    model = net(1, None, LOGITS, metrics=[metric if isinstance(metric, str) else metric()])
    result = run(model, EVENT, engine)
    name = "val_accuracy" if metric == "accuracy" else "val_binary_accuracy"
    right = (result.validation.prediction_last.values[0, 0] > 0.5) == EVENT[40:]
    assert float(result.history[name][0, 0, -1]) == pytest.approx(right.mean(), abs=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_softmax_under_binary_crossentropy_is_of_several_labels(engine):
    result = run(net(3, "softmax", "binary_crossentropy"), LABEL, engine)
    assert result.manifest["task"] == "multiclass"
    np.testing.assert_allclose(result.validation.prediction_last.sum("label"), 1, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("logits", [False, True])
def test_shares_under_a_cross_entropy_are_told_what_serves(engine, logits):
    share = np.clip(0.5 + 0.3 * X[:, 0], 0.05, 0.95)
    model = net(1, None, LOGITS) if logits else net(1, "sigmoid", "bce")
    with pytest.raises(DataError, match=r"shares and soft labels.*task=.regression."):
        run(model, share, engine)
    obeyed = run(model, share, engine, task="regression").validation.prediction_last.values
    assert obeyed.min() > 0
    assert obeyed.max() < 1
    soft = np.eye(3)[LABEL] * 0.8 + 0.2 / 3
    loss = losses.CategoricalCrossentropy(from_logits=logits)
    several = net(3, None if logits else "softmax", loss)
    with pytest.raises(DataError, match=r"shares and soft labels.*task=.regression."):
        run(several, soft, engine)
    obeyed = run(several, soft, engine, task="regression").validation.prediction_last
    np.testing.assert_allclose(obeyed.sum(obeyed.dims[-1]), 1, rtol=1e-5)


def series(engine, y, shape, **given):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(int(np.prod(shape))), layers.Reshape(shape)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model, run(model, y, engine, **given)


def ways():
    """Every shape in both engines, flat in one of them in turn; the other half when there is time."""
    for place, shape in enumerate([(4, 1), (1, 6), (2, 3)]):
        for turn, engine in enumerate(ENGINES):
            for flat in (False, True):
                waits = flat == (place + turn) % 2
                yield pytest.param(flat, shape, engine, marks=pytest.mark.slow if waits else ())


@pytest.mark.parametrize(("flat", "shape", "engine"), list(ways()))
def test_answers_of_more_axes_are_targets_side_by_side(engine, shape, flat):
    y = RNG.normal(size=(60, *shape)).astype(np.float32)
    model, result = series(engine, y.reshape(60, -1) if flat else y, shape, initial_weights="keep")
    assert result.validation.prediction_last.shape[2:] == (20, int(np.prod(shape)))
    fitted = model.fit(X[:40], y[:40], epochs=1, shuffle=False, verbose=0, validation_data=(X[40:], y[40:])).history
    model, result = series(engine, y, shape)
    errors = np.square(result.validation.prediction_last.values[0, 0] - y[40:].reshape(20, -1)).mean()
    assert float(result.history.val_loss[0, 0, -1]) == pytest.approx(errors, rel=1e-4)
    assert float(result.history.val_score[0, 0, -1]) == pytest.approx(errors, rel=1e-4)
    assert np.isfinite(fitted["val_loss"]).all()


def test_labels_at_every_step_are_refused_in_a_true_sentence():
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, layers.Dense(2, "softmax")(inputs))
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ModelError, match=r"shape \(5, 2\) for each case.*end the model in one answer for each case"):
        describe_output(model)
    open_ended = keras.Input((None, 3))
    model = keras.Model(open_ended, layers.Dense(1)(open_ended))
    model.compile("sgd", "mse")
    with pytest.raises(ModelError, match="whose size is open"):
        describe_output(model)
