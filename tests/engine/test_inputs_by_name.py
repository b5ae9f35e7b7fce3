"""Which array goes into which input: as Keras binds mappings and lists, in both engines and in forecasts."""

import warnings
from collections import OrderedDict

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.errors import DataError
from gengap.keras_models.clone import clone_compiled
from gengap.keras_models.heads import flat_inputs

RNG = np.random.default_rng(1)
A, B = RNG.normal(size=(40, 3)).astype(np.float32), RNG.normal(size=(40, 3)).astype(np.float32) + 2
Y = (A[:, 0] - B[:, 1]).astype(np.float32)
ENGINES = ("keras", "fused")


def made(keys=None, names=("a", "b"), *, dropout=0.0, kind=dict):
    """Return a model of two inputs, which takes a mapping by `keys`, or a list."""
    keras.utils.set_random_seed(5)
    first, second = (keras.Input((3,)) if name is None else keras.Input((3,), name=name) for name in names)
    hidden = layers.Concatenate()([layers.Dense(4, "tanh")(first), second])
    inputs = [first, second] if keys is None else kind(zip(keys, (first, second), strict=True))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="When providing `inputs` as a dict, all keys")
        model = keras.Model(inputs, layers.Dense(1)(layers.Dropout(dropout)(hidden)))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


CASES = {
    "keys cross names": (made(("a", "b"), ("b", "a")), {"a": A, "b": B}),
    "keys differ from names": (made(("u", "v"), ("a", "b")), {"u": A, "v": B}),
    "inputs without names": (made(("u", "v"), (None, None)), {"v": B, "u": A}),
    "keys that are not sorted": (made(("z", "c"), (None, None)), {"z": A, "c": B}),
    "a list, a mapping by names": (made(None, ("b", "a")), {"a": B, "b": A}),
    "a list, a list": (made(None, ("b", "a")), [A, B]),
    "a mapping, a list": (made(("a", "b"), ("b", "a")), [A, B]),
}


def take(x, rows):
    return {name: part[rows] for name, part in x.items()} if isinstance(x, dict) else [part[rows] for part in x]


@pytest.mark.filterwarnings("ignore:The structure of `inputs`")  # Keras, of a list for a mapping
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_a_study_trains_as_keras_does(engine, case):
    model, x = CASES[case]
    train, held_out = slice(0, 28), slice(28, 40)
    given = {"epochs": 2, "batch_size": 7, "shuffle": False}
    study = gg.Study(model, seeds=1, engine=engine, initial_weights="keep")
    held = (take(x, held_out), Y[held_out])
    result = study.run(take(x, train), Y[train], validation_data=held, progress=False, **given)
    twin = clone_compiled(model)
    history = twin.fit(take(x, train), Y[train], validation_data=held, verbose=0, **given).history
    np.testing.assert_allclose(result.history.val_loss.values[0, 0], history["val_loss"], rtol=2e-5)
    np.testing.assert_allclose(result.history.loss.values[0, 0], history["loss"], rtol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_flat_inputs_predict_what_keras_predicts(case):
    model, x = CASES[case]
    straight = keras.Model(model.inputs, model.outputs)
    expected = model.predict(x, verbose=0) if case != "a mapping, a list" else straight.predict(x, verbose=0)
    np.testing.assert_allclose(straight.predict(flat_inputs(model, x), verbose=0), expected, rtol=1e-6)


def test_a_predictive_distribution_binds_them_alike():
    model = made(("a", "b"), ("b", "a"), dropout=0.2)
    x = {"a": A[:4], "b": B[:4]}
    forecast = gg.predict_distribution(model, x, num_members=8)
    np.testing.assert_allclose(forecast.deterministic.values, model.predict(x, verbose=0)[:, 0], rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_ordered_mapping_is_bound_by_its_keys_too(engine):
    model = made(("z", "c"), (None, None), kind=OrderedDict)
    plain = made(("z", "c"), (None, None))
    x = {"z": A, "c": B}
    curves = []
    for one in (model, plain):
        study = gg.Study(one, seeds=1, engine=engine, initial_weights="keep")
        held = (take(x, slice(28, 40)), Y[28:])
        result = study.run(take(x, slice(28)), Y[:28], validation_data=held, epochs=2, progress=False)
        curves.append(result.history.val_loss.values)
    np.testing.assert_allclose(*curves, rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "x", "sentence"),
    [
        (made(("a", "b")), {"a": A, "c": B}, "has inputs named c; the model's inputs are named a, b"),
        (made(("a", "b")), {"a": A}, "has inputs named a; the model's inputs are named a, b"),
        (made(("z", "c")), [A, B], "made with a mapping of inputs, z, c: give `x` as a mapping"),
        (made(None), [A, B, A], r"has 2 input\(s\), but the training split is a list of 3 arrays"),
        (made(None), {"a": A, "b": B[:, :2]}, r"inputs for 'b' of shape \(None, 3\), but the training split has"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_cannot_be_bound_is_said_before_training(engine, model, x, sentence):
    with pytest.raises(DataError, match=sentence):
        gg.Study(model, seeds=1, engine=engine).run(x, Y, epochs=1, progress=False)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_variant_must_take_the_inputs(engine):
    study = gg.Study({"one": made(("a", "b")), "other": made(("a", "c"))}, seeds=1, engine=engine)
    with pytest.raises(DataError, match="has inputs named b; the model's inputs are named a, c"):
        study.run({"a": A, "b": B}, Y, epochs=1, progress=False)


class Both(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.last = layers.Dense(4, "tanh"), layers.Dense(1)

    def call(self, inputs):
        return self.last(keras.ops.concatenate([self.first(inputs["z"]), inputs["c"]], axis=-1))


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
def test_a_subclassed_model_takes_its_own_mapping():
    x, curves = {"z": A, "c": B}, []
    model = Both()
    model({"z": A[:2], "c": B[:2]})
    model.compile(keras.optimizers.SGD(0.01), "mse")
    for engine in ENGINES:
        study = gg.Study(model, seeds=1, engine=engine, initial_weights="keep")
        held = (take(x, slice(28, 40)), Y[28:])
        result = study.run(take(x, slice(28)), Y[:28], validation_data=held, epochs=2, progress=False)
        curves.append(result.history.val_loss.values)
    np.testing.assert_allclose(*curves, rtol=1e-5)
