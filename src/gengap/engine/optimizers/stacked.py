"""Keras' own optimizer on the stacked weights: right where the update is elementwise and all runs share it."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import keras
import torch

from gengap.engine.optimizers.base import Array, Updater, config
from gengap.engine.optimizers.clipping import Clipping, read_clipping
from gengap.engine.optimizers.variables import bind, load_optimizer, moving_averages, numpy_state, variable_over
from gengap.keras_models.clone import copy_optimizer, excluded_from_decay, rate_factors
from gengap.keras_models.layer_rates import listed, plain_class
from gengap.layers.of_each import of_each
from gengap.layers.stack import Stack

_ELEMENTWISE = (
    "SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Nadam", "Adagrad", "Adadelta", "Lion", "Ftrl", "ScheduleFreeAdamW",
)  # fmt: skip


@final
class StackedOptimizer(Updater):
    """One Keras optimizer over variables that are the stack.

    Args:
        models: The compiled model of each run.
        stack: Their weights.
    """

    name = "stacked"

    def __init__(self, models: Sequence[Any], stack: Stack) -> None:
        self._stack = stack
        self._clipping: Clipping = read_clipping([model.optimizer for model in models], stack.device)
        self._original = models[0].optimizer
        excluded = {id(variable) for variable in excluded_from_decay(models[0])}
        self._excluded = [place for place in stack.trained() if id(models[0].weights[place]) in excluded]
        factors, trained = rate_factors(models[0]), stack.trained()
        self._factors = listed([models[0].weights[place] for place in trained], factors) if factors else ()
        self._build()

    @staticmethod
    def fits(models: Sequence[Any], stack: Stack) -> bool:  # noqa: ARG004  the doors are asked alike
        """Tell whether all runs share an elementwise optimizer of Keras, their clipping aside."""
        optimizers = [model.optimizer for model in models]
        first = optimizers[0]
        kind = plain_class(first)
        known = kind is not None and kind.__name__ in _ELEMENTWISE
        clips = {"clipvalue", "clipnorm", "global_clipnorm"}
        first_config = config(first)
        same = all(type(one) is type(first) and config(one) == first_config for one in optimizers[1:])
        clips_late = first.gradient_accumulation_steps and any(first_config.get(clip) for clip in clips)
        one_way_of_decay = len({len(excluded) for excluded in of_each(models, excluded_from_decay)}) == 1
        return known and same and not clips_late and one_way_of_decay

    def update(self) -> None:
        """Clip run by run, then let Keras update."""
        self._clipping.apply(self._stack)
        with torch.no_grad():
            self._optimizer.apply([self._stack.gradient(place) for place in self._stack.trained()], self._variables)

    def set_rates(self, rates: Sequence[float], *, differ: bool) -> None:  # noqa: ARG002  this door is not taken then
        """Set the one rate of all runs, which began with one."""
        self._optimizer.learning_rate = rates[0]

    def loss_scales(self) -> torch.Tensor | None:
        """Return the constant loss scale of all runs; Keras divides by it again."""
        factor = self._optimizer.loss_scale_factor
        return None if factor is None else torch.full((self._stack.num_runs,), float(factor), device=self._stack.device)

    def averages(self) -> list[torch.Tensor] | None:
        """Return the averages that Keras keeps with `use_ema`."""
        return moving_averages(self._optimizer)

    def keep(self, runs: Sequence[int]) -> None:
        """Build the optimizer anew on the smaller stack and give it the kept part of its state."""
        index = torch.as_tensor(list(runs), device=self._stack.device)
        self._clipping = self._clipping.keep(index)
        before = [variable.value.detach().clone() for variable in self._optimizer.variables]
        self._build()
        for variable, value in zip(self._optimizer.variables, before, strict=True):
            stacked = tuple(variable.shape) != tuple(value.shape)
            variable.assign(value.index_select(0, index) if stacked else value)

    def state(self) -> dict[str, Array]:
        """Return Keras' optimizer variables."""
        return numpy_state(self._optimizer)

    def restore(self, state: Mapping[str, Array]) -> None:
        """Assign Keras' optimizer variables."""
        load_optimizer(self._optimizer, state)

    def _build(self) -> None:
        self._optimizer = copy_optimizer(self._original)
        for clip in ("clipvalue", "clipnorm", "global_clipnorm"):
            setattr(self._optimizer, clip, None)
        if self._factors:
            self._optimizer.factors = self._factors
        values = {place: self._stack.values[place].detach() for place in self._stack.trained()}
        variables = {place: variable_over(value, self._stack.names[place]) for place, value in values.items()}
        for place, value in values.items():
            bind(variables[place], value)
        self._variables: list[keras.Variable] = list(variables.values())
        if self._excluded:
            self._optimizer.exclude_from_weight_decay(var_list=[variables[place] for place in self._excluded])
        with torch.no_grad():
            self._optimizer.build(self._variables)
