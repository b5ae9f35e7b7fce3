"""What penalties leave of the weights: norms, and the share of weights near zero at every threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.keras_models.anatomy import Anatomy
from gengap.remedies.base import Model


@dataclass(frozen=True, eq=False)
class WeightSummary:
    """Sizes of the kernels of one trained model; biases and the scales of normalizations are left out.

    Attributes:
        l1: Sum of absolute weights.
        l2: Euclidean norm of all weights.
        count: Number of weights.
        thresholds: Where the sparsity was looked at, shape `(t,)`.
        sparsity: Share of weights whose size is below each threshold, shape `(t,)`.
    """

    l1: float
    l2: float
    count: int
    thresholds: NDArray[np.float64]
    sparsity: NDArray[np.float64]


def weight_summary(model: Model, thresholds: ArrayLike | None = None) -> WeightSummary:
    """Summarize the kernels of a model.

    Gradient training gives no exact zeros, under L1 neither: sparsity is the share of weights below a threshold, and a
    claim that rests on one threshold should hold over a range of them.

    Args:
        model: A Sequential or functional model.
        thresholds: Increasing sizes; None takes 61 from 1e-6 to 1.

    Returns:
        Norms, count and sparsity.
    """
    kernels = {
        id(variable): np.abs(np.asarray(variable.numpy() if hasattr(variable, "numpy") else variable, dtype=np.float64))
        for call in Anatomy.of(model).weighted()
        for variable in call.operation.weights
        if len(variable.shape) >= 2 and "bias" not in variable.name
    }
    sizes = np.sort(np.concatenate([kernel.ravel() for kernel in kernels.values()] or [np.zeros(0)]))
    steps = np.logspace(-6, 0, 61) if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    below = np.searchsorted(sizes, steps, side="left") / max(1, len(sizes))
    return WeightSummary(float(sizes.sum()), float(np.sqrt((sizes**2).sum())), len(sizes), steps, below)
