"""The graph of a Keras model, read and rebuilt: the one place that touches Keras' private nodes (3.15)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
from keras.src.models.functional import Functional, functional_like_constructor

from gengap.errors import ModelError

Model = Any
Operation = Any
Node = Any

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
    return isinstance(model, Functional) and bool(functional_like_constructor(type(model)))


def function_of(model: Model) -> Any:
    """Return what holds the nodes of a Sequential or functional model.

    Raises:
        ModelError: The model is subclassed, or a Sequential whose input shape is unknown.
    """
    if not is_graph(model):
        raise ModelError(SUBCLASSED.format(name=model.name))
    if not isinstance(model, keras.Sequential):
        return model
    if model._functional is None:  # noqa: SLF001  Sequential has no public graph
        raise ModelError(
            f"Sequential model {model.name!r} does not know its input shape: begin it with keras.Input(shape), "
            "or call model.build(shape) first."
        )
    return model._functional  # noqa: SLF001


def nodes_of(model: Model) -> Iterator[Node]:
    """Yield every call of an operation in a model, inputs left out, in the order in which Keras runs them."""
    function = function_of(model)
    for _, nodes in sorted(function._nodes_by_depth.items(), reverse=True):  # noqa: SLF001
        yield from (node for node in nodes if not node.is_input)


@dataclass(frozen=True, eq=False)
class Rebuild:
    """One rebuilding: what replaces each operation, and what is called on the outputs of each node.

    Attributes:
        replace: From an original operation (never a nested model) to the new one.
        follow: Layers to call on the output of a node, by `id(node)`.
        skip: Nodes to leave out, by `id(node)`: their first input takes the place of their output.
    """

    replace: Callable[[Operation], Operation]
    follow: Mapping[int, Sequence[Operation]] = field(default_factory=dict)
    skip: frozenset[int] = frozenset()

    def __call__(self, model: Model) -> Rebuilt:
        """Rebuild a Sequential or functional model, nested models and shared layers included."""
        made: dict[int, Operation] = {}
        pairs: list[tuple[Operation, Operation]] = []
        new = self._model(model, made, pairs)
        for original, copy in pairs:  # models come first: Keras' setter reaches down into their layers
            if copy.trainable != original.trainable:
                copy.trainable = original.trainable
        return Rebuilt(new, pairs)

    def _model(self, model: Model, made: dict[int, Operation], pairs: list[tuple[Operation, Operation]]) -> Model:
        position = len(pairs)
        build = self._sequential if isinstance(model, keras.Sequential) else self._functional
        new = build(model, made, pairs)
        pairs.insert(position, (model, new))
        return new

    def _operation(
        self, operation: Operation, made: dict[int, Operation], pairs: list[tuple[Operation, Operation]]
    ) -> Operation:
        """Return the one copy of an operation, so that shared layers stay shared."""
        if id(operation) not in made:
            if is_graph(operation):
                made[id(operation)] = self._model(operation, made, pairs)
            else:
                made[id(operation)] = self.replace(operation)
                if isinstance(operation, keras.Layer):
                    pairs.append((operation, made[id(operation)]))
        return made[id(operation)]

    def _sequential(self, model: Model, made: dict[int, Operation], pairs: list[tuple[Operation, Operation]]) -> Model:
        layers = [self._operation(layer, made, pairs) for layer in model.layers]
        if model._functional is not None:  # noqa: SLF001
            layers = []
            for node in nodes_of(model):
                if id(node) not in self.skip:
                    layers.append(self._operation(node.operation, made, pairs))
                layers.extend(self.follow.get(id(node), ()))
            shape, dtype = model.inputs[0].shape, model.inputs[0].dtype
            layers.insert(0, keras.Input(batch_shape=shape, dtype=dtype, name=model.inputs[0].name))
        return type(model)(layers, name=model.name)

    def _functional(self, model: Model, made: dict[int, Operation], pairs: list[tuple[Operation, Operation]]) -> Model:
        inputs = keras.tree.map_structure(_input_like, model.input)
        tensors = dict(zip(map(id, model.inputs), keras.tree.flatten(inputs), strict=True))
        for node in nodes_of(model):
            args, kwargs = node.arguments.fill_in(tensors)
            if id(node) in self.skip:
                outputs = [tensors[id(node.input_tensors[0])]]
            else:
                outputs = keras.tree.flatten(self._operation(node.operation, made, pairs)(*args, **kwargs))
            for layer in self.follow.get(id(node), ()):
                outputs = [layer(outputs[0]), *outputs[1:]]
            tensors.update(zip(map(id, node.outputs), outputs, strict=True))
        outputs = keras.tree.map_structure(lambda tensor: tensors[id(tensor)], model.output)
        return type(model)(inputs, outputs, name=model.name)


def _input_like(tensor: Any) -> Any:
    layer = tensor._keras_history.operation  # noqa: SLF001
    optional = isinstance(layer, keras.layers.InputLayer) and layer.optional
    return keras.Input(
        batch_shape=tensor.shape, dtype=tensor.dtype, sparse=tensor.sparse, name=tensor.name, optional=optional
    )


def copy_operation(operation: Operation) -> Operation:
    """Return a layer or operation of equal configuration, with weights of its own."""
    copy = type(operation).from_config(operation.get_config())
    if not isinstance(copy, keras.Layer):
        copy.name = operation.name  # an operation's configuration may leave the name out
    return copy
