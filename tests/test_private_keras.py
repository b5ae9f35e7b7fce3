"""What gengap touches of Keras' private parts: every name is listed, exists, and behaves as the code assumes.

A new Keras that renames or changes one of them fails here, at the line that names it, and not somewhere in a study. A
private name that comes into the source fails until it is listed, with a test of what is assumed of it.
"""

import ast
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from keras import layers

SOURCE = Path(__file__).parents[1] / "src" / "gengap"

OTHERS = {
    "_fused_adam_": "torch's; tests/engine/kernels/test_optimizers.py compares it with Keras' updates",
    "_play": "gengap's own (engine/recording.py), on a copy of itself",
    "_replace": "public: every namedtuple has it",
}
"""Names with an underscore that are not Keras'."""

CHECKS: dict[str, Callable[[], None]] = {}
"""A test of each private name of Keras."""


def of(*names):
    """Enter a check under the names whose behaviour it tests."""

    def enter(check):
        CHECKS.update(dict.fromkeys(names, check))
        return check

    return enter


def private_names(tree):
    """Yield every private name that a module reads off something else than `self` or `cls`, and Keras' own paths."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            if text.startswith("keras.src"):
                yield "keras.src"
            if _is_private(node.attr) and ast.unparse(node.value) not in {"self", "cls"}:
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "hasattr", "setattr"}:
            names = [arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant)]
            yield from filter(_is_private, names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras.src"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("keras.src"))


def _is_private(name):
    return name.startswith("_") and not name.startswith("__") and name.strip("_") != ""


def used():
    """Return where each private name is used first."""
    places = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for name in private_names(ast.parse(path.read_text())):
            places.setdefault(name, str(path.relative_to(SOURCE)))
    return places


def test_every_private_name_is_listed():
    unknown = {name: place for name, place in used().items() if name not in CHECKS and name not in OTHERS}
    assert not unknown, f"List these here, with a check of what is assumed of them: {unknown}"


def test_the_scan_sees_what_it_should():
    source = (
        "import keras.src.x\nfrom keras.src.models import Y\na._b\nself._c\ngetattr(a, '_d', 0)\n"
        "keras.src.z\na.__dict__\nhasattr(x.y, '_e')\n"
    )
    found = set(private_names(ast.parse(source)))
    assert found == {"keras.src.x", "keras.src.models.Y", "_b", "_d", "_e", "keras.src"}


@pytest.mark.parametrize("name", list(used()))
def test_the_name_is_what_the_code_takes_it_for(name):
    if name in OTHERS:
        pytest.skip(OTHERS[name])
    if name in CHECKS:  # else the test above fails
        CHECKS[name]()


def sequential():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="relu"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], weighted_metrics=["mse"])
    return model


def two_outputs():
    x = keras.Input((3,), name="x")
    model = keras.Model({"x": x}, {"a": layers.Dense(1, name="a")(x), "b": layers.Dense(1, name="b")(x)})
    model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 2.0, "b": 1.0})
    return model


@of("_compile_config")
def check_compile_config():
    config = sequential()._compile_config.config
    assert config["loss"] == "mse"
    assert {"optimizer", "loss_weights", "metrics", "weighted_metrics"} <= set(config)


@of("_compile_loss", "_user_loss", "_user_loss_weights", "_flat_losses")
def check_compile_loss():
    own = two_outputs()._compile_loss
    assert own._user_loss == {"a": "mse", "b": "mae"}
    assert own._user_loss_weights == {"a": 2.0, "b": 1.0}
    fresh = type(own)(own._user_loss, own._user_loss_weights, output_names=own.output_names)
    answers = {"a": np.zeros((4, 1)), "b": np.zeros((4, 1))}
    fresh.build(answers, answers)
    assert [(tuple(one.path), one.loss_weights, one.name) for one in fresh._flat_losses] == [
        (("a",), 2.0, "a"), (("b",), 1.0, "b"),
    ]  # fmt: skip
    assert all(isinstance(one.loss, keras.losses.Loss) for one in fresh._flat_losses)


@of("_compile_metrics", "_flat_metrics", "_flat_weighted_metrics")
def check_compile_metrics():
    own = sequential()._compile_metrics
    own.build(np.zeros((4, 1)), np.zeros((4, 1)))
    plain, weighted = ([m.name for one in group if one for m in one.metrics] for group in (
        own._flat_metrics, own._flat_weighted_metrics,
    ))  # fmt: skip
    assert (plain, weighted) == (["mae"], ["mse"])
    own.reset_state()
    assert list(own.result()) == ["mae", "mse"]


@of("_flatten_layers")
def check_flatten_layers():
    inner = sequential()
    model = keras.Sequential([keras.Input((3,)), inner, layers.Dense(1)])
    assert sum(isinstance(one, layers.Dense) for one in model._flatten_layers(include_self=False)) == 3
    assert model in list(model._flatten_layers(include_self=True, recursive=True))
    assert list(layers.Dense(1)._flatten_layers(include_self=False)) == []


@of("_fn", "_fn_kwargs")
def check_wrapped_functions():
    metric = keras.metrics.BinaryAccuracy(threshold=0.3)
    assert metric._fn is keras.metrics.binary_accuracy
    assert metric._fn_kwargs == {"threshold": 0.3}
    loss = keras.losses.BinaryCrossentropy(label_smoothing=0.1)
    assert loss.fn is keras.losses.binary_crossentropy
    assert loss._fn_kwargs["label_smoothing"] == 0.1


@of("_functional", "_inputs_struct", "_outputs_struct", "_run_through_graph", "_layers")
def check_the_graph_of_a_sequential():
    model = sequential()
    functional = model._functional
    assert functional._inputs_struct is not None
    assert len(keras.tree.flatten(functional._outputs_struct)) == 1
    seen = []

    def operation(layer):
        def call(value, **_):
            seen.append(type(layer).__name__)
            return value

        return call

    assert functional._run_through_graph(["value"], operation_fn=operation) == "value"
    assert seen == ["Dense", "Dense"]
    assert isinstance(model._layers[0], layers.InputLayer)
    assert set(two_outputs()._outputs_struct) == {"a", "b"}


@of("_nodes_by_depth", "_inbound_nodes")
def check_nodes():
    model = two_outputs()
    nodes = [node for _, group in sorted(model._nodes_by_depth.items(), reverse=True) for node in group]
    assert [node.is_input for node in nodes] == [True, False, False]
    assert nodes[1].arguments.args[0] is model.inputs[0]
    assert nodes[1].operation._inbound_nodes[0].output_tensors[0].shape == (None, 1)


@of("_keras_history")
def check_history():
    model = sequential()
    history = model.outputs[0]._keras_history
    assert history.operation is model.layers[-1]
    assert (history.node_index, history.tensor_index) == (0, 0)


@of("_keras_mask")
def check_masks():
    x = keras.Input((4,), dtype="int32")
    assert layers.Embedding(5, 2, mask_zero=True)(x)._keras_mask is not None
    assert getattr(layers.Embedding(5, 2)(x), "_keras_mask", None) is None


@of("_initial_seed")
def check_seeds():
    assert layers.Dropout(0.5).seed_generator._initial_seed is None
    assert layers.Dropout(0.5, seed=3).seed_generator._initial_seed == 3


@of("_trainable_variables", "_non_trainable_variables")
def check_variables_of_one_layer():
    layer = layers.BatchNormalization()
    layer.build((None, 3))
    assert [one.name for one in layer._trainable_variables] == ["gamma", "beta"]
    assert [one.name for one in layer._non_trainable_variables][:2] == ["moving_mean", "moving_variance"]


@of("_model_variables_moving_average")
def check_moving_averages():
    model = sequential()
    optimizer = keras.optimizers.Adam(use_ema=True)
    optimizer.build(model.trainable_variables)
    shapes = [tuple(one.shape) for one in optimizer._model_variables_moving_average]
    assert shapes == [tuple(one.shape) for one in model.trainable_variables]


@of("_use_weight_decay", "_is_excluded_from_weight_decay")
def check_decay():
    """Keras 3.15 answers `_use_weight_decay` at any time; 3.16 only once built, and before it the other question."""
    model = sequential()
    optimizer = keras.optimizers.AdamW(1e-3)
    kernels = [one for one in model.trainable_variables if one.name == "kernel"]
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    excluded = getattr(optimizer, "_is_excluded_from_weight_decay", None)
    before = [v for v in model.trainable_variables if (not excluded(v) if excluded else optimizer._use_weight_decay(v))]
    assert [id(one) for one in before] == [id(one) for one in kernels]
    optimizer.build(model.trainable_variables)
    after = [one for one in model.trainable_variables if optimizer._use_weight_decay(one)]
    assert [id(one) for one in after] == [id(one) for one in kernels]


@of("_value")
def check_memory_of_a_variable():
    variable = keras.Variable(np.zeros(2, np.float32))
    other = torch.ones(2)
    variable._value = other
    variable.assign([3.0, 4.0])
    assert other.tolist() == [3.0, 4.0]
    assert variable.value.data_ptr() == other.data_ptr()


@of(
    "keras.src",
    "keras.src.models.functional.Functional",
    "keras.src.models.functional.functional_like_constructor",
)
def check_functional():
    from keras.src.models.functional import Functional, functional_like_constructor

    assert isinstance(two_outputs(), Functional)
    assert functional_like_constructor(Functional)
    assert any(one.__module__.startswith("keras.src.optimizers.") for one in type(keras.optimizers.Adam()).__mro__)


def test_where_keras_computes():
    """What `keras.src.backend.torch.core.get_device` was read for can be seen on any tensor that Keras makes."""
    with keras.device("cpu"):
        assert keras.ops.zeros(1).device == torch.device("cpu")
