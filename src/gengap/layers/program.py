"""The graph of K runs as one program: each step behind the door that is right and fastest for it."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import torch
from keras import tree

from gengap.errors import ModelError, SlowPathWarning
from gengap.keras_models.graph import Graph, read_graph
from gengap.keras_models.opening import NotOpened
from gengap.keras_models.private import all_layers, kind_of_operation
from gengap.keras_models.separability import is_keras_made
from gengap.layers import fused_door
from gengap.layers.blocks import find_blocks
from gengap.layers.doors import (
    Door,
    Join,
    Loop,
    Map,
    PassContext,
    SparseProduct,
    StackedNode,
    StackedTensor,
    of_one_run,
    quiet,
    stacked_leaves,
)
from gengap.layers.lost_masks import without_lost
from gengap.layers.noise_keys import NoiseKeys, say_noisy
from gengap.layers.of_each import of_each
from gengap.layers.opening import as_computed, open_node
from gengap.layers.probe import maps, sane, separates, unlike
from gengap.layers.stack import Stack

_said: set[str] = set()
_PROBED = 3
"""Samples that tell along which axes code of Keras' own computes."""


class Program:
    """K models of equal architecture, computed together.

    Args:
        models: The model of each run; runs of one variant may share theirs. They are read, never changed.
        seeds: Seed of each run.
        stack: Weights of all runs.
        doors: Doors chosen before, by step, so that a smaller or resumed stack takes the same ones; None chooses.
        graphs: The graph of each run's model, all with the same steps; None reads them.
        cut: Indices of values that are known already and are the inputs, see `Graph.after`; none for a whole model.
    """

    def __init__(
        self,
        models: Sequence[Any],
        seeds: Sequence[int],
        stack: Stack,
        *,
        doors: Mapping[int, str] | None = None,
        graphs: Sequence[Graph] | None = None,
        cut: Sequence[int] = (),
    ) -> None:
        known = of_each(models, read_graph) if graphs is None else graphs
        whole = known[0]
        self.graph = whole.after(cut) if cut else whole
        self.stack = stack
        own = {step.index for step in self.graph.steps}
        nodes = _nodes(known, models, seeds, stack)
        self._nodes = {node.step.index: node for node in nodes if node.step.index in own}
        # version 0.1.0 called this door "fold": its checkpoints go on
        chosen = {index: "join" if name == "fold" else name for index, name in (doors or {}).items()}
        self._walk = Walk(self._nodes, chosen)
        self._may_mix: dict[Door, bool] = {}
        for index, door in find_blocks(self.graph, self._nodes).items():
            self._walk.doors[index] = door

    @property
    def doors(self) -> dict[int, str]:
        """The door of every step: `"join"`, `"loop"` or the name of a fused layer. Complete after the first pass."""
        return {index: door.name for index, door in self._walk.doors.items()}

    @property
    def choices(self) -> Sequence[Door]:
        """The doors that are chosen already, in the order of the steps; those inside an opened layer in its place."""
        return self._walk.choices

    @property
    def mixes_samples(self) -> bool:
        """Whether a step looks at several samples at once even in inference, or is not known not to."""
        for door in self.choices:
            if door not in self._may_mix:  # asked at every epoch, and costs what a small net's predictions do
                self._may_mix[door] = may_mix(door)
        return any(self._may_mix[door] for door in self.choices)

    @property
    def draws_in_inference(self) -> bool:
        """Whether a step's noise stays on in inference, so that it matters which cases are predicted together."""
        return any(isinstance(door, Loop) and door.draws_in_inference for door in self.choices)

    @property
    def is_recordable(self) -> bool:
        """Whether every door is chosen, and none calls layers of the runs one by one: their code may do anything."""
        return self._walk.is_complete and not any(isinstance(door, Loop) for door in self.choices)

    def __call__(self, inputs: Sequence[torch.Tensor | SparseProduct], context: PassContext) -> Any:
        """Compute the outputs of all runs.

        Args:
            inputs: Flat inputs, each `(K, B, ...)`, or what a first layer made of sparse ones.
            context: Mode and moment of the pass; collects extra losses.

        Returns:
            Outputs `(K, B, ...)` in the structure of the model's output.
        """
        outputs = self.graph.run(
            [one if isinstance(one, SparseProduct) else StackedTensor(one) for one in inputs],
            lambda step, *args, **kwargs: self._walk.take(step, context, args, kwargs),
        )
        if any(leaf.mask is not None for leaf in tree.flatten(outputs)):
            raise ModelError(
                f"The output of the model {self.graph.model.name!r} carries a mask, which Keras' losses and metrics "
                "heed and the fused engine does not: use engine='keras', or end the model with a layer that drops it."
            )
        return tree.map_structure(lambda leaf: leaf.value, outputs)


class Walk:
    """The doors of the steps of a graph, each chosen when its step is first taken.

    Args:
        nodes: The steps, by place.
        chosen: Doors chosen before, by step.
    """

    def __init__(self, nodes: Mapping[int, StackedNode], chosen: Mapping[int, str]) -> None:
        self._nodes, self._chosen = nodes, chosen
        self.doors: dict[int, Door] = {}

    @property
    def choices(self) -> list[Door]:
        """The doors that are chosen already, those inside an opened layer in its place."""
        found = [self.doors[index] for index in sorted(self.doors)]
        return [one for door in found for one in (door.walk.choices if isinstance(door, Opened) else [door])]

    @property
    def is_complete(self) -> bool:
        """Whether every door is chosen."""
        opened = (door.walk for door in self.doors.values() if isinstance(door, Opened))
        return len(self.doors) == len(self._nodes) and all(walk.is_complete for walk in opened)

    def take(self, step: Any, context: PassContext, args: Any, kwargs: Any) -> Any:
        """Return what a step makes of its arguments in all runs."""
        args, kwargs = without_lost(step, args, kwargs)
        door = self.doors.get(step.index)
        if door is not None:
            return door(context, *args, **kwargs)
        node = self._nodes[step.index]
        door = self.doors[step.index] = self._choose(node, args, kwargs)
        result = door(context, *args, **kwargs)
        if len(getattr(node.operation, "weights", ())) != len(node.weights):
            raise ModelError(
                f"Layer {node.operation.name!r} makes weights when it is first called, after the model was built "
                "(as PReLU does where it is given as an activation): make them in `build`, or give what makes them "
                "as a layer of its own."
            )
        return result

    def _choose(self, node: StackedNode, args: Any, kwargs: Any) -> Door:
        chosen = self._chosen.get(node.step.index)
        own = _is_own(node)
        fused = None if chosen == "loop" or own else fused_door(node, args, kwargs)
        opened, closed = (None, "") if fused else self._open(node, args, kwargs, chosen)
        if fused or opened:
            return fused or opened  # type: ignore[return-value]
        draws, loop = _draws(node, args, kwargs)
        if chosen == "loop" or draws:
            door: Door = loop
        elif own and (fused := fused_door(node, args, kwargs)):
            door = fused
        elif may_join(node, args, kwargs, chosen=chosen):
            door = Join(node)
        else:
            mapped = (chosen == "map" and not node.weights) or may_map(node, args, kwargs)
            door = Map(node) if mapped else loop
        if door is loop and chosen != "loop" and len(node.operations) > 1:
            _say_slow(node, closed, draws=draws)
        return door

    @staticmethod
    def _open(node: StackedNode, args: Any, kwargs: Any, chosen: str | None) -> "tuple[Opened | None, str]":
        """Return an opened layer; else None, and why not."""
        if chosen not in {None, "open"}:
            return None, "it was not before"
        try:
            return Opened(node, *open_node(node, args, kwargs)), ""
        except NotOpened as why:
            return None, str(why)


class Opened(Door):
    """A layer of one's own, computed as the Keras layers and operations that it is made of, each by its own door.

    Args:
        node: The layer.
        graph: What it does.
        nodes: The steps of the graph.
    """

    name = "open"

    def __init__(self, node: StackedNode, graph: Graph, nodes: Sequence[StackedNode]) -> None:
        super().__init__(node)
        self._graph, self.walk = graph, Walk({one.step.index: one for one in nodes}, {})

    def __call__(self, context: PassContext, *args: Any, **kwargs: Any) -> Any:
        """Walk through what the layer does."""
        inputs = [StackedTensor(as_computed(self.node.operation, one.value)) for one in stacked_leaves((args, kwargs))]
        outputs = self._graph.run(inputs, lambda step, *a, **k: self.walk.take(step, context, a, k))
        return tree.map_structure(lambda leaf: StackedTensor(leaf.value), outputs)


def _is_own(node: StackedNode) -> bool:
    """Tell whether code that may draw from anywhere is part of a node's operation."""
    return node.noises[0].is_foreign(node.operation)


def _draws(node: StackedNode, args: Any, kwargs: Any) -> tuple[bool, Loop]:
    """Return whether a node draws random numbers in any mode, and the door that is always right."""
    loop, draws = Loop(node), False
    if _is_own(node) and not any(isinstance(one, SparseProduct) for one in args):
        loop.draws_in_inference = loop.draws(args, kwargs, training=False)
        draws = loop.draws_in_inference or loop.draws(args, kwargs, training=True)
    if loop.draws_in_inference:
        say_noisy(node.operation)
    return draws, loop


def may_join(node: StackedNode, args: Any, kwargs: Any, *, chosen: str | None = None) -> bool:
    """Tell whether an operation treats samples independently, by calling it with noise on and off.

    Only code of Keras' own is asked: whether it mixes samples depends on its axes, not on the numbers of a batch. What
    keeps weights, noise or losses is never joined: the probe could not see it.
    """
    operation = node.operation
    stateful = bool(node.weights) or any(map(_keeps_state, node.different))
    if stateful or not is_keras_made(operation) or chosen not in {None, "join"}:
        return False
    if chosen == "join":
        return True
    leaves = stacked_leaves((args, kwargs))
    tensors = [tensor for leaf in leaves for tensor in (leaf.value, leaf.mask) if tensor is not None]
    if any(tensor.ndim == 1 for tensor in tensors):
        return False  # one number a run: it was made of all cases
    one = tuple(sane(tensor[0, :_PROBED]) for tensor in tensors)
    other = tuple(map(unlike, one))
    with quiet(leaves):
        return all(separates(of_one_run(operation, args, kwargs, mode), one, other) for mode in _modes(node))


def may_map(node: StackedNode, args: Any, kwargs: Any) -> bool:
    """Tell whether an operation can be computed under `vmap`, and leaves nothing behind but its result."""
    leaves = stacked_leaves((args, kwargs))
    masked = any(leaf.mask is not None for leaf in leaves)  # would stay behind on a tensor of vmap's
    if node.weights or masked or any(map(_keeps_state, node.different)):
        return False
    values = [leaf.value for leaf in leaves]
    for mode in _modes(node):
        scope = keras.StatelessScope(collect_losses=True)
        with scope:
            works = maps(of_one_run(node.operation, args, kwargs, mode), values)
        if not works or scope.losses or scope.state_mapping:
            return False
    return True


def may_mix(door: Door) -> bool:
    """Tell whether what a door computes may look at several samples at once in inference."""
    node = door.node
    if isinstance(door, Join):
        return False
    if not isinstance(door, Loop | Map):
        return not is_keras_made(node.operation)  # the activation may be somebody else's
    layer = isinstance(node.operation, keras.layers.Layer) and not _holds_operations(node.operation)
    known = layer and (bool(node.weights) or _keeps_state(node.operation))  # looped for its weights, noise or losses
    return not (known and is_keras_made(node.operation))


def _holds_operations(layer: keras.Layer) -> bool:
    """Tell whether a nested model holds operations besides layers, which nobody has asked whether they mix samples."""
    inside = getattr(layer, "operations", ())
    return any(not isinstance(one, keras.layers.Layer) and kind_of_operation(one) != "NotEqual" for one in inside)


def say_batches(program: Program, batch_size: int) -> None:
    """Say once of a class of layers that predictions are made in the batches of the training, and why."""
    for node in (door.node for door in program.choices if may_mix(door)):
        layer = type(node.operation).__name__
        if f"batches of {layer}" not in _said:
            _said.add(f"batches of {layer}")
            warnings.warn(
                f"Predictions are made in batches of {batch_size}, as Keras' `evaluate` makes them, since layer "
                f"{getattr(node.operation, 'name', layer)!r} ({layer}) may look at several samples at once.",
                SlowPathWarning,
                stacklevel=2,
            )


def _modes(node: StackedNode) -> list[dict[str, bool]]:
    return [{"training": mode} for mode in (True, False)] if node.step.takes_training else [{}]


def _keeps_state(operation: keras.Operation) -> bool:
    if not isinstance(operation, keras.layers.Layer):
        return False
    layers = all_layers(operation)
    return (
        bool(operation.variables)
        or any(layer.activity_regularizer is not None for layer in layers)
        or any(type(layer).add_loss is not keras.layers.Layer.add_loss for layer in layers)
        or bool(operation.losses)
    )


def _nodes(graphs: Sequence[Graph], models: Sequence[Any], seeds: Sequence[int], stack: Stack) -> list[StackedNode]:
    graph = graphs[0]
    position = {id(weight): place for place, weight in enumerate(graph.model.weights)}
    noises = of_each(models, NoiseKeys)
    occurrences: Counter[int] = Counter()
    nodes = []
    for step in graph.steps:
        operation = step.operation
        weights = [position[id(weight)] for weight in getattr(operation, "weights", ())]
        operations = [own.steps[step.index].operation for own in graphs]
        identity = f"{_identity(operations, noises)}/{occurrences[id(operation)]}"
        occurrences[id(operation)] += 1
        nodes.append(StackedNode(step, operations, weights, seeds, identity, noises, stack))
    return nodes


def _identity(operations: Sequence[Any], noises: Sequence[NoiseKeys]) -> str:
    """Return what an operation is called in keys; silent noise, which a run's model lacks, as those that have it do."""
    owners = ((own, one) for own, one in zip(noises, operations, strict=True) if own.knows(one))
    own, one = next(owners, (noises[0], operations[0]))
    return own.identity(one)


def is_own_composite(operation: keras.Operation) -> bool:
    """Tell whether an operation is a user's layer or model that holds layers."""
    return isinstance(operation, keras.layers.Layer) and not is_keras_made(operation) and len(all_layers(operation)) > 1


def _say_slow(node: StackedNode, closed: str, *, draws: bool) -> None:
    layer = type(node.operation).__name__
    if layer in _said:
        return
    _said.add(layer)
    if draws:
        reason = "it draws random numbers, which differ from seed to seed"
        if is_own_composite(node.operation):
            reason += f", and cannot be opened ({closed})"
    elif node.weights:
        reason = "the engine has no stacked kernel for it"
        if is_own_composite(node.operation):
            reason = f"it cannot be opened: {closed}"
    elif any(map(_keeps_state, node.different)):
        reason = "it keeps noise or losses of its own"
    else:
        reason = "it mixes the samples of a batch, or is not known not to"
    name = getattr(node.operation, "name", layer)
    warnings.warn(
        f"Layer {name!r} ({layer}) is computed once per run instead of for all runs together, since {reason}: "
        "right, but slower.",
        SlowPathWarning,
        stacklevel=2,
    )
