"""A model laid open: every call of every layer, which are hidden, where activations end, what a name selects."""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import keras

from gengap.errors import RemedyError, UnknownNameError
from gengap.keras_models.private import all_layers, is_keras_own, kind_of_operation
from gengap.keras_models.rebuild import Model, Node, Operation, function_of, is_graph, nodes_of

On = str | type | tuple[Any, ...]
"""Which layers: a role (`"hidden"`, `"kernels"`), a layer's name or path, a pattern, a class, or several of these."""

ROLES = ("hidden", "kernels")

NORMALIZATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.UnitNormalization,
    keras.layers.Normalization,
)
ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
)
MERGES = (
    keras.layers.Add,
    keras.layers.Subtract,
    keras.layers.Multiply,
    keras.layers.Average,
    keras.layers.Maximum,
    keras.layers.Minimum,
)
DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.GaussianDropout,
    keras.layers.AlphaDropout,
)
_MOST_NAMES = 8
"""Names that a message lists."""

MERGE_OPS = frozenset({"Add", "Subtract", "Multiply", "Maximum", "Minimum"})
ACTIVATION_OPS = frozenset(name.replace("_", "") for name in dir(keras.activations))


@dataclass(frozen=True, eq=False)
class Call:
    """One call of one operation, nested models opened.

    Attributes:
        index: Position in `Anatomy.calls`.
        node: Keras' node, the key of every edit; calls inside a shared nested model have it in common.
        operation: The layer or `keras.ops` operation.
        path: Name, with the names of the models around it (`"encoder/dense"`).
        sources: Positions of the calls whose outputs it takes; -1 for an input of the model.
        shape: Shape of its first output.
        is_output: Whether its output leaves the model.
    """

    index: int
    node: Node
    operation: Operation
    path: str
    sources: tuple[int, ...]
    shape: tuple[int | None, ...]
    is_output: bool


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A Sequential or functional model as a flat list of calls.

    Attributes:
        model: The model.
        calls: Every call, in the order in which Keras runs them.
        following: For each call the positions of those that take its output.
        reaching: For each call whether a further layer with kernels is reached from it.
    """

    model: Model
    calls: Sequence[Call]
    following: Sequence[Sequence[int]]
    reaching: Sequence[bool]

    @staticmethod
    def of(model: Model) -> "Anatomy":
        """Lay a model open.

        Raises:
            ModelError: It is subclassed, or does not know its input shape.
        """
        calls: list[Call] = []
        outputs = _trace(model, "", [-1] * len(function_of(model).inputs), calls)
        calls = [replace(call, is_output=call.index in set(outputs)) for call in calls]
        following: list[list[int]] = [[] for _ in calls]
        for call in calls:
            for source in set(call.sources) - {-1}:
                following[source].append(call.index)
        reaching = [False] * len(calls)
        for call in reversed(calls):
            reaching[call.index] = any(is_weighted(calls[i].operation) or reaching[i] for i in following[call.index])
        return Anatomy(model, calls, following, reaching)

    def consumers(self, call: Call) -> list[Call]:
        """Return the calls that take a call's output."""
        return [self.calls[index] for index in self.following[call.index]]

    def weighted(self) -> list[Call]:
        """Return the calls of layers with kernels: weights of two or more axes that are not a normalization's."""
        return [call for call in self.calls if is_weighted(call.operation)]

    def is_hidden(self, call: Call) -> bool:
        """Return whether a further layer with kernels is reached from a call; output layers are the others."""
        return self.reaching[call.index]

    def head(self) -> list[Call]:
        """Return the calls of the output layers where they alone are trained, behind frozen layers with kernels."""
        weighted = self.weighted()
        trained = [call for call in weighted if call.operation.trainable]
        alone = len(trained) < len(weighted) and not any(self.is_hidden(call) for call in trained)
        return trained if alone else []

    def select(self, on: On, *, head: bool = False) -> list[Call]:
        """Return the calls of the layers that `on` names, in order.

        Roles leave frozen layers alone; a layer named by name, pattern or class is taken as it is.

        Args:
            on: The layers.
            head: Whether `"hidden"` means the head where nothing else is trained.

        Raises:
            TypeError: What they are chosen by is neither text nor a class.
            UnknownNameError: No layer has the name, matches the pattern or is of the class.
            RemedyError: The role is empty in this model.
        """
        if head and on == "hidden" and (found := self.head()):
            return found
        chosen = {call.index for part in parts_of(on) for call in self._select_one(part)}
        return [call for call in self.calls if call.index in chosen]

    def _select_one(self, on: str) -> Iterable[Call]:
        if on in ROLES:
            found = [call for call in self.weighted() if call.operation.trainable]
            if on == "hidden":
                hidden = {id(call.operation) for call in found if self.is_hidden(call)}
                found = [call for call in found if id(call.operation) in hidden]
            if not found:
                lacks = f"Model {self.model.name!r} has no trainable {'hidden layer' if on == 'hidden' else 'kernel'}"
                if closed := closed_layers(self.calls):
                    raise RemedyError(f"{lacks}.{closed}")
                if head := self.head():
                    raise RemedyError(
                        f"{lacks}: only its head is trained, {', '.join(call.path for call in head)}. Give the head a "
                        'hidden layer of its own, or train a part of what is frozen, gg.Thaw("name of a layer").'
                    )
                raise RemedyError(f"{lacks}: name layers with `on`, one or more of {self.names_near('')}.")
            return found
        found = [call for call in self.calls if on in _names_of(call) or _matches(call, on)]
        if not found:
            if closed := closed_layers(call for call in self.calls if on.startswith(f"{call.path}/")):
                raise UnknownNameError(f"{on!r} is not a layer of model {self.model.name!r}.{closed}")
            raise UnknownNameError(
                f"No layer of model {self.model.name!r} is named, matches or is of class {on!r}. `on` takes "
                f'"hidden", "kernels", a class name or a name or pattern of: {self.names_near(on)}.'
            )
        return found

    def names_near(self, wish: str) -> str:
        """Return the layers that a wrong name may have meant, at most eight of them; without one the last ones."""
        names = list(dict.fromkeys(call.path for call in self.calls if isinstance(call.operation, keras.Layer)))
        if len(names) <= _MOST_NAMES:
            return ", ".join(names)
        near = get_close_matches(wish, names, _MOST_NAMES, 0.5) or names[-_MOST_NAMES:]
        return (
            f'{", ".join(near)} ... ({len(names)} layers in all; a pattern such as "{_stem(near[0])}*" takes several)'
        )

    def node_before(self, call: Call) -> Node:
        """Return the node whose output a call takes first, in the graph where it is called: a model inside is one node.

        A layer put behind it stands in that graph, and not at the end of the model inside.
        """
        return _node_before(self.model, call.node) or self.calls[call.sources[0]].node

    def end_of_activation(self, call: Call) -> Call:
        """Return the call after which a layer's activation is done.

        That is the layer itself where it has a nonlinear activation; else the activation that follows it, across
        normalizations and sums; else the last normalization that follows it directly, or itself.
        """
        if own_activation(call.operation):
            return call
        here = last = call
        merged = False
        while not here.is_output and len(following := self.consumers(here)) == 1:
            here = following[0]
            if is_activation(here.operation):
                return here
            merged = merged or is_merge(here.operation)
            if not (merged or isinstance(here.operation, NORMALIZATIONS)):
                break
            if not merged:
                last = here
        return last

    def block_of(self, call: Call) -> list[Call]:
        """Return a layer's call and those that belong to it: its normalizations, activation and dropout, in order."""
        block, ended = [call], own_activation(call.operation)
        while not block[-1].is_output and len(following := self.consumers(block[-1])) == 1:
            operation = following[0].operation
            activates = is_activation(operation) and not ended
            if not (activates or isinstance(operation, DROPOUTS if ended else (*NORMALIZATIONS, *DROPOUTS))):
                break
            ended = ended or activates
            block.append(following[0])
        return block

    def free_name(self, wish: str, taken: Iterable[str] = ()) -> str:
        """Return a layer name that the model does not use yet."""
        used = {name for call in self.calls for name in call.path.split("/")} | set(taken)
        name, count = wish, 0
        while name in used:
            count += 1
            name = f"{wish}_{count}"
        return name


def _node_before(model: Model, node: Node) -> Node | None:
    nodes = list(nodes_of(model))
    if any(one is node for one in nodes):
        taken = node.input_tensors[0]
        return next((one for one in nodes if any(tensor is taken for tensor in one.outputs)), None)
    inner = [one.operation for one in nodes if is_graph(one.operation)]
    return next((found for one in inner if (found := _node_before(one, node)) is not None), None)


def _stem(name: str) -> str:
    """Return the beginning of a name that others of its kind are likely to share."""
    return re.split(r"[_/\d]", name.rpartition("/")[2], maxsplit=1)[0] or name[:3]


def closed_layers(calls: Iterable[Call]) -> str:
    """Return a sentence on the user's own layers among some, whose inner layers no remedy reaches; or nothing."""
    closed = {call.path: type(call.operation).__name__ for call in calls if _is_closed(call.operation)}
    if not closed:
        return ""
    named = ", ".join(f"{path!r} ({cls})" for path, cls in closed.items())
    return (
        f" {named} {'is a layer' if len(closed) == 1 else 'are layers'} of your own with layers inside, which a remedy "
        "cannot reach: call those layers in the model itself, or write this variant by hand, as one of a mapping of "
        "models."
    )


def _is_closed(operation: Operation) -> bool:
    if not isinstance(operation, keras.Layer) or is_keras_own(operation):
        return False
    inner = all_layers(operation, include_self=False)
    return any(is_weighted(layer) for layer in inner)


def _trace(model: Model, prefix: str, sources: Sequence[int], calls: list[Call]) -> list[int]:
    """Append the calls of a model to `calls`; return which calls give its outputs."""
    function = function_of(model)
    origin = {id(tensor): source for tensor, source in zip(function.inputs, sources, strict=True)}
    for node in nodes_of(model):
        operation = node.operation
        incoming = [origin[id(tensor)] for tensor in node.input_tensors]
        if is_graph(operation):
            outgoing = _trace(operation, f"{prefix}{operation.name}/", incoming, calls)
        else:
            shape = tuple(node.outputs[0].shape)
            calls.append(Call(len(calls), node, operation, prefix + operation.name, tuple(incoming), shape, False))
            outgoing = [len(calls) - 1] * len(node.outputs)
        origin.update(zip(map(id, node.outputs), outgoing, strict=True))
    return [origin[id(tensor)] for tensor in function.outputs]


def parts_of(on: On) -> Iterator[str]:
    """Yield the names, patterns and names of classes that layers are chosen by.

    Raises:
        TypeError: One is neither text nor a class, or there is none.
    """
    given = on if isinstance(on, tuple | list) else (on,)
    for part in given or (on,):
        if not isinstance(part, str | type):
            raise TypeError(
                f"Layers are chosen by name, path, pattern or class, or a tuple of these, received {part!r}: give a "
                "layer's `name`."
            )
        yield part if isinstance(part, str) else part.__name__


def _names_of(call: Call) -> tuple[str, ...]:
    return (call.path, call.operation.name, *(cls.__name__ for cls in type(call.operation).__mro__[:-1]))


def _matches(call: Call, pattern: str) -> bool:
    return fnmatch.fnmatchcase(call.path, pattern) or fnmatch.fnmatchcase(call.operation.name, pattern)


def is_weighted(operation: Operation) -> bool:
    """Return whether an operation is a layer with kernels."""
    if not isinstance(operation, keras.Layer) or isinstance(operation, (*NORMALIZATIONS, keras.layers.PReLU)):
        return False
    return any(len(weight.shape) >= 2 for weight in operation.weights)


def is_activation(operation: Operation) -> bool:
    """Return whether an operation is an activation by itself, as a layer or a function of `keras.ops`."""
    if isinstance(operation, keras.Layer):
        return isinstance(operation, ACTIVATIONS)
    return kind_of_operation(operation).lower() in ACTIVATION_OPS


def is_merge(operation: Operation) -> bool:
    """Return whether an operation adds, multiplies or compares tensors of one shape."""
    if isinstance(operation, keras.Layer):
        return isinstance(operation, MERGES)
    return kind_of_operation(operation) in MERGE_OPS


def own_activation(operation: Operation) -> bool:
    """Return whether a layer ends in a nonlinear activation of its own."""
    inner = getattr(operation, "layer", operation)  # TimeDistributed, Bidirectional
    activation = getattr(inner, "activation", None)
    return activation not in (None, keras.activations.linear)
