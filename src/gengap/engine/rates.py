"""Learning rates that change between epochs, run by run, as two of Keras' callbacks change them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gengap.errors import DataError, ModelError

LEARNING_RATE = "learning_rate"
"""The name of the rate in a run's history, as in Keras' logs."""


@dataclass(frozen=True)
class EpochSchedule:
    """The rate is set before every epoch, as by Keras' LearningRateScheduler.

    Attributes:
        function: Takes the number of the epoch, from 0, and the rate so far, and returns the rate of the epoch.
    """

    function: Callable[..., Any]

    def rate(self, epoch: int, rate: float) -> float:
        """Return the rate of an epoch, from 0.

        Raises:
            ValueError: The function does not return a positive number, or zero.
        """
        try:
            given = self.function(epoch, rate)
        except TypeError:  # Keras' older form, which it still takes
            given = self.function(epoch)
        if not isinstance(given, float | np.floating) or not np.isfinite(given) or given < 0:
            raise ValueError(
                f"LearningRateScheduler: the function must return a rate, a float from 0, for epoch {epoch} and the "
                f"rate {rate:g}; received {given!r}."
            )
        return float(given)


@dataclass(frozen=True)
class ReduceOnPlateau:
    """The rate falls when a curve has not fallen for some epochs, as by Keras' ReduceLROnPlateau.

    Attributes:
        monitor: A curve of the run's history, smaller is better: `loss`, `val_loss` or `val_score`.
        factor: What the rate is multiplied by.
        patience: Epochs without a better value before it is.
        min_delta: A better value is lower by more than this.
        cooldown: Epochs after a fall in which none are counted.
        min_lr: The rate does not fall below it.
    """

    monitor: str
    factor: float
    patience: int
    min_delta: float
    cooldown: int
    min_lr: float


RateRule = EpochSchedule | ReduceOnPlateau


@dataclass
class _Waiting:
    """How far a run is under one `ReduceOnPlateau`: Keras' `best`, `wait` and `cooldown_counter`."""

    best: float | None = None
    wait: int = 0
    cooldown: int = 0

    def falls(self, rule: ReduceOnPlateau, value: float, rate: float) -> bool:
        """Take in the value of an epoch, in the order of Keras, and say whether the rate falls."""
        if self.cooldown > 0:
            self.cooldown, self.wait = self.cooldown - 1, 0
        if self.best is None or np.float32(value + rule.min_delta) < np.float32(self.best):  # Keras' precision
            self.best, self.wait = value, 0
            return False
        if self.cooldown > 0:
            return False
        self.wait += 1
        if self.wait < rule.patience or rate <= float(np.float32(rule.min_lr)):
            return False
        self.cooldown, self.wait = rule.cooldown, 0
        return True


@dataclass
class RunRates:
    """The rate of one run from epoch to epoch.

    Args:
        rules: What changes it, in the order in which the callbacks were given.
        rate: What the optimizer holds in the beginning.
    """

    rules: Sequence[RateRule]
    rate: float
    _waiting: list[_Waiting] = field(init=False)

    def __post_init__(self) -> None:
        self._waiting = [_Waiting() for _ in self.rules]

    def begin(self, epoch: int) -> float:
        """Return the rate of an epoch, from 1."""
        for rule in self.rules:
            if isinstance(rule, EpochSchedule):
                self.rate = _as_held(rule.rate(epoch - 1, self.rate))
        return self.rate

    def end(self, logs: Mapping[str, float]) -> None:
        """Let the rate fall, where the curves of the epoch say so."""
        for rule, waiting in zip(self.rules, self._waiting, strict=True):
            if isinstance(rule, ReduceOnPlateau) and waiting.falls(rule, logs[rule.monitor], self.rate):
                self.rate = _as_held(max(self.rate * rule.factor, rule.min_lr))

    def state(self) -> list[Any]:
        """Return what `restore` goes on from, as JSON can hold it."""
        return [self.rate, *([one.best, one.wait, one.cooldown] for one in self._waiting)]

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from what `state` returned."""
        self.rate = float(state[0])
        self._waiting = [_Waiting(*one) for one in state[1:]]


def rate_of(optimizer: Any) -> float:
    """Return the rate that a Keras optimizer holds now."""
    return _as_held(float(optimizer.learning_rate))


def has_schedule(optimizer: Any) -> bool:
    """Tell whether the learning rate of a Keras optimizer depends on the step."""
    rate = optimizer.get_config().get("learning_rate")
    return isinstance(rate, dict) or callable(rate)


def check_rates(models: Mapping[str, Any], rules: Sequence[RateRule]) -> None:
    """Check that the optimizers let callbacks set their rate.

    Args:
        models: Compiled models, by what they are called in a sentence.
        rules: What changes the learning rates between epochs.

    Raises:
        ModelError: An optimizer has a schedule of its own, which sets the rate at every step.
    """
    for name, model in models.items() if rules else ():
        if has_schedule(getattr(model.optimizer, "inner_optimizer", model.optimizer)):
            raise ModelError(
                f"The optimizer of {name} has a schedule of its own, which sets the rate at every step, so that no "
                "callback can: compile it with a number, or leave out ReduceLROnPlateau and LearningRateScheduler."
            )


def check_followed(rules: Sequence[RateRule], *, held_out: bool) -> None:
    """Check that there is something for falling rates to look at.

    Args:
        rules: What changes the learning rates between epochs.
        held_out: Whether there is a validation split.

    Raises:
        DataError: A rate follows a held-out score, and nothing is held out.
    """
    followed = [one.monitor for one in rules if isinstance(one, ReduceOnPlateau) and one.monitor.startswith("val_")]
    if followed and not held_out:
        raise DataError(
            f"ReduceLROnPlateau(monitor={followed[0]!r}) looks at a validation split: give `validation_data=` or "
            "`validation_split=`, or write monitor='loss'."
        )


def differ_by_run(rules: Sequence[RateRule]) -> bool:
    """Tell whether runs that begin with one rate may come to have several."""
    return any(isinstance(rule, ReduceOnPlateau) for rule in rules)


def describe_rates(rules: Sequence[RateRule], rate: float, epochs: int) -> list[Any]:
    """Describe rules as JSON: a function by the rates that it gives, since code has no form that lasts.

    Args:
        rules: The rules.
        rate: The rate in the beginning.
        epochs: For how many epochs it is asked.

    Raises:
        ValueError: A function gives no rate, or another one the second time it is asked.
    """
    return [
        {"schedule": _course(rule, rate, epochs)} if isinstance(rule, EpochSchedule) else {"plateau": vars(rule)}
        for rule in rules
    ]


def _course(rule: EpochSchedule, rate: float, epochs: int) -> list[float]:
    first, again = ([*_asked(rule, rate, epochs)] for _ in range(2))
    if first != again:
        raise ValueError(
            "LearningRateScheduler: asked twice for the same epochs, the function gave different rates. Runs train "
            "together and share it, so it must depend on nothing but the epoch and the rate."
        )
    return first


def _asked(rule: EpochSchedule, rate: float, epochs: int) -> list[float]:
    alone = RunRates([rule], rate)
    return [alone.begin(epoch) for epoch in range(1, epochs + 1)]


def _as_held(rate: float) -> float:
    """Return a rate as an optimizer holds it, in float32: what the next one is computed from."""
    return float(np.float32(rate))
