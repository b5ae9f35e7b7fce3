"""Keras' average and maximum pooling of channels-last activations, without copying them into torch's order."""

from collections.abc import Callable, Sequence
from functools import cache, partial

import keras
import numpy as np
import torch
from torch.nn import functional

from gengap.kernels.window import Padding, channels_first, channels_last, pad_same

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
        padding: `"valid"` or `"same"`. As in Keras on torch, even padding is left out of the mean; uneven padding
            repeats the edge up to Keras 3.15, and is left out too from 3.16 on.
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
    if padding == "same" and operations is _AVERAGE and not _edges_are_repeated():
        return _mean_of_what_lies_inside(x, pool_size, strides)
    amounts = pad_same(x.shape[1:-1], pool_size, strides, padding, (1,) * len(pool_size))
    first, symmetric = channels_first(x), tuple(before for before, _ in amounts)
    if any(before != after for before, after in amounts):
        sides = [side for amount in reversed(amounts) for side in amount]
        # Of a maximum repeated edges change nothing: a window that reaches over the edge holds the edge itself.
        first, symmetric = functional.pad(first, sides, mode="replicate"), (0,) * len(pool_size)
    pool = operations[len(pool_size) - 2]
    return channels_last(pool(first, tuple(pool_size), tuple(strides), symmetric))


@cache
def _edges_are_repeated() -> bool:
    """Tell whether this Keras fills uneven padding with the edge before it takes the mean; found out by asking it."""
    with keras.device("cpu"):
        line = np.array([0, 0, 0, 6], np.float32).reshape(1, 4, 1)
        last = keras.ops.convert_to_numpy(keras.ops.average_pool(line, 3, strides=2, padding="same"))[0, -1, 0]
    return abs(float(last) - 4.0) < 0.5  # (0 + 6 + 6) / 3, or (0 + 6) / 2


def _mean_of_what_lies_inside(x: torch.Tensor, pool_size: Sequence[int], strides: Sequence[int]) -> torch.Tensor:
    amounts = pad_same(x.shape[1:-1], pool_size, strides, "same", (1,) * len(pool_size))
    first = channels_first(x)
    sides = [side for amount in reversed(amounts) for side in amount]
    inside = functional.pad(first.new_ones(1, 1, *first.shape[2:]), sides)
    # Means over whole windows, zeros and ones padded alike: (sum / size) / (inside / size), in which the size cancels.
    pool = (functional.avg_pool2d, functional.avg_pool3d)[len(pool_size) - 2]
    window = tuple(pool_size), tuple(strides)
    return channels_last(pool(functional.pad(first, sides), *window) / pool(inside, *window))
