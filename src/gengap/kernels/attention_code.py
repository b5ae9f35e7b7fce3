"""Attention of one head at a time in a core's own cache, compiled by Numba: needs the extra `fast`.

The weights of a head, a number for every pair of steps, are made, used and forgotten where they lie, and made again on
the way back: written to memory, they would be most of what a step moves.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from gengap.kernels.compiled_code import HIGH, LANES
from gengap.kernels.lane_code import (
    COMPILED,
    SCALE,
    combine_lines,
    everywhere,
    multiply_small,
    multiply_turned,
    vector,
)
from gengap.kernels.lane_math import Lanes, Places

ONE = np.float32(1)


@intrinsic
def _largest(context: Any, count: Any, size: Any, line: Any, at: Any, out: Any, to: Any) -> Any:
    """`out[to]` = the largest of the first `count` numbers of a line of `size`, a multiple of 16."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, places, result = Lanes(builder), Places(context, builder, signature, arguments), _result(builder)
        builder.store(lanes.number(-np.inf), result)
        with _vectors(builder, arguments[1]) as offset:
            value = _first(builder, offset, arguments[0], places.load(2, offset), lanes.number(-np.inf))
            builder.store(lanes.larger(value, builder.load(result)), result)
        _write(context, builder, signature, arguments, 4, lanes.maximum(builder.load(result)))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, line, types.intp, out, types.intp), emit


@intrinsic
def _exponentials(
    context: Any, count: Any, size: Any, line: Any, at: Any, out: Any, to: Any, number: Any
) -> Any:  # fmt: skip
    """A line becomes `exp(line - number)`, and 0 from `count` on; `out[to]` = its sum."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, places, result = Lanes(builder), Places(context, builder, signature, arguments), _result(builder)
        builder.store(lanes.number(0.0), result)
        off = everywhere(builder, arguments[6])
        with _vectors(builder, arguments[1]) as offset:
            value = lanes.exp(lanes.subtract(places.load(2, offset), off))
            value = _first(builder, offset, arguments[0], value, lanes.number(0.0))
            places.store(value, 2, offset)
            builder.store(lanes.add(value, builder.load(result)), result)
        _write(context, builder, signature, arguments, 4, lanes.sum(builder.load(result)))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, line, types.intp, out, types.intp, types.float32), emit


@intrinsic
def _differentiate(context: Any, size: Any, weights: Any, w_at: Any, grad: Any, g_at: Any) -> Any:
    """The gradient of a line of weights becomes that of what they are the softmax of."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, places, result = Lanes(builder), Places(context, builder, signature, arguments), _result(builder)
        builder.store(lanes.number(0.0), result)
        with _vectors(builder, arguments[0]) as offset:
            product = lanes.multiply(places.load(1, offset), places.load(3, offset))
            builder.store(lanes.add(product, builder.load(result)), result)
        mean = everywhere(builder, lanes.sum(builder.load(result)))
        with _vectors(builder, arguments[0]) as offset:
            rest = lanes.subtract(places.load(3, offset), mean)
            places.store(lanes.multiply(places.load(1, offset), rest), 3, offset)
        return context.get_dummy_value()

    return types.void(types.intp, weights, types.intp, grad, types.intp), emit


def _result(builder: Any) -> Any:
    return cgutils.alloca_once(builder, vector())


class _vectors:  # noqa: N801  a loop, to be read as one
    """Go through a line, sixteen numbers at a time."""

    def __init__(self, builder: Any, size: Any) -> None:
        step = ir.Constant(size.type, LANES)
        self._loop = cgutils.for_range_slice(builder, size.type(0), size, step, size.type)

    def __enter__(self) -> Any:
        return self._loop.__enter__()[0]

    def __exit__(self, *error: object) -> None:
        self._loop.__exit__(*error)


def _first(builder: Any, offset: Any, count: Any, value: Any, other: Any) -> Any:
    """Return a vector whose numbers from place `count` of the line on are others."""
    lane = ir.IntType(32)
    kind = ir.VectorType(lane, LANES)
    left = builder.trunc(builder.sub(count, offset), lane)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), left, ir.Constant(lane, 0))
    left = builder.shuffle_vector(first, first, ir.Constant(kind, [0] * LANES))
    inside = builder.icmp_signed("<", ir.Constant(kind, list(range(LANES))), left)
    return builder.select(inside, value, other)


def _write(context: Any, builder: Any, signature: Any, arguments: Any, number: int, value: Any) -> None:
    data = context.make_array(signature.args[number])(context, builder, arguments[number]).data
    builder.store(value, builder.gep(data, [arguments[number + 1]]))


@intrinsic
def _copy_numbers(
    context: Any, rows: Any, columns: Any, source: Any, at: Any, row: Any, out: Any, to: Any, out_row: Any,
    out_column: Any, factor: Any,
) -> Any:  # fmt: skip
    """`out[r * out_row + c * out_column] = factor * source[r * row + c]`, each from its place on."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, columns, _, at, row, _, to, out_row, out_column, factor = arguments
        read, write = (
            context.make_array(signature.args[number])(context, builder, arguments[number]).data for number in (2, 5)
        )
        with cgutils.for_range(builder, rows, intp=rows.type) as r:
            start, end = builder.add(at, builder.mul(r.index, row)), builder.add(to, builder.mul(r.index, out_row))
            with cgutils.for_range(builder, columns, intp=columns.type) as c:
                value = builder.fmul(builder.load(builder.gep(read, [builder.add(start, c.index)])), factor)
                place = builder.add(end, builder.mul(c.index, out_column))
                builder.store(value, builder.gep(write, [place]))
        return context.get_dummy_value()

    where = (types.intp, types.intp)
    return types.void(*where, source, *where, out, *where, types.intp, types.float32), emit


@njit(**COMPILED)
def _copy(
    rows: int, columns: int, source: Any, at: int, row: int, out: Any, to: int, out_row: int, factor: Any
) -> None:  # fmt: skip
    """Write rows times a factor to where they are `out_row` apart."""
    if columns % LANES:
        _copy_numbers(rows, columns, source, at, row, out, to, out_row, 1, factor)
        return
    for r in range(rows):
        combine_lines(SCALE, columns, out, to + r * out_row, source, at + r * row, source, at, factor)


@njit(**COMPILED)
def forward(first: int, last: int, causal: bool, scale: Any, q: Any, k: Any, v: Any, out: Any, levels: Any) -> None:
    """Attend with the heads from `first` to `last`, those of all cases being counted through.

    Args:
        first: First head.
        last: The head after the last one.
        causal: Whether a step sees none after it.
        scale: Factor of the products.
        q: Queries, `(cases, T, heads, size)`.
        k: Keys, `(cases, S, heads, size)`.
        v: Values, `(cases, S, heads, value size)`.
        out: Gets the weighted values, `(cases, T, heads, value size)`.
        levels: Gets the largest score of each step and the inverse of its sum of exponentials, `(cases, heads, T, 2)`;
            not one number of both, which would lose the sum where all scores are of a size of 1e9.
    """
    steps, heads, size = q.shape[1:]
    sources, values = k.shape[1], v.shape[3]
    width, wide, broad = -(-sources // LANES) * LANES, -(-size // LANES) * LANES, -(-values // LANES) * LANES
    tall = -(-steps // HIGH) * HIGH
    flat_q, flat_k, flat_v = q.reshape(-1), k.reshape(-1), v.reshape(-1)
    flat_out, flat_levels = out.reshape(-1), levels.reshape(-1)
    q_rows, turned = np.zeros(tall * wide, dtype=np.float32), np.zeros(size * width, dtype=np.float32)
    v_rows, weights = np.zeros(sources * broad, dtype=np.float32), np.zeros(tall * width, dtype=np.float32)
    result, found = np.zeros(tall * broad, dtype=np.float32), np.zeros(2, dtype=np.float32)
    shares = np.zeros(steps, dtype=np.float32)
    for number in range(first, last):
        case, head = number // heads, number % heads
        q_at, k_at = (case * steps * heads + head) * size, (case * sources * heads + head) * size
        v_at, out_at = (case * sources * heads + head) * values, (case * steps * heads + head) * values
        _copy(steps, size, flat_q, q_at, heads * size, q_rows, 0, wide, scale)
        _copy_numbers(sources, size, flat_k, k_at, heads * size, turned, 0, 1, width, ONE)
        _copy(sources, values, flat_v, v_at, heads * values, v_rows, 0, broad, ONE)
        multiply_small(tall, size, width, q_rows, 0, wide, turned, 0, width, weights, 0, width)
        for t in range(steps):
            seen = min(t + 1, sources) if causal else sources
            _largest(seen, width, weights, t * width, found, 0)
            _exponentials(seen, width, weights, t * width, found, 1, found[0])
            flat_levels[2 * (number * steps + t)] = found[0]
            flat_levels[2 * (number * steps + t) + 1] = shares[t] = ONE / found[1]
        multiply_small(tall, sources, broad, weights, 0, width, v_rows, 0, broad, result, 0, broad)
        for t in range(steps):
            _copy(1, values, result, t * broad, 0, flat_out, out_at + t * heads * values, 0, shares[t])


@njit(**COMPILED)
def backward(
    first: int, last: int, causal: bool, scale: Any, q: Any, k: Any, v: Any, levels: Any, grad: Any,
    of_q: Any, of_k: Any, of_v: Any,
) -> None:  # fmt: skip
    """Differentiate the heads from `first` to `last`.

    Args:
        first: First head.
        last: The head after the last one.
        causal: As in `forward`, as are all that are not said here.
        scale: Factor of the products.
        q: Queries.
        k: Keys.
        v: Values.
        levels: What `forward` kept.
        grad: Gradient of the weighted values.
        of_q: Gets that of the queries.
        of_k: Gets that of the keys.
        of_v: Gets that of the values.
    """
    steps, heads, size = q.shape[1:]
    sources, values = k.shape[1], v.shape[3]
    width, wide, broad = -(-sources // LANES) * LANES, -(-size // LANES) * LANES, -(-values // LANES) * LANES
    tall = -(-steps // HIGH) * HIGH
    flat_q, flat_k, flat_v = q.reshape(-1), k.reshape(-1), v.reshape(-1)
    flat_levels, flat_grad = levels.reshape(-1), grad.reshape(-1)
    flat_of_q, flat_of_k, flat_of_v = of_q.reshape(-1), of_k.reshape(-1), of_v.reshape(-1)
    q_rows, turned = np.zeros(tall * wide, dtype=np.float32), np.zeros(size * width, dtype=np.float32)
    k_rows, v_turned = np.zeros(sources * wide, dtype=np.float32), np.zeros(values * width, dtype=np.float32)
    g_rows, weights = np.zeros(tall * broad, dtype=np.float32), np.zeros(tall * width, dtype=np.float32)
    slopes, result = np.zeros(tall * width, dtype=np.float32), np.zeros((width + tall) * max(wide, broad), np.float32)
    found = np.zeros(1, dtype=np.float32)
    for number in range(first, last):
        case, head = number // heads, number % heads
        q_at, k_at = (case * steps * heads + head) * size, (case * sources * heads + head) * size
        v_at, g_at = (case * sources * heads + head) * values, (case * steps * heads + head) * values
        _copy(steps, size, flat_q, q_at, heads * size, q_rows, 0, wide, scale)
        _copy(sources, size, flat_k, k_at, heads * size, k_rows, 0, wide, scale)
        _copy_numbers(sources, size, flat_k, k_at, heads * size, turned, 0, 1, width, ONE)
        _copy_numbers(sources, values, flat_v, v_at, heads * values, v_turned, 0, 1, width, ONE)
        _copy(steps, values, flat_grad, g_at, heads * values, g_rows, 0, broad, ONE)
        multiply_small(tall, size, width, q_rows, 0, wide, turned, 0, width, weights, 0, width)
        for t in range(tall):
            seen = (min(t + 1, sources) if causal else sources) if t < steps else 0
            at = 2 * (number * steps + min(t, steps - 1))
            _exponentials(seen, width, weights, t * width, found, 0, flat_levels[at])
            combine_lines(SCALE, width, weights, t * width, weights, t * width, weights, 0, flat_levels[at + 1])
        multiply_turned(width, tall, broad, weights, 0, width, g_rows, 0, broad, result, 0, broad)
        _copy(sources, values, result, 0, broad, flat_of_v, v_at, heads * values, ONE)
        multiply_small(tall, values, width, g_rows, 0, broad, v_turned, 0, width, slopes, 0, width)
        for t in range(tall):
            _differentiate(width, weights, t * width, slopes, t * width)
        multiply_small(tall, sources, wide, slopes, 0, width, k_rows, 0, wide, result, 0, wide)
        _copy(steps, size, result, 0, wide, flat_of_q, q_at, heads * size, ONE)
        multiply_turned(width, tall, wide, slopes, 0, width, q_rows, 0, wide, result, 0, wide)
        _copy(sources, size, result, 0, wide, flat_of_k, k_at, heads * size, ONE)
