"""The graph of a Keras model, read and rebuilt: the one place that touches Keras' private nodes (3.15)."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from gengap.errors import ModelError
from gengap.keras_models.object_copy import copy_object
from gengap.keras_models.private import (
    all_layers,
    functional_of,
    input_layer_of,
    is_functional,
    is_keras_own,
    is_made_like_functional,
    nodes_by_depth,
    operation_of,
)

Model = Any
Operation = Any
Node = Any

_UNREADABLE = (TypeError, ValueError, NotImplementedError, AttributeError, KeyError, NameError)
"""What reading a configuration back may end in."""

_OF_EVERY_LAYER = ("name", "trainable", "dtype")

SUBCLASSED = (
    "A remedy needs the graph of layers, which the subclassed model {name!r} does not show. Write the variants by hand "
    "as a dict of models, or build the model with keras.Sequential or keras.Model(inputs, outputs)."
)


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """A model made anew from the graph of another.

    Attributes:
        model: The new model, not compiled.
        pairs: Original operation and the one that took its place, in the order of the graph; models before the
            layers inside them.
    """

    model: Model
    pairs: Sequence[tuple[Operation, Operation]]


def is_graph(model: Operation) -> bool:
    """Return whether an operation is a Sequential or functional model that can be rebuilt from its nodes."""
    if isinstance(model, keras.Sequential):
        return type(model).__init__ is keras.Sequential.__init__
    return is_functional(model) and is_made_like_functional(type(model))


def function_of(model: Model) -> Any:
    """Return what holds the nodes of a Sequential or functional model.

    Raises:
        ModelError: The model is subclassed, or a Sequential whose input shape is unknown.
    """
    if not is_graph(model):
        raise ModelError(SUBCLASSED.format(name=model.name))
    if not isinstance(model, keras.Sequential):
        return model
    if functional_of(model) is None:
        raise ModelError(
            f"Sequential model {model.name!r} does not know its input shape: begin it with keras.Input(shape), "
            "or call model.build(shape) first."
        )
    return functional_of(model)


def nodes_of(model: Model) -> Iterator[Node]:
    """Yield every call of an operation in a model, inputs left out, in the order in which Keras runs them."""
    yield from nodes_by_depth(function_of(model))


@dataclass(frozen=True, eq=False)
class Rebuild:
    """One rebuilding: what replaces each operation, and what is called on the outputs of each node.

    Attributes:
        replace: From an original operation (never a nested model) to the new one.
        follow: Layers to call on the output of a node, by `id(node)`, or on an input, by `id(tensor)`.
        skip: Nodes to leave out, by `id(node)`: their first input takes the place of their output.
    """

    replace: Callable[[Operation], Operation]
    follow: Mapping[int, Sequence[Operation]] = field(default_factory=dict)
    skip: frozenset[int] = frozenset()

    def __call__(self, model: Model) -> Rebuilt:
        """Rebuild a Sequential or functional model, nested models and shared layers included."""
        work = _Work(self, {}, [])
        new = work.model(model, None)
        for original, copy in work.pairs:  # models come first: Keras' setter reaches down into their layers
            freeze_alike(original, copy)
        return Rebuilt(new, work.pairs)


def freeze_alike(original: Operation, copy: Operation) -> None:
    """Let a copy, and all layers inside it, train what the original trains.

    What a layer makes when it is built (the projections of an attention layer) is trainable in a copy whose
    configuration says that the layer is not (Keras 3.15).
    """
    inside = [all_layers(original), all_layers(copy)]
    alike = len(inside[0]) == len(inside[1]) and not is_graph(original)
    for before, after in zip(*inside, strict=True) if alike else [(original, copy)]:
        if after.trainable != before.trainable:
            after.trainable = before.trainable


@dataclass(frozen=True, eq=False)
class _Work:
    """A rebuilding under way: what was asked for, the copies made so far, and the pairs."""

    asked: Rebuild
    made: dict[int, Operation]
    pairs: list[tuple[Operation, Operation]]

    def model(self, model: Model, shapes: Sequence[Any] | None) -> Model:
        """Rebuild a model whose inputs have these shapes now; None keeps its own."""
        position = len(self.pairs)
        build = self._sequential if isinstance(model, keras.Sequential) else self._functional
        new = build(model, shapes)
        self.pairs.insert(position, (model, new))
        return new

    def _operation(self, operation: Operation, arguments: Any) -> Operation:
        """Return the one copy of an operation, so that shared layers stay shared."""
        if id(operation) not in self.made:
            if is_graph(operation):
                shapes = [tensor.shape for tensor in keras.tree.flatten(arguments)[: len(operation.inputs)]]
                self.made[id(operation)] = self.model(operation, shapes)
            else:
                self.made[id(operation)] = self.asked.replace(operation)
                if isinstance(operation, keras.Layer):
                    self.pairs.append((operation, self.made[id(operation)]))
        return self.made[id(operation)]

    def _sequential(self, model: Model, shapes: Sequence[Any] | None) -> Model:
        if functional_of(model) is None:
            return type(model)([self._operation(layer, ()) for layer in model.layers], name=model.name)
        start = _input_like(model.inputs[0], shapes and shapes[0])
        new = type(model)([start, *self.asked.follow.get(id(model.inputs[0]), ())], name=model.name)
        nested = any(is_graph(layer) for layer in model.layers)
        # what is not a layer computes the mask of the layer before it, which the copy of that layer does by itself
        for node in (one for one in nodes_of(model) if isinstance(one.operation, keras.Layer)):
            if id(node) not in self.asked.skip:
                arguments = new.outputs if nested and new.layers else [start]
                new.add(self._operation(node.operation, arguments), rebuild=nested)
            for layer in self.asked.follow.get(id(node), ()):
                new.add(layer, rebuild=nested)
        new.build(input_layer_of(new).batch_shape)
        return new

    def _functional(self, model: Model, shapes: Sequence[Any] | None) -> Model:
        new_inputs = [
            _input_like(t, s) for t, s in zip(model.inputs, shapes or [None] * len(model.inputs), strict=True)
        ]
        inputs = keras.tree.pack_sequence_as(model.input, new_inputs)
        tensors = dict(zip(map(id, model.inputs), new_inputs, strict=True))
        for tensor in model.inputs:
            for layer in self.asked.follow.get(id(tensor), ()):
                tensors[id(tensor)] = layer(tensors[id(tensor)])
        for node in nodes_of(model):
            args, kwargs = node.arguments.fill_in(tensors)
            if id(node) in self.asked.skip:
                outputs = [tensors[id(node.input_tensors[0])]]
            else:
                outputs = keras.tree.flatten(self._operation(node.operation, (args, kwargs))(*args, **kwargs))
            for layer in self.asked.follow.get(id(node), ()):
                outputs = [layer(outputs[0]), *outputs[1:]]
            tensors.update(zip(map(id, node.outputs), outputs, strict=True))
        with warnings.catch_warnings():  # said to the user when the original was made
            warnings.filterwarnings("ignore", message="When providing `inputs` as a dict, all keys")
            return self._made(model, inputs, tensors)

    @staticmethod
    def _made(model: Model, inputs: Any, tensors: Mapping[int, Any]) -> Model:
        return type(model)(
            inputs, keras.tree.pack_sequence_as(model.output, [tensors[id(t)] for t in model.outputs]), name=model.name
        )


def _input_like(tensor: Any, shape: Any = None) -> Any:
    """Return a new input like a model's, of another shape where its surroundings have changed."""
    layer = operation_of(tensor)
    is_input = isinstance(layer, keras.layers.InputLayer)
    return keras.Input(
        batch_shape=tensor.shape if shape is None else shape,
        dtype=tensor.dtype,
        sparse=tensor.sparse,
        name=layer.name if is_input else tensor.name,
        optional=is_input and layer.optional,
    )


def copy_operation(operation: Operation, config: dict[str, Any] | None = None) -> Operation:
    """Return a layer or operation with weights of its own, of equal or of the given configuration.

    A layer that is to stay equal, and whose configuration cannot make it anew, is copied object by object.

    Raises:
        ModelError: Neither is possible; the sentence says what its class lacks.
    """
    try:
        copy = made_anew(operation, config)
    except _UNREADABLE as error:
        copy = _by_parts(operation, config, error)
    if not isinstance(copy, keras.Layer):
        copy.name = operation.name  # an operation's configuration may leave the name out
    return copy


def made_anew(operation: Operation, config: dict[str, Any] | None = None) -> Operation:
    """Return a layer or operation made from a configuration, its own where none is given.

    Functions that Keras would write as machine code are handed over as they are. Where a constructor takes no
    `**kwargs`, what every layer has (its name, whether it is trained, its format) is set afterwards.
    """
    given = _unbuilt(operation.get_config() if config is None else config)
    functions = {name: getattr(operation, name, None) for name, value in given.items() if _is_lambda(value)}
    given |= {name: function for name, function in functions.items() if callable(function)}
    if is_keras_own(operation):  # its constructor takes them as they are
        own = operation.get_config()
        unchanged = [name for name in given if given[name] == own.get(name)]
        given |= {name: part for name in unchanged if _is_users_part(part := getattr(operation, name, None))}
    cls = type(operation)
    parameters = inspect.signature(cls.__init__).parameters
    takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    if not isinstance(operation, keras.Layer) or takes_all:
        return cls(**given) if functions and isinstance(operation, keras.layers.Lambda) else cls.from_config(given)
    common = {name: given.pop(name) for name in _OF_EVERY_LAYER if name in given and name not in parameters}
    copy = cls.from_config(given)
    if "name" in common:
        copy.name = common["name"]
    if "dtype" in common and copy.dtype_policy != operation.dtype_policy:
        copy.dtype_policy = operation.dtype_policy
    copy.trainable = operation.trainable
    return copy


_PARTS = keras.regularizers.Regularizer | keras.constraints.Constraint | keras.initializers.Initializer


def _is_users_part(value: Any) -> bool:
    """Tell whether a value is a penalty, constraint or initializer of a user's, which may bear a name of Keras'."""
    return isinstance(value, _PARTS) and not is_keras_own(value)


def _is_lambda(value: Any) -> bool:
    """Tell whether a configuration holds a function as machine code, which Keras writes and refuses to read."""
    if not isinstance(value, dict):
        return False
    return value.get("class_name") == "__lambda__" or (set(value) == {"value"} and isinstance(value["value"], tuple))


def _by_parts(operation: Operation, config: dict[str, Any] | None, reason: Exception) -> Operation:
    name = f"{type(operation).__name__} {getattr(operation, 'name', '')!r}"
    lacks = (
        f"the class {type(operation).__name__} cannot be made from its configuration ({_first_line(reason)}): let its "
        "__init__ take **kwargs and hand them to super().__init__(**kwargs), and let its get_config() return its other "
        "arguments"
    )
    if config is not None and config != operation.get_config():
        raise ModelError(f"Layer {name} cannot be changed: {lacks}.") from reason
    if not isinstance(operation, keras.Layer):
        raise ModelError(f"Operation {name} cannot be made anew: {_first_line(reason)}.") from reason
    try:
        return copy_object(operation)
    except ModelError as error:
        raise ModelError(
            f"Layer {name} cannot be copied, and every run trains a copy: {error}; and {lacks}."
        ) from reason


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("Exception encountered:")), lines[0] if lines else "")
    return (said.removeprefix("Exception encountered:").strip() or type(error).__name__)[:200].rstrip(".")


def _unbuilt(value: Any) -> Any:
    """Return a configuration whose inner layers do not remember for which input shape they were built."""
    if isinstance(value, dict):
        return {key: _unbuilt(entry) for key, entry in value.items() if key != "build_config"}
    return [_unbuilt(entry) for entry in value] if isinstance(value, list) else value
