"""Noise of many runs from few draws: a pure function of a 64-bit key per seed, one draw for all rates of the seed."""

from collections.abc import Sequence

import torch


def draw_uniform(keys: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """Return int16 numbers, uniform over all 65,536 values: `(len(keys), *shape)`, each row a function of its key.

    A key is a 64-bit number, e.g. of `blake2b(seed, layer, epoch, step)`; the same on every machine and device.
    """


def draw_normal(keys: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """Return standard normal float32 numbers: `(len(keys), *shape)`, each row a function of its key."""


def drop(x: torch.Tensor, uniform: torch.Tensor, rates: torch.Tensor) -> torch.Tensor:
    """Return inverted dropout of each run: kept activations divided by `1 - rate`, the others zero.

    Args:
        x: Activations, `(K, B, ...)`.
        uniform: `draw_uniform`'s numbers, already one row per run (index the rows by the run's seed): `(K, ...)`,
            broadcastable to `x` (a spatial dropout draws `(B, 1, 1, channels)`).
        rates: Rate of each run, `(K,)`, in [0, 1]. A run of rate 0 is returned bit for bit.
    """
