"""Convolutions of small planes with all that follows them up to the pooling, compiled by Numba: the extra `fast`.

A plane of some thousand numbers never leaves a core's cache between its convolution, its rectifier and its pooling.
See `kernels.small_planes` for what is computed, and why.
"""

import numpy as np
from numba import njit

from gengap.kernels.compiled_code import HIGH, LANES
from gengap.kernels.lane_code import (
    ADD_SCALED,
    ADD_SUM,
    BEGIN_SUM,
    COMPILED,
    COPY,
    KEEP_LARGER,
    KEEP_LARGER_SUM,
    MULTIPLY,
    SCALE,
    combine_lines,
    multiply_small,
)
from gengap.kernels.numba_parts import Floats

POINTS = 8
"""Inputs of a tile along an axis, and points at which its polynomial is evaluated."""
NONE = np.float32(0)


@njit(**COMPILED)
def convolve(
    first: int, last: int, block: int, x: Floats, mask: Floats | None, kernels: Floats, bias: Floats, down_in: Floats,
    across_in: Floats, down_out: Floats, across_out: Floats, outputs: tuple[int, ...], before: tuple[int, ...],
    rectify: bool, pool: tuple[int, ...], largest: bool, out: Floats,
) -> None:  # fmt: skip
    """Convolve the planes from `first` to `last` by Winograd's tiles.

    Args:
        first: First plane.
        last: The plane after the last one.
        block: Planes that are worked on together, so that a kernel is fetched once for all their tiles.
        x: Planes, `(N, H, W, C)`; C is a multiple of 16.
        mask: Factors of their channels, `(N, C)`; None for none.
        kernels: Transformed kernels, `(8 * 8 * C * F,)`; F is a multiple of 16.
        bias: Bias of every cell of a row, `(W * F,)`.
        down_in: Transform of the inputs downwards, `(8 * 8,)`.
        across_in: The same across.
        down_out: Transform of the products downwards, `(rows * 8,)`: rows are a tile's outputs, rounded up to 4.
        across_out: The same across.
        outputs: Outputs of a tile along both axes.
        before: Padding before the first cell of both axes.
        rectify: Whether negative results become 0.
        pool: Window of the pooling along both axes.
        largest: Whether the largest of a window counts, else the mean.
        out: Results, `(N, H // pool, W // pool, F)`.
    """
    height, width, channels = x.shape[1:]
    filters, shape = out.shape[3], out.shape[1:]
    down, across = -(-height // outputs[0]), -(-width // outputs[1])
    # Each of the 64 points is one product (tiles x channels) by (channels x filters): tiles of several planes are put
    # together, so that it is worth its call. Rounded up to fours, the last rows are nobody's, and are never read back.
    tiles = -(-block * down * across // HIGH) * HIGH
    # a line more than a power of two apart: else all points of a tile would compete for the same lines of the cache
    spread_in, spread_out = tiles * channels + LANES, tiles * filters + LANES
    line = ((across - 1) * outputs[1] + POINTS) * channels
    padded = np.zeros(((down - 1) * outputs[0] + POINTS) * line, dtype=np.float32)
    halves = np.empty(POINTS * line, dtype=np.float32)
    points = np.zeros(POINTS * POINTS * spread_in, dtype=np.float32)
    products = np.empty(POINTS * POINTS * spread_out, dtype=np.float32)
    half = np.empty(across_out.shape[0] * filters, dtype=np.float32)
    tile = np.empty(down_out.shape[0] // POINTS * across_out.shape[0] // POINTS * filters, dtype=np.float32)
    result = np.empty(height * width * filters, dtype=np.float32)
    room = np.empty(width * filters, dtype=np.float32)
    # flat, and not a view is made below: each would count references, which takes longer than a small product
    masked, flat_mask = mask is not None, x.reshape(-1) if mask is None else mask.reshape(-1)
    flat, flat_out, size, size_out = x.reshape(-1), out.reshape(-1), height * width * channels, shape[0] * shape[1]
    for start in range(first, last, block):
        stop = min(start + block, last)
        for plane in range(start, stop):
            _pad(flat, plane * size, x.shape[1:], masked, flat_mask, plane * channels, before, padded, line)
            for i in range(down):
                # B X B^T as two products: downwards for a whole row of tiles at once, then across for each tile. Tile
                # by tile, the columns in which neighbours overlap would be transformed twice.
                at = i * outputs[0] * line
                multiply_small(POINTS, POINTS, line, down_in, 0, POINTS, padded, at, line, halves, 0, line)
                for j in range(across):
                    number = ((plane - start) * down + i) * across + j
                    at, to = j * outputs[1] * channels, number * channels
                    _to_points(across_in, halves, at, line, points, to, spread_in, channels)
        # Points outermost: the kernel at one point (channels x filters) is fetched once and stays for all tiles.
        used = -(-(stop - start) * down * across // HIGH) * HIGH
        for point in range(POINTS * POINTS):
            multiply_small(
                used, channels, filters, points, point * spread_in, channels, kernels, point * channels * filters,
                filters, products, point * spread_out, filters,
            )  # fmt: skip
        for plane in range(start, stop):
            for i in range(down):
                for j in range(across):
                    number = ((plane - start) * down + i) * across + j
                    _to_tile(down_out, across_out, products, number * filters, spread_out, half, tile, filters)
                    _place(tile, across_out.shape[0] // POINTS, outputs, i, j, x.shape[1:], filters, result)
            _finish(result, 0, shape, bias, rectify, pool, largest, room, flat_out, plane * size_out * filters)


@njit(**COMPILED)
def _pad(
    values: Floats,
    start: int,
    shape: tuple[int, ...],
    masked: bool,
    mask: Floats | None,
    factor: int,
    before: tuple[int, ...],
    padded: Floats,
    line: int,
) -> None:
    """Copy a plane, its channels times their factors, into the middle of zeros."""
    height, width, channels = shape
    for row in range(height):
        cell, to = start + row * width * channels, (row + before[0]) * line + before[1] * channels
        if not masked:
            combine_lines(COPY, width * channels, padded, to, values, cell, values, cell, NONE)
        else:
            for place in range(0, width * channels, channels):
                combine_lines(MULTIPLY, channels, padded, to + place, values, cell + place, mask, factor, NONE)


@njit(**COMPILED)
def _to_points(
    transform: Floats, halves: Floats, start: int, line: int, points: Floats, to: int, spread: int, channels: int
) -> None:
    """Transform a tile, that has been downwards, across: its value at every point goes `spread` numbers further."""
    for point in range(POINTS):
        multiply_small(
            POINTS, POINTS, channels, transform, 0, POINTS, halves, point * line + start, channels, points,
            point * POINTS * spread + to, spread,
        )  # fmt: skip


@njit(**COMPILED)
def _to_tile(
    down: Floats, across: Floats, products: Floats, start: int, spread: int, half: Floats, tile: Floats, filters: int
) -> None:
    """Turn the products at all points back into the outputs of a tile."""
    rows, columns = down.shape[0] // POINTS, across.shape[0] // POINTS
    line = columns * filters
    for point in range(POINTS):
        multiply_small(
            columns, POINTS, filters, across, 0, POINTS, products, point * POINTS * spread + start, spread, half,
            point * line, filters,
        )  # fmt: skip
    multiply_small(rows, POINTS, line, down, 0, POINTS, half, 0, line, tile, 0, line)


@njit(**COMPILED)
def _place(
    tile: Floats,
    columns: int,
    outputs: tuple[int, ...],
    i: int,
    j: int,
    shape: tuple[int, ...],
    filters: int,
    plane: Floats,
) -> None:
    """Write what of tile (i, j) lies on the plane."""
    used = min(outputs[1], shape[1] - j * outputs[1]) * filters
    for row in range(min(outputs[0], shape[0] - i * outputs[0])):
        to, cell = ((i * outputs[0] + row) * shape[1] + j * outputs[1]) * filters, row * columns * filters
        combine_lines(COPY, used, plane, to, tile, cell, tile, cell, NONE)


@njit(**COMPILED)
def sum_planes(
    first: int,
    last: int,
    weights: Floats,
    parts: Floats,
    bias: Floats,
    rectify: bool,
    pool: tuple[int, ...],
    largest: bool,
    out: Floats,
) -> None:
    """Sum planes, four members of a case at a time.

    Args:
        first: First four: those of all cases are counted through.
        last: The four after the last one.
        weights: Factors of the parts, `(cases, members, parts)`; four members or more.
        parts: Planes of each case, `(cases, parts, H, W, F)`; F is a multiple of 16.
        bias: Bias of every cell of a row, `(W * F,)`.
        rectify: Whether negative results become 0.
        pool: Window of the pooling along both axes.
        largest: Whether the largest of a window counts, else the mean.
        out: Results, `(cases, members, H // pool, W // pool, F)`.
    """
    members, count = weights.shape[1:]
    height, width, filters = parts.shape[2:]
    size, band = height * width * filters, pool[0] * width * filters
    sums = np.empty(HIGH * band, dtype=np.float32)
    room = np.empty(width * filters, dtype=np.float32)
    fours = -(-members // HIGH)
    flat_weights, flat_parts, flat_out = weights.reshape(-1), parts.reshape(-1), out.reshape(-1)
    row_out = out.shape[3] * filters
    one_row = (1, out.shape[3], filters)
    for four in range(first, last):
        case = four // fours
        # Overlapping members are computed twice, to the same bits: cheaper than a kernel of its own for one to three
        # rows.
        member = min(four % fours * HIGH, members - HIGH)  # the last four may overlap the ones before
        for row in range(out.shape[2]):
            multiply_small(
                HIGH, count, band, flat_weights, (case * members + member) * count, count, flat_parts,
                case * count * size + row * band, size, sums, 0, band,
            )  # fmt: skip
            for k in range(HIGH):
                to = ((case * members + member + k) * out.shape[2] + row) * row_out
                _finish(sums, k * band, one_row, bias, rectify, pool, largest, room, flat_out, to)


@njit(**COMPILED)
def _finish(
    values: Floats,
    start: int,
    shape: tuple[int, ...],
    bias: Floats,
    rectify: bool,
    pool: tuple[int, ...],
    largest: bool,
    line: Floats,
    out: Floats,
    at: int,
) -> None:
    """Add the bias, rectify and pool planes, `(H, W, F)` from `start` on, to `shape` from `at` on.

    `line` is room for a row, all of which is added or compared first: long loops are fast ones.
    """
    filters = shape[2]
    size = bias.shape[0]
    # The rectifier stands before the pooling and cannot be moved behind a mean; with a floor of -inf it does nothing.
    share = np.float32(1 if largest else 1 / (pool[0] * pool[1]))
    floor = np.float32(0 if rectify else -np.inf)
    for row in range(shape[0]):
        for i in range(pool[0]):
            cell = start + (row * pool[0] + i) * size
            if i == 0:
                combine_lines(BEGIN_SUM, size, line, 0, values, cell, bias, 0, floor)
            elif largest:
                combine_lines(KEEP_LARGER_SUM, size, line, 0, values, cell, bias, 0, floor)
            else:
                combine_lines(ADD_SUM, size, line, 0, values, cell, bias, 0, floor)
        for column in range(shape[1]):
            to, cell = at + (row * shape[1] + column) * filters, column * pool[1] * filters
            combine_lines(SCALE, filters, out, to, line, cell, line, cell, share)
            for _ in range(1, pool[1]):
                cell += filters
                if largest:
                    combine_lines(KEEP_LARGER, filters, out, to, line, cell, line, cell, share)
                else:
                    combine_lines(ADD_SCALED, filters, out, to, line, cell, line, cell, share)
