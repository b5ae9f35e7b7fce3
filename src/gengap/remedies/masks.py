"""What dropout does to a matrix: the two right ways to scale, the wrong one, and whole maps instead of values."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scaling = Literal["training", "inference"]


@dataclass(frozen=True, eq=False)
class DroppedOut:
    """Activations with dropout, in training and at inference.

    Attributes:
        training: What the next layer sees in training, with this mask, same shape as the activations.
        inference: What it sees at inference.
        mask: Which values were kept.
    """

    training: NDArray[np.float64]
    inference: NDArray[np.float64]
    mask: NDArray[np.bool_]


def drop_out(
    activations: ArrayLike, rate: float, *, scaling: Scaling = "training", spatial: bool = False, seed: int = 0
) -> DroppedOut:
    r"""Drop each value, or each whole map, with probability `rate`, and scale so that expectations agree.

    With a mask $m \sim \mathrm{Bernoulli}(1 - r)$ there are two right ways. Scale up in training (inverted dropout,
    what Keras does): $x m / (1 - r)$ in training and $x$ at inference. Or scale down at inference: $x m$ in training
    and $x (1 - r)$ at inference. Either way the mean over masks in training is what inference gives. Dividing by the
    rate itself is wrong, and a rate of .5 hides it.

    Args:
        activations: Shape `(..., maps)`.
        rate: Probability of being dropped, in [0, 1).
        scaling: When to scale: `"training"` (up) or `"inference"` (down).
        spatial: Whether whole maps (entries of the last axis) are dropped instead of single values.
        seed: Fixes the mask.

    Returns:
        The activations in training and at inference.

    Raises:
        ValueError: `rate` is outside [0, 1).

    Example:
        >>> drop_out([[1.0, 1.0, 1.0, 1.0]], 0.2, seed=1).training
        array([[1.25, 1.25, 0.  , 1.25]])
    """
    if not 0 <= rate < 1:
        raise ValueError(f"`rate` must be in [0, 1), received {rate!r}.")
    x = np.asarray(activations, dtype=np.float64)
    shape: Any = (*(1,) * (x.ndim - 1), x.shape[-1]) if spatial else x.shape
    mask = np.broadcast_to(np.random.default_rng(seed).random(shape) >= rate, x.shape)
    if scaling == "training":
        return DroppedOut(x * mask / (1 - rate), x, mask)
    return DroppedOut(x * mask, x * (1 - rate), mask)
