"""Attention of one head at a time in a core's own cache, compiled by Numba: needs the extra `fast`.

The weights of a head, a number for every pair of steps, are made, used and forgotten where they lie, and made again on
the way back: written to memory, they would be most of what a step moves.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
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
from gengap.kernels.numba_parts import Builder, Context, Floats, Intrinsic, Kind, Signature, Value, Values, cgutils

ONE = np.float32(1)


@intrinsic
def _largest(context: Context, count: Kind, size: Kind, line: Kind, at: Kind, out: Kind, to: Kind) -> Intrinsic:
    """`out[to]` = the largest of the first `count` numbers of a line of `size`, a multiple of 16."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
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
    context: Context, count: Kind, size: Kind, line: Kind, at: Kind, out: Kind, to: Kind, number: Kind
) -> Intrinsic:  # fmt: skip
    """A line becomes `exp(line - number)`, and 0 from `count` on; `out[to]` = its sum."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
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
def _differentiate(context: Context, size: Kind, weights: Kind, w_at: Kind, grad: Kind, g_at: Kind) -> Intrinsic:
    """The gradient of a line of weights becomes that of what they are the softmax of."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
        lanes, places, result = Lanes(builder), Places(context, builder, signature, arguments), _result(builder)
        builder.store(lanes.number(0.0), result)
        with _vectors(builder, arguments[0]) as offset:
            product = lanes.multiply(places.load(1, offset), places.load(3, offset))
            builder.store(lanes.add(product, builder.load(result)), result)
        # With w = softmax(s) and g the gradient of w: ds_j = sum_i g_i w_i ((i = j) - w_j) = w_j (g_j - sum_i w_i g_i),
        # so that a line needs one sum and no matrix. What is not seen has w = 0, and gets the gradient 0 without being
        # asked.
        mean = everywhere(builder, lanes.sum(builder.load(result)))
        with _vectors(builder, arguments[0]) as offset:
            rest = lanes.subtract(places.load(3, offset), mean)
            places.store(lanes.multiply(places.load(1, offset), rest), 3, offset)
        return context.get_dummy_value()

    return types.void(types.intp, weights, types.intp, grad, types.intp), emit


def _result(builder: Builder) -> Value:
    return cgutils.alloca_once(builder, vector())


class _vectors:  # noqa: N801  a loop, to be read as one
    """Go through a line, sixteen numbers at a time."""

    def __init__(self, builder: Builder, size: Value) -> None:
        step = ir.Constant(size.type, LANES)
        self._loop = cgutils.for_range_slice(builder, size.type(0), size, step, size.type)

    def __enter__(self) -> Value:
        return self._loop.__enter__()[0]

    def __exit__(self, *error: object) -> None:
        self._loop.__exit__(*error)


def _first(builder: Builder, offset: Value, count: Value, value: Value, other: Value) -> Value:
    """Return a vector whose numbers from place `count` of the line on are others."""
    lane = ir.IntType(32)
    kind = ir.VectorType(lane, LANES)
    # Compared with the lane's number, not loaded by a mask: the line is padded to a multiple of 16, so that reading
    # past `count` stays inside it, and what was read there is put aside.
    left = builder.trunc(builder.sub(count, offset), lane)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), left, ir.Constant(lane, 0))
    left = builder.shuffle_vector(first, first, ir.Constant(kind, [0] * LANES))
    inside = builder.icmp_signed("<", ir.Constant(kind, list(range(LANES))), left)
    return builder.select(inside, value, other)


def _write(
    context: Context, builder: Builder, signature: Signature, arguments: Values, number: int, value: Value
) -> None:
    data = context.make_array(signature.args[number])(context, builder, arguments[number]).data
    builder.store(value, builder.gep(data, [arguments[number + 1]]))


@intrinsic
def _copy_numbers(
    context: Context, rows: Kind, columns: Kind, source: Kind, at: Kind, row: Kind, out: Kind, to: Kind, out_row: Kind,
    out_column: Kind, factor: Kind,
) -> Intrinsic:  # fmt: skip
    """`out[r * out_row + c * out_column] = factor * source[r * row + c]`, each from its place on."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
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
    rows: int, columns: int, source: Floats, at: int, row: int, out: Floats, to: int, out_row: int, factor: np.float32
) -> None:  # fmt: skip
    """Write rows times a factor to where they are `out_row` apart."""
    if columns % LANES:
        _copy_numbers(rows, columns, source, at, row, out, to, out_row, 1, factor)
        return
    for r in range(rows):
        combine_lines(SCALE, columns, out, to + r * out_row, source, at + r * row, source, at, factor)


@njit(**COMPILED)
def forward(
    first: int, last: int, causal: bool, scale: np.float32, q: Floats, k: Floats, v: Floats, out: Floats, levels: Floats
) -> None:
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
    # Heads lie interleaved, `(T, heads, size)`: each is copied once into rows of its own, padded with zeros, since the
    # products want rows of 16 numbers. Zeros add nothing to a sum; padded scores are left out by `seen`.
    q_rows, turned = np.zeros(tall * wide, dtype=np.float32), np.zeros(size * width, dtype=np.float32)
    v_rows, weights = np.zeros(sources * broad, dtype=np.float32), np.zeros(tall * width, dtype=np.float32)
    result, found = np.zeros(tall * broad, dtype=np.float32), np.zeros(2, dtype=np.float32)
    shares = np.zeros(steps, dtype=np.float32)
    for number in range(first, last):
        case, head = number // heads, number % heads
        q_at, k_at = (case * steps * heads + head) * size, (case * sources * heads + head) * size
        v_at, out_at = (case * sources * heads + head) * values, (case * steps * heads + head) * values
        # The scale goes into the queries: T x size products instead of T x S.
        _copy(steps, size, flat_q, q_at, heads * size, q_rows, 0, wide, scale)
        _copy_numbers(sources, size, flat_k, k_at, heads * size, turned, 0, 1, width, ONE)
        _copy(sources, values, flat_v, v_at, heads * values, v_rows, 0, broad, ONE)
        multiply_small(tall, size, width, q_rows, 0, wide, turned, 0, width, weights, 0, width)
        for t in range(steps):
            seen = min(t + 1, sources) if causal else sources
            _largest(seen, width, weights, t * width, found, 0)
            _exponentials(seen, width, weights, t * width, found, 1, found[0])
            # Weights stay exp(s - max): the division by their sum waits for the weighted values, T x values of them and
            # not T x S.
            flat_levels[2 * (number * steps + t)] = found[0]
            flat_levels[2 * (number * steps + t) + 1] = shares[t] = ONE / found[1]
        multiply_small(tall, sources, broad, weights, 0, width, v_rows, 0, broad, result, 0, broad)
        for t in range(steps):
            _copy(1, values, result, t * broad, 0, flat_out, out_at + t * heads * values, 0, shares[t])


@njit(**COMPILED)
def backward(
    first: int, last: int, causal: bool, scale: np.float32, q: Floats, k: Floats, v: Floats, levels: Floats,
    grad: Floats, of_q: Floats, of_k: Floats, of_v: Floats,
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
            # Rows from `steps` to `tall` are padding: nothing is seen there, so that the transposed products below,
            # which sum over rows, get zeros from them.
            seen = (min(t + 1, sources) if causal else sources) if t < steps else 0
            at = 2 * (number * steps + min(t, steps - 1))
            # The same instructions on the same scores and the kept maximum: the exponentials of `forward`, to the bit.
            _exponentials(seen, width, weights, t * width, found, 0, flat_levels[at])
            combine_lines(SCALE, width, weights, t * width, weights, t * width, weights, 0, flat_levels[at + 1])
        multiply_turned(width, tall, broad, weights, 0, width, g_rows, 0, broad, result, 0, broad)
        _copy(sources, values, result, 0, broad, flat_of_v, v_at, heads * values, ONE)
        multiply_small(tall, values, width, g_rows, 0, broad, v_turned, 0, width, slopes, 0, width)
        for t in range(tall):
            _differentiate(width, weights, t * width, slopes, t * width)
        # s = (scale q) k^T: of q it is ds (scale k), of k it is ds^T (scale q); both copies hold the scale already.
        multiply_small(tall, sources, wide, slopes, 0, width, k_rows, 0, wide, result, 0, wide)
        _copy(steps, size, result, 0, wide, flat_of_q, q_at, heads * size, ONE)
        multiply_turned(width, tall, wide, slopes, 0, width, q_rows, 0, wide, result, 0, wide)
        _copy(sources, size, result, 0, wide, flat_of_k, k_at, heads * size, ONE)
