"""How a function is computed for several runs at once, and what calling it tells of it."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from keras import tree

INSISTS_ON_ITS_BATCH = (ValueError, TypeError, RuntimeError, IndexError)
"""What a function raises that takes batches of one size only."""


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
    except INSISTS_ON_ITS_BATCH:
        return False


def unlike(batch: torch.Tensor) -> torch.Tensor:
    """Return another batch of the same shape whose means, maxima and order differ."""
    if batch.is_floating_point():
        return batch.roll(1, dims=0) * 1.5 + 0.25
    return batch[:1].expand_as(batch).contiguous()


def sane(batch: torch.Tensor) -> torch.Tensor:
    """Return a batch fit to be probed with, whatever the run that it comes from has come to."""
    return batch.detach().nan_to_num() if batch.is_floating_point() else batch


class PerRun:
    """A function of the tensors of one run, computed for all runs so that none can see another.

    Where it is not known to treat samples independently, torch's `vmap` computes it for all runs at once, each with the
    samples of its own batch, whatever the function does with them; where `vmap` cannot (a function that looks at
    numbers, draws some or leaves torch), it is called run by run. A trial on one batch could not tell: a loss that
    compares every positive with every negative of a batch looks independent on a batch of one label.

    Args:
        function: Takes tensors `(B, ...)` and returns one tensor.
        separate: Whether it is known to treat samples independently, see `separability`: then it is called once, on
            the samples of all runs as one batch.
    """

    def __init__(self, function: Callable[..., Any], *, separate: bool) -> None:
        self._function = function
        self.separate = separate
        self._maps: bool | None = None

    def __call__(self, *values: torch.Tensor) -> torch.Tensor:
        """Return the function's results of all runs, from values `(K, B, ...)`; the first axis is the run."""
        num_runs = values[0].shape[0]
        if self.separate:
            result: torch.Tensor = self._function(*(value.flatten(0, 1) for value in values))
            return result.reshape(num_runs, -1, *result.shape[1:])
        if num_runs > 1 and self._maps is None:
            self._maps = maps(self._function, values)
        if num_runs > 1 and self._maps:
            return torch.vmap(self._function)(*values)  # type: ignore[no-any-return]
        return torch.stack([self._function(*(value[k] for value in values)) for k in range(num_runs)])


def maps(function: Callable[..., Any], values: Sequence[torch.Tensor]) -> bool:
    """Tell whether `vmap` computes a function of all runs, and what it gives is what it gives run by run."""
    inputs = [sane(value) for value in values]
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message=".*performance drop")  # operations that vmap does one by one
            together = tree.flatten(torch.vmap(function)(*inputs))
            for k in range(len(inputs[0])):
                alone = tree.flatten(function(*(value[k] for value in inputs)))
                if not all(_equal(one[k], other) for one, other in zip(together, alone, strict=True)):
                    return False
    except Exception:  # noqa: BLE001  whatever a user's function says to a tensor of vmap's, it is called run by run
        return False
    return True


def _joined(a: Any, b: Any, c: Any) -> bool:
    if not torch.is_tensor(c) or c.ndim == 0 or c.shape[0] != a.shape[0] + b.shape[0]:
        return False
    return _equal(torch.cat([a, b]), c)


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one.float(), other.float(), rtol=1e-4, atol=1e-5, equal_nan=True)
