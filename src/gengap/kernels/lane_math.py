"""Exponentials of sixteen numbers at a time, as instructions of LLVM: needs the extra `fast`.

LLVM knows no vector form of `exp` and `tanh` without another library, and calls them number by number, which costs more
than the products between them. `exp` is Cephes' polynomial (S. Moshier, 1989), `tanh` the fraction of Eigen's
`MathFunctionsImpl.h`; both to about 3e-7 relative. What is not a number stays so: a diverging run must be seen.
"""

from collections.abc import Callable, Sequence
from typing import final

from llvmlite import ir
from numba import types

from gengap.kernels.compiled_code import LANES
from gengap.kernels.lane_code import vector
from gengap.kernels.numba_parts import Builder, Context, Signature, Value, Values

_FUSED = ("contract",)
_SMALLEST, _LARGEST = -87.0, 88.0
_LOG2_E = 1.4426950408889634
_LN2 = (0.693359375, -2.12194440e-4)  # in two parts, the first of few digits, so that n * ln 2 is exact enough
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_NO_FRACTION = 1.5 * 2**23
_TANH_ABOVE = (
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05,
    6.37261928875436e-04, 4.89352455891786e-03,
)  # fmt: skip
_TANH_BELOW = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
_ONE_BEYOND = 7.90531110763549805  # where the fraction is 1 to rounding


@final
class Lanes:
    """Arithmetic on vectors of sixteen float32.

    Args:
        builder: LLVM's builder.
    """

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def number(self, value: float) -> Value:
        """Return a vector of one known number."""
        return ir.Constant(vector(), [value] * LANES)

    def add(self, a: Value, b: Value) -> Value:
        """Return `a + b`."""
        return self._builder.fadd(a, b, flags=_FUSED)

    def subtract(self, a: Value, b: Value) -> Value:
        """Return `a - b`."""
        return self._builder.fsub(a, b, flags=_FUSED)

    def multiply(self, a: Value, *others: Value) -> Value:
        """Return the product."""
        for b in others:
            a = self._builder.fmul(a, b, flags=_FUSED)
        return a

    def complement(self, a: Value) -> Value:
        """Return `1 - a`."""
        return self.subtract(self.number(1.0), a)

    def larger(self, a: Value, b: Value) -> Value:
        """Return the larger; what is not a number in `a` stays."""
        return self._builder.select(self._builder.fcmp_ordered("<", a, b), b, a)

    def smaller(self, a: Value, b: Value) -> Value:
        """Return the smaller; what is not a number in `a` stays."""
        return self._builder.select(self._builder.fcmp_ordered(">", a, b), b, a)

    def exp(self, x: Value) -> Value:
        """Return `exp(x)`, of an x that is taken to lie within -87 and 88."""
        builder, whole = self._builder, ir.VectorType(ir.IntType(32), LANES)
        within = self.smaller(self.larger(x, self.number(_SMALLEST)), self.number(_LARGEST))
        # added to so large a number, a number loses its fraction, and its whole part is the last bits of the sum
        shifted = self.add(self.multiply(within, self.number(_LOG2_E)), self.number(_NO_FRACTION))
        rounded, rest = builder.fsub(shifted, self.number(_NO_FRACTION)), within
        # exp(x) = 2^n exp(r) with r = x - n ln 2, within +-ln(2) / 2, where exp(r) = 1 + r + r^2 p(r)
        for part in _LN2:
            rest = self.subtract(rest, self.multiply(rounded, self.number(part)))
        result = self.add(self.multiply(self._polynomial(_EXP, rest), rest, rest), self.add(rest, self.number(1.0)))
        # The low bits of `shifted` are n, and n + 127 in the place of the exponent is 2^n; from -87 to 88 it stays
        # normal.
        power = builder.add(builder.bitcast(shifted, whole), ir.Constant(whole, [127] * LANES))
        power = builder.bitcast(builder.shl(power, ir.Constant(whole, [23] * LANES)), vector())
        return self.multiply(result, power)

    def sigmoid(self, x: Value) -> Value:
        """Return `1 / (1 + exp(-x))`."""
        # Below -88 the exponential is cut at exp(88): the sigmoid ends at 6e-39 instead of 0.
        return self._builder.fdiv(self.number(1.0), self.add(self.number(1.0), self.exp(self._negative(x))))

    def tanh(self, x: Value) -> Value:
        """Return the hyperbolic tangent."""
        within = self.smaller(self.larger(x, self.number(-_ONE_BEYOND)), self.number(_ONE_BEYOND))
        squared = self.multiply(within, within)
        above = self.multiply(self._polynomial(_TANH_ABOVE, squared), within)
        return self._builder.fdiv(above, self._polynomial(_TANH_BELOW, squared))

    def sum(self, x: Value) -> Value:
        """Return the sum of the sixteen, a number."""
        return self._across(x, self.add)

    def maximum(self, x: Value) -> Value:
        """Return the largest of the sixteen, a number."""
        return self._across(x, self.larger)

    def _across(self, x: Value, combine: Callable[[Value, Value], Value]) -> Value:
        lane = ir.IntType(32)
        width = LANES // 2
        while width:
            # Halves are folded onto each other: four steps, and one order of additions on every machine.
            order = [(place + width) % LANES for place in range(LANES)]
            moved = self._builder.shuffle_vector(x, x, ir.Constant(ir.VectorType(lane, LANES), order))
            x, width = combine(x, moved), width // 2
        return self._builder.extract_element(x, ir.Constant(lane, 0))

    def _negative(self, x: Value) -> Value:
        return self._builder.fsub(ir.Constant(vector(), [-0.0] * LANES), x)

    def _polynomial(self, coefficients: Sequence[float], x: Value) -> Value:
        value = self.number(coefficients[0])
        for coefficient in coefficients[1:]:
            value = self.add(self.multiply(value, x), self.number(coefficient))
        return value


@final
class Places:
    """The flat arrays among an intrinsic's arguments, read and written sixteen numbers at a time.

    Args:
        context: Numba's.
        builder: LLVM's.
        signature: Types of the arguments.
        arguments: The arguments; every array is followed by the place of its first number.
    """

    def __init__(self, context: Context, builder: Builder, signature: Signature, arguments: Values) -> None:
        self._builder = builder
        self._first = {
            number: builder.gep(context.make_array(kind)(context, builder, value).data, [arguments[number + 1]])
            for number, (kind, value) in enumerate(zip(signature.args, arguments, strict=True))
            if isinstance(kind, types.Array)
        }

    def load(self, number: int, offset: Value) -> Value:
        """Return sixteen numbers of an argument, `offset` from its first."""
        return self._builder.load(self._pointer(number, offset), align=4)

    def store(self, value: Value, number: int, offset: Value) -> None:
        """Write sixteen numbers of an argument."""
        self._builder.store(value, self._pointer(number, offset), align=4)

    def _pointer(self, number: int, offset: Value) -> Value:
        return self._builder.bitcast(self._builder.gep(self._first[number], [offset]), vector().as_pointer())
