"""L1 and L2 penalties with one strength per run: their values, and their gradients added in place."""

import torch

from gengap.engine.kernels.optimizers import Strength


def add_penalty_gradient(gradient: torch.Tensor, weights: torch.Tensor, *, l1: Strength, l2: Strength) -> None:
    """Add `l1 * sign(w) + 2 * l2 * w` to `gradient` in place; strengths broadcast against `weights`."""


def penalty_values(weights: torch.Tensor, *, l1: torch.Tensor, l2: torch.Tensor) -> torch.Tensor:
    """Return `l1 * sum|w| + l2 * sum w^2` of each run: weights `(K, ...)`, strengths `(K,)`, result `(K,)`."""
