"""Layers of one's own opened: the Keras layers and operations inside, in all runs, where that is known to be right.

What a layer does is found by calling it on symbols, in training and in inference. What was found is taken only if it
gives what the layer gives: on two batches and a part of one, at two moments, in both modes, noise and states included.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
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


def _graph_of(layer: keras.Layer, args: Any, kwargs: Any) -> Graph:
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
    for batch in batches:
        for moment in _MOMENTS:
            for training in (True, False):
                wanted = _called(node, batch, moment, graph=None, training=training)
                try:
                    found = _called(node, batch, moment, graph=graph, training=training)
                except NotOpened:
                    raise
                except Exception as error:  # of symbols that a function inside has kept, for one
                    raise NotOpened(f"what is inside it cannot be called ({type(error).__name__})") from error
                if not _same(wanted, found):
                    raise NotOpened("what is inside it does not give what it gives")


def _called(
    node: StackedNode, arguments: Any, moment: tuple[int, int], *, graph: Graph | None, training: bool
) -> list[Any]:
    """Return outputs, gradients, changed states and losses of the first run's layer, or of its graph, at a moment."""
    layer, noise = node.operation, node.noises[0]
    now = Moment(node.seeds[0], *moment)
    states = noise.states(layer, now)
    generators = {id(variable) for variable, _ in states}
    weights = [(w, _leaf(node.stack.values[p][0])) for w, p in zip(layer.weights, node.weights, strict=True)]
    scope = keras.StatelessScope([*weights, *states], collect_losses=True)
    args, kwargs = tree.map_structure(lambda leaf: _leaf(leaf) if torch.is_tensor(leaf) else leaf, arguments)
    tensors = [leaf for leaf in tree.flatten((args, kwargs)) if torch.is_tensor(leaf)]
    with torch.enable_grad(), noise.keyed(layer, now), scope:
        if graph is None:
            result = layer(*args, **kwargs, training=training)
            if noise.has_drawn_freely(layer):
                raise NotOpened("it draws without a seed of its own")
        else:
            result = graph.run([as_computed(layer, one) for one in tensors], partial(_take, training))
            moved = {id(variable) for variable, state in states if _has_moved(scope.get_current_value(variable), state)}
            _refuse_more_draws(graph, moved)
    outputs = tree.flatten(result)
    changed = [scope.get_current_value(w) for w in layer.weights if id(w) not in generators]
    # those that a layer has moved are none of its leaves any more
    leaves = [one for one in (*tensors, *(value for _, value in weights)) if one.requires_grad]
    added = [keras.ops.sum(loss) for loss in scope.losses]  # `add_loss` leaves no step that a trace would find
    return [one.detach() for one in (*outputs, *_gradients(outputs, leaves), *changed, *added) if one is not None]


def _has_moved(now: Any, state: Any) -> bool:
    return bool((keras.ops.convert_to_numpy(now) != state).any())


def _refuse_more_draws(graph: Graph, moved: set[int]) -> None:
    """Raise where a step that is met again has drawn from a generator.

    Steps are keyed one by one, each time that they are met; Keras' loop keys the layer as a whole, whose generators
    then go on from one call inside to the next.
    """
    for step in graph.steps:
        generators = {id(variable) for variable in getattr(step.operation, "variables", ())}
        if generators & moved and calls_inside(graph)[id(step.operation)] > 1:
            raise NotOpened(f"its {type(step.operation).__name__} draws more than once in a call")


def _leaf(value: torch.Tensor) -> torch.Tensor:
    """Return a copy that gradients are wanted of, where it may have any."""
    return value.detach().clone().requires_grad_(value.is_floating_point())


@torch.enable_grad()
def _gradients(outputs: Sequence[torch.Tensor], leaves: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return gradients of some outputs: those that no gradient reaches are zero."""
    real = [one for one in outputs if one.requires_grad]
    total = sum((one * torch.linspace(-1, 1, one.numel()).to(one).view(one.shape)).sum() for one in real)
    if not real or not leaves:
        return []
    found = torch.autograd.grad(total, leaves, allow_unused=True)  # type: ignore[arg-type]
    return [torch.zeros_like(leaf) if one is None else one for leaf, one in zip(leaves, found, strict=True)]


def _take(training: bool, step: Step, *args: Any, **kwargs: Any) -> Any:
    return step.operation(*args, **kwargs, **({"training": training} if step.takes_training else {}))


def as_computed(layer: keras.Layer, x: torch.Tensor) -> torch.Tensor:
    """Return a tensor in the number format in which Keras hands it to a layer's `call`."""
    return x.to(getattr(torch, layer.compute_dtype)) if layer.autocast and x.is_floating_point() else x


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    if len(one) != len(other):
        return False
    pairs = zip(one, other, strict=True)
    return all(a.shape == b.shape and _close(a.double(), b.double()) for a, b in pairs)


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    size = max(1.0, float(other.abs().nan_to_num().max())) if other.numel() else 1.0
    return torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE * size, equal_nan=True)
