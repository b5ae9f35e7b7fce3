"""In-place updates of stacked weights, one learning rate and one weight decay per run, equal to Keras' own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

Strength = float | torch.Tensor
"""A number for all runs, or a tensor that broadcasts against the weights: `(K, 1, ...)` for stacked ones."""


class UpdateRule(ABC):
    """A rule that changes weights in place, elementwise, so that any slice may be updated by itself."""

    @abstractmethod
    def slots(self, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the state that the rule keeps for `weights`: zeros of the same shape, none for plain SGD."""

    @abstractmethod
    def update(
        self,
        weights: torch.Tensor,
        gradient: torch.Tensor,
        slots: Sequence[torch.Tensor],
        *,
        step: int,
        learning_rate: Strength,
    ) -> None:
        """Change `weights` and `slots` in place; `gradient` is scratch afterwards. `step` counts from 1."""


@dataclass(frozen=True)
class SGD(UpdateRule):
    """Keras' SGD, with momentum and Nesterov's look-ahead."""

    momentum: float = 0.0
    nesterov: bool = False


@dataclass(frozen=True)
class RMSprop(UpdateRule):
    """Keras' RMSprop: epsilon stands inside the root."""

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False


@dataclass(frozen=True)
class Adam(UpdateRule):
    """Keras' Adam; with `decay_weights` before it, AdamW."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False


def rule_from_keras(optimizer: Any) -> UpdateRule | None:
    """Return the kernel of a Keras optimizer's update, or None where there is no kernel for it (take another door).

    Only the update: learning rate, decoupled weight decay, clipping, EMA and accumulation stay the caller's.
    None too for SGD, RMSprop, Adam, AdamW subclasses of the user's own.
    """


def decay_weights(weights: torch.Tensor, *, learning_rate: Strength, weight_decay: Strength) -> None:
    """Shrink `weights` in place by `learning_rate * weight_decay`, as Keras does before the update."""
