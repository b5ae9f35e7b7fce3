"""Sparse rows times sixteen columns at a time, compiled by Numba: needs the extra `fast`.

A panel is sixteen columns of one kernel, `(features, 16)`, which is one or two vector registers wide and, with 10,000
features, 640 kB in all: it stays in a core's own cache while a batch is scattered into its gradient, while it is
updated, and while the next batch is multiplied with it. LLVM does not find the vectors in loops over sixteen columns
(the arrays might overlap), so the two inner loops are written in its language; all else is plain Python.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from gengap.kernels.compiled_code import LANES
from gengap.kernels.lane_code import COMPILED, everywhere, vector
from gengap.kernels.numba_parts import Builder, Context, Floats, Intrinsic, Kind, Signature, Value, Values, cgutils

SGD, RMSPROP, ADAM = 0, 1, 2
"""Update rules, as `update_panel` knows them."""

_LINES_AHEAD = 4  # 64 bytes each: 128 features of 16 bits, about a review
_FREE_ORDER = ("reassoc", "contract", "nsz")  # NaN and infinity keep their meaning: a diverging run must be seen
_COMPILED = COMPILED | {"fastmath": {"contract"}}


@intrinsic
def _sum_rows(
    context: Context,
    panel: Kind,
    offset: Kind,
    indices: Kind,
    values: Kind,
    start: Kind,
    stop: Kind,
    out: Kind,
    at: Kind,
) -> Intrinsic:
    """`out[at : at + 16] = sum of values[k] * panel[offset + 16 * indices[k] :][:16]` for k from `start` to `stop`."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
        data = _Arrays(context, builder, signature, arguments)
        _, offset, _, _, start, stop, _, at = arguments
        one, four = (ir.Constant(offset.type, number) for number in (1, 4))
        zero = ir.Constant(vector(), [0.0] * LANES)
        # four sums at once: one alone would wait for its own last addition
        totals = [cgutils.alloca_once_value(builder, zero) for _ in range(4)]
        whole = builder.sub(stop, builder.srem(builder.sub(stop, start), four))

        def add(total: Value, k: Value) -> None:
            term = data.weighted(builder.load(data.row(0, offset, k), align=4), k)
            builder.store(builder.fadd(builder.load(total), term, flags=_FREE_ORDER), total)

        with cgutils.for_range_slice(builder, start, whole, four, offset.type) as (k, _):
            for number, total in enumerate(totals):
                add(total, builder.add(k, ir.Constant(offset.type, number)))
        with cgutils.for_range_slice(builder, whole, stop, one, offset.type) as (k, _):
            add(totals[0], k)
        halves = [builder.fadd(*map(builder.load, pair), flags=_FREE_ORDER) for pair in (totals[:2], totals[2:])]
        builder.store(builder.fadd(*halves, flags=_FREE_ORDER), data.vector(6, at), align=4)
        return context.get_dummy_value()

    places = (types.intp, types.intp)
    return types.void(panel, types.intp, indices, values, *places, out, types.intp), emit


@intrinsic
def _add_to_rows(
    context: Context,
    panel: Kind,
    offset: Kind,
    indices: Kind,
    values: Kind,
    start: Kind,
    stop: Kind,
    source: Kind,
    at: Kind,
) -> Intrinsic:
    """`panel[offset + 16 * indices[k] :][:16] += values[k] * source[at : at + 16]` for k from `start` to `stop`."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
        data = _Arrays(context, builder, signature, arguments)
        _, offset, _, _, start, stop, _, at = arguments
        # No four sums here: a row names each feature once, so that neighbouring additions are to different memory.
        added = builder.load(data.vector(6, at), align=4)
        with cgutils.for_range_slice(builder, start, stop, ir.Constant(offset.type, 1), offset.type) as (k, _):
            place = data.row(0, offset, k)
            term = data.weighted(added, k)
            builder.store(builder.fadd(builder.load(place, align=4), term, flags=_FREE_ORDER), place, align=4)
        return context.get_dummy_value()

    places = (types.intp, types.intp)
    return types.void(panel, types.intp, indices, values, *places, source, types.intp), emit


@intrinsic
def _fetch_ahead(context: Context, indices: Kind, start: Kind) -> Intrinsic:
    """Ask for the memory of a row's first indices, which no pattern announces: rows come in random order."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
        data, number = context.make_array(signature.args[0])(context, builder, arguments[0]).data, ir.IntType(32)
        byte = ir.IntType(8)
        line = builder.bitcast(builder.gep(data, [arguments[1]]), byte.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for lines in range(_LINES_AHEAD):
            place = builder.gep(line, [ir.Constant(number, 64 * lines)])
            builder.call(prefetch, [place, *(ir.Constant(number, one) for one in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(indices, types.intp), emit


class _Arrays:
    """The arrays among an intrinsic's arguments, as LLVM sees them."""

    def __init__(self, context: Context, builder: Builder, signature: Signature, arguments: Values) -> None:
        self._builder, self._offset_type = builder, arguments[1].type
        self._pointers = {
            number: context.make_array(kind)(context, builder, value).data
            for number, (kind, value) in enumerate(zip(signature.args, arguments, strict=True))
            if isinstance(kind, types.Array)
        }

    def vector(self, number: int, place: Value) -> Value:
        """Return a pointer to the sixteen numbers from `place` on."""
        pointer = self._builder.gep(self._pointers[number], [place])
        return self._builder.bitcast(pointer, vector().as_pointer())

    def row(self, number: int, offset: Value, k: Value) -> Value:
        """Return a pointer to the row of a panel that the k-th index names."""
        builder = self._builder
        # Unsigned: a feature beyond 32,767 in 16 bits would become negative by sign extension.
        index = builder.zext(builder.load(builder.gep(self._pointers[2], [k])), self._offset_type)
        within = builder.mul(index, ir.Constant(self._offset_type, LANES))
        return self.vector(number, builder.add(offset, within))

    def weighted(self, numbers: Value, k: Value) -> Value:
        """Return a vector times the k-th value; as it is, where all values are 1 and none are given."""
        if 3 not in self._pointers:
            return numbers
        builder = self._builder
        value = builder.load(builder.gep(self._pointers[3], [k]))
        return builder.fmul(numbers, everywhere(builder, value), flags=_FREE_ORDER)


@njit(**_COMPILED)
def multiply(
    first: int, last: int, panels_per_run: int, batch_of: NDArray[np.int64], rows: NDArray[np.int32],
    offsets: NDArray[np.int32], indices: NDArray[np.uint32], values: Floats | None, weights: Floats, out: Floats,
) -> None:  # fmt: skip
    """Multiply batches with the panels from `first` to `last`.

    Args:
        first: First panel.
        last: The panel after the last one.
        panels_per_run: Panels that a run has.
        batch_of: Which batch each run sees, `(K,)`.
        rows: Rows of each batch, `(G, B)`.
        offsets: Where each row starts in `indices`, `(rows + 1,)`.
        indices: Features, `(nonzeros,)`, unsigned.
        values: Their values, `(nonzeros,)`; None if all are 1.
        weights: Panels, `(K * panels_per_run * features * 16,)`.
        out: Products, `(K * B * panels_per_run * 16,)`.
    """
    num_rows, size = rows.shape[1], weights.shape[0] // (batch_of.shape[0] * panels_per_run)
    for panel in range(first, last):
        run, column = panel // panels_per_run, panel % panels_per_run
        for place in range(num_rows):
            row = rows[batch_of[run], place]
            _fetch_ahead(indices, offsets[rows[batch_of[run], min(place + 2, num_rows - 1)]])
            to = ((run * num_rows + place) * panels_per_run + column) * LANES
            _sum_rows(weights, panel * size, indices, values, offsets[row], offsets[row + 1], out, to)


@njit(**_COMPILED)
def advance(
    first: int, last: int, panels_per_run: int, batch_of: NDArray[np.int64], rows: NDArray[np.int32],
    offsets: NDArray[np.int32], indices: NDArray[np.uint32], values: Floats | None, weights: Floats, gradient: Floats,
    scratch: Floats, slots: Floats, rule: int, constants: Floats, strengths: Floats, ahead: NDArray[np.int32],
    out: Floats,
) -> None:  # fmt: skip
    """Take an update of the panels from `first` to `last`, and multiply the next batches with them.

    Args:
        first: First panel.
        last: The panel after the last one.
        panels_per_run: Panels that a run has.
        batch_of: Which batch each run sees, `(K,)`.
        rows: Rows of each batch, `(G, B)`.
        offsets: Where each row starts in `indices`, `(rows + 1,)`.
        indices: Features, `(nonzeros,)`, unsigned.
        values: Their values, `(nonzeros,)`; None if all are 1.
        weights: Panels, `(K * panels_per_run * features * 16,)`.
        gradient: Gradient of the products, `(K * B * panels_per_run * 16,)`.
        scratch: Zeros, `(features * 16,)`; zeros again afterwards.
        slots: State of the rule, `(slots, K * panels_per_run * features * 16)`.
        rule: Number of the rule.
        constants: Its constants, see `update_panel`.
        strengths: Learning rate, L1, L2 and decay of each run, `(4, K)`.
        ahead: Rows of each next batch, `(G, B)`; of no rows if there is none.
        out: Products of the next batches, `(K * B * panels_per_run * 16,)`.
    """
    num_rows, size = rows.shape[1], scratch.shape[0]
    for panel in range(first, last):
        run, column = panel // panels_per_run, panel % panels_per_run
        for place in range(num_rows):
            row = rows[batch_of[run], place]
            _fetch_ahead(indices, offsets[rows[batch_of[run], min(place + 2, num_rows - 1)]])
            at = ((run * num_rows + place) * panels_per_run + column) * LANES
            _add_to_rows(scratch, 0, indices, values, offsets[row], offsets[row + 1], gradient, at)
        # All rows, not only those that the batch has: Keras updates every row of a Dense kernel at every step, since
        # decay, penalties and momentum move all of them. To touch only some would be another optimizer.
        own = slice(panel * size, (panel + 1) * size)
        penalize_panel(weights[own], scratch, strengths[1, run], strengths[2, run])
        update_panel(weights[own], scratch, slots, panel * size, rule, constants, strengths[0, run], strengths[3, run])
        if ahead.shape[1]:
            multiply(panel, panel + 1, panels_per_run, batch_of, ahead, offsets, indices, values, weights, out)


@njit(**_COMPILED)
def penalize_panel(weights: Floats, gradient: Floats, l1: np.float32, l2: np.float32) -> None:
    """Add `l1 * sign(w) + 2 * l2 * w` to the gradient."""
    if l1 == 0 and l2 == 0:
        return
    for place in range(weights.shape[0]):
        weight = weights[place]
        gradient[place] += l1 * (np.float32(weight > 0) - np.float32(weight < 0)) + np.float32(2) * l2 * weight


@njit(**_COMPILED)
def update_panel(
    weights: Floats,
    gradient: Floats,
    slots: Floats,
    start: int,
    rule: int,
    constants: Floats,
    rate: np.float32,
    decay: np.float32,
) -> None:
    """Decay and update weights by one of the rules of `kernels.optimizers`, and set the gradient to zero.

    Args:
        weights: `(n,)`.
        gradient: `(n,)`.
        slots: `(slots, all)`, as the rule's `slots` begin.
        start: Where the panel starts in the slots.
        rule: `SGD`, `RMSPROP` or `ADAM`.
        constants: SGD: momentum. RMSprop: rho, 1 - rho, epsilon * (1 - rho). Adam: 1 - beta_1, 1 - beta_2, epsilon,
            bias correction.
        rate: Learning rate.
        decay: Decoupled decay.
    """
    if decay != 0:
        for place in range(weights.shape[0]):
            weights[place] -= weights[place] * (rate * decay)
    if rule == RMSPROP:
        mean_square = slots[0][start : start + weights.shape[0]]
        rho, rest, added = constants[0], constants[1], constants[2]
        for place in range(weights.shape[0]):
            slope = gradient[place]
            # u = v + epsilon is kept (see `kernels.optimizers.RMSprop`): u' = rho u + (1 - rho) g^2 + (1 - rho) epsilon
            u = rho * mean_square[place] + (rest * slope * slope + added)
            mean_square[place] = u
            weights[place] -= rate * slope / np.sqrt(u)
            gradient[place] = 0
    elif rule == ADAM:
        m, v = slots[0][start : start + weights.shape[0]], slots[1][start : start + weights.shape[0]]
        # Keras puts epsilon outside the bias correction: w -= lr c m / (sqrt(v) + epsilon), so c joins the rate.
        epsilon, speed = constants[2], rate * constants[3]
        for place in range(weights.shape[0]):
            slope = gradient[place]
            m[place] += (slope - m[place]) * constants[0]
            v[place] += (slope * slope - v[place]) * constants[1]
            weights[place] -= m[place] * speed / (np.sqrt(v[place]) + epsilon)
            gradient[place] = 0
    elif slots.shape[0]:
        momentum, m = constants[0], slots[0][start : start + weights.shape[0]]
        for place in range(weights.shape[0]):
            m[place] = momentum * m[place] - rate * gradient[place]
            weights[place] += m[place]
            gradient[place] = 0
    else:
        for place in range(weights.shape[0]):
            weights[place] -= rate * gradient[place]
            gradient[place] = 0
