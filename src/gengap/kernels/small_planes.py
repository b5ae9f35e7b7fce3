r"""Convolutions of small planes, with rectifier and pooling, in few multiplications and one go: where Numba is there.

An output of a window of $r$ cells is a coefficient of a product of two polynomials, and a product needs no more
multiplications than it has coefficients: $m$ outputs take $m + r - 1$ instead of $m r$. Along both axes of a plane
that is $(m + r - 1)^2$ instead of $m^2 r^2$; for 4 x 4 outputs of a window of 5 x 5, 64 instead of 400. With
$n = m + r - 1$ points $a_j$, the last of them infinity,

$$y = A\,[(G k) \odot (B x)], \qquad A_{ij} = a_j^i, \quad G_{jl} = a_j^l \Big/ \prod_{i \ne j} (a_j - a_i),$$

and row $j$ of $B$ holds the coefficients of $\prod_{i \ne j} (z - a_i)$. Channels are summed before $A$ is applied, so
that the bulk of the work is a product of matrices for each point.

References:
    Winograd, S. (1980). Arithmetic Complexity of Computations. SIAM.
    Lavin, A. and Gray, S. (2016). Fast algorithms for convolutional neural networks. CVPR.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from gengap.kernels.compiled_code import HIGH, LANES, compiled_code
from gengap.kernels.crew import share_out
from gengap.kernels.window import pad_same

Floats = NDArray[np.float64]

_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
"""Points besides infinity: small, and powers of two, so that little is lost in sums. More of them would cost digits."""
_WORTH = 1.5
"""How many times fewer multiplications there must be: transforms and tiles take time of their own."""
_TILES = 16
"""Tiles that are multiplied together: few enough that their products stay in a core's cache of 1 MB."""


@dataclass(frozen=True)
class Ending:
    """What follows a convolution on the way out of the cache.

    Attributes:
        rectify: Whether negative results become 0.
        pool: Window of the pooling, which steps by its own size; what does not fill a window is left out.
        largest: Whether the largest of a window counts, else the mean.
    """

    rectify: bool = False
    pool: tuple[int, int] = (1, 1)
    largest: bool = False

    def shape(self, plane: Sequence[int]) -> tuple[int, int]:
        """Return the size of what becomes of a plane."""
        return plane[0] // self.pool[0], plane[1] // self.pool[1]


@dataclass(frozen=True, eq=False)
class Filtering:
    """The three matrices of one axis.

    Attributes:
        inputs: $B$, `(8, 8)`.
        window: $G$, `(8, r)`.
        outputs: $A$, `(m, 8)`.
    """

    inputs: Floats
    window: Floats
    outputs: Floats


@cache
def filtering(window: int) -> Filtering:
    """Return the matrices for a window of `window` cells, 2 to 7; a tile has `9 - window` outputs."""
    points, outputs = np.array(_POINTS), len(_POINTS) + 2 - window
    others = [np.delete(points, j) for j in range(len(points))]
    inputs = np.zeros((len(points) + 1, len(points) + 1))
    for row, roots in zip(inputs, [*others, points], strict=True):
        row[: len(roots) + 1] = polynomial.polyfromroots(roots)
    scale = [np.prod(point - rest) for point, rest in zip(points, others, strict=True)]
    powers = np.vander(points, window, increasing=True) / np.array(scale)[:, None]
    infinity = np.eye(window)[-1:], np.eye(outputs)[:, -1:]
    return Filtering(
        inputs=inputs,
        window=np.concatenate([powers, infinity[0]]),
        outputs=np.concatenate([np.vander(points, outputs, increasing=True).T, infinity[1]], axis=1),
    )


def tiles_are_worth_while(plane: Sequence[int], kernel: Sequence[int]) -> bool:
    """Tell whether tiles fit and take fewer multiplications than windows, of which those in the padding are skipped.

    Args:
        plane: Height and width.
        kernel: Shape of the kernel: window, channels, filters.
    """
    *window, channels, filters = kernel
    if channels % LANES or filters % LANES or not all(2 <= k <= len(_POINTS) for k in window):
        return False
    size = len(_POINTS) + 1
    tiled = direct = 1
    for n, k, (before, after) in zip(plane, window, pad_same(plane, window, (1, 1), "same", (1, 1)), strict=True):
        # 8 points give 9 - k outputs, and whole tiles only: a plane of 9 in tiles of 4 pays for 12. Numbers of
        # multiplications along the two axes multiply, with tiles as without, so that the ratio is a product too.
        tiled *= -(-n // (size + 1 - k)) * size
        direct *= n * k - sum(range(before + 1)) - sum(range(after + 1))
    return tiled * _WORTH < direct and is_available()


def is_available() -> bool:
    """Tell whether Numba works here."""
    return compiled_code("plane_code") is not None


class TiledConvolution:
    """A convolution of stride 1 with padding `"same"`; worth while on small planes.

    Args:
        kernel: `(height, width, channels, filters)`, both windows 2 to 7, channels and filters multiples of 16.
        bias: `(filters,)`; None for none.
    """

    def __init__(self, kernel: torch.Tensor, bias: torch.Tensor | None) -> None:
        axes = [filtering(window) for window in kernel.shape[:2]]
        self._kernel, self._bias = kernel, bias
        self._window, (self._channels, self._filters) = kernel.shape[:2], kernel.shape[2:]
        self._forward = tuple(np.float32(axis.inputs).ravel() for axis in axes)
        self._outputs = tuple(len(axis.outputs) for axis in axes)
        self._backward = tuple(np.float32(_in_fours(axis.outputs)).ravel() for axis in axes)

    @cached_property
    def _kernels(self) -> NDArray[np.float32]:
        """The kernel at all points, `(8 * 8 * channels * filters,)`: made when it is needed, as it may never be."""
        down, across = (torch.from_numpy(filtering(window).window) for window in self._window)
        # torch, not NumPy: NumPy's own threads would go on spinning for 20 ms
        rows = torch.matmul(down, self._kernel.detach().double().flatten(1)).view(len(down), self._window[1], -1)
        return _numbers(torch.matmul(across, rows).flatten())

    def __call__(self, x: torch.Tensor, mask: torch.Tensor | None = None, *, ending: Ending = Ending()) -> torch.Tensor:
        """Return `(N, *plane, filters)` in float32.

        Args:
            x: `(N, height, width, channels)`, float32 on the CPU.
            mask: Factors of the channels, `(N, channels)`; None for none.
            ending: What follows.

        Raises:
            ValueError: Input or mask has other channels than the kernel; compiled code would read foreign memory.
        """
        if x.shape[3] != self._channels or (mask is not None and mask.shape != (len(x), self._channels)):
            shapes = tuple(x.shape), None if mask is None else tuple(mask.shape)
            raise ValueError(f"The kernel takes {self._channels} channels; planes and mask are {shapes}.")
        before = tuple(first for first, _ in pad_same(x.shape[1:3], self._window, (1, 1), "same", (1, 1)))
        tiles = int(np.prod([-(-n // m) for n, m in zip(x.shape[1:3], self._outputs, strict=True)]))
        out = torch.empty(len(x), *ending.shape(x.shape[1:3]), self._filters)
        arrays = (
            -(-_TILES // tiles), _numbers(x), None if mask is None else _numbers(mask), self._kernels,
            _bias(self._bias, x.shape[2], self._filters), *self._forward, *self._backward, self._outputs, before,
            ending.rectify, ending.pool, ending.largest, out.numpy(),
        )  # fmt: skip
        share_out(len(x), compiled_code("plane_code").convolve, *arrays)
        return out


def sum_planes(
    weights: torch.Tensor, parts: torch.Tensor, bias: torch.Tensor | None, *, ending: Ending = Ending()
) -> torch.Tensor:
    """Return weighted sums of planes, `(cases, members, *plane, filters)` in float32.

    Args:
        weights: `(cases, members, parts)`, float32 on the CPU; four members or more.
        parts: `(cases, parts, height, width, filters)`; filters are a multiple of 16.
        bias: `(filters,)`; None for none.
        ending: What follows.
    """
    cases, members = weights.shape[:2]
    out = torch.empty(cases, members, *ending.shape(parts.shape[2:4]), parts.shape[4])
    arrays = (
        _numbers(weights), _numbers(parts), _bias(bias, *parts.shape[3:]), ending.rectify, ending.pool,
        ending.largest, out.numpy(),
    )  # fmt: skip
    fours = cases * -(-members // HIGH)
    share_out(fours, compiled_code("plane_code").sum_planes, *arrays)
    return out


def _bias(bias: torch.Tensor | None, width: int, filters: int) -> NDArray[np.float32]:
    """Return the bias of every cell of a row."""
    return np.zeros(width * filters, dtype=np.float32) if bias is None else _numbers(bias.repeat(width))


def _numbers(x: torch.Tensor) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = x.detach().float().contiguous().numpy()
    return numbers


def _in_fours(matrix: Floats) -> Floats:
    """Return a matrix with rows of zeros, up to a multiple of four."""
    return np.concatenate([matrix, np.zeros((-len(matrix) % HIGH, matrix.shape[1]))])
