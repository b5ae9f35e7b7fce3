"""Layers of one's own opened: the Keras layers and operations inside, in all runs, where that is known to be right.

What a layer does is found by calling it on symbols, in training and in inference. What was found is taken only if it
gives what the layer gives: on two batches and a part of one, at two moments, in both modes, noise and states included.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import keras
import torch
from keras import tree

from gengap.keras_models.graph import Graph, Step
from gengap.keras_models.opening import NotOpened, calls_inside, describe, trace
from gengap.keras_models.private import all_layers, is_keras_own
from gengap.layers.doors import StackedNode, StackedTensor, map_stacked, stacked_leaves
from gengap.layers.moment import Moment
from gengap.layers.probe import sane, unlike

_MOMENTS = ((1, 1), (2, 3))
_TOLERANCE = 1e-5
_known: WeakKeyDictionary[Any, dict[Any, Graph | NotOpened]] = WeakKeyDictionary()


def open_node(node: StackedNode, args: Any, kwargs: Any) -> tuple[Graph, list[StackedNode]]:
    """Return what is inside the operation of a node: its graph, and its steps in all runs.

    Raises:
        NotOpened: It is not known to be that.
    """
    layer, leaves = node.operation, stacked_leaves((args, kwargs))
    if not isinstance(layer, keras.layers.Layer) or len(all_layers(layer)) == 1:
        raise NotOpened("it holds no layers")
    if is_keras_own(layer):  # a recurrent one would unroll all its steps
        raise NotOpened("it is Keras' own")
    if not leaves or any(leaf.mask is not None for leaf in leaves):
        raise NotOpened("its input carries a mask")
    distinct = {id(one): one for one in node.operations}
    graphs = {key: _graph_of(one, args, kwargs) for key, one in distinct.items()}
    first = describe(graphs[id(layer)], layer)
    if any(describe(graph, distinct[key]) != first for key, graph in graphs.items()):
        raise NotOpened("it is another in other variants")
    known = _known.setdefault(layer, {})
    checked = "checked", _shapes(leaves)
    if checked not in known:
        known[checked] = graphs[id(layer)]
        try:
            _check(node, graphs[id(layer)], args, kwargs)
        except NotOpened as why:
            known[checked] = why
    if isinstance(known[checked], NotOpened):
        raise known[checked]  # type: ignore[misc]
    return graphs[id(layer)], _nodes(node, [graphs[id(one)] for one in node.operations])


def _graph_of(layer: Any, args: Any, kwargs: Any) -> Graph:
    """Return the trace of a layer; what was found once is remembered for as long as the layer lives."""
    leaves = stacked_leaves((args, kwargs))
    known, shapes = _known.setdefault(layer, {}), _shapes(leaves)
    if shapes not in known:
        described = {id(leaf): one for leaf, one in zip(leaves, shapes, strict=True)}
        try:
            known[shapes] = trace(layer, (tuple(args), dict(kwargs)), described)
        except NotOpened as why:
            known[shapes] = why
    found = known[shapes]
    if isinstance(found, NotOpened):
        raise found
    return found


def _shapes(leaves: Sequence[StackedTensor]) -> tuple[Any, ...]:
    return tuple((tuple(leaf.value.shape[2:]), str(leaf.value.dtype).removeprefix("torch.")) for leaf in leaves)


def _nodes(node: StackedNode, graphs: Sequence[Graph]) -> list[StackedNode]:
    own = {id(weight): place for weight, place in zip(node.operation.weights, node.weights, strict=True)}
    inside, met = calls_inside(graphs[0]), Counter[int]()
    before = int(node.identity.rpartition("/")[2])  # how often the layer itself was met before in the pass
    nodes = []
    for step in graphs[0].steps:
        operation = step.operation
        occurrence = before * inside[id(operation)] + met[id(operation)]
        met[id(operation)] += 1
        weights = [own[id(weight)] for weight in getattr(operation, "weights", ())]
        operations = [graph.steps[step.index].operation for graph in graphs]
        identity = f"{node.noises[0].identity(operation)}/{occurrence}"
        nodes.append(StackedNode(step, operations, weights, node.seeds, identity, node.noises, node.stack))
    return nodes


def _check(node: StackedNode, graph: Graph, args: Any, kwargs: Any) -> None:
    """Compare the first run's layer with what is inside it."""
    first = map_stacked(lambda value: sane(value[0]), (args, kwargs))
    batches = (
        first,
        tree.map_structure(lambda leaf: unlike(leaf) if torch.is_tensor(leaf) else leaf, first),
        tree.map_structure(lambda leaf: leaf[:2] if torch.is_tensor(leaf) else leaf, first),
    )
    with torch.no_grad():
        for batch in batches:
            for moment in _MOMENTS:
                for training in (True, False):
                    one, other = (
                        _called(node, batch, moment, graph=inside, training=training) for inside in (None, graph)
                    )
                    if not _same(one, other):
                        raise NotOpened("what is inside it does not give what it gives")


def _called(
    node: StackedNode, arguments: Any, moment: tuple[int, int], *, graph: Graph | None, training: bool
) -> list[Any]:
    """Return outputs and changed states of the first run's layer, or of its graph, at a moment."""
    layer, noise = node.operation, node.noises[0]
    now = Moment(node.seeds[0], *moment)
    states = noise.states(layer, now)
    generators = {id(variable) for variable, _ in states}
    weights = [(w, node.stack.values[p][0].detach().clone()) for w, p in zip(layer.weights, node.weights, strict=True)]
    scope = keras.StatelessScope([*weights, *states], collect_losses=True)
    args, kwargs = arguments
    with noise.keyed(layer, now), scope:
        if graph is None:
            result = layer(*args, **kwargs, training=training)
        else:
            tensors = [leaf for leaf in tree.flatten((args, kwargs)) if torch.is_tensor(leaf)]
            result = graph.run(
                [as_computed(layer, one) for one in tensors],
                lambda step, *a, **k: step.operation(
                    *a, **k, **({"training": training} if step.takes_training else {})
                ),
            )
    changed = [scope.get_current_value(w) for w in layer.weights if id(w) not in generators]
    return [*tree.flatten(result), *changed]


def _take(training: bool, step: Step, *args: Any, **kwargs: Any) -> Any:
    return step.operation(*args, **kwargs, **({"training": training} if step.takes_training else {}))


def as_computed(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """Return a tensor in the number format in which Keras hands it to a layer's `call`."""
    return x.to(getattr(torch, layer.compute_dtype)) if layer.autocast and x.is_floating_point() else x


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    if len(one) != len(other):
        return False
    tensors = [(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(one, other, strict=True)]
    return all(
        a.shape == b.shape and torch.allclose(a.float(), b.float(), rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
        for a, b in tensors
    )
