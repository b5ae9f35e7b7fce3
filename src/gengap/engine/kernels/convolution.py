"""Convolutions and average pooling of K runs on channels-last activations, by the fastest way that was measured."""

from collections.abc import Sequence

import torch


def convolve(
    x: torch.Tensor,
    kernels: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int],
    groups: int = 1,
) -> torch.Tensor:
    """Return Keras' channels-last convolution of each run with its own kernel, in 1, 2 or 3 dimensions.

    Args:
        x: Activations `(K, B, *space, channels)`, or `(B, *space, channels)` where all runs see the same.
        kernels: `(K, *window, channels // groups, filters)`, Keras' layout, stacked.
        bias: `(K, filters)` or None.
        strides: Step of the window along each dimension of space.
        padding: `"valid"`, `"same"` or, in one dimension, `"causal"`, as Keras means them.
        dilation: Spacing of the window along each dimension of space.
        groups: Groups of channels of the layer itself.

    Returns:
        `(K, B, *space', filters)`.
    """


def average_pool(x: torch.Tensor, *, pool_size: Sequence[int], strides: Sequence[int], padding: str) -> torch.Tensor:
    """Return Keras' channels-last average pooling of `(N, *space, channels)`; padding does not count."""


def max_pool(x: torch.Tensor, *, pool_size: Sequence[int], strides: Sequence[int], padding: str) -> torch.Tensor:
    """Return Keras' channels-last maximum pooling of `(N, *space, channels)`."""
