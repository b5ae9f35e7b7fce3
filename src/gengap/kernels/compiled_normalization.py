"""The passes of batch normalization over activations as torch's operations, compiled where Numba is."""

from typing import Any

import numpy as np
import torch

from gengap.kernels.compiled_code import compiled_code
from gengap.kernels.crew import share_out

_MANY = 1 << 18
"""Numbers of a run from which compiled passes pay for their calls; of one run, as no other may change its digits."""


def is_compiled(x: torch.Tensor) -> bool:
    """Tell whether `(K, N, channels)` takes these operations."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and x.shape[1] * x.shape[2] >= _MANY
    return plain and compiled_code("normalization_code") is not None


@torch.library.custom_op("gengap::moments", mutates_args=())
def moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return means and variances `(K, channels)` of `(K, N, channels)`."""
    code, num_rows = compiled_code("normalization_code"), x.shape[1]
    blocks = _blocks(x)
    share_out(len(x) * blocks.shape[1], code.moments, _array(x), blocks)
    counts = np.full((blocks.shape[1], 1), code.BLOCK, dtype=float)
    counts[-1] += num_rows - counts.sum()
    means = blocks[:, :, 0].astype(float)
    mean = (means * counts).sum(axis=1) / num_rows
    # The squares within blocks, and those of the blocks' means around the mean of all.
    between = (np.square(means - mean[:, None]) * counts).sum(axis=1)
    variance = (blocks[:, :, 1].sum(axis=1, dtype=float) + between) / num_rows
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(variance.astype(np.float32))


@torch.library.custom_op("gengap::normalize", mutates_args=())
def normalize(x: torch.Tensor, mean: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Return `(x - mean) * scale + shift` of `(K, N, channels)` and `(K, channels)`."""
    return _mapped("normalize", x, mean, scale, shift, like=x)


@torch.library.custom_op("gengap::sum_gradients", mutates_args=())
def sum_gradients(grad: torch.Tensor, x: torch.Tensor, mean: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sums over N of a gradient, and of its product with `x - mean`."""
    blocks = _blocks(x)
    work = compiled_code("normalization_code").sum_gradients
    share_out(len(x) * blocks.shape[1], work, _array(grad), _array(x), _array(mean), blocks)
    total = torch.from_numpy(blocks.sum(axis=1, dtype=float).astype(np.float32))
    return total[:, 0].clone(), total[:, 1].clone()


@torch.library.custom_op("gengap::differentiate_normalization", mutates_args=())
def differentiate(
    grad: torch.Tensor, x: torch.Tensor, mean: torch.Tensor, scale: torch.Tensor, common: torch.Tensor,
    slope: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Return `grad * scale - common - (x - mean) * slope`."""
    return _mapped("differentiate", grad, x, mean, scale, common, slope, like=x)


@moments.register_fake
def _(x: Any) -> Any:
    return tuple(x.new_empty(len(x), x.shape[2]) for _ in range(2))


@sum_gradients.register_fake
def _(grad: Any, x: Any, mean: Any) -> Any:
    return mean.new_empty(mean.shape), mean.new_empty(mean.shape)


@normalize.register_fake
def _(x: Any, mean: Any, scale: Any, shift: Any) -> Any:
    return x.new_empty(x.shape)


@differentiate.register_fake
def _(grad: Any, x: Any, mean: Any, scale: Any, common: Any, slope: Any) -> Any:
    return x.new_empty(x.shape)


def _mapped(name: str, *given: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return what a compiled loop makes of arrays, in the shape of one of them."""
    code, out = compiled_code("normalization_code"), torch.empty(like.shape)
    pieces = len(like) * -(-like.shape[1] // code.BLOCK)
    share_out(pieces, getattr(code, name), *map(_array, given), out.numpy())
    return out


def _blocks(x: torch.Tensor) -> Any:
    """Return room for two numbers of each channel in each block of rows."""
    block = compiled_code("normalization_code").BLOCK
    return np.empty((len(x), -(-x.shape[1] // block), 2, x.shape[2]), dtype=np.float32)


def _array(x: torch.Tensor) -> Any:
    return x.detach().contiguous().numpy()
