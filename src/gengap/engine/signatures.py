"""What models must have in common to train together, as text: graph, weights, losses, metrics, kind of optimizer."""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import keras
import numpy as np
from keras import tree

from gengap.engine.optimizers.base import config
from gengap.engine.rates import has_schedule
from gengap.keras_models.graph import Graph, Slot, Step, read_graph
from gengap.keras_models.heads import input_names, output_names
from gengap.keras_models.private import compile_config, function_and_options, is_keras_own
from gengap.kernels.optimizers import rule_from_keras
from gengap.layers.noise import FUSED_NOISE

_PER_WEIGHT = ("_regularizer", "_initializer", "_constraint")
_PER_RUN_RATES = ("weight_decay", "clipvalue", "clipnorm", "global_clipnorm", "factors")


def signature(model: keras.Model) -> str:
    """Return what models must have in common to train together: graph, weights, losses, metrics, kind of optimizer.

    Rates of noise layers, L1 and L2 strengths, constraints, and for optimizers with a kernel also learning rates, decay
    and clipping are left out: they are numbers of each run.
    """
    graph = read_graph(model)
    return _digest([[describe_step(step) for step in graph.steps], str(graph.outputs), signature_beside_graph(model)])


def signature_beside_graph(model: keras.Model) -> str:
    """Return the part of a signature that no layer without weights can change: all but the steps of the graph."""
    graph, weights, trained = read_graph(model), model.weights, {id(weight) for weight in model.trainable_weights}
    parts = [
        [_bound_by(names, graph) for names in (input_names(model), output_names(model))],
        [(tuple(weight.shape), str(weight.dtype), weight.trainable) for weight in weights],
        [id(weight) in trained for weight in weights],
        tree.map_structure(_value, compile_config(model).get("loss")),
        tree.map_structure(_value, compile_config(model).get("loss_weights")),
        tree.map_structure(_value, compile_config(model).get("metrics")),
        tree.map_structure(_value, compile_config(model).get("weighted_metrics")),
        _optimizer(model.optimizer),
    ]
    return _digest(parts)


def metric_names(model: keras.Model) -> tuple[str, ...]:
    """Return the names of the metric objects that a model was compiled with, which its history has as keys."""
    given = [compile_config(model).get(name) for name in ("metrics", "weighted_metrics")]
    return tuple(one.name for one in tree.flatten(given) if isinstance(one, keras.metrics.Metric))


def _digest(parts: Any) -> str:
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _bound_by(names: Sequence[str], graph: Graph) -> list[str]:
    """Return the names by which mappings of arrays are bound to several inputs or outputs.

    Those that Keras numbers on through a session tell nothing: nobody writes mappings for two models with them.
    """
    kinds = {type(step.operation).__name__ for step in graph.steps} | {"InputLayer", "KerasTensor"}
    numbered = "|".join(re.sub(r"\W|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind) for kind in kinds)
    own = re.compile(rf"({numbered})(_\d+)?", re.IGNORECASE)
    return ["" if own.fullmatch(name) else name for name in names] if len(names) > 1 else []


def describe_step(step: Step) -> Any:
    """Describe a step of a graph so that equal ones look equal, whatever their names and strengths."""
    operation = step.operation
    arguments = tree.map_structure(_value, (step.args, step.kwargs))
    return type(operation).__qualname__, _config(operation), arguments, step.outputs


def _config(operation: keras.Operation) -> Any:
    if not isinstance(operation, keras.layers.Layer):
        return _value(operation)
    if isinstance(operation, keras.Model):
        return id(operation)
    try:
        given = operation.get_config()
    except (NotImplementedError, ValueError, TypeError):
        return id(operation)
    strengths = {"rate", "stddev", "seed"} if type(operation).__name__ in FUSED_NOISE else set()
    return repr(_without_names({name: value for name, value in given.items() if name not in strengths}))


def _without_names(value: Any) -> Any:
    """Leave out of a layer's configuration, and of those of the layers inside it, what a run has for itself.

    Keras numbers names on through a session: two equal Bidirectional layers differ in those of their inner ones.
    """
    if isinstance(value, dict):
        layer = "trainable" in value  # other objects' names say what they are: a policy's, an initializer's
        own = {k: v for k, v in value.items() if not (layer and (k == "name" or k.endswith(_PER_WEIGHT)))}
        return {name: _without_names(part) for name, part in own.items()}
    return [_without_names(part) for part in value] if isinstance(value, list | tuple) else value


def _value(leaf: Any) -> Any:
    """Describe a constant, a function or a Keras object so that equal ones look equal."""
    if isinstance(leaf, Slot | str | int | float | bool | type(None)):
        return leaf
    if isinstance(leaf, keras.KerasTensor):
        return str(leaf.shape)
    if isinstance(leaf, np.ndarray):
        return leaf.shape, blake2b(leaf.tobytes(), digest_size=8).hexdigest()
    if is_keras_own(leaf):
        described = {name: value for name, value in _describe(leaf).items() if name not in {"name", "seed"}}
        return type(leaf).__qualname__, repr(described)
    return id(leaf)


def _describe(leaf: Any) -> Mapping[str, Any]:
    if isinstance(leaf, keras.losses.Loss | keras.metrics.Metric):
        try:
            described = dict(leaf.get_config())
        except (NotImplementedError, ValueError, TypeError):
            return {"id": id(leaf)}
        function, _ = function_and_options(leaf)
        return {**described, "fn": id(function)} if function is not None else described
    return {name: value for name, value in vars(leaf).items() if isinstance(value, str | int | float | tuple | None)}


def _optimizer(optimizer: keras.optimizers.Optimizer) -> Any:
    described = config(optimizer)
    if rule_from_keras(optimizer) is not None:
        free = _PER_RUN_RATES if has_schedule(optimizer) else (*_PER_RUN_RATES, "learning_rate")
        described = {name: value for name, value in described.items() if name not in free}
        described["kind"] = str(rule_from_keras(optimizer))
        return repr(described)
    return type(optimizer).__qualname__, repr(described)
