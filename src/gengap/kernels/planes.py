"""The convolution of planes by one odd window at stride one, and its gradients, each the fastest way on a CPU."""

from collections.abc import Sequence
from functools import cached_property, lru_cache

import torch
from torch.nn import functional

from gengap.kernels.window import channels_first, channels_last

_VECTOR = 16
"""Filters that fill a vector register; with fewer, neighbouring columns are convolved together."""


class Plane:
    """The `"same"` convolution of channels-last planes by one kernel, with its gradients.

    Args:
        kernel: `(h, w, C, F)`, both sides odd, in the dtype of the activations; it is read and not kept track of.
        bias: `(F,)` or None.
    """

    def __init__(self, kernel: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        self._kernel, self._bias = kernel, bias

    @property
    def filters(self) -> int:
        """How many channels the convolution makes."""
        return self._kernel.shape[-1]

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolution `(B, H, W, F)` of `(B, H, W, C)`."""
        if not pairs_columns(x, self._kernel):
            return _convolve(x, self._kernel, self._bias)
        twice = None if self._bias is None else self._bias.repeat(2)
        return _convolve(_pair_columns(x), self._paired, twice).reshape(*x.shape[:3], -1)

    def input_gradient(self, gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the gradient with respect to `x` from that of the convolution."""
        turned = self._turned
        if turned.filters < _VECTOR:
            return turned.convolve(gradient)
        result, _, _ = _differentiate(gradient, x, self._kernel, (True, False, False))
        return channels_last(result)

    def weight_gradients(self, gradient: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradients with respect to kernel and bias from that of the convolution."""
        if not pairs_columns(x, self._kernel):
            _, weights, bias = _differentiate(gradient, x, self._kernel, (False, True, True))
            return weights.movedim((0, 1), (-1, -2)), bias
        _, weights, bias = _differentiate(_pair_columns(gradient), _pair_columns(x), self._paired, (False, True, True))
        return _unpair_gradient(weights.movedim((0, 1), (-1, -2)), self._kernel), bias.view(2, -1).sum(dim=0)

    @cached_property
    def _paired(self) -> torch.Tensor:
        return pair_kernel(self._kernel)

    @cached_property
    def _turned(self) -> "Plane":
        """The convolution that gives the input's gradient: by the kernel turned round, channels and filters swapped."""
        return Plane(self._kernel.flip(0, 1).transpose(2, 3))


def pairs_columns(x: torch.Tensor, kernel: torch.Tensor) -> bool:
    """Tell whether a convolution on a CPU has so few filters that two columns of pixels fit one vector."""
    return kernel.shape[-1] < _VECTOR and x.shape[2] % 2 == 0


def pair_kernel(kernel: torch.Tensor) -> torch.Tensor:
    """Return the kernel `(h, w', 2 C, 2 F)` that does to pairs of columns what `(h, w, C, F)` does to columns; exact.

    Column `2 j + p` of the output meets column `2 (j + b) + q` of the input through the kernel's column
    `t = 2 b + q - p + (w - 1) / 2`, where there is one.
    """
    height, width, channels, filters = kernel.shape
    padded = functional.pad(kernel, (0, 0, 0, 0, 0, 1))  # one past the end: a column of zeros
    columns = padded.index_select(1, _columns(width)).view(height, -1, 2, 2, channels, filters)
    return columns.movedim(4, 3).reshape(height, -1, 2 * channels, 2 * filters)


def _unpair_gradient(paired: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Return the gradient of a kernel from that of its `pair_kernel`."""
    height, width, channels, filters = kernel.shape
    columns = paired.reshape(height, -1, 2, channels, 2, filters).movedim(3, 4).flatten(1, 3)
    result = paired.new_zeros(height, width + 1, channels, filters, dtype=torch.float32)
    return result.index_add_(1, _columns(width), columns.float())[:, :width]


@lru_cache
def _columns(width: int) -> torch.Tensor:
    """Return the kernel's column for each (block of columns, input's place in its pair, output's place)."""
    reach = (width // 2 + 1) // 2
    blocks, q, p = torch.meshgrid(torch.arange(-reach, reach + 1), torch.arange(2), torch.arange(2), indexing="ij")
    t = 2 * blocks + q - p + width // 2
    return torch.where((t >= 0) & (t < width), t, width).flatten()


def _pair_columns(x: torch.Tensor) -> torch.Tensor:
    """See `(B, H, W, C)` as `(B, H, W / 2, 2 C)`."""
    return x.reshape(*x.shape[:2], x.shape[2] // 2, 2 * x.shape[3])


def _convolve(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    padding = (kernel.shape[0] // 2, kernel.shape[1] // 2)
    return channels_last(functional.conv2d(channels_first(x), _torch_order(kernel), bias, 1, padding))


def _torch_order(kernel: torch.Tensor) -> torch.Tensor:
    return kernel.movedim((-1, -2), (0, 1))


def _differentiate(
    gradient: torch.Tensor, x: torch.Tensor, kernel: torch.Tensor, wanted: Sequence[bool]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return torch's gradients of a convolution, in its own order, for those that are wanted."""
    padding = [kernel.shape[0] // 2, kernel.shape[1] // 2]
    found: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = torch.ops.aten.convolution_backward(
        channels_first(gradient), channels_first(x), _torch_order(kernel), [kernel.shape[-1]],
        [1, 1], padding, [1, 1], False, [0, 0], 1, list(wanted),
    )  # fmt: skip
    return found
