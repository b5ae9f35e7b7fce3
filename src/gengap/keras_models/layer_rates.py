"""Keras' optimizers with a learning rate for each layer: ordinary optimizers, which train without us and are saved."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from gengap.errors import ModelError
from gengap.keras_models.private import optimizer_class, place_of, with_factors

_LINEAR = ("SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Nadam", "Adagrad", "Adadelta", "Lion", "Lamb")
"""Whose step is the learning rate times something that does not know it, so that half the rate is half the step."""


def with_layer_factors(base: Any) -> Any:
    """Return a subclass of one of Keras' optimizers with a factor of the learning rate for each variable.

    Args:
        base: The public class.

    Returns:
        The class: `factors`, in the order of the variables it is built for, are part of its configuration, and `plain`
        is the base.
    """
    scaled: Any = with_factors(base)

    class WithLayerRates(scaled):  # type: ignore[misc]  # a class that only its caller knows
        plain = base

        def __init__(self, *args: Any, factors: Sequence[float] = (), **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.factors = tuple(map(float, factors))

        def build(self, variables: Sequence[Any]) -> None:
            if len(self.factors) != len(variables):
                raise ValueError(
                    f"{type(self).__name__} has learning rates for {len(self.factors)} trained weights, and the model "
                    f"trains {len(variables)}: freeze and thaw before gg.LearningRate(factor, on=...), not after it, "
                    "and compile anew with a plain optimizer where layers have changed."
                )
            super().build(variables)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "factors": list(self.factors)}

    return WithLayerRates


def _made(name: str) -> Any:
    made = with_layer_factors(getattr(keras.optimizers, name))
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


def plain_class(optimizer: keras.optimizers.Optimizer) -> Any | None:
    """Return the public class of a Keras optimizer, whether it has rates for layers or not; None for a user's."""
    kind = type(optimizer)
    return kind.plain if kind in _CLASSES.values() else optimizer_class(optimizer)


def has_layer_rates(optimizer: keras.optimizers.Optimizer) -> bool:
    """Tell whether an optimizer has a learning rate for each layer."""
    return type(optimizer) in _CLASSES.values()


def with_layer_rates(optimizer: keras.optimizers.Optimizer, configuration: Mapping[str, Any]) -> Any:
    """Return an optimizer of a configuration that can have a rate for each layer; its class is among `NAMES`."""
    return _CLASSES[plain_class(optimizer)].from_config(dict(configuration))


def factors_of(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> dict[int, float]:
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


def set_factors(model: keras.Model, optimizer: keras.optimizers.Optimizer, factors: Mapping[int, float]) -> None:
    """Give an optimizer that is not built yet the factors of a model's trained weights, by `id`; 1 where none is."""
    optimizer.factors = listed(model.trainable_variables, factors)


def listed(variables: Sequence[Any], factors: Mapping[int, float]) -> tuple[float, ...]:
    """Return the factors of some variables in their order."""
    return tuple(factors.get(id(variable), 1.0) for variable in variables)
