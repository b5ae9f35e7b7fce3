"""A Keras model as a list of steps: the one place that reads Keras' private graph."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
from keras import tree

from gengap.keras_models import private
from gengap.keras_models.heads import output_structure, symbolic_inputs
from gengap.keras_models.private import calls_its_graph, functional_of, input_structure, mask_of, run_through_graph


@dataclass(frozen=True)
class Slot:
    """A place that a step fills and later steps read; `index` counts through the whole graph."""

    index: int


@dataclass(frozen=True, eq=False)
class Step:
    """One operation of the graph, at one place.

    Attributes:
        index: Place in the order of execution.
        operation: Keras layer or operation; a shared layer stands in several steps.
        args: Its positional arguments, with `Slot`s where values go.
        kwargs: Its keyword arguments, likewise, without `training`.
        outputs: The slots that it fills, in the order of its flattened result.
        lost: The slots that it reads whose mask an earlier step has taken off.
    """

    index: int
    operation: keras.Operation
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Slot, ...]
    lost: frozenset[Slot] = frozenset()

    @property
    def takes_training(self) -> bool:
        """Whether Keras passes `training` on to the operation: to every layer, and to no plain operation."""
        return isinstance(self.operation, keras.layers.Layer)

    def arguments(self, values: Sequence[Any] | Mapping[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with every slot replaced by its value."""
        return _fill(self.args, values), _fill(self.kwargs, values)

    def input_slots(self) -> list[Slot]:
        """Return the slots that the step reads, in order."""
        if not self.kwargs and all(isinstance(argument, Slot) for argument in self.args):
            return list(self.args)  # nearly every step: Keras' flatten takes a hundred times as long
        leaves = tree.flatten((self.args, self.kwargs))
        return [leaf for leaf in leaves if isinstance(leaf, Slot)]


@dataclass(frozen=True, eq=False)
class Graph:
    """A model unrolled: nested Sequential and functional models are part of the one list.

    Attributes:
        model: The model.
        inputs: Slots of the flat inputs, in the model's order.
        steps: What is computed, in order.
        outputs: Slots in the structure of the model's output.
        size: Number of slots.
    """

    model: keras.Model
    inputs: tuple[Slot, ...]
    steps: tuple[Step, ...]
    outputs: Any
    size: int

    def output_slots(self) -> list[Slot]:
        """Return the slots that the model's output is made of."""
        return [leaf for leaf in tree.flatten(self.outputs) if isinstance(leaf, Slot)]

    def after(self, cut: Sequence[int]) -> "Graph":
        """Return what is left to compute where the values at some slots are known: these are its inputs.

        Args:
            cut: Indices of the slots.
        """
        known = {Slot(index) for index in cut}
        steps = self._leading_to(self.output_slots(), known)
        return replace(self, inputs=tuple(map(Slot, cut)), steps=steps)

    def before(self, cut: Sequence[int]) -> "Graph":
        """Return what leads to the values at some slots, which are its outputs, in this order."""
        slots = tuple(map(Slot, cut))
        return replace(self, steps=self._leading_to(slots, set(self.inputs)), outputs=slots)

    def _leading_to(self, outputs: Iterable[Slot], known: AbstractSet[Slot]) -> tuple[Step, ...]:
        wanted, steps = set(outputs) - known, []
        for step in reversed(self.steps):
            if wanted & set(step.outputs):
                steps.append(step)
                wanted |= set(step.input_slots()) - known
        return tuple(reversed(steps))

    def run(self, inputs: Sequence[Any], call: Callable[..., Any]) -> Any:
        """Compute every step with `call(step, *args, **kwargs)` and return the outputs in the model's structure."""
        values: list[Any] = [None] * self.size
        for slot, value in zip(self.inputs, inputs, strict=True):
            values[slot.index] = value
        for step in self.steps:
            args, kwargs = step.arguments(values)
            results = call(step, *args, **kwargs)
            flat = [results] if len(step.outputs) == 1 and not tree.is_nested(results) else tree.flatten(results)
            for slot, value in zip(step.outputs, flat, strict=True):
                values[slot.index] = value
        return _fill(self.outputs, values)


def read_graph(model: keras.Model) -> Graph:
    """Unroll a built model.

    A Sequential or functional model becomes its operations. A subclassed one, whose code Keras does not know, becomes a
    single step; so does a model whose output carries a mask, since masks travel outside the graph.

    Args:
        model: A built model; it is not changed.
    """
    functional = _functional(model)
    if functional is None or has_masked_output(model):
        return _single_step(model)
    slots = _Counter()
    inputs = tuple(slots.take() for _ in functional.inputs)
    steps: list[Step] = []
    outputs = _record(functional, inputs, steps, slots)
    return Graph(model, inputs, _with_lost_masks(steps), outputs, slots.used)


def walk(model: keras.Model, inputs: Sequence[Any], call: Callable[..., Any]) -> Any:
    """Compute a model's output, each operation through `call`.

    Args:
        model: A built model.
        inputs: Flat inputs in the order of the model's inputs, with their dtypes.
        call: `call(step, *args, **kwargs)` returns what `step.operation` would; pass `training` on to the steps that
            take it.

    Returns:
        What the calls made of it, in the structure of the model's output.

    Example:
        >>> from gengap.keras_models.graph import walk
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1), keras.layers.ReLU()])
        >>> names = []
        >>> def call(step, *args, **kwargs):
        ...     names.append(type(step.operation).__name__)
        ...     return step.operation(*args, **kwargs)
        >>> walk(model, [np.zeros((3, 2), "float32")], call).shape, names
        (torch.Size([3, 1]), ['Dense', 'ReLU'])
    """
    return read_graph(model).run(inputs, call)


def input_specs(model: keras.Model) -> list[tuple[tuple[int | None, ...], str]] | None:
    """Return shape (without the batch) and dtype of each flat input; None for a subclassed model."""
    functional = _functional(model)
    if functional is None:
        return None
    return [(tuple(tensor.shape[1:]), str(tensor.dtype)) for tensor in functional.inputs]


def has_masked_output(model: keras.Model) -> bool:
    """Tell whether an output carries a mask, which Keras' losses and metrics heed."""
    functional = _functional(model)
    return functional is not None and any(mask_of(one) is not None for one in functional.outputs)


def _with_lost_masks(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Note where masks are lost: Keras' attention deletes them from the very tensors that it is called with.

    Who reads such a tensor later finds none, as of Keras 3.15. A tensor that attention casts first keeps its own.
    """
    lost: set[Slot] = set()
    formats: dict[Slot, str] = {}
    noted = []
    for step in steps:
        noted.append(replace(step, lost=frozenset(lost & set(step.input_slots()))) if lost else step)
        if isinstance(step.operation, keras.layers.MultiHeadAttention):
            given = [*step.args[:3], *(step.kwargs.get(name) for name in ("query", "value", "key"))]
            own = step.operation.compute_dtype
            lost |= {slot for slot in given if isinstance(slot, Slot) and formats.get(slot, own) == own}
        results = tree.flatten(step.operation.output)
        formats |= {slot: str(result.dtype) for slot, result in zip(step.outputs, results, strict=True)}
    return tuple(noted)


class _Counter:
    def __init__(self) -> None:
        self.used = 0

    def take(self) -> Slot:
        self.used += 1
        return Slot(self.used - 1)


def _functional(model: keras.Model) -> Any | None:
    """Return the Functional that holds the graph of a model; None where the model's own code decides."""
    if isinstance(model, keras.Sequential):
        return functional_of(model) if type(model).call is keras.Sequential.call else None
    return model if calls_its_graph(model) else None


def _single_step(model: keras.Model) -> Graph:
    functional = _functional(model)
    structure = symbolic_inputs(model) if functional is None else input_structure(functional)
    slots = _Counter()
    inputs = tuple(slots.take() for _ in tree.flatten(structure))
    argument = tree.pack_sequence_as(structure, list(inputs)) if tree.is_nested(structure) else inputs[0]
    given = output_structure(model) if functional is None else private.output_structure(functional)
    outputs = tuple(slots.take() for _ in tree.flatten(given))
    packed = tree.pack_sequence_as(given, list(outputs)) if tree.is_nested(given) else outputs[0]
    return Graph(model, inputs, (Step(0, model, (argument,), {}, outputs),), packed, slots.used)


def _record(functional: Any, inputs: Sequence[Slot], steps: list[Step], slots: _Counter) -> Any:
    def note(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("training", None)  # Keras 3.15 overrides a node's own `training` by that of the call
        inner = _functional(operation)
        if inner is not None and not _says_more(kwargs) and len(args) == 1 and _fits(inner, args[0]):
            return tree.flatten(_record(inner, tree.flatten(args[0]), steps, slots))
        outputs = tuple(slots.take() for _ in tree.flatten(operation.output))
        steps.append(Step(len(steps), operation, args, kwargs, outputs))
        return list(outputs)

    return run_through_graph(functional, inputs, lambda operation: partial(note, operation))


def _says_more(kwargs: Mapping[str, Any]) -> bool:
    """Tell whether a call is given more than its inputs; for inputs by name Keras notes a mask of each, mostly None."""
    return any(leaf is not None and leaf is not False for leaf in tree.flatten(dict(kwargs)))


def _fits(inner: Any, argument: Any) -> bool:
    """Tell whether a nested model takes its argument as it is, so that its own conversions may be left out."""
    leaves = tree.flatten(argument)
    try:
        tree.assert_same_structure(argument, input_structure(inner))
    except ValueError:
        single = len(leaves) == 1 == len(inner.inputs)
        if not single:
            return False
    return all(isinstance(leaf, Slot) for leaf in leaves) and len({str(x.dtype) for x in inner.inputs}) == 1


def _fill(structure: Any, values: Sequence[Any] | Mapping[int, Any]) -> Any:
    if isinstance(structure, Slot):
        return values[structure.index]
    if isinstance(structure, tuple | list):
        return type(structure)(_fill(part, values) for part in structure)
    if isinstance(structure, dict):
        return type(structure)((name, _fill(part, values)) for name, part in structure.items())
    return structure
