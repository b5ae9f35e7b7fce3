"""Keras variables whose memory is the engine's: what lets Keras' own optimizers update a stack."""

from collections.abc import Mapping

import keras
import numpy as np
import torch

from gengap.engine.optimizers.base import Array, to_numpy
from gengap.keras_models.private import averages_of, put_value


def variable_over(value: torch.Tensor, name: str) -> keras.Variable:
    """Return a Keras variable of the shape of `value`, over its memory."""
    variable = keras.Variable(
        np.zeros(tuple(value.shape), dtype=np.float32), dtype=str(value.dtype).removeprefix("torch."),
        name=name.replace("/", "_"),
    )  # fmt: skip
    bind(variable, value)
    return variable


def bind(variable: keras.Variable, value: torch.Tensor) -> None:
    """Let a variable read and write the memory of `value`."""
    put_value(variable, value)


def numpy_state(optimizer: keras.optimizers.Optimizer) -> dict[str, Array]:
    """Return an optimizer's variables by position."""
    return {f"variable/{number}": to_numpy(one.value) for number, one in enumerate(optimizer.variables)}


def load_optimizer(optimizer: keras.optimizers.Optimizer, state: Mapping[str, Array]) -> None:
    """Assign variables that `numpy_state` returned."""
    for number, variable in enumerate(optimizer.variables):
        variable.assign(np.asarray(state[f"variable/{number}"]))


def moving_averages(optimizer: keras.optimizers.Optimizer) -> list[torch.Tensor] | None:
    """Return the averages of the weights that an optimizer with `use_ema` keeps; None without.

    Keras puts them into the model only when training ends, or by a callback; a study scores them at every epoch.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not inner.use_ema:
        return None
    return [average.value.detach() for average in averages_of(inner)]
