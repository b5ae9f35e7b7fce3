"""Gradient clipping of K runs: every norm is over one run alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gengap.layers.stack import Stack


@dataclass(frozen=True, eq=False)
class Clipping:
    """Limits of each run, `(K, 1)`; infinite where a run has none; None where no run has any.

    Attributes:
        value: Largest absolute value of a gradient's element.
        norm: Largest norm of the gradient of one weight.
        global_norm: Largest norm of all gradients of a run.
    """

    value: torch.Tensor | None
    norm: torch.Tensor | None
    global_norm: torch.Tensor | None

    def apply(self, stack: Stack) -> None:
        """Clip the stack's gradients in place, as Keras does."""
        gradients = stack.gradients
        if self.value is not None:
            torch.minimum(torch.maximum(gradients, -self.value, out=gradients), self.value, out=gradients)
        if self.norm is not None:
            for place in stack.trained():
                gradient = stack.gradient(place)
                norm = gradient.flatten(1).norm(dim=1, keepdim=True)
                gradient.mul_(
                    (self.norm / torch.maximum(norm, self.norm)).nan_to_num(1.0).view(-1, *[1] * (gradient.ndim - 1))
                )
        if self.global_norm is not None:
            norm = gradients.norm(dim=1, keepdim=True)
            gradients.mul_((self.global_norm / torch.maximum(norm, self.global_norm)).nan_to_num(1.0))

    def keep(self, index: torch.Tensor) -> "Clipping":
        """Return the limits of the runs at these positions."""
        parts = (self.value, self.norm, self.global_norm)
        return Clipping(*(None if part is None else part.index_select(0, index) for part in parts))


def read_clipping(optimizers: Sequence[Any], device: torch.device) -> Clipping:
    """Read the limits off Keras optimizers, one per run."""

    def limits(name: str) -> torch.Tensor | None:
        given = [getattr(optimizer, name) for optimizer in optimizers]
        if not any(given):
            return None
        return torch.tensor([float(one or torch.inf) for one in given], device=device).view(-1, 1)

    return Clipping(limits("clipvalue"), limits("clipnorm"), limits("global_clipnorm"))
