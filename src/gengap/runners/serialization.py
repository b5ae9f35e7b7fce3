"""Models on their way to another process: configuration and weights, never a pickled model."""

import inspect
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from gengap.engine.runs import Array
from gengap.errors import ModelError
from gengap.keras_models.clone import excluded_from_decay
from gengap.keras_models.private import all_layers, origin_of


@dataclass(frozen=True, eq=False)
class PackedModel:
    """A compiled model as plain values.

    Attributes:
        config: Architecture and compile state, as Keras serializes them, in JSON.
        weights: Its weights, in the order of `model.weights`.
        undecayed: Places among the trainable variables that its optimizer leaves out of weight decay.
        custom: The user's own classes and functions that the configuration names.
    """

    config: str
    weights: Sequence[Array]
    undecayed: Sequence[int]
    custom: Mapping[str, Any]


def pack(model: keras.Model) -> PackedModel:
    """Take a model apart.

    Raises:
        ModelError: Its configuration does not survive JSON, or holds a lambda, which Keras writes as machine code that
            it then refuses to read.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="The object being serialized includes a `lambda`"
            )  # refused below
            config = json.dumps(keras.saving.serialize_keras_object(model))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ModelError(
            f"The model {model.name!r} cannot be written as a configuration, which it needs to reach another process: "
            f"give its classes get_config() ({error})."
        ) from error
    if "__lambda__" in config:
        raise ModelError(
            f"The model {model.name!r} uses a lambda, which cannot reach another process: write it as a function with "
            "a name, in a module that can be imported."
        )
    undecayed = {id(variable) for variable in excluded_from_decay(model)}
    places = [place for place, variable in enumerate(model.trainable_variables) if id(variable) in undecayed]
    return PackedModel(config, model.get_weights(), places, dict(custom_objects(model)))


def unpack(packed: PackedModel) -> keras.Model:
    """Put a model together again."""
    with keras.saving.custom_object_scope(dict(packed.custom)):
        model = keras.saving.deserialize_keras_object(json.loads(packed.config))
    model.set_weights(list(packed.weights))
    for layer in all_layers(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with tensors that it derives from its weights once
    if packed.undecayed:
        variables = [model.trainable_variables[place] for place in packed.undecayed]
        getattr(model.optimizer, "inner_optimizer", model.optimizer).exclude_from_weight_decay(var_list=variables)
    return model


def custom_objects(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """Yield the classes and functions that are not Keras' own, under the names that a configuration gives them."""
    layers = all_layers(model)
    parts = [*layers, model.optimizer, *model.metrics, *keras.tree.flatten(model.loss)]
    values = [value for part in parts for value in (part, *_attributes(part))]
    for value in values:
        found = value if inspect.isfunction(value) or inspect.isclass(value) else type(value)
        if origin_of(found) not in {"keras", "builtins"}:
            yield keras.saving.get_registered_name(found), found


def _attributes(part: Any) -> list[Any]:
    """Return what a layer, loss or metric holds that may be a user's: activations, initializers, regularizers."""
    return [value for value in getattr(part, "__dict__", {}).values() if _is_object_of_keras(value)]


def _is_object_of_keras(value: Any) -> bool:
    kinds = (keras.regularizers.Regularizer, keras.initializers.Initializer, keras.constraints.Constraint)
    return inspect.isfunction(value) or isinstance(value, kinds)
