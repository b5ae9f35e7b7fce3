"""SGD, RMSprop, Adam and AdamW of all runs in place: runs may differ in learning rates, decay and clipping."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, final

import keras
import numpy as np
import torch

from gengap.engine.optimizers.base import Array, Updater, config, to_numpy
from gengap.engine.optimizers.clipping import read_clipping
from gengap.engine.rates import has_schedule
from gengap.keras_models.clone import copy_optimizer, excluded_from_decay, rate_factors
from gengap.kernels.optimizers import Strength, UpdateRule, decay_weights, rule_from_keras
from gengap.kernels.transfer import upload
from gengap.layers.of_each import of_each
from gengap.layers.stack import Stack

_OWN_WORK = ("loss_scale_factor", "gradient_accumulation_steps", "use_ema")


@final
class InPlace(Updater):
    """One rule on the buffer of all trainable weights.

    Args:
        models: The compiled model of each run.
        stack: Their weights.
    """

    name = "in place"

    def __init__(self, models: Sequence[Any], stack: Stack) -> None:
        optimizers = [model.optimizer for model in models]
        rule = rule_from_keras(optimizers[0])
        if rule is None:
            raise TypeError(f"There is no kernel for {type(optimizers[0]).__name__}.")
        self._stack = stack
        self.rule: UpdateRule = rule
        self._slots = rule.slots(stack.flat)
        self._clipping = read_clipping(optimizers, stack.device)
        self.rates = LearningRates(optimizers, stack.device)
        self.decays = _decays(models, stack)
        self._parts = _parts(models, stack)
        self.iterations = 0

    @staticmethod
    def fits(models: Sequence[Any], stack: Stack) -> bool:
        """Tell whether all runs share a rule that has a kernel, and nothing that only Keras does."""
        return stack.flat.dtype == torch.float32 and InPlace.shares_rule(models)

    @staticmethod
    def shares_rule(models: Sequence[Any]) -> bool:
        """Tell whether all runs share a rule that has a kernel, whatever the stack."""
        optimizers = [model.optimizer for model in models]
        rules = of_each(optimizers, rule_from_keras)
        alone = any(getattr(optimizer, name, None) for optimizer in optimizers for name in _OWN_WORK)
        schedules = [config(optimizer)["learning_rate"] for optimizer in optimizers if has_schedule(optimizer)]
        one_schedule = not schedules or (
            len(schedules) == len(optimizers) and all(s == schedules[0] for s in schedules)
        )
        return not alone and one_schedule and rules[0] is not None and all(rule == rules[0] for rule in rules)

    def update(self) -> None:
        """Clip, decay, update."""
        stack, rate = self._stack, self.rates.at(self.iterations)
        self.iterations += 1
        self._clipping.apply(stack)
        for place, decay in self.decays:
            value = stack.values[place].detach()
            ones = [1] * (value.ndim - 1)
            own_rate = rate.view(-1, *ones) if isinstance(rate, torch.Tensor) else rate
            decay_weights(value, learning_rate=own_rate, weight_decay=decay.view(-1, *ones))
        for columns, factor in self._parts:
            weights, gradients, *slots = (one[:, columns] for one in (stack.flat, stack.gradients, *self._slots))
            self.rule.update(weights, gradients, slots, step=self.iterations, learning_rate=rate * factor)

    def keep(self, runs: Sequence[int]) -> None:
        """Slice slots and strengths."""
        index = torch.as_tensor(list(runs), device=self._stack.device)
        self._slots = tuple(slot.index_select(0, index) for slot in self._slots)
        self._clipping = self._clipping.keep(index)
        self.rates.keep(index)
        self.decays = [(place, decay.index_select(0, index)) for place, decay in self.decays]
        self._parts = [
            (columns, factor.index_select(0, index) if isinstance(factor, torch.Tensor) else factor)
            for columns, factor in self._parts
        ]

    def set_rates(self, rates: Sequence[float], *, differ: bool) -> None:
        """Let each run go on with another rate."""
        self.rates.set(rates, differ=differ)

    def state(self) -> dict[str, Array]:
        """Return slots and the step."""
        slots = {f"slot/{number}": to_numpy(slot) for number, slot in enumerate(self._slots)}
        return {**slots, "iterations": np.array(self.iterations)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take slots and the step over."""
        for number, slot in enumerate(self._slots):
            slot.copy_(torch.from_numpy(np.array(state[f"slot/{number}"])))
        self.iterations = int(state["iterations"])


class LearningRates:
    """The learning rate of each run at each step.

    Args:
        optimizers: The Keras optimizer of each run; with a schedule they must share it.
        device: Where the runs are.
    """

    def __init__(self, optimizers: Sequence[Any], device: torch.device) -> None:
        self._optimizer = optimizers[0] if has_schedule(optimizers[0]) else None
        if self._optimizer is not None and device.type != "cpu":
            with keras.device("cpu"):  # asked at every step, a schedule on a GPU would make every step wait for it
                self._optimizer = copy_optimizer(self._optimizer)
        rates = of_each(optimizers, lambda optimizer: 0.0 if self._optimizer else float(optimizer.learning_rate))
        self._each = torch.tensor(rates, device=device).view(-1, 1)
        self._common = rates[0] if len(set(rates)) == 1 else None

    def at(self, iterations: int) -> float | torch.Tensor:
        """Return the rate after so many updates: one number, or `(K, 1)` where runs differ."""
        if self._optimizer is not None:
            with nullcontext() if self._each.device.type == "cpu" else keras.device("cpu"):
                self._optimizer.iterations.assign(iterations)
                return float(self._optimizer.learning_rate)
        return self._each if self._common is None else self._common

    def set(self, rates: Sequence[float], *, differ: bool) -> None:
        """Take other rates, one number a run; where all runs had one, and may not differ, they have one again."""
        self._each = upload(torch.tensor(list(rates)).view(-1, 1), self._each.device)
        self._common = None if differ or self._common is None else rates[0]

    def keep(self, index: torch.Tensor) -> None:
        """Keep the runs at these positions."""
        self._each = self._each.index_select(0, index)


def decays_at(models: Sequence[Any], place: int, device: torch.device) -> torch.Tensor | None:
    """Return the decoupled decay of one weight in each run, `(K,)`; None where no run decays it."""

    def strength_in(model: Any) -> float:
        strength = float(model.optimizer.weight_decay or 0.0)
        excluded = strength > 0 and any(model.weights[place] is one for one in excluded_from_decay(model))
        return 0.0 if excluded else strength

    strengths = of_each(models, strength_in)
    return torch.tensor(strengths, device=device) if any(strengths) else None


def factors_at(models: Sequence[Any], place: int) -> tuple[float, ...]:
    """Return the factor of the learning rate of one weight in each run."""
    return tuple(of_each(models, lambda model: rate_factors(model).get(id(model.weights[place]), 1.0)))


def _decays(models: Sequence[Any], stack: Stack) -> list[tuple[int, torch.Tensor]]:
    """Return what each run's learning rate is multiplied by, `(K,)`, for every weight of the buffer that any decays."""
    found = ((place, decays_at(models, place, stack.device)) for place in stack.trained())
    return [
        (place, decay * torch.tensor(factors_at(models, place), device=stack.device))
        for place, decay in found
        if decay is not None
    ]


def _parts(models: Sequence[Any], stack: Stack) -> list[tuple[slice, Strength]]:
    """Return the columns of the buffer that have their learning rates in common, with a factor or one of each run."""
    parts: list[tuple[slice, tuple[float, ...]]] = []
    start = 0
    for place in stack.trained():
        stop, factors = start + stack.values[place][0].numel(), factors_at(models, place)
        if parts and parts[-1][1] == factors:
            parts[-1] = slice(parts[-1][0].start, stop), factors
        else:
            parts.append((slice(start, stop), factors))
        start = stop
    return [
        (columns, factors[0] if len(set(factors)) == 1 else torch.tensor(factors, device=stack.device).view(-1, 1))
        for columns, factors in parts
    ]
