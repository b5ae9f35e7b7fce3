"""A layer of one's own as the Keras layers and operations that it is made of, found by calling it on symbols."""

import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import keras
import numpy as np
from keras import tree

from gengap.keras_models.graph import Graph, Slot, has_masked_output, read_graph
from gengap.keras_models.private import BOOKKEEPING, NODES, all_layers, called_in_mode, nodes_by_depth


class NotOpened(Exception):  # noqa: N818  no error: the layer is computed as it is
    """Why a layer is not known to be what a trace of it says."""


def trace(layer: keras.Layer, arguments: tuple[Sequence[Any], Mapping[str, Any]], shapes: Mapping[int, Any]) -> Graph:
    """Return the graph of a layer's `call`.

    Args:
        layer: A built layer, or a subclassed model; a clone, since its inner layers note that they were called.
        arguments: What it is called with; tensors are looked up in `shapes` by `id`.
        shapes: Shape without the batch and dtype of each tensor among the arguments.

    Raises:
        NotOpened: It cannot be called on symbols, or what it does in training and in inference, or with its weights, is
            not all in the graph.
    """
    if type(layer).__call__ is not keras.layers.Layer.__call__:
        raise NotOpened("its class overrides `__call__`")
    if any(part.activity_regularizer is not None for part in all_layers(layer)):
        raise NotOpened("it penalizes activities")
    found = [_trace_once(layer, arguments, shapes, training=mode) for mode in (True, False)]
    if describe(found[0], layer) != describe(found[1], layer):
        raise NotOpened("it does something else in training than in inference")
    inside = {id(weight) for step in found[0].steps for weight in getattr(step.operation, "weights", ())}
    if {id(weight) for weight in layer.weights} - inside:
        raise NotOpened("it computes with weights of its own, or on numbers that are no inputs")
    return found[0]


def _trace_once(layer: keras.Layer, arguments: Any, shapes: Mapping[int, Any], *, training: bool) -> Graph:
    inputs: list[Any] = []

    def symbol(leaf: Any) -> Any:
        if id(leaf) not in shapes:
            return leaf
        shape, dtype = shapes[id(leaf)]
        inputs.append(keras.Input(tuple(shape), dtype=dtype))
        return inputs[-1]

    args, kwargs = tree.map_structure(symbol, arguments)
    if "training" in inspect.signature(type(layer).call).parameters:
        kwargs = {**kwargs, "training": training}
    scope = keras.StatelessScope(collect_losses=True)
    try:
        with scope, called_in_mode(layer, training=training):
            outputs = layer.call(*args, **kwargs)
        functional = keras.Model(inputs, outputs)
    except Exception as error:  # whatever a user's code says to a symbol, it is called on numbers instead
        raise NotOpened(f"it cannot be called on symbols ({type(error).__name__})") from error
    if scope.losses or scope.state_mapping:
        raise NotOpened("it adds losses or changes states")
    if has_masked_output(functional):
        raise NotOpened("its output carries a mask")
    for node in nodes_by_depth(functional):
        if node.arguments.kwargs.get("training") not in {None, training}:
            raise NotOpened("it tells a layer inside whether it trains")
    return read_graph(functional)


def describe(graph: Graph, layer: keras.Layer) -> list[Any]:
    """Return what two traces have in common if and only if they compute the same with equal layers."""
    places = {id(part): place for place, part in enumerate(all_layers(layer))}
    return [
        (
            places.get(id(step.operation), type(step.operation).__name__),
            [] if id(step.operation) in places else _described(vars(step.operation)),
            _described((step.args, step.kwargs)),
            [slot.index for slot in step.outputs],
        )
        for step in graph.steps
    ] + [_described(graph.outputs)]


def _described(structure: Any) -> list[Any]:
    return [(path, _leaf(leaf)) for path, leaf in tree.flatten_with_path(_plain(structure))]


def _plain(structure: Any) -> Any:
    """Leave out what Keras notes of an operation besides what it computes."""
    if isinstance(structure, dict):
        left_out = {"name", *NODES, *BOOKKEEPING}
        return {str(name): value for name, value in structure.items() if name not in left_out}
    return structure


def _leaf(leaf: Any) -> Any:
    if isinstance(leaf, Slot):
        return "slot", leaf.index
    if isinstance(leaf, str | int | float | bool | type(None)):
        return repr(leaf)
    if isinstance(leaf, np.ndarray) or keras.ops.is_tensor(leaf):
        array = np.asarray(keras.ops.convert_to_numpy(leaf))
        return array.shape, blake2b(np.ascontiguousarray(array).tobytes(), digest_size=8).hexdigest()
    return type(leaf).__qualname__


def calls_inside(graph: Graph) -> Counter[int]:
    """Return how often each operation is called in a graph, by its `id`."""
    return Counter(id(step.operation) for step in graph.steps)
