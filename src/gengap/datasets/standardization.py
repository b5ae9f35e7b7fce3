"""Standardization: mean 0 and standard deviation 1 over the training cases, the same shift and scale everywhere."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024  # cases


@dataclass(frozen=True, eq=False)
class Standardization:
    """Shift and scale of the last axis, learned from training cases alone.

    Attributes:
        mean: Mean of each entry of the last axis over the training cases.
        deviation: Standard deviation of the same (divided by n); 1 where an entry is constant.

    Example:
        >>> train = np.array([[1.0, 7.0], [3.0, 7.0]])
        >>> Standardization.of(train)(np.array([[5.0, 8.0]]))
        array([[3., 1.]])
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, train: NDArray[Any]) -> Self:
        """Learn shift and scale from training cases, shape `(n, ..., features)`; sums are in float64."""
        axes = tuple(range(train.ndim - 1))
        # in blocks: np.std would make a float64 copy of all training cases
        blocks = [train[start : start + BLOCK] for start in range(0, len(train), BLOCK)]
        count = train.size // train.shape[-1]
        mean = sum(block.sum(axis=axes, dtype=np.float64) for block in blocks) / count
        variance = sum(((block - mean) ** 2).sum(axis=axes) for block in blocks) / count
        # what a constant channel keeps after rounding is no spread
        spread = variance > (np.finfo(np.float64).eps * np.abs(mean)) ** 2
        return cls(mean, np.where(spread, np.sqrt(variance), 1.0))

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the standardized values, in the type of `values`."""
        shift, scale = (part.astype(values.dtype) for part in (self.mean, self.deviation))
        standardized: NDArray[Any] = (values - shift) / scale
        return standardized

    def in_place(self, values: NDArray[np.floating[Any]]) -> None:
        """Standardize without a copy, for arrays that fill the memory."""
        values -= self.mean.astype(values.dtype)
        values /= self.deviation.astype(values.dtype)
