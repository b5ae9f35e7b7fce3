"""Batch normalization of blocks of rows in a core's own cache, compiled by Numba: needs the extra `fast`.

Each of the four reads what it needs once and writes at most once; as operations on whole arrays, forward and backward
read and wrote more than twice as much, and a temporary array of the size of the activations costs as much again, since
its pages come from the system. The loops over channels are what LLVM makes vectors of; sums over rows are of one block
each, in their order, so that neither vectors nor threads change a digit. The caller adds blocks in float64.
"""

import numpy as np
from numba import njit

from gengap.kernels.lane_code import COMPILED
from gengap.kernels.numba_parts import Floats

BLOCK = 64
"""Rows that are summed in float32: few enough that no digit is lost which float32 has."""


@njit(**COMPILED)
def moments(first: int, last: int, x: Floats, out: Floats) -> None:
    """Mean and sum of squared deviations from it, of each channel in each block of rows.

    Args:
        first: First block, counted through the runs.
        last: The one after the last.
        x: `(K, N, channels)`.
        out: `(K, blocks, 2, channels)`.
    """
    blocks, channels = out.shape[1], x.shape[2]
    for piece in range(first, last):
        run, block = piece // blocks, piece % blocks
        rows = x[run, block * BLOCK : min((block + 1) * BLOCK, x.shape[1])]
        mean, spread = out[run, block, 0], out[run, block, 1]
        mean[:] = np.float32(0)
        spread[:] = np.float32(0)
        for row in rows:
            for c in range(channels):
                mean[c] += row[c]
        for c in range(channels):
            mean[c] /= np.float32(len(rows))
        for row in rows:
            for c in range(channels):
                apart = row[c] - mean[c]
                spread[c] += apart * apart


@njit(**COMPILED)
def normalize(first: int, last: int, x: Floats, mean: Floats, scale: Floats, shift: Floats, out: Floats) -> None:
    """`out = (x - mean) * scale + shift`, of the blocks of rows from `first` on; the mean is taken off first.

    `x * scale + (shift - mean * scale)` would lose the digits that a large mean takes up.
    """
    blocks, channels = -(-x.shape[1] // BLOCK), x.shape[2]
    for piece in range(first, last):
        run, block = piece // blocks, piece % blocks
        of, by, to = mean[run], scale[run], shift[run]
        for i in range(block * BLOCK, min((block + 1) * BLOCK, x.shape[1])):
            row, result = x[run, i], out[run, i]
            for c in range(channels):
                result[c] = (row[c] - of[c]) * by[c] + to[c]


@njit(**COMPILED)
def sum_gradients(first: int, last: int, grad: Floats, x: Floats, mean: Floats, out: Floats) -> None:
    """Sums of the gradient, and of its product with `x - mean`, of each channel in each block of rows."""
    blocks, channels = out.shape[1], x.shape[2]
    for piece in range(first, last):
        run, block = piece // blocks, piece % blocks
        of, plain, centered = mean[run], out[run, block, 0], out[run, block, 1]
        plain[:] = np.float32(0)
        centered[:] = np.float32(0)
        for i in range(block * BLOCK, min((block + 1) * BLOCK, x.shape[1])):
            row, slope = x[run, i], grad[run, i]
            for c in range(channels):
                plain[c] += slope[c]
                centered[c] += slope[c] * (row[c] - of[c])


@njit(**COMPILED)
def differentiate(
    first: int, last: int, grad: Floats, x: Floats, mean: Floats, scale: Floats, common: Floats, slope: Floats,
    out: Floats,
) -> None:  # fmt: skip
    """`out = grad * scale - common - (x - mean) * slope`, of the blocks of rows from `first` on."""
    blocks, channels = -(-x.shape[1] // BLOCK), x.shape[2]
    for piece in range(first, last):
        run, block = piece // blocks, piece % blocks
        of, by, off, along = mean[run], scale[run], common[run], slope[run]
        for i in range(block * BLOCK, min((block + 1) * BLOCK, x.shape[1])):
            row, given, result = x[run, i], grad[run, i], out[run, i]
            for c in range(channels):
                result[c] = given[c] * by[c] - off[c] - (row[c] - of[c]) * along[c]
