"""Code written for a model builds the same model."""

import importlib.util
import sys
from pathlib import Path

import keras
import pytest

import gengap.remedies as gr
from gengap.errors import ModelError
from gengap.keras_models.clone import excluded_from_decay

spec = importlib.util.spec_from_file_location("remedy_laws", Path(__file__).with_name("laws.py"))
laws = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
if not hasattr(laws, "ZOO"):
    spec.loader.exec_module(laws)

SMALL = [name for name in laws.ZOO if name not in laws.LARGE and name != "custom_layer"]


def rebuilt(model):
    space = {}
    exec(gr.to_code(model), space)
    return space["model"]


def described(model):
    """Everything that matters about a model, names left out."""
    found = []
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.InputLayer):
            continue
        config = {
            k: v for k, v in layer.get_config().items() if k in {"units", "filters", "rate", "kernel_regularizer"}
        }
        found.append((type(layer).__name__, str(config), layer.dtype_policy.name, layer.trainable))
    return sorted(found), [w.shape for w in model.weights], [t.shape for t in model.outputs]


@pytest.mark.parametrize("name", SMALL)
def test_the_code_builds_the_model(name):
    model, x, y = laws.ZOO[name]()
    copy = rebuilt(model)
    assert described(copy) == described(model)
    copy.set_weights(model.get_weights())
    laws.assert_same(laws.outputs(copy, x), laws.outputs(model, x))
    copy.fit(x, y, verbose=0)


REMEDIES = ("dropout(0.5)+l2(0.001)", "width(0.5)", "max_norm(2)", "weight_decay(0.1)", "ema(0.9)")


@pytest.mark.parametrize("text", REMEDIES)
def test_a_variant_is_code_as_well(review_net, text):
    variant = gr.remedy(text)(review_net())
    copy = rebuilt(variant)
    assert described(copy) == described(variant)
    kept = {k: v for k, v in variant.optimizer.get_config().items() if k != "name"}
    assert {k: v for k, v in copy.optimizer.get_config().items() if k != "name"} == kept
    places = [[any(v is e for e in excluded_from_decay(m)) for v in m.trainable_variables] for m in (variant, copy)]
    assert places[0] == places[1]


def test_the_code_is_short(review_net):
    code = gr.to_code(gr.Dropout(0.5)(review_net()))
    assert 'keras.layers.Dense(16, activation="relu"),' in code
    assert 'keras.layers.Dropout(0.5, name="dense_dropout"),' in code
    assert "GlorotUniform" not in code


def test_what_has_no_code_gets_a_sentence():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss=lambda y, p: keras.ops.mean(y - p, -1))
    with pytest.raises(ModelError, match="cannot be written"):
        gr.to_code(model)


def test_a_layer_that_reads_every_argument_from_its_configuration_is_written():
    """Keras 3.15's Rescaling does; it ends the net that `gengap run` offers where answers are far from 1."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1), keras.layers.Rescaling(1500.0, offset=-1110.0)])
    assert "keras.layers.Rescaling(1500.0, offset=-1110.0)" in gr.to_code(model)
    assert rebuilt(model).layers[-1].get_config()["offset"] == -1110.0
    without = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1), keras.layers.Rescaling(0.5)])
    assert "keras.layers.Rescaling(0.5)," in gr.to_code(without)
