"""How something is computed is one value: checked when it is made, and refused where a setting would have no effect."""

import keras
import numpy as np
import pytest

import gengap as gg


def net():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"precision": "float16"}, ValueError),
        ({"compile": "yes"}, TypeError),
        ({"device": "gpu"}, ValueError),
        ({"memory_limit": 0}, ValueError),
        ({"memory_limit": "1 GB"}, ValueError),
        ({"memory_limit": float("nan")}, ValueError),
        ({"plan": "fast"}, TypeError),
    ],
)
def test_wrong_settings_are_refused_when_the_value_is_made(wrong, error):
    with pytest.raises(error, match=f"`{next(iter(wrong))}`"):
        gg.Computation(**wrong)


def test_what_would_have_no_effect_is_refused():
    x = np.zeros((4, 2), "float32")
    with pytest.raises(ValueError, match=r"`gengap\.Study` has no use for `memory_limit`"):
        gg.Study(net(), computation=gg.Computation(memory_limit=9))
    with pytest.raises(ValueError, match="`fit_many` has no use for `memory_limit`"):
        gg.fit_many([net()], x, x[:, 0], seeds=[0], computation=gg.Computation(memory_limit=9))
    with pytest.raises(ValueError, match="Keras' own loop"):
        gg.Study(net(), engine="keras", computation=gg.Computation(device="cpu"))


@pytest.mark.parametrize("given", [None, {"compile": True}, "bfloat16"])
def test_what_is_no_computation_is_refused(given):
    with pytest.raises(TypeError, match=r"must be a gengap\.Computation"):
        gg.Study(net(), computation=given)


def test_old_settings_are_the_fields_of_the_value(rng):
    x = rng.normal(size=(32, 2)).astype("float32")
    runs = {"epochs": 2, "seeds": [0, 1]}
    new = gg.fit_many(
        [net(), net()], x, x[:, 0], **runs, computation=gg.Computation(device="cpu", precision="bfloat16")
    )
    with pytest.warns(DeprecationWarning, match=r"now `computation\."):
        old = gg.fit_many([net(), net()], x, x[:, 0], **runs, device="cpu", precision="bfloat16")
    assert [one.history["loss"] for one in old] == [one.history["loss"] for one in new]
    exact = gg.fit_many([net(), net()], x, x[:, 0], **runs)
    assert [one.history["loss"] for one in exact] != [one.history["loss"] for one in new]


def test_a_study_says_where_it_trains(rng):
    x = rng.normal(size=(40, 2)).astype("float32")
    study = gg.Study(net(), seeds=2, computation=gg.Computation(device="cpu"))
    assert study.plan(x, x[:, 0], epochs=1, validation_split=0.5).device == "cpu"
