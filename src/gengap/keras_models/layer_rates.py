"""Keras' optimizers with a learning rate for each layer: ordinary optimizers, which train without us and are saved."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from gengap.errors import ModelError
from gengap.keras_models.private import optimizer_class, place_of, with_factors

_LINEAR = ("SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Nadam", "Adagrad", "Adadelta", "Lion", "Lamb")
"""Whose step is the learning rate times something that does not know it, so that half the rate is half the step."""


def _made(name: str) -> Any:
    base = getattr(keras.optimizers, name)
    made = with_factors(base)
    made.__name__ = made.__qualname__ = f"{name}WithLayerRates"
    made.__module__ = __name__  # where pickles find it
    made.__doc__ = f"Keras' {name}, the learning rate and decay of each trained weight times a factor of its own."
    return keras.saving.register_keras_serializable("gengap")(made)


_CLASSES = {getattr(keras.optimizers, name): _made(name) for name in _LINEAR}
OWN_OBJECTS = {f"gengap>{made.__name__}": made for made in _CLASSES.values()}
"""These classes by the names that they are saved under."""
globals().update({made.__name__: made for made in _CLASSES.values()})
NAMES = tuple(base.__name__ for base in _CLASSES)
"""Optimizers that can have a learning rate for each layer."""


def plain_class(optimizer: Any) -> Any | None:
    """Return the public class of a Keras optimizer, whether it has rates for layers or not; None for a user's."""
    kind = type(optimizer)
    return kind.plain if kind in _CLASSES.values() else optimizer_class(optimizer)


def has_layer_rates(optimizer: Any) -> bool:
    """Tell whether an optimizer has a learning rate for each layer."""
    return type(optimizer) in _CLASSES.values()


def with_layer_rates(optimizer: Any, configuration: Mapping[str, Any]) -> Any:
    """Return an optimizer of a configuration that can have a rate for each layer; its class is among `NAMES`."""
    return _CLASSES[plain_class(optimizer)].from_config(dict(configuration))


def factors_of(model: Any, optimizer: Any) -> dict[int, float]:
    """Return the factor of the learning rate of each trained weight of a model, by `id`; nothing where all have one.

    Args:
        model: The model.
        optimizer: Its optimizer, out of what scales losses.

    Raises:
        ModelError: Layers were frozen or thawed since.
    """
    if not has_layer_rates(optimizer) or not optimizer.factors:
        return {}
    variables = model.trainable_variables
    try:
        if optimizer.built:
            return {id(one): optimizer.factors[place_of(optimizer, one)] for one in variables}
        return {id(one): factor for one, factor in zip(variables, optimizer.factors, strict=True)}
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"Model {model.name!r} trains {len(variables)} weights, and its optimizer has learning rates for "
            f"{len(optimizer.factors)} others: compile it anew with a plain optimizer, then gg.LearningRate(factor, "
            "on=...)."
        ) from error


def set_factors(model: Any, optimizer: Any, factors: Mapping[int, float]) -> None:
    """Give an optimizer that is not built yet the factors of a model's trained weights, by `id`; 1 where none is."""
    optimizer.factors = listed(model.trainable_variables, factors)


def listed(variables: Sequence[Any], factors: Mapping[int, float]) -> tuple[float, ...]:
    """Return the factors of some variables in their order."""
    return tuple(factors.get(id(variable), 1.0) for variable in variables)
