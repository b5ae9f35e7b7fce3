"""L1 and L2 penalties with one strength per run: their values, and their gradients added in place."""

import torch

from gengap.kernels.optimizers import Strength


def add_penalty_gradient(gradient: torch.Tensor, weights: torch.Tensor, *, l1: Strength, l2: Strength) -> None:
    """Add `l1 * sign(w) + 2 * l2 * w` to `gradient` in place.

    Args:
        gradient: Gradient of the data's part of the objective, changed in place.
        weights: Weights, same shape.
        l1: Strength of the absolute values; a number, or a tensor that broadcasts against `weights`.
        l2: Strength of the squares, likewise.
    """
    if isinstance(l2, torch.Tensor):
        gradient.addcmul_(weights, 2 * l2)
    elif l2:
        gradient.add_(weights, alpha=2 * l2)
    # sign(0) = 0 as in the gradient that torch gives Keras for |w|: a weight of 0 is moved by the data alone.
    if isinstance(l1, torch.Tensor):
        gradient.addcmul_(weights.sign(), l1)
    elif l1:
        gradient.add_(weights.sign(), alpha=l1)


def penalty_values(weights: torch.Tensor, *, l1: torch.Tensor, l2: torch.Tensor) -> torch.Tensor:
    """Return `l1 * sum|w| + l2 * sum w^2` of each run.

    Args:
        weights: Stacked weights, `(K, ...)`.
        l1: Strengths, `(K,)`.
        l2: Strengths, `(K,)`.

    Returns:
        Penalties, `(K,)`; exactly 0 where both strengths are 0, even for a run whose weights are not finite.
    """
    flat = weights.flatten(1)
    absolute = torch.where(l1 != 0, l1 * flat.abs().sum(1), 0.0)
    return absolute + torch.where(l2 != 0, l2 * flat.square().sum(1), 0.0)
