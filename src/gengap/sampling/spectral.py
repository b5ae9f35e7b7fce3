r"""Convolutions of small planes as products of frequencies: fewer multiplications, and nothing is laid out anew.

A convolution with padding is a cyclic one on a slightly larger plane, and a product there, frequency by frequency. On a
plane of 8 x 8 under a window of 5 x 5 that takes 2.3 times fewer multiplications than the sum over the window does, and
about half the time on a CPU. The transforms are dense matrices, as planes are small: everything is a product of
matrices, and the rounding is no worse than that of a direct convolution.

The plane is padded to $n = size + \max(before, after)$, so that what wraps around falls where no output is read. Of the
$n_1 n_2$ real numbers that describe a plane's frequencies, those of a complex one stand side by side, and those four or
fewer that are real are paired:

$$y = B\,[\,(A x)_f\,K_f\,]_f, \qquad K_f = \begin{pmatrix} \Re k_f & \Im k_f \\ -\Im k_f & \Re k_f \end{pmatrix}$$
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import torch
from numpy.typing import NDArray

from gengap.kernels.window import pad_same
from gengap.layers import traits_of
from gengap.layers.activations import Activation

_WORTH = 1.4
"""How many times fewer multiplications there must be: small matrices are multiplied a little slower than windows."""

_LARGEST = 400
"""Frequencies of a plane up to which dense transforms are thought of at all."""


@dataclass(frozen=True, eq=False)
class Transform:
    """Dense real transforms of a plane, for one size of plane and window.

    Attributes:
        forward: `(2 * pairs, height * width)`; rows 2 f and 2 f + 1 are a pair.
        backward: `(2, height * width, pairs)`: from the first and the second of each pair.
        window: `(2 * pairs, window)`: the kernel's frequencies from its values.
        complex_pairs: How many pairs are real and imaginary part of one frequency; the rest are two real frequencies.
    """

    forward: torch.Tensor
    backward: torch.Tensor
    window: torch.Tensor
    complex_pairs: int


class SpectralConvolution:
    """A `Conv2D` of stride 1 with padding `"same"` on planes of a fixed size.

    Args:
        layer: The layer.
        transform: The transforms for its planes.
    """

    def __init__(self, layer: Any, transform: Transform) -> None:
        self._layer, self._transform, self._activation = layer, transform, Activation(layer)
        self._prepared: dict[torch.dtype, tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]] = {}

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output for `(rows, height, width, channels)`, activation included."""
        if x.dtype not in self._prepared:
            self._prepared[x.dtype] = self._prepare(x.dtype)
        forward, kernels, backward, bias = self._prepared[x.dtype]
        rows, height, width, channels = x.shape
        pairs, filters = kernels.shape[0], kernels.shape[2] // 2
        frequencies = torch.matmul(forward, x.reshape(rows, height * width, channels))
        by_pair = frequencies.view(rows, pairs, 2 * channels).transpose(0, 1)
        first, second = torch.bmm(by_pair, kernels).view(pairs, rows, 2, filters).unbind(2)
        planes = torch.baddbmm(bias, backward[0].expand(rows, -1, -1), first.transpose(0, 1))
        planes.baddbmm_(backward[1].expand(rows, -1, -1), second.transpose(0, 1))
        return self._activation.on_rows(planes.view(rows, height, width, filters))

    def _prepare(self, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        kernel, transform = self._layer.kernel.value, self._transform
        channels, filters = kernel.shape[-2:]
        spectrum = (transform.window.to(kernel.device) @ kernel.flatten(2).flatten(0, 1)).view(-1, 2, channels, filters)
        first, second = spectrum.unbind(1)
        kernels = kernel.new_zeros(len(spectrum), 2, channels, 2, filters)
        count = transform.complex_pairs
        kernels[:, 0, :, 0] = first
        kernels[:count, 0, :, 1], kernels[:count, 1, :, 0] = second[:count], -second[:count]
        kernels[:count, 1, :, 1], kernels[count:, 1, :, 1] = first[:count], second[count:]
        bias = self._layer.bias.value if self._layer.use_bias else kernel.new_zeros(filters)
        flat = kernels.view(len(spectrum), 2 * channels, 2 * filters)
        parts = (transform.forward, flat, transform.backward, bias)
        return tuple(part.to(kernel.device, dtype) for part in parts)  # type: ignore[return-value]  # four of four


def spectral_convolution(layer: Any) -> SpectralConvolution | None:
    """Return a layer's convolution by frequencies where it is worth while: a `Conv2D` on small planes of known size."""
    plane = plane_of(layer)
    if plane is None or not is_worth_while(plane, tuple(layer.kernel.shape)):
        return None
    return SpectralConvolution(layer, transform_of(plane, tuple(layer.kernel_size)))


def plane_of(layer: Any) -> tuple[int, int] | None:
    """Return the size of the planes that a `Conv2D` of stride 1 with padding `"same"` sees; None for all else."""
    if type(layer) is not keras.layers.Conv2D or not traits_of(layer).sums_channels:
        return None
    if layer.padding != "same" or {*layer.strides, *layer.dilation_rate} != {1}:
        return None
    try:
        height, width = layer.input.shape[1:-1]
    except (AttributeError, ValueError):  # it stands in several places
        return None
    return None if None in (height, width) else (height, width)


def is_worth_while(plane: Sequence[int], kernel: Sequence[int]) -> bool:
    """Tell whether frequencies take fewer multiplications than windows, of which those in the padding are skipped."""
    *window, channels, filters = kernel
    cells, sizes = int(np.prod(plane)), _sizes(plane, window)
    frequencies = int(np.prod(sizes))
    inside = [n * k - sum(range(before + 1)) - sum(range(k - before)) for n, k, before in _spans(plane, window)]
    direct = int(np.prod(inside)) * channels * filters
    spectral = frequencies * (cells * (channels + filters) + 2 * channels * filters)
    return frequencies <= _LARGEST and min(plane) > 1 and spectral * _WORTH < direct


@lru_cache(maxsize=32)
def transform_of(plane: tuple[int, int], window: tuple[int, int]) -> Transform:
    """Return the transforms for planes and windows of these sizes."""
    rows, columns = _sizes(plane, window)
    every = [(a, b) for a in range(rows) for b in range(columns)]
    mirrored = {(a, b): (-a % rows, -b % columns) for a, b in every}
    paired = [f for f in every if f < mirrored[f]]
    real = [f for f in every if f == mirrored[f]]
    offsets = [[k - before for k in range(size)] for _, size, before in _spans(plane, window)]
    waves = _waves(paired + real, (rows, columns), [range(n) for n in plane])
    windows = _waves(paired + real, (rows, columns), offsets).conj()
    count, total = len(paired), rows * columns
    weight = np.where(np.arange(len(waves)) < count, 2.0, 1.0)[:, None] / total
    backward = _in_pairs(weight * waves.real, weight * waves.imag, count)
    return Transform(
        forward=_tensor(_in_pairs(waves.real, waves.imag, count).reshape(-1, waves.shape[1])),
        backward=_tensor(backward.transpose(1, 2, 0)),
        window=_tensor(_in_pairs(windows.real, windows.imag, count).reshape(-1, windows.shape[1])),
        complex_pairs=count,
    )


def _waves(
    frequencies: Sequence[tuple[int, int]], sizes: Sequence[int], places: Sequence[Sequence[int]]
) -> NDArray[np.complex128]:
    """Return `exp(-2 pi i f . place / size)`, one row per frequency, one column per place of the plane."""
    f = np.array(frequencies)
    each = [np.exp(-2j * np.pi * np.outer(f[:, axis], places[axis]) / sizes[axis]) for axis in range(2)]
    product: NDArray[np.complex128] = (each[0][:, :, None] * each[1][:, None, :]).reshape(len(f), -1)
    return product


def _in_pairs(real: NDArray[np.float64], imaginary: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return `(pairs, 2, ...)`: real and imaginary parts of `count` frequencies, then the real ones two by two."""
    rest = real[count:]
    if len(rest) % 2:
        rest = np.concatenate([rest, np.zeros_like(rest[:1])])
    complex_ones = np.stack([real[:count], imaginary[:count]], axis=1)
    return np.concatenate([complex_ones, rest.reshape(-1, 2, *rest.shape[1:])])


def _spans(plane: Sequence[int], window: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return size, window and padding before of each dimension."""
    ones = (1,) * len(plane)
    amounts = pad_same(plane, window, ones, "same", ones)
    return [(n, k, before) for n, k, (before, _) in zip(plane, window, amounts, strict=True)]


def _sizes(plane: Sequence[int], window: Sequence[int]) -> list[int]:
    return [n + max(before, k - 1 - before) for n, k, before in _spans(plane, window)]


def _tensor(values: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
