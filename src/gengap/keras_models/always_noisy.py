"""A model whose noise layers stay on outside training, and nothing else: the flag is written into its graph."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from gengap.errors import ModelError
from gengap.keras_models.heads import input_structure
from gengap.keras_models.private import all_layers
from gengap.keras_models.rebuild import function_of, is_graph, nodes_of

Model = Any


def with_noise_on(model: Model, is_noise: Callable[[Any], bool]) -> Model:
    """Return a model of the same layers and weights in which every call of a noise layer says `training=True`.

    Batch normalization and all else stay in inference mode. Keras' `predict` passes `training=False` down to every
    layer and so switches the noise off again (3.15): such a model is to be called, `model(x)`.

    Args:
        model: A Sequential or functional model, nested ones included.
        is_noise: Tells which layers make noise.

    Raises:
        ModelError: The graph of the model cannot be read, noise is made inside a layer that does more, or there is
            none.
    """
    noisy = [layer for layer in all_layers(model) if is_noise(layer)]
    if not noisy:
        raise ModelError(f"The model {model.name!r} has no dropout and no other noise that could be left on.")
    work = _Work(is_noise, {}, set())
    new = work.model(model)
    if missed := [layer.name for layer in noisy if id(layer) not in work.met]:
        raise ModelError(
            f"The noise of layer {missed[0]!r} is made inside another layer, where it cannot be left on alone: ship "
            "the model without noise, and use `gengap.predict_distribution`."
        )
    return new


class _Work:
    """A walk through a model, with the new models made so far and the noise layers met."""

    def __init__(self, is_noise: Callable[[Any], bool], made: dict[int, Model], met: set[int]) -> None:
        self._is_noise, self._made, self.met = is_noise, made, met

    def model(self, model: Model) -> Model:
        """Return the noisy twin of a model; of one that is called twice the same."""
        if id(model) not in self._made:
            self._made[id(model)] = self._twin(model)
        return self._made[id(model)]

    def _twin(self, model: Model) -> Model:
        graph = function_of(model)
        inputs = [input_like(tensor) for tensor in graph.inputs]
        tensors = dict(zip(map(id, graph.inputs), inputs, strict=True))
        for node in nodes_of(model):
            args, kwargs = node.arguments.fill_in(tensors)
            outputs = keras.tree.flatten(self._called(node.operation, args, kwargs))
            tensors.update(zip(map(id, node.outputs), outputs, strict=True))
        outputs = keras.tree.pack_sequence_as(_structure(model, graph), [tensors[id(one)] for one in graph.outputs])
        return keras.Model(keras.tree.pack_sequence_as(input_structure(model), inputs), outputs, name=model.name)

    def _called(self, operation: keras.Operation, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if is_graph(operation):
            return self.model(operation)(*args, **kwargs)
        if self._is_noise(operation):
            self.met.add(id(operation))
            kwargs = {**kwargs, "training": True}
        return operation(*args, **kwargs)


def _structure(model: Model, graph: Any) -> Any:
    return graph.outputs[0] if isinstance(model, keras.Sequential) else model.output


def input_like(tensor: Any) -> Any:
    """Return a new input like a model's."""
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, sparse=tensor.sparse, name=tensor.name)
