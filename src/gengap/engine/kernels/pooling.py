"""Keras' average and maximum pooling of channels-last activations, without copying them into torch's order."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch.nn import functional

from gengap.engine.kernels.window import Padding, channels_first, channels_last, pad_same

Pool = Callable[..., torch.Tensor]

_AVERAGE = (
    partial(functional.avg_pool2d, count_include_pad=False),
    partial(functional.avg_pool3d, count_include_pad=False),
)
_MAX = (functional.max_pool2d, functional.max_pool3d)


def average_pool(
    x: torch.Tensor, *, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
) -> torch.Tensor:
    """Return the mean of each window.

    Args:
        x: Activations, `(N, *space, channels)`.
        pool_size: Size of the window along each dimension of space.
        strides: Its steps.
        padding: `"valid"` or `"same"`. As in Keras on torch, even padding is left out of the mean, and uneven padding
            repeats the edge.
    """
    return _pool(_AVERAGE, x, pool_size, strides, padding)


def max_pool(x: torch.Tensor, *, pool_size: Sequence[int], strides: Sequence[int], padding: Padding) -> torch.Tensor:
    """Return the maximum of each window, of what lies inside.

    Args:
        x: Activations, `(N, *space, channels)`.
        pool_size: Size of the window along each dimension of space.
        strides: Its steps.
        padding: `"valid"` or `"same"`.
    """
    return _pool(_MAX, x, pool_size, strides, padding)


def _pool(
    operations: tuple[Pool, Pool],
    x: torch.Tensor,
    pool_size: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
) -> torch.Tensor:
    if len(pool_size) == 1:  # torch's pooling of lines copies into its own order, that of planes does not
        return _pool(operations, x.unsqueeze(1), (1, *pool_size), (1, *strides), padding).squeeze(1)
    amounts = pad_same(x.shape[1:-1], pool_size, strides, padding, (1,) * len(pool_size))
    first, symmetric = channels_first(x), tuple(before for before, _ in amounts)
    if any(before != after for before, after in amounts):
        sides = [side for amount in reversed(amounts) for side in amount]
        first, symmetric = functional.pad(first, sides, mode="replicate"), (0,) * len(pool_size)
    pool = operations[len(pool_size) - 2]
    return channels_last(pool(first, tuple(pool_size), tuple(strides), symmetric))
