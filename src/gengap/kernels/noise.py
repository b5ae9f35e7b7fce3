"""Noise of many runs from few draws: a pure function of a 64-bit key per seed, one draw for all rates of the seed."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from gengap.kernels.transfer import upload
from gengap.randomness import LEVELS


def draw_uniform(keys: Sequence[int], shape: Sequence[int], *, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return int16 numbers, uniform over all 65,536 values: `(len(keys), *shape)`, each row a function of its key.

    Drawn on the CPU by NumPy's SFC64 whatever the device, so that a run drops the same units everywhere. Sixteen bits
    resolve a rate to 0.000015, and cost a quarter of a float's draw.

    Args:
        keys: One 64-bit number per row, e.g. a hash of (seed, layer, epoch, step).
        shape: Shape of a row.
        device: Where the result shall lie.
    """
    size = math.prod(shape)
    words = np.empty((len(keys), -(-size // 4)), dtype=np.uint64)
    for row, key in zip(words, keys, strict=True):
        row[:] = np.random.SFC64(key).random_raw(row.size)
    numbers = torch.from_numpy(words.view(np.int16)[:, :size].reshape(len(keys), *shape))
    return upload(numbers, device)


def draw_normal(keys: Sequence[int], shape: Sequence[int], *, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return standard normal float32 numbers: `(len(keys), *shape)`, each row a function of its key.

    Args:
        keys: One 64-bit number per row.
        shape: Shape of a row.
        device: Where the result shall lie.
    """
    numbers = np.empty((len(keys), *shape), dtype=np.float32)
    for row, key in zip(numbers, keys, strict=True):
        np.random.Generator(np.random.SFC64(key)).standard_normal(out=row, dtype=np.float32)
    return upload(torch.from_numpy(numbers), device)


def keep_scale(uniform: torch.Tensor, rates: torch.Tensor, *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return what inverted dropout multiplies by: `1 / (1 - rate)` where a unit is kept, 0 where it is dropped.

    Args:
        uniform: `draw_uniform`'s numbers, one row per run, `(K, ...)`.
        rates: Rate of each run, `(K,)`, in [0, 1]; rate 0 keeps all with factor 1, rate 1 drops all.
        dtype: Number format of the result.

    Returns:
        Factors, of the shape of `uniform`.
    """
    spread = (-1,) + (1,) * (uniform.ndim - 1)
    threshold = (rates * LEVELS).round().to(torch.int32) - LEVELS // 2
    scale = torch.where(rates < 1, 1 / (1 - rates), 0.0).to(dtype)
    # rate 1 has threshold 32,768, one beyond int16: its scale is 0 anyway
    kept = uniform >= threshold.clamp(max=LEVELS // 2 - 1).to(torch.int16).view(spread)
    return kept * scale.view(spread)


def drop(x: torch.Tensor, uniform: torch.Tensor, rates: torch.Tensor) -> torch.Tensor:
    """Return inverted dropout of each run: kept activations divided by `1 - rate`, the others zero.

    Args:
        x: Activations, `(K, B, ...)`.
        uniform: `draw_uniform`'s numbers, already one row per run (index the rows by the run's seed): `(K, ...)`,
            broadcastable to `x` (a spatial dropout draws `(B, 1, 1, channels)`).
        rates: Rate of each run, `(K,)`, in [0, 1]. A run of rate 0 is returned bit for bit.
    """
    return x * keep_scale(uniform, rates, dtype=x.dtype)
