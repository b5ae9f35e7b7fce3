"""Weight penalties of K runs, each with its own strengths, put straight into the gradient."""

from collections.abc import Sequence
from typing import Any

import keras
import torch

from gengap.kernels.penalties import add_penalty_gradient, penalty_values
from gengap.layers.of_each import of_each
from gengap.layers.stack import Stack


class Penalties:
    """What the regularizers of the runs' weights add to their objectives.

    L1, L2 and L1L2 are read into one strength per run. Other regularizers are called as they are, once per run and
    weight, and differentiated by autograd.

    Args:
        models: The model of each run.
        stack: Their weights.
    """

    def __init__(self, models: Sequence[Any], stack: Stack) -> None:
        self._stack = stack
        self._known: list[tuple[int, torch.Tensor, torch.Tensor, bool, bool]] = []
        self._others: list[tuple[int, list[Any]]] = []
        weights = of_each(models, lambda model: model.weights)
        for place in stack.trained():
            regularizers = [own[place].regularizer for own in weights]
            strengths = [read_strengths(one) for one in regularizers]
            known = [one for one in strengths if one is not None]
            if len(known) < len(strengths):
                self._others.append((place, regularizers))
            elif any(l1 or l2 for l1, l2 in known):
                l1, l2 = torch.tensor(known, dtype=torch.float32, device=stack.device).unbind(1)
                self._known.append((place, l1, l2, not bool(l1.any()), not bool(l2.any())))

    def add_gradients(self, scale: torch.Tensor | None = None) -> None:
        """Add the penalties' gradients to the stack's, times the loss scale of each run, `(K,)`, where there is one."""
        for place, l1, l2, no_l1, no_l2 in self._known:
            weight = self._stack.values[place].detach()
            ones = [1] * (weight.ndim - 1)
            parts: list[torch.Tensor | float] = [
                0.0 if nothing else (part if scale is None else part * scale).view(-1, *ones)
                for part, nothing in ((l1, no_l1), (l2, no_l2))
            ]
            add_penalty_gradient(self._stack.gradient(place), weight, l1=parts[0], l2=parts[1])

    def differentiable(self) -> torch.Tensor | None:
        """Return the sum of the penalties that autograd has to see, `(K,)`; None where there are none."""
        if not self._others:
            return None
        zero = self._stack.flat.new_zeros(())
        totals = [zero for _ in range(self._stack.num_runs)]
        for place, regularizers in self._others:
            for k, (regularizer, weight) in enumerate(
                zip(regularizers, self._stack.values[place].unbind(0), strict=True)
            ):
                totals[k] = totals[k] if regularizer is None else totals[k] + regularizer(weight)
        return torch.stack(totals)

    @torch.no_grad()
    def values(self) -> torch.Tensor:
        """Return the penalty of each run as its weights are now, `(K,)`."""
        total = self._stack.flat.new_zeros(self._stack.num_runs)
        for place, l1, l2, _, _ in self._known:
            total += penalty_values(self._stack.values[place].detach(), l1=l1, l2=l2)
        others = self.differentiable()
        return total if others is None else total + others.detach()


def read_strengths(regularizer: Any) -> tuple[float, float] | None:
    """Return (L1, L2) of a regularizer; zeros for none, None for one that is neither L1 nor L2."""
    if regularizer is None:
        return 0.0, 0.0
    if type(regularizer) is keras.regularizers.L1L2:
        return float(regularizer.l1), float(regularizer.l2)
    if type(regularizer) is keras.regularizers.L1:
        return float(regularizer.l1), 0.0
    if type(regularizer) is keras.regularizers.L2:
        return 0.0, float(regularizer.l2)
    return None
