"""Convolutions of K runs on channels-last activations, by the fastest way that was measured for their size."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import torch
from torch.nn import functional

from gengap.kernels.planes import Plane, pairs_columns
from gengap.kernels.window import Padding, Sliding, channels_first, channels_last, pad_space

_FEW = 1 << 20
"""Numbers of one run's unfolded windows up to which one matrix product per run beats a convolution."""


def convolve(
    x: torch.Tensor,
    kernels: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    strides: Sequence[int],
    padding: Padding,
    dilation: Sequence[int],
    groups: int = 1,
) -> torch.Tensor:
    """Return Keras' channels-last convolution of each run with its own kernel, in 1, 2 or 3 dimensions.

    Small ones are unfolded into one batched matrix product; large ones run one after another on a CPU, where fusing
    them gains nothing, and as groups of one convolution on a GPU.

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
    how = Sliding(tuple(strides), padding, tuple(dilation), groups)
    if x.ndim == kernels.ndim - 1:
        return _convolve_shared(x, kernels, bias, how)
    return _convolve_each(x, kernels, bias, how)


def is_small(x: torch.Tensor, window: Sequence[int], strides: Sequence[int]) -> bool:
    """Tell whether one matrix product per run beats a convolution of `(K, B, *space, channels)`."""
    return x[0].numel() * math.prod(window) // math.prod(strides) <= _FEW


def _convolve_shared(x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, how: Sliding) -> torch.Tensor:
    """The same input under all kernels is one layer with K times the filters."""
    num_runs, filters = kernels.shape[0], kernels.shape[-1]
    if how.groups > 1:
        return _convolve_each(x.expand(num_runs, *x.shape), kernels, bias, how)
    wide = kernels.movedim(0, -2).flatten(-2).unsqueeze(0)
    result = _convolve_each(x.unsqueeze(0), wide, None if bias is None else bias.reshape(1, -1), how)
    return torch.unflatten(result[0], -1, (num_runs, filters)).movedim(-2, 0)


def _convolve_each(x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, how: Sliding) -> torch.Tensor:
    """Take the way that suits the size."""
    num_runs, *window, _, _ = kernels.shape
    sparse_points = math.prod(window) == 1 and max(how.strides) > 1  # a convolution would copy what it leaves out
    if how.groups == 1 and (sparse_points or is_small(x, window, how.strides)):
        return _as_matrix_product(x, kernels, bias, how)
    if x.device.type != "cpu" and num_runs > 1:
        return _as_groups(x, kernels, bias, how)
    if num_runs == 1:  # views, whose gradients are views: taking a run out of a stack copies its gradient into one
        return _one(x.squeeze(0), kernels.squeeze(0), None if bias is None else bias.squeeze(0), how).unsqueeze(0)
    biases = [None] * num_runs if bias is None else list(bias)
    each = [_one(part, kernel, own, how) for part, kernel, own in zip(x, kernels, biases, strict=True)]
    return torch.stack(each)


def _as_matrix_product(
    x: torch.Tensor,
    kernels: torch.Tensor,
    bias: torch.Tensor | None,
    how: Sliding,
) -> torch.Tensor:
    """Unfold the windows and multiply: `(K, B * positions, window * channels) @ (K, window * channels, filters)`."""
    num_runs, *window, _, filters = kernels.shape
    x = pad_space(x, how.amounts(x.shape[2:-1], window))
    sizes = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(x.shape[2:-1], window, how.strides, how.dilation, strict=True)
    ]
    parts = []
    for place in product(*map(range, window)):
        spans = [
            slice(p * d, p * d + (n - 1) * s + 1, s)
            for p, n, s, d in zip(place, sizes, how.strides, how.dilation, strict=True)
        ]
        # Slices and one `cat`: torch's `unfold` wants channels first, and has no form in one or three dimensions.
        parts.append(x[(slice(None), slice(None), *spans)])
    unfolded = (torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]).flatten(1, -2)
    flat = kernels.reshape(num_runs, -1, filters)
    result = torch.bmm(unfolded, flat) if bias is None else torch.baddbmm(bias.unsqueeze(1), unfolded, flat)
    return torch.unflatten(result, 1, (x.shape[1], *sizes))


def _as_groups(
    x: torch.Tensor,
    kernels: torch.Tensor,
    bias: torch.Tensor | None,
    how: Sliding,
) -> torch.Tensor:
    """Let the runs be groups of channels of one convolution."""
    num_runs, filters = kernels.shape[0], kernels.shape[-1]
    side_by_side = x.movedim(0, -2).flatten(-2)
    wide = kernels.movedim(0, -2).flatten(-2)
    flat = None if bias is None else bias.flatten()
    result = _one(side_by_side, wide, flat, replace(how, groups=num_runs * how.groups))
    return torch.unflatten(result, -1, (num_runs, filters)).movedim(-2, 0)


def _one(
    x: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    how: Sliding,
) -> torch.Tensor:
    """Convolve `(B, *space, channels)` by torch's own operation on permuted views, without copying activations."""
    if _worth_pairing(x, kernel, how):
        return Plane(kernel, bias).convolve(x)
    rank = len(how.strides)
    operation = (functional.conv1d, functional.conv2d, functional.conv3d)[rank - 1]
    amounts = how.amounts(x.shape[1:-1], kernel.shape[:rank])
    symmetric = tuple(before for before, _ in amounts)
    if any(before != after for before, after in amounts):
        x, symmetric = pad_space(x, amounts), (0,) * rank
    weights = kernel.movedim((-1, -2), (0, 1))
    return channels_last(operation(channels_first(x), weights, bias, how.strides, symmetric, how.dilation, how.groups))


def _worth_pairing(x: torch.Tensor, kernel: torch.Tensor, how: Sliding) -> bool:
    """Return whether a plane convolution has so few filters that two columns of pixels fit one vector."""
    plain = how == Sliding((1, 1), "same", (1, 1))
    odd_window = plain and kernel.shape[0] % 2 == 1 and kernel.shape[1] % 2 == 1
    return odd_window and x.device.type == "cpu" and pairs_columns(x, kernel)
