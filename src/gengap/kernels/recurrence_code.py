"""Recurrent layers through all their steps, compiled by Numba: needs the extra `fast`.

A few cases go through all steps while their states and the recurrent kernel stay in a core's own cache: a library's
product for each step would cost a call, and write gates to memory that are read again at once. Gates lie side by side
as in Keras' kernels, each padded to a multiple of sixteen units.
"""

from collections.abc import Callable, Sequence

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from gengap.kernels.compiled_code import HIGH, LANES
from gengap.kernels.lane_code import ADD_SCALED, COMPILED, COPY, combine_lines, multiply_small
from gengap.kernels.lane_math import Lanes, Places
from gengap.kernels.numba_parts import Builder, Context, Floats, Intrinsic, Kind, Signature, Value, Values, cgutils

CASES = 4
"""Cases that go through time together: as many as rows of a small product. More are more places in memory at once."""
Gate = Callable[[int], Value]
"""Where the sixteen units of a gate begin, of which one after the other are worked on."""
Change = Callable[[Lanes, Places, Gate], None]
NONE, ONE = np.float32(0), np.float32(1)


def _for_units(context: Context, builder: Builder, signature: Signature, arguments: Values, change: Change) -> Value:
    """Let `change(lanes, places, gate)` emit the work on sixteen units; `gate(n)` is where those of gate n begin."""
    places, lanes = Places(context, builder, signature, arguments), Lanes(builder)
    units = arguments[0]
    step = ir.Constant(units.type, LANES)
    with cgutils.for_range_slice(builder, units.type(0), units, step, units.type) as (offset, _):

        def gate(number: int) -> Value:
            return builder.add(builder.mul(units, units.type(number)), offset)

        change(lanes, places, gate)
    return context.get_dummy_value()


def _with_places(units: Kind, arrays: Sequence[Kind]) -> Signature:
    """Return the signature of an intrinsic on arrays, each with the place of its first number."""
    return types.void(units, *(one for array in arrays for one in (array, types.intp)))


@intrinsic
def _lstm(
    context: Context, units: Kind, inner: Kind, i_at: Kind, gates: Kind, g_at: Kind, c: Kind, c_at: Kind, h: Kind,
    h_at: Kind, c_next: Kind, n_at: Kind,
) -> Intrinsic:  # fmt: skip
    """One case, one step: `gates` holds the projected input and gets the gates; `inner` is the product with the state.

    `c` and `h` are the running states; the new c is also written to `c_next`.
    """

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
        def change(lanes: Lanes, places: Places, gate: Gate) -> None:
            sums = [lanes.add(places.load(1, gate(n)), places.load(3, gate(n))) for n in range(4)]
            i, f, o = (lanes.sigmoid(sums[n]) for n in (0, 1, 3))
            g = lanes.tanh(sums[2])
            state = lanes.add(lanes.multiply(f, places.load(5, gate(0))), lanes.multiply(i, g))
            for n, value in enumerate((i, f, g, o)):
                places.store(value, 3, gate(n))
            places.store(state, 5, gate(0))
            places.store(state, 9, gate(0))
            places.store(lanes.multiply(o, lanes.tanh(state)), 7, gate(0))

        return _for_units(context, builder, signature, arguments, change)

    return _with_places(types.intp, (inner, gates, c, h, c_next)), emit


@intrinsic
def _lstm_back(
    context: Context, units: Kind, gates: Kind, g_at: Kind, c: Kind, c_at: Kind, before: Kind, b_at: Kind, dh: Kind,
    h_at: Kind, dc: Kind, d_at: Kind, dz: Kind, z_at: Kind,
) -> Intrinsic:  # fmt: skip
    """One case, one step backwards: to `dz` of the gates; `dh` becomes 0, and `dc` that of the step before."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
        def change(lanes: Lanes, places: Places, gate: Gate) -> None:
            i, f, g, o = (places.load(1, gate(n)) for n in range(4))
            tanh_c, dh = lanes.tanh(places.load(3, gate(0))), places.load(7, gate(0))
            # h = o tanh(c): what comes through h is dh o (1 - tanh(c)^2), added to what comes from the step after.
            # tanh(c) is made again: kept, it would be one more array of the size of the states to write and to read.
            through = lanes.multiply(dh, o, lanes.complement(lanes.multiply(tanh_c, tanh_c)))
            dc = lanes.add(places.load(9, gate(0)), through)
            sums = (
                # of the sums before the nonlinearities: sigmoid' = s (1 - s), tanh' = 1 - tanh^2
                lanes.multiply(dc, g, i, lanes.complement(i)),
                lanes.multiply(dc, places.load(5, gate(0)), f, lanes.complement(f)),
                lanes.multiply(dc, i, lanes.complement(lanes.multiply(g, g))),
                lanes.multiply(dh, tanh_c, o, lanes.complement(o)),
            )
            for n, value in enumerate(sums):
                places.store(value, 11, gate(n))
            places.store(lanes.multiply(dc, f), 9, gate(0))
            places.store(lanes.number(0.0), 7, gate(0))

        return _for_units(context, builder, signature, arguments, change)

    return _with_places(types.intp, (gates, c, before, dh, dc, dz)), emit


@intrinsic
def _gru(
    context: Context, units: Kind, inner: Kind, i_at: Kind, gates: Kind, g_at: Kind, bias: Kind, b_at: Kind, h: Kind,
    h_at: Kind, candidate: Kind, c_at: Kind,
) -> Intrinsic:  # fmt: skip
    """One case, one step: `gates` holds the projected input and gets the gates; `candidate` keeps its inner part."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
        def change(lanes: Lanes, places: Places, gate: Gate) -> None:
            inner = [lanes.add(places.load(1, gate(n)), places.load(5, gate(n))) for n in range(3)]
            z, r = (lanes.sigmoid(lanes.add(places.load(3, gate(n)), inner[n])) for n in range(2))
            new = lanes.tanh(lanes.add(places.load(3, gate(2)), lanes.multiply(r, inner[2])))
            for n, value in enumerate((z, r, new)):
                places.store(value, 3, gate(n))
            places.store(inner[2], 9, gate(0))
            # z h + (1 - z) new, with one product less
            state = lanes.add(new, lanes.multiply(z, lanes.subtract(places.load(7, gate(0)), new)))
            places.store(state, 7, gate(0))

        return _for_units(context, builder, signature, arguments, change)

    return _with_places(types.intp, (inner, gates, bias, h, candidate)), emit


@intrinsic
def _gru_back(
    context: Context, units: Kind, gates: Kind, g_at: Kind, candidate: Kind, c_at: Kind, before: Kind, b_at: Kind,
    dh: Kind, h_at: Kind, dx: Kind, x_at: Kind, inner: Kind, i_at: Kind,
) -> Intrinsic:  # fmt: skip
    """One case, one step backwards: gradients of the projected input and of the inner product.

    `dh` becomes what goes on to the state before without a product.
    """

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Values) -> Value:
        def change(lanes: Lanes, places: Places, gate: Gate) -> None:
            z, r, new = (places.load(1, gate(n)) for n in range(3))
            dh = places.load(7, gate(0))
            of_z = lanes.multiply(dh, lanes.subtract(places.load(5, gate(0)), new), z, lanes.complement(z))
            # h' = z h + (1 - z) new, new = tanh(x + r inner): the inner product meets r, so that its gradient has a
            # factor r which that of the projected input has not. Hence two gradients of a GRU that resets after the
            # product.
            of_new = lanes.multiply(dh, lanes.complement(z), lanes.complement(lanes.multiply(new, new)))
            of_r = lanes.multiply(of_new, places.load(3, gate(0)), r, lanes.complement(r))
            for n, (outside, inside) in enumerate(((of_z, of_z), (of_r, of_r), (of_new, lanes.multiply(of_new, r)))):
                places.store(outside, 9, gate(n))
                places.store(inside, 11, gate(n))
            places.store(lanes.multiply(dh, z), 7, gate(0))

        return _for_units(context, builder, signature, arguments, change)

    return _with_places(types.intp, (gates, candidate, before, dh, dx, inner)), emit


@njit(**COMPILED)
def forward(
    first: int, last: int, kind: int, reverse: bool, gates: Floats, kernel: Floats, bias: Floats,
    mask: NDArray[np.uint8], before: Floats, kept: Floats, h: Floats,
) -> None:  # fmt: skip
    """Go through all steps with the groups of cases from `first` to `last`.

    Args:
        first: First group: those of all runs are counted through.
        last: The group after the last one.
        kind: Gates of a cell: 4 for an LSTM, 3 for a GRU.
        reverse: Whether the last step comes first.
        gates: Projected inputs `(K, B, T, kind * units)`, which become the gates.
        kernel: Recurrent kernels, `(K, units, kind * units)`.
        bias: Bias of a GRU's inner product, `(K, kind * units)`; not read for an LSTM.
        mask: Which steps count, `(K, B, T)` uint8; empty for all.
        before: Gets the state before each step, `(K, B, T, units)`.
        kept: For the way back: an LSTM's c before and after each step, `(K, B, T, 2, units)`; a GRU's inner candidate,
            `(K, B, T, units)`.
        h: Gets the states after each step, `(K, B, T, units)`, or after all, `(K, B, 1, units)`.
    """
    cases, steps, width = gates.shape[1:]
    units = kernel.shape[1]
    groups, wanted = -(-cases // CASES), h.shape[2]
    flat_gates, flat_kernel, flat_bias = gates.reshape(-1), kernel.reshape(-1), bias.reshape(-1)
    flat_mask, flat_before, flat_kept, flat_h = mask.reshape(-1), before.reshape(-1), kept.reshape(-1), h.reshape(-1)
    state, cell = np.empty(CASES * units, dtype=np.float32), np.empty(CASES * units, dtype=np.float32)
    inner = np.empty(CASES * width, dtype=np.float32)
    for group in range(first, last):
        run, start = group // groups, group % groups * CASES
        count = min(CASES, cases - start)
        # Keras starts every sequence at 0; `stateful` layers and given initial states take another door.
        state[:], cell[:] = 0, 0
        # The last group may be short: its missing rows are multiplied along, as zeros, and their products are read by
        # nobody.
        rows = -(-count // HIGH) * HIGH
        for number in range(steps):
            t = steps - 1 - number if reverse else number
            multiply_small(
                rows, units, width, state, 0, units, flat_kernel, run * units * width, width, inner, 0, width
            )
            for case in range(count):
                place, own = (run * cases + start + case) * steps + t, case * units
                combine_lines(COPY, units, flat_before, place * units, state, own, state, own, NONE)
                # A step that is masked leaves the state as it was, as in Keras. Its gates stay the projected input, and
                # what is kept of it stays unwritten: the way back reads neither.
                if flat_mask.size == 0 or flat_mask[place]:
                    if kind == 4:
                        at = 2 * place * units
                        combine_lines(COPY, units, flat_kept, at, cell, own, cell, own, NONE)
                        _lstm(units, inner, case * width, flat_gates, place * width, cell, own, state, own,
                              flat_kept, at + units)  # fmt: skip
                    else:
                        _gru(units, inner, case * width, flat_gates, place * width, flat_bias, run * width, state,
                             own, flat_kept, place * units)  # fmt: skip
                if wanted == steps or number == steps - 1:
                    to = ((run * cases + start + case) * wanted + (t if wanted == steps else 0)) * units
                    combine_lines(COPY, units, flat_h, to, state, own, state, own, NONE)


@njit(**COMPILED)
def backward(
    first: int, last: int, kind: int, reverse: bool, gates: Floats, turned: Floats, mask: NDArray[np.uint8],
    before: Floats, kept: Floats, grad: Floats, outside: Floats, inside: Floats,
) -> None:  # fmt: skip
    """Go back through all steps with the groups of cases from `first` to `last`.

    Args:
        first: First group.
        last: The group after the last one.
        kind: As in `forward`, as are all that are not said here.
        reverse: Whether the last step came first.
        gates: The gates.
        turned: Transposed recurrent kernels, `(K, kind * units, units)`.
        mask: Which steps count.
        before: The state before each step.
        kept: What `forward` kept.
        grad: Gradient of the states, of the shape of `h`.
        outside: Gets the gradient of the projected inputs, `(K, B, T, kind * units)`.
        inside: Gets that of a GRU's inner products; for an LSTM the two are one, and it is not written.
    """
    cases, steps, width = gates.shape[1:]
    units = turned.shape[2]
    groups, given = -(-cases // CASES), grad.shape[2]
    flat_gates, flat_turned, flat_mask = gates.reshape(-1), turned.reshape(-1), mask.reshape(-1)
    flat_before, flat_kept, flat_grad = before.reshape(-1), kept.reshape(-1), grad.reshape(-1)
    flat_outside, flat_inside = outside.reshape(-1), inside.reshape(-1)
    dh, dc = np.empty(CASES * units, dtype=np.float32), np.empty(CASES * units, dtype=np.float32)
    product, own = np.empty(CASES * units, dtype=np.float32), np.zeros(CASES * width, dtype=np.float32)
    nothing = np.zeros(width, dtype=np.float32)
    for group in range(first, last):
        run, start = group // groups, group % groups * CASES
        count = min(CASES, cases - start)
        dh[:], dc[:] = 0, 0
        rows = -(-count // HIGH) * HIGH
        for number in range(steps - 1, -1, -1):
            t = steps - 1 - number if reverse else number
            for case in range(count):
                place, at = (run * cases + start + case) * steps + t, case * units
                if given == steps or number == steps - 1:
                    where = ((run * cases + start + case) * given + (t if given == steps else 0)) * units
                    combine_lines(ADD_SCALED, units, dh, at, flat_grad, where, flat_grad, where, ONE)
                # A masked step hands dh and dc on unchanged: its own gradients are 0, and the product below adds 0.
                counts = flat_mask.size == 0 or flat_mask[place]
                if counts and kind == 4:
                    kept_at = 2 * place * units
                    _lstm_back(units, flat_gates, place * width, flat_kept, kept_at + units, flat_kept, kept_at, dh,
                               at, dc, at, own, case * width)  # fmt: skip
                    combine_lines(COPY, width, flat_outside, place * width, own, case * width, own, 0, NONE)
                elif counts:
                    _gru_back(units, flat_gates, place * width, flat_kept, place * units, flat_before, place * units,
                              dh, at, flat_outside, place * width, own, case * width)  # fmt: skip
                    combine_lines(COPY, width, flat_inside, place * width, own, case * width, own, 0, NONE)
                else:
                    combine_lines(COPY, width, own, case * width, nothing, 0, nothing, 0, NONE)
                    combine_lines(COPY, width, flat_outside, place * width, own, case * width, own, 0, NONE)
                    if kind != 4:
                        combine_lines(COPY, width, flat_inside, place * width, own, case * width, own, 0, NONE)
            # Rows from `count` on may hold what the group before left: their products are added to nothing.
            multiply_small(
                rows, width, units, own, 0, width, flat_turned, run * units * width, units, product, 0, units
            )
            combine_lines(ADD_SCALED, count * units, dh, 0, product, 0, product, 0, ONE)
