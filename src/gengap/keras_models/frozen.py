"""What of a model is trained, and which layers with kernels are not."""

from collections.abc import Sequence
from hashlib import blake2b
from math import prod

import keras

from gengap.keras_models.anatomy import is_weighted
from gengap.keras_models.graph import Step, read_graph
from gengap.keras_models.layer_names import names_told_apart
from gengap.keras_models.private import all_layers, own_variables


def num_trained(model: keras.Model) -> int:
    """Return how many numbers of a model are trained."""
    return sum(prod(weight.shape) for weight in model.trainable_weights)


def is_frozen_kernel(step: Step, trained: set[int]) -> bool:
    """Tell whether a step is a layer with a kernel, none of whose weights is among the trained ones (by `id`)."""
    return is_weighted(step.operation) and not any(id(weight) in trained for weight in step.operation.weights)


def has_frozen_kernels(model: keras.Model) -> bool:
    """Tell whether a layer of a model has a kernel that is not trained."""
    if not getattr(model, "built", False):
        return False
    trained = {id(weight) for weight in model.trainable_weights}
    return any(is_frozen_kernel(step, trained) for step in read_graph(model).steps)


def frozen_places(model: keras.Model) -> tuple[int, ...]:
    """Return the places among `model.weights` of the weights of frozen layers, which no training changes."""
    frozen = {id(weight) for layer in all_layers(model) if not layer.trainable for weight in own_variables(layer)} - {
        id(weight) for weight in model.trainable_weights
    }
    return tuple(place for place, weight in enumerate(model.weights) if id(weight) in frozen)


def digest_of_held(model: keras.Model, kept: Sequence[str] = ()) -> str | None:
    """Return a digest of the weights that runs of a model take from it: those of frozen layers, and of kept ones.

    Args:
        model: The model.
        kept: Names of layers that are trained from the weights that they hold.

    Returns:
        The digest; None where no kernel is frozen and nothing is kept.
    """
    if not kept and not has_frozen_kernels(model):
        return None
    names = names_told_apart(model)
    drawn = [layer for layer in all_layers(model, include_self=False) if names[id(layer)] not in kept]
    trained = {id(weight) for layer in drawn for weight in own_variables(layer) if weight.trainable}
    digest = blake2b(digest_size=16)
    for weight in model.weights:
        if id(weight) not in trained:
            values = keras.ops.convert_to_numpy(weight)
            digest.update(f"{values.dtype}{values.shape}".encode())
            digest.update(values.tobytes())
    return digest.hexdigest()


def state_of(model: keras.Model) -> str:
    """Return a digest of all weights of a model and of which of them are trained."""
    digest = blake2b(digest_size=16)
    for weight in model.weights:
        digest.update(f"{weight.trainable}".encode())
        digest.update(keras.ops.convert_to_numpy(weight).tobytes())
    return digest.hexdigest()
