"""A layer whose noise stays on in inference is named in the study's audit: its scores hold a draw of it."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import gengap as gg
from gengap.engine.restless import restless_layers
from gengap.errors import GengapWarning

RNG = np.random.default_rng(5)
X = RNG.normal(size=(50, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


class ForcedDropout(layers.Dropout):
    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


class Sampling(layers.Layer):
    def __init__(self, name=None):
        super().__init__(name=name)
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, inputs):
        return inputs + keras.random.normal(ops.shape(inputs), seed=self.seeds)


class Unseeded(layers.Layer):
    def call(self, inputs, training=False):
        return inputs + keras.random.normal(ops.shape(inputs))


class DrawsAndRests(layers.Layer):
    """It draws in inference and does not use what it drew."""

    def call(self, inputs, training=False):
        return ops.where(bool(training), inputs + keras.random.normal(ops.shape(inputs)), inputs)


class Whole(keras.Model):
    def __init__(self, **given):
        super().__init__(**given)
        self.drop, self.out = layers.Dropout(0.5), layers.Dense(1, "sigmoid")

    def call(self, inputs, training=None):
        return self.out(self.drop(inputs, training=True))


def net(*middle):
    return keras.Sequential([keras.Input((3,)), layers.Dense(6, "relu"), *middle, layers.Dense(1, "sigmoid")])


def compiled(model):
    model(X[:2])
    model.compile("sgd", "binary_crossentropy")
    return model


def called_with_training():
    taken = keras.Input((3,))
    return keras.Model(taken, layers.Dense(1, "sigmoid")(layers.Dropout(0.5)(taken, training=True)))


RESTLESS = {
    "a dropout that forces itself on": (lambda: net(ForcedDropout(0.3, name="mc")), ["mc"]),
    "two, one of them in a model inside": (
        lambda: net(keras.Sequential([layers.Dense(4), Unseeded(name="u")]), Sampling(name="z")),
        ["u", "z"],
    ),
    "a subclassed model": (Whole, ["Whole"]),
    "a dropout": (lambda: net(layers.Dropout(0.5)), []),
    "a draw that is not used": (lambda: net(DrawsAndRests()), []),
    "a dropout that Keras puts to rest all the same": (called_with_training, []),
}


@pytest.mark.parametrize("name", RESTLESS)
def test_the_layers_are_named_and_the_model_is_as_it_was(name):
    build, expected = RESTLESS[name]
    model = compiled(build())
    before = [np.array(one) for one in model.variables]
    assert restless_layers(model, X) == expected
    assert all(np.array_equal(one, other) for one, other in zip(before, model.variables, strict=True))


def test_what_is_named_is_what_keras_predicts_twice():
    for build, expected in RESTLESS.values():
        model = compiled(build())
        first, second = (model.predict(X, verbose=0) for _ in range(2))
        assert np.array_equal(first, second) == (not expected)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_the_audit_and_the_report_say_so(engine, tmp_path):
    models = {"plain": compiled(net(layers.Dropout(0.3))), "forced": compiled(net(ForcedDropout(0.3, name="mc")))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GengapWarning)
        study = gg.Study(models, seeds=2, engine=engine, storage=tmp_path / "study")
        study.run(X[:30], Y[:30], validation_data=(X[30:], Y[30:]), epochs=1, progress=False)
    (found,) = [one for one in gg.audit(gg.load(tmp_path / "study")).findings if one.code == "GG306"]
    assert (found.subject, found.values["layers"]) == ("forced", "mc")
    gg.report(gg.load(tmp_path / "study"), tmp_path / "report.html", lang="zh")
    assert "推理时噪声仍然开启" in (tmp_path / "report.html").read_text(encoding="utf-8")
