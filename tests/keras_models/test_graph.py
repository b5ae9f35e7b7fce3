"""The graph walk: every kind of model, against Keras' own call; and Keras' private names still stand where we read."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.models.functional import Functional

from gengap.keras_models.graph import input_specs, read_graph, walk
from gengap.keras_models.heads import flat_inputs


def plain(training=False):
    def call(step, *args, **kwargs):
        if step.takes_training:
            kwargs["training"] = training
        return step.operation(*args, **kwargs)

    return call


def sequential():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(1)])


def two_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    shared = layers.Dense(3)
    joined = layers.Concatenate()([shared(a), b, shared(a)])
    return keras.Model({"a": a, "b": b}, {"first": layers.Dense(1)(joined), "second": keras.ops.relu(joined) * 2.0})


def nested():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization()])
    outer = keras.Input((4,))
    return keras.Model(outer, layers.Dense(2)(inner(layers.ReLU()(outer))))


def masked():
    return keras.Sequential([keras.Input((5,), dtype="int32"), layers.Embedding(7, 3, mask_zero=True), layers.LSTM(2)])


def masked_output():
    return keras.Sequential([keras.Input((5,), dtype="int32"), layers.Embedding(7, 3, mask_zero=True)])


def attention():
    x = keras.Input((5, 4))
    out, scores = layers.MultiHeadAttention(2, 4)(x, x, return_attention_scores=True, use_causal_mask=True)
    return keras.Model(x, [out, scores])


def inputs_of(model):
    rng = np.random.default_rng(0)
    shapes = [(6, *shape) for shape, _ in input_specs(model)]
    arrays = [
        rng.integers(0, 7, s) if d.startswith("int") else rng.normal(size=s)
        for s, (_, d) in zip(shapes, input_specs(model), strict=True)
    ]
    return [keras.ops.convert_to_tensor(a, dtype=d) for a, (_, d) in zip(arrays, input_specs(model), strict=True)]


@pytest.mark.parametrize("build", [sequential, two_inputs, nested, masked, masked_output, attention])
def test_walk_computes_what_the_model_computes(build):
    model = build()
    inputs = inputs_of(model)
    x = inputs[0] if len(inputs) == 1 else dict(zip("ab", inputs, strict=True))
    expected = keras.tree.flatten(model(x))
    actual = keras.tree.flatten(walk(model, flat_inputs(model, x), plain()))
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a.detach(), e.detach(), atol=1e-6)


def test_nested_models_become_part_of_one_list():
    names = [type(step.operation).__name__ for step in read_graph(nested()).steps]
    assert names == ["ReLU", "Dense", "BatchNormalization", "Dense"]


def test_a_shared_layer_stands_in_several_steps():
    operations = [step.operation for step in read_graph(two_inputs()).steps]
    dense = [op for op in operations if isinstance(op, layers.Dense)]
    assert len(dense) == 3
    assert len(set(map(id, dense))) == 2


def test_a_subclassed_model_is_one_step():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x, training=None):
            return self.dense(x)

    model = Own()
    x = np.ones((3, 4), "float32")
    expected = model(x)
    assert len(read_graph(model).steps) == 1
    assert input_specs(model) is None
    np.testing.assert_allclose(walk(model, [x], plain()).detach(), expected.detach())


def test_a_masked_output_keeps_its_mask():
    model = masked_output()
    assert getattr(walk(model, inputs_of(model), plain()), "_keras_mask", None) is not None


def test_a_nested_call_in_inference_mode_trains_as_in_keras():
    """Keras 3.15 lets the call's `training` win over a node's; should that change, `_record` has to follow."""
    inner = keras.Sequential([keras.Input((4,)), layers.BatchNormalization()])
    x = keras.Input((4,))
    model = keras.Model(x, inner(x, training=False))
    values = np.random.default_rng(0).normal(5, 2, (16, 4)).astype("float32")
    by_keras = model(values, training=True).detach()
    by_walk = walk(model, [keras.ops.convert_to_tensor(values)], plain(training=True)).detach()
    np.testing.assert_allclose(by_walk, by_keras, atol=1e-5)


def test_keras_still_has_the_private_names_that_the_walk_reads():
    """Fails loudly when a Keras release moves them: then only `walk.py` has to follow."""
    parameters = inspect.signature(Functional._run_through_graph).parameters
    assert {"inputs", "operation_fn"} <= set(parameters), "Functional._run_through_graph changed its signature"
    model = sequential()
    assert isinstance(model._functional, Functional), "Sequential keeps its graph elsewhere now"
    assert model._functional._inputs_struct is not None
    assert model._functional._outputs_struct is not None
