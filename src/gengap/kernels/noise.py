"""Noise of many runs from few draws: a pure function of a 64-bit key per seed, one draw for all rates of the seed."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gengap.kernels.crew import share_out
from gengap.kernels.transfer import upload
from gengap.randomness import LEVELS

_LARGE = 1 << 24
"""Bytes of noise for a card from which on more threads draw: to ask 16 of them took 5 ms beside an H200."""


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

    def fill(row: NDArray[Any], key: int) -> None:
        row.view(np.uint64)[:] = np.random.SFC64(key).random_raw(row.size)

    words = _filled(fill, keys, (-(-size // 4),), torch.int64, device)
    return words.view(torch.int16)[:, :size].reshape(len(keys), *shape)


def draw_normal(keys: Sequence[int], shape: Sequence[int], *, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return standard normal float32 numbers: `(len(keys), *shape)`, each row a function of its key.

    Args:
        keys: One 64-bit number per row.
        shape: Shape of a row.
        device: Where the result shall lie.
    """

    def fill(row: NDArray[Any], key: int) -> None:
        np.random.Generator(np.random.SFC64(key)).standard_normal(out=row, dtype=np.float32)

    return _filled(fill, keys, shape, torch.float32, device)


def _filled(
    fill: Callable[[NDArray[Any], int], None],
    keys: Sequence[int],
    shape: Sequence[int],
    dtype: torch.dtype,
    device: torch.device | str,
) -> torch.Tensor:
    """Return rows that `fill` has drawn, on a device: for a card from where it fetches them, many by all threads."""
    on_card = torch.device(device).type == "cuda"
    room = torch.empty(len(keys), *shape, dtype=dtype, pin_memory=on_card)
    rows = room.numpy()

    def fill_some(first: int, last: int) -> None:
        for row, key in zip(rows[first:last], keys[first:last], strict=True):
            fill(row, key)

    if on_card and room.nbytes >= _LARGE:
        share_out(len(keys), fill_some)  # NumPy draws without the GIL
    else:
        fill_some(0, len(keys))
    return upload(room, device)


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
