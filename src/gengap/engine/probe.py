"""Whether a function treats the samples of a batch independently, found out by calling it."""

from collections.abc import Callable
from typing import Any

import torch
from keras import tree

_INSISTS_ON_ITS_BATCH = (ValueError, TypeError, RuntimeError, IndexError)


def separates(function: Callable[..., Any], one: Any, other: Any) -> bool:
    """Tell whether two batches together give what they give apart, to rounding.

    Args:
        function: Takes the tensors of a batch and returns tensors whose first axis is the sample.
        one: Tuple of tensors: the arguments of a first batch.
        other: Those of a second batch, unlike the first in means, maxima and order: see `unlike`.
    """
    both = tree.map_structure(lambda a, b: torch.cat([a, b]), one, other)
    try:
        with torch.no_grad():
            results = [tree.flatten(function(*arguments)) for arguments in (one, other, both)]
            return all(_joined(a, b, c) for a, b, c in zip(*results, strict=True))
    except _INSISTS_ON_ITS_BATCH:
        return False


def unlike(batch: torch.Tensor) -> torch.Tensor:
    """Return another batch of the same shape whose means, maxima and order differ."""
    if batch.is_floating_point():
        return batch.roll(1, dims=0) * 1.5 + 0.25
    return batch[:1].expand_as(batch).contiguous()


def sane(batch: torch.Tensor) -> torch.Tensor:
    """Return a batch fit to be probed with, whatever the run that it comes from has come to."""
    return batch.detach().nan_to_num() if batch.is_floating_point() else batch


class SampleWise:
    """A function of tensors `(K, B, ...)`: called once on all runs' samples, or once per run where it mixes samples.

    Args:
        function: Takes tensors `(N, ...)` and returns one tensor. The first call decides, by `separates`.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.folds: bool | None = None

    def __call__(self, *values: torch.Tensor) -> torch.Tensor:
        """Return the function's results of all runs; the first axis is the run."""
        num_runs = values[0].shape[0]
        if self.folds is None:
            first = tuple(sane(value[0]) for value in values)
            self.folds = separates(self.function, first, tuple(map(unlike, first)))
        if not self.folds:
            return torch.stack([self.function(*(value[k] for value in values)) for k in range(num_runs)])
        result: torch.Tensor = self.function(*(value.flatten(0, 1) for value in values))
        return result.reshape(num_runs, -1, *result.shape[1:])


def _joined(a: Any, b: Any, c: Any) -> bool:
    if not torch.is_tensor(c) or c.ndim == 0 or c.shape[0] != a.shape[0] + b.shape[0]:
        return False
    return torch.allclose(torch.cat([a, b]).float(), c.float(), rtol=1e-4, atol=1e-5, equal_nan=True)
