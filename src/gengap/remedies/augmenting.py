"""New cases from old ones: a Keras preprocessing layer that varies the inputs in training."""

from dataclasses import dataclass, field
from typing import Any

import keras

from gengap.errors import RemedyError, UnknownNameError
from gengap.keras_models.anatomy import Anatomy
from gengap.keras_models.private import operation_of
from gengap.remedies.base import Edit, Layer, Surgery
from gengap.remedies.explanation import Change


@dataclass(frozen=True, eq=False)
class Augment(Surgery):
    """A layer between an input and the model that varies the cases in training and passes them on at inference.

    `Augment(keras.layers.RandomFlip("horizontal"))` for images that mean the same in a mirror (storms do not: winds
    have a sense of rotation), `Augment(keras.layers.GaussianNoise(0.1))` for measurements.

    Attributes:
        layer: A Keras layer whose output has the shape of its input, and that acts in training only.
        on: Name of the input. Default `"inputs"`, the only one.
    """

    layer: Layer
    on: str = field(default="inputs", kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.layer, keras.Layer):
            raise TypeError(
                "`layer` must be a Keras layer such as keras.layers.RandomFlip(), received "
                f"{type(self.layer).__name__}."
            )

    def edit(self, anatomy: Anatomy) -> Edit:
        """Put a copy of the layer after the input."""
        inputs = {operation_of(tensor).name: tensor for tensor in anatomy.model.inputs}
        if self.on == "inputs" and len(inputs) > 1:
            raise RemedyError(f"{self}: the model has several inputs, choose with `on`: {', '.join(inputs)}.")
        name = next(iter(inputs)) if self.on == "inputs" else self.on
        if name not in inputs:
            raise UnknownNameError(f"No input of the model is named {name!r}. There are: {', '.join(inputs)}.")
        tensor = inputs[name]
        takers = [call.operation for call in anatomy.calls if any(t is tensor for t in call.node.input_tensors)]
        if any(isinstance(taker, keras.layers.Embedding) for taker in takers):
            raise RemedyError(f"{self}: input {name!r} holds the numbers of words or categories; nothing can be added.")
        copy = self._copy(anatomy)
        shape = tuple(copy.compute_output_shape(tuple(tensor.shape)))
        if shape != tuple(tensor.shape):
            raise RemedyError(
                f"{self} turns inputs of shape {tuple(tensor.shape)} into {shape}; it must keep the shape."
            )
        change = Change(str(self), name, f"followed by {type(copy).__name__} {copy.name!r} in training")
        return Edit(follow={id(tensor): [copy]}, changes=(change,))

    def _copy(self, anatomy: Anatomy) -> Any:
        config = self.layer.get_config()
        config["name"] = anatomy.free_name(self.layer.name)
        return type(self.layer).from_config(config)
