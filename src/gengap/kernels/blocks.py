"""Convolution, relu, channel mask and average pooling of K runs as one operation that keeps to the cache.

Most of what surrounds a small network's convolutions is traffic to and from memory. Here a few samples at a time are
convolved, rectified in place and pooled while they are in the cache; the mask is applied to the pooled quarter, with
which it commutes; and on the way back one pass makes the convolution's gradient from the pooled one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from gengap.kernels.planes import Plane
from gengap.kernels.window import channels_first

_IN_CACHE = 4 << 20
"""Bytes of activations that are made at once."""


def convolve_relu_pool(
    x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, scale: torch.Tensor | None
) -> torch.Tensor:
    """Return `scale * average_pool(relu(convolution(x) + bias))` of each run, pooled two by two.

    Args:
        x: Activations `(K, B, H, W, C)` on a CPU, in the dtype to compute in; H and W even.
        kernels: `(K, h, w, C, F)` float32, h and w odd; the convolution is padded as `"same"`.
        bias: `(K, F)` float32, or None.
        scale: What each channel of each sample is multiplied by, `(K, B, 1, 1, F)`, in the dtype of `x`; None for
            nothing.

    Returns:
        `(K, B, H / 2, W / 2, F)`, in the dtype of `x`.
    """
    if torch.is_grad_enabled():
        result: torch.Tensor = _ConvolveReluPool.apply(x, kernels, bias, scale)  # type: ignore[no-untyped-call]
        return result
    return _compute(x, _planes(x, kernels, bias), scale)


class _ConvolveReluPool(torch.autograd.Function):
    """The operation with its gradient; a NaN goes through both as it does through the four operations."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, scale: torch.Tensor | None
    ) -> torch.Tensor:
        """Keep what the relu made, piece by piece."""
        rectified: list[torch.Tensor] = []
        ctx.planes = _planes(x, kernels, bias)
        result = _compute(x, ctx.planes, scale, keep=rectified.append)
        ctx.save_for_backward(x, kernels, scale, *rectified)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Undo the steps piece by piece; the weights' gradients are summed in float32."""
        x, kernels, scale, *rectified = ctx.saved_tensors
        before_scale = gradients[0] * (0.25 if scale is None else scale * 0.25)
        to_input = torch.empty(x.shape, dtype=x.dtype) if ctx.needs_input_grad[0] else None
        to_kernels = torch.zeros(kernels.shape)
        to_bias = torch.zeros(kernels.shape[0], kernels.shape[-1])
        for (k, piece), activated in zip(_pieces(x, kernels.shape[-1]), rectified, strict=True):
            convolved = _unpool_rectified(before_scale[k, piece], activated)
            kernel, bias = ctx.planes[k].weight_gradients(convolved, x[k, piece])
            to_kernels[k] += kernel
            to_bias[k] += bias
            if to_input is not None:
                to_input[k, piece] = ctx.planes[k].input_gradient(convolved, x[k, piece])
        return to_input, to_kernels, to_bias if ctx.needs_input_grad[2] else None, None


def _planes(x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None) -> list[Plane]:
    biases = [None] * len(kernels) if bias is None else list(bias.detach().to(x.dtype))
    return [Plane(kernel, own) for kernel, own in zip(kernels.detach().to(x.dtype), biases, strict=True)]


def _compute(
    x: torch.Tensor,
    planes: Sequence[Plane],
    scale: torch.Tensor | None,
    *,
    keep: Callable[[torch.Tensor], None] = lambda _: None,
) -> torch.Tensor:
    """Compute piece by piece what the cache holds; `keep` is handed what the relu made of each."""
    pooled = x.new_empty(*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2, planes[0].filters)
    for k, piece in _pieces(x, planes[0].filters):
        activated = planes[k].convolve(x[k, piece]).relu_()
        _pool_pairs(activated, pooled[k, piece])
        keep(activated)
    return pooled if scale is None else pooled.mul_(scale)


def _pieces(x: torch.Tensor, filters: int) -> Iterator[tuple[int, slice]]:
    """Yield run by run the slices of samples whose activations stay in the cache."""
    bytes_a_sample = x.shape[2] * x.shape[3] * filters * x.element_size()
    size = max(1, _IN_CACHE // bytes_a_sample)
    for k in range(x.shape[0]):
        for start in range(0, x.shape[1], size):
            yield k, slice(start, start + size)


def _pool_pairs(x: torch.Tensor, out: torch.Tensor) -> None:
    """Write the mean of each two by two pixels of `(B, H, W, F)` into `out`."""
    batch, height, width, channels = x.shape
    if x.dtype != torch.float32:  # sums of two halves would be rounded twice, and are no faster
        torch.ops.aten.avg_pool2d.out(channels_first(x), [2, 2], out=channels_first(out))
        return
    rows = x.view(batch, height // 2, 2, width // 2, 2 * channels)
    both = rows[:, :, 0] + rows[:, :, 1]
    torch.add(both[..., :channels], both[..., channels:], out=out).mul_(0.25)


def _unpool_rectified(gradient: torch.Tensor, activated: torch.Tensor) -> torch.Tensor:
    """Return the gradient before the relu, from that of each pooled pixel `(B, H / 2, W / 2, F)`."""
    batch, height, width, channels = activated.shape
    # pixels are doubled along the width by a copy of a quarter, along the height by a stride of zero
    doubled = torch.cat([gradient, gradient], dim=-1).view(batch, height // 2, 1, width * channels)
    rows = activated.view(batch, height // 2, 2, width * channels)
    result: torch.Tensor = torch.ops.aten.threshold_backward(doubled.expand(-1, -1, 2, -1), rows, 0)
    return result.reshape(batch, height, width, channels)
