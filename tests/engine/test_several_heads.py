"""Models with several outputs: answers by name or in a list, in both engines, as Keras' own fit has it."""

from collections import OrderedDict

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.errors import DataError, ModelError, UnknownNameError

RNG = np.random.default_rng(0)
N, NV = 48, 20
X, XV = (RNG.normal(size=(n, 4)).astype(np.float32) for n in (N, NV))
KIND, KINDV = (RNG.integers(0, 3, n) for n in (N, NV))
SIZE, SIZEV = (RNG.normal(size=n).astype(np.float32) for n in (N, NV))
ONE_HOT, ONE_HOTV = np.eye(3, dtype=np.float32)[KIND], np.eye(3, dtype=np.float32)[KINDV]
ENGINES = ("keras", "fused")


def heads(structure="list", rate=0.05, loss="categorical_crossentropy", names=("kind", "size")):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((4,))
    hidden = layers.Dense(5, "tanh")(inputs)
    kind = layers.Dense(3, "softmax", name=names[0])(hidden)
    size = layers.Dense(1, name=names[1])(hidden)
    outputs = {
        "list": [kind, size],
        "dict": {"kind": kind, "size": size},
        "unsorted": {"size": size, "kind": kind},
        "ordered": OrderedDict(size=size, kind=kind),
        "turned": [size, kind],
    }[structure]
    model = keras.Model(inputs, outputs)
    by_name = {"kind": loss, "size": "mae"}
    if structure == "ordered":  # Keras wants losses in the very type of the outputs
        by_name = OrderedDict(size="mae", kind=loss)
    model.compile(
        keras.optimizers.SGD(rate),
        by_name,
        loss_weights=type(by_name)((name, {"kind": 1.0, "size": 0.5}[name]) for name in by_name),
        metrics={"kind": ["accuracy"], "size": ["mse"]},
    )
    return model


def study(models, y, yv, engine, *, output="kind", epochs=2, **given):
    made = gg.Study(models, seeds=1, output=output, engine=engine, initial_weights="keep", **given)
    return made.run(X, y, validation_data=(XV, yv), epochs=epochs, batch_size=16, shuffle=False, progress=False)


def fitted(model, y, yv, epochs=2):
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    twin.compile(
        keras.optimizers.SGD(float(model.optimizer.learning_rate)),
        model.loss,
        loss_weights={"kind": 1.0, "size": 0.5},
        metrics={"kind": ["accuracy"], "size": ["mse"]},
    )
    history = twin.fit(X, y, validation_data=(XV, yv), epochs=epochs, batch_size=16, shuffle=False, verbose=0)
    return history.history, twin


def first(result, name):
    return result.history[name].values[0, 0]


NUMBERS = (
    "loss",
    "kind_loss",
    "size_loss",
    "val_loss",
    "val_kind_loss",
    "val_size_loss",
    "kind_accuracy",
    "val_size_mse",
)
GIVEN = {
    "mapping, one-hot": ({"kind": ONE_HOT, "size": SIZE}, {"kind": ONE_HOTV, "size": SIZEV}),
    "mapping in another order": ({"size": SIZE, "kind": ONE_HOT}, {"size": SIZEV, "kind": ONE_HOTV}),
    "list of unequal shapes": ([ONE_HOT, SIZE], [ONE_HOTV, SIZEV]),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("given", GIVEN)
def test_answers_train_as_in_keras(engine, given):
    y, yv = GIVEN[given]
    result = study(heads(), y, yv, engine)
    expected, twin = fitted(heads(), y, yv)
    for name in NUMBERS:
        np.testing.assert_allclose(first(result, name), expected[name], rtol=2e-5, err_msg=name)
    np.testing.assert_allclose(
        result.validation.prediction_last.values[0, 0], twin.predict(XV, verbose=0)[0], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(result.validation.y_true, KINDV)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("structure", ["dict", "unsorted", "ordered", "turned"])
def test_heads_are_found_by_name_whatever_their_order(engine, structure):
    y, yv = GIVEN["mapping, one-hot"]
    expected, got = study(heads(), y, yv, "keras"), study(heads(structure), y, yv, engine)
    for name in NUMBERS:
        np.testing.assert_allclose(first(got, name), first(expected, name), rtol=2e-5, err_msg=name)
    np.testing.assert_allclose(got.validation.prediction_last, expected.validation.prediction_last, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_keys_go_before_the_names_of_layers(engine):
    crossed = heads("dict", names=("size", "kind"))  # the layer called "size" makes the output called "kind"
    y, yv = GIVEN["mapping, one-hot"]
    expected, got = study(heads(), y, yv, "keras"), study(crossed, y, yv, engine)
    for name in NUMBERS:
        np.testing.assert_allclose(first(got, name), first(expected, name), rtol=2e-5, err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_head_that_is_scored_is_the_one_that_is_audited_and_stored(engine, tmp_path):
    y, yv = GIVEN["mapping, one-hot"]
    result = study(heads(), y, yv, engine, output="size", storage=tmp_path / "store")
    answers = result.manifest["data"]["audit"]["answers"]
    assert answers["train"]["mean"] == pytest.approx(SIZE.mean(), abs=1e-6)
    np.testing.assert_allclose(gg.load(tmp_path / "store").validation.y_true, SIZEV, rtol=1e-6)
    assert study(heads(), y, yv, engine).manifest["data"]["audit"]["answers"]["validation"]["labels"] == [0, 1, 2]


@pytest.mark.parametrize("engine", ENGINES)
def test_one_diverging_run_is_a_status_and_the_others_go_on(engine):
    y, yv = GIVEN["mapping, one-hot"]
    wild = heads(rate=1e38)
    result = study({"calm": heads(), "wild": wild}, y, yv, engine, epochs=3)
    alone = study({"calm": heads()}, y, yv, engine, epochs=3)
    assert result.runs.status.values[:, 0].tolist()[0] == "completed"
    assert "diverged" in str(result.runs.status.values[1, 0])
    np.testing.assert_allclose(first(result, "val_score"), first(alone, "val_score"), rtol=1e-5)


def rain(rate):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((4,))
    hidden = layers.Dense(5, "tanh")(inputs)
    outputs = [layers.Dense(1, "sigmoid", name="rain")(hidden), layers.Dense(3, "softmax", name="kind")(hidden)]
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.SGD(rate),
        ["binary_crossentropy", "sparse_categorical_crossentropy"],
        metrics=[["binary_crossentropy", "auc"], ["accuracy", "sparse_categorical_crossentropy"]],
    )
    return model


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("output", ["rain", "kind"])
def test_a_run_may_diverge_under_losses_and_metrics_that_raise_for_nan(engine, output):
    y, yv = [SIZE > 0, KIND], [SIZEV > 0, KINDV]
    result = study({"calm": rain(0.1), "wild": rain(1e38)}, y, yv, engine, output=output)
    assert result.runs.status.values[0, 0] == "completed"
    assert np.isfinite(first(result, "val_score")).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_answers_of_another_head_are_refused_unless_its_loss_knows_them(engine):
    holed = SIZE.copy()
    holed[3] = np.nan
    y, yv = {"kind": ONE_HOT, "size": holed}, GIVEN["mapping, one-hot"][1]
    with pytest.raises(DataError, match="training split for 'size' hold NaN"):
        study(heads(), y, yv, engine)

    def masked(y_true, y_pred):
        known = keras.ops.isfinite(y_true)
        error = keras.ops.where(known, keras.ops.nan_to_num(y_true) - y_pred, 0.0)
        return keras.ops.mean(keras.ops.square(error), axis=-1)

    model = heads()
    model.compile(keras.optimizers.SGD(0.05), {"kind": "categorical_crossentropy", "size": masked})
    assert np.isfinite(first(study(model, y, yv, engine), "loss")).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_class_weight_is_refused_with_what_serves(engine):
    y, yv = GIVEN["mapping, one-hot"]
    weights = {0: 1.0, 1: 2.0, 2: 0.5}
    made = gg.Study(heads(), seeds=1, output="kind", engine=engine)
    with pytest.raises(DataError, match=r"weighs the labels of one output.*give `sample_weight`"):
        made.run(X, y, validation_data=(XV, yv), epochs=1, class_weight=weights, progress=False)
    each = np.array([weights[label] for label in KIND])
    obeyed = made.run(X, y, validation_data=(XV, yv), epochs=1, sample_weight=each, progress=False)
    assert np.isfinite(first(obeyed, "loss")).all()


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # Keras says so of the head without a loss
@pytest.mark.parametrize("engine", ENGINES)
def test_a_head_without_a_loss_needs_no_answers(engine):
    model = heads("dict")
    model.compile(keras.optimizers.SGD(0.05), {"kind": "categorical_crossentropy"}, metrics={"kind": ["accuracy"]})
    result = study(model, {"kind": ONE_HOT}, {"kind": ONE_HOTV}, engine)
    assert np.isfinite(first(result, "val_loss")).all()
    with pytest.raises(ModelError, match="'size' has no loss of its own"):
        study(model, {"kind": ONE_HOT}, {"kind": ONE_HOTV}, engine, output="size")


def test_what_does_not_fit_is_said_before_training():
    y, yv = GIVEN["mapping, one-hot"]
    with pytest.raises(DataError, match="answers named hue; the model's outputs are kind, size"):
        study(heads(), {"kind": ONE_HOT, "hue": SIZE}, yv, "keras")
    with pytest.raises(DataError, match="no answers for size"):
        study(heads(), {"kind": ONE_HOT}, yv, "keras")
    with pytest.raises(DataError, match="a list of 1"):
        study(heads(), [ONE_HOT], yv, "keras")
    with pytest.raises(DataError, match="must be a mapping with these names"):
        study(heads(), ONE_HOT, yv, "keras")
    with pytest.raises(DataError, match="48 cases but answers of shape"):
        study(heads(), {"kind": ONE_HOT, "size": SIZE[:-1]}, yv, "keras")
    with pytest.raises(UnknownNameError, match="no output 'hue'"):
        study(heads(), y, yv, "keras", output="hue")
    other = heads(names=("kind", "weight"))
    other.compile("sgd", ["categorical_crossentropy", "mse"])
    with pytest.raises(ModelError, match="'b' has the outputs kind, weight, the baseline kind, size"):
        gg.Study({"a": heads(), "b": other}, seeds=1)


class Two(keras.Model):
    def __init__(self):
        super().__init__()
        self.kind, self.size = layers.Dense(3, "softmax"), layers.Dense(1)

    def call(self, x):
        return {"kind": self.kind(x), "size": self.size(x)}


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
def test_a_subclassed_model_names_its_heads_by_keys():
    y, yv = GIVEN["mapping, one-hot"]
    model = Two()
    model(X[:2])
    model.compile(keras.optimizers.SGD(0.05), {"kind": "categorical_crossentropy", "size": "mae"})
    results = [study(model, y, yv, engine, output="size", task="regression") for engine in ENGINES]
    for name in ("loss", "val_kind_loss", "val_size_loss", "val_score"):
        np.testing.assert_allclose(first(results[0], name), first(results[1], name), rtol=1e-5, err_msg=name)
    assert results[0].validation.prediction_last.dims == ("variant", "seed", "sample")


def test_fit_many_takes_the_same_answers():
    y, yv = GIVEN["list of unequal shapes"]
    histories = []
    for answers, held_out in (GIVEN["mapping, one-hot"], (y, yv)):
        given = {"seeds": [0], "epochs": 2, "validation_data": (XV, held_out), "initial_weights": "keep"}
        histories.append(gg.fit_many([heads()], X, answers, output="kind", shuffle=False, batch_size=16, **given)[0])
    expected, _ = fitted(heads(), y, yv)
    for history in histories:
        np.testing.assert_allclose(history.history["val_size_loss"], expected["val_size_loss"], rtol=2e-5)
