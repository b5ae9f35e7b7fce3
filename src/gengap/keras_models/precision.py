"""A model whose activations are bfloat16, as Keras' own policy has it, and whose head stays float32."""

from typing import Any, Literal

import keras

from gengap.keras_models.clone import clone_compiled
from gengap.keras_models.private import all_layers, operation_of


def in_precision(model: keras.Model, precision: Literal["float32", "bfloat16"]) -> Any:
    """Return the model, or a clone of it that computes in bfloat16 but for the layers that make its outputs.

    A float32 head is what keeps probabilities from having 8 bits. Weights stay float32. A model that has a number
    format of its own keeps it.

    Args:
        model: A compiled model.
        precision: What the study asks for.
    """
    own = {layer.dtype_policy.name for layer in all_layers(model, include_self=False)}
    if precision == "float32" or own != {"float32"} or not getattr(model, "outputs", None):
        return model
    clone = clone_compiled(model)
    head = {id(operation_of(output)) for output in clone.outputs}
    for layer in all_layers(clone, include_self=False):
        if id(layer) not in head and not isinstance(layer, keras.layers.InputLayer):
            layer.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    return clone
