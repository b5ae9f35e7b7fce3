"""Work on sixteen numbers at a time inside flat arrays, compiled by Numba: needs the extra `fast`.

Products of small matrices that stay in a core's own cache, and sums and maxima of lines. A library's product of
matrices costs a call, shares its work among threads and writes its result to memory; where hundreds of products of
8 x 8 or 16 x 32 numbers follow each other, these cost more than the products. LLVM keeps the sums of a small tile of
the result in vector registers if the tile is written out, and finds the vectors of a line only where it can see that
no index is negative, so these loops are written in its language; all else is plain Python.
"""

from llvmlite import binding, ir
from numba import njit, types
from numba.extending import intrinsic

from gengap.kernels.compiled_code import HIGH, LANES
from gengap.kernels.numba_parts import Builder, Context, Floats, Intrinsic, Kind, Signature, Value, Values, cgutils

COMPILED = {"nogil": True, "cache": True, "boundscheck": False, "error_model": "numpy"}
"""How the code that calls these products is compiled too."""

_FUSED = ("contract",)  # a product and a sum in one rounding; NaN and infinity keep their meaning
_WIDE = "avx512f" in binding.get_host_cpu_features()
_VECTORS = 4 if _WIDE else 1
"""Vectors side by side in a tile, of four rows: as many sums as registers hold, beside what they are made of.

With 32 registers of 64 bytes these are 16, with 16 of 32 bytes 8: twice as many go to memory and back with every
product (31 instead of 69 GFLOP/s for 16 x 32 by 32 x 128 on a Zen 3)."""


@intrinsic(prefer_literal=True)
def _multiply_tile(
    context: Context, vectors: Kind, inner: Kind, a: Kind, a_at: Kind, a_row: Kind, a_column: Kind, b: Kind, b_at: Kind,
    b_row: Kind, out: Kind, out_at: Kind, out_row: Kind,
) -> Intrinsic:  # fmt: skip
    """`out[r, :16 * vectors] = sum over k < inner of a[r, k] * b[k, :16 * vectors]` for r < HIGH.

    Each of the three is a flat array, the place of its first number, and how far apart its rows are; of `a` also how
    far apart its columns are. `vectors` is a literal number.
    """

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
        _, inner, _, a_at, a_row, a_column, _, b_at, b_row, _, out_at, out_row = arguments
        data = {
            number: context.make_array(signature.args[number])(context, builder, arguments[number]).data
            for number in (2, 6, 9)
        }
        index = inner.type
        zero = ir.Constant(vector(), [0.0] * LANES)
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(wide)] for _ in range(HIGH)]

        def place(number: int, start: Value, row: Value, step: Value, column: Value) -> Value:
            return builder.gep(data[number], [builder.add(builder.add(start, builder.mul(row, step)), column)])

        def lanes(number: int, start: Value, row: Value, step: Value, v: int) -> Value:
            pointer = place(number, start, row, step, index(LANES * v))
            return builder.bitcast(pointer, vector().as_pointer())

        with cgutils.for_range(builder, inner, intp=index) as loop:
            # An outer product at a time: a row of b is loaded once for four rows of a. The sums are slots on the stack,
            # of which LLVM makes registers as long as there are no more of them than registers.
            across = [builder.load(lanes(6, b_at, loop.index, b_row, v), align=4) for v in range(wide)]
            for r, own in enumerate(sums):
                column = builder.mul(loop.index, a_column)
                factor = everywhere(builder, builder.load(place(2, a_at, index(r), a_row, column)))
                for total, values in zip(own, across, strict=True):
                    term = builder.fmul(factor, values, flags=_FUSED)
                    builder.store(builder.fadd(builder.load(total), term, flags=_FUSED), total)
        for r, own in enumerate(sums):
            for v, total in enumerate(own):
                builder.store(builder.load(total), lanes(9, out_at, index(r), out_row, v), align=4)
        return context.get_dummy_value()

    wide = vectors.literal_value
    where = (types.intp, types.intp)
    return types.void(vectors, types.intp, a, *where, types.intp, b, *where, out, *where), emit


BEGIN_SUM, ADD_SUM, KEEP_LARGER_SUM = 0, 1, 2
"""`max(a + b, number)`: written to `out`, added to it, or kept where it is larger."""
MULTIPLY, SCALE, ADD_SCALED, KEEP_LARGER, COPY = 3, 4, 5, 6, 7
"""`a * b`; `a * number`, or that added to `out`; `a` where it is larger; `a`."""


@intrinsic(prefer_literal=True)
def combine_lines(
    context: Context, kind: Kind, count: Kind, out: Kind, out_at: Kind, a: Kind, a_at: Kind, b: Kind, b_at: Kind,
    number: Kind,
) -> Intrinsic:  # fmt: skip
    """Change `count` numbers of `out`, a multiple of 16, by those of `a`, or of `a` and `b`; all from their places on.

    `kind` is one of the literal numbers above; a comparison keeps what is not a number.
    """

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
        _, count, _, out_at, _, a_at, _, b_at, number = arguments
        data = {
            place: context.make_array(signature.args[place])(context, builder, arguments[place]).data
            for place in (2, 4, 6)
        }
        scalar = everywhere(builder, number)

        def lanes(place: int, start: Value, offset: Value) -> Value:
            pointer = builder.gep(data[place], [builder.add(start, offset)])
            return builder.bitcast(pointer, vector().as_pointer())

        def larger(one: Value, other: Value) -> Value:
            return builder.select(builder.fcmp_ordered("<", one, other), other, one)

        step = ir.Constant(count.type, LANES)
        with cgutils.for_range_slice(builder, count.type(0), count, step, count.type) as (offset, _):
            to = lanes(2, out_at, offset)
            value = builder.load(lanes(4, a_at, offset), align=4)
            if which in {BEGIN_SUM, ADD_SUM, KEEP_LARGER_SUM}:
                value = builder.fadd(value, builder.load(lanes(6, b_at, offset), align=4))
                value = larger(value, scalar)
            elif which == MULTIPLY:
                value = builder.fmul(value, builder.load(lanes(6, b_at, offset), align=4))
            elif which in {SCALE, ADD_SCALED}:
                value = builder.fmul(value, scalar)
            if which in {ADD_SUM, ADD_SCALED}:
                value = builder.fadd(builder.load(to, align=4), value)
            elif which in {KEEP_LARGER, KEEP_LARGER_SUM}:
                value = larger(value, builder.load(to, align=4))
            builder.store(value, to, align=4)
        return context.get_dummy_value()

    which = kind.literal_value
    return types.void(kind, types.intp, out, types.intp, a, types.intp, b, types.intp, types.float32), emit


def vector() -> ir.Type:
    """Return the type of sixteen numbers."""
    return ir.VectorType(ir.FloatType(), LANES)


def everywhere(builder: Builder, number: Value) -> Value:
    """Return a vector of one number."""
    lane = ir.IntType(32)
    first = builder.insert_element(ir.Constant(vector(), ir.Undefined), number, ir.Constant(lane, 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(lane, LANES), [0] * LANES))


@njit(**COMPILED)
def multiply_small(
    rows: int, inner: int, columns: int, a: Floats, a_at: int, a_row: int, b: Floats, b_at: int, b_row: int,
    out: Floats, out_at: int, out_row: int,
) -> None:  # fmt: skip
    """`out = a @ b` for matrices inside flat arrays; `out` must not overlap the others.

    Args:
        rows: Rows of `a` and `out`, a multiple of 4.
        inner: Columns of `a`, rows of `b`.
        columns: Columns of `b` and `out`, a multiple of 16.
        a: Where `a` lies.
        a_at: Place of its first number.
        a_row: How far apart its rows are.
        b: Where `b` lies; `b_at` and `b_row` as above.
        b_at: Place of its first number.
        b_row: How far apart its rows are.
        out: Where the result goes.
        out_at: Place of its first number.
        out_row: How far apart its rows are.
    """
    # Every number of the result is one sum over `inner` in its order, whichever tile it lies in: how columns are cut
    # changes no bit.
    whole = columns - columns % (_VECTORS * LANES)
    for row in range(0, rows, HIGH):
        left, to = a_at + row * a_row, out_at + row * out_row
        for column in range(0, whole, _VECTORS * LANES):
            _multiply_tile(_VECTORS, inner, a, left, a_row, 1, b, b_at + column, b_row, out, to + column, out_row)
        for column in range(whole, columns, LANES):
            _multiply_tile(1, inner, a, left, a_row, 1, b, b_at + column, b_row, out, to + column, out_row)


@njit(**COMPILED)
def multiply_turned(
    rows: int, inner: int, columns: int, a: Floats, a_at: int, a_row: int, b: Floats, b_at: int, b_row: int,
    out: Floats, out_at: int, out_row: int,
) -> None:  # fmt: skip
    """`out = a.T @ b`, else as `multiply_small`: `rows` are the columns of `a` and the rows of `out`."""
    whole = columns - columns % (_VECTORS * LANES)
    for row in range(0, rows, HIGH):
        left, to = a_at + row, out_at + row * out_row
        for column in range(0, whole, _VECTORS * LANES):
            _multiply_tile(_VECTORS, inner, a, left, 1, a_row, b, b_at + column, b_row, out, to + column, out_row)
        for column in range(whole, columns, LANES):
            _multiply_tile(1, inner, a, left, 1, a_row, b, b_at + column, b_row, out, to + column, out_row)
