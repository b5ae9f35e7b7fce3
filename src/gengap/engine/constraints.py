"""Weight constraints of K runs, applied after every update as Keras does."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import torch

from gengap.keras_models.private import is_keras_own
from gengap.layers.of_each import of_each
from gengap.layers.stack import Stack

_BY_AXIS = {"MaxNorm", "UnitNorm", "MinMaxNorm"}


class Constraints:
    """The constraints of the runs' weights.

    Args:
        models: The model of each run; each weight may carry a constraint of its own in each run.
        stack: Their weights.
    """

    def __init__(self, models: Sequence[Any], stack: Stack) -> None:
        self._stack = stack
        weights = of_each(models, lambda model: model.weights)
        self._apply = [
            (place, _together([own[place].constraint for own in weights]))
            for place in range(len(stack.trainable))
            if place in stack.trained() and any(own[place].constraint is not None for own in weights)
        ]

    @torch.no_grad()
    def apply(self) -> None:
        """Project the weights back, in place."""
        for place, project in self._apply:
            value = self._stack.values[place].detach()
            value.copy_(project(value))


def _together(constraints: Sequence[Any]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return one function for all runs: a stacked one where they share a constraint that Keras' own code can stack."""
    first = constraints[0]
    name = type(first).__name__
    known = is_keras_own(first)
    same = all(type(one) is type(first) and one.get_config() == first.get_config() for one in constraints if one)
    if known and same and all(constraints):
        if name == "NonNeg":
            return lambda value: keras.ops.convert_to_tensor(first(value))
        axis = first.get_config().get("axis")
        if name in _BY_AXIS and isinstance(axis, int) and axis >= 0:
            shifted = type(first).from_config({**first.get_config(), "axis": axis + 1})
            return lambda value: keras.ops.convert_to_tensor(shifted(value))
    return lambda value: torch.stack(
        [one if constraint is None else constraint(one) for constraint, one in zip(constraints, value, strict=True)]
    )
