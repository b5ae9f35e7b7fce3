"""Numbers as people read them: as many digits as their uncertainty leaves room for."""

import math
import re

MISSING = "–"
_MINUS = "−"
_HYPHEN_FOR_MINUS = re.compile(r"(?<![\w.])-(?=[.\d])")
_ROUNDING = 1e-9
"""Shares of an interval's ends that are errors of rounding."""
LEAST_P = 0.0001
"""Below this a p value's size says nothing more, and its tail is the least certain of all numbers."""


def decimals_for(width: float) -> int:
    """Return the decimals that show two digits of an uncertainty: more would pretend to know.

    Example:
        >>> decimals_for(0.034), decimals_for(2.1), decimals_for(140.0)
        (3, 1, 0)
    """
    if not math.isfinite(width) or width <= 0:
        return 4
    return min(max(1 - math.floor(math.log10(width)), 0), 6)


def typeset(written: str) -> str:
    """Give formatted numbers the true minus; exponents and names keep their hyphens.

    Example:
        >>> typeset("-0.3 [-1.0, 2e-05]")
        '−0.3 [−1.0, 2e-05]'
    """
    return _HYPHEN_FOR_MINUS.sub(_MINUS, written)


def typewritten(written: str) -> str:
    """Give numbers the one minus that every terminal, search and spreadsheet knows.

    Example:
        >>> typewritten("−0.3 [−1.0, 2.0]")
        '-0.3 [-1.0, 2.0]'
    """
    return written.replace(_MINUS, "-")


def write_p(p: float) -> str:
    """Write a p value, never as a zero.

    Example:
        >>> write_p(0.0342), write_p(0.00034), write_p(0.00001), write_p(1.0)
        ('0.034', '0.0003', '< 0.0001', '1.00')
    """
    if not math.isfinite(p):
        return MISSING
    return f"< {LEAST_P:.4f}" if p < LEAST_P else write_number(p, min(max(decimals_for(p), 2), 3 if p >= 0.001 else 4))


def write_number(value: float, decimals: int, *, sign: bool = False) -> str:
    """Write a number with a true minus; a dash stands for a missing one.

    Example:
        >>> write_number(-0.0412, 3), write_number(1234.5, 0), write_number(float("nan"), 2)
        ('−0.041', '1,234', '–')
    """
    if not math.isfinite(value):
        return MISSING
    shown = f"{value:{'+' if sign else ''},.{decimals}f}"
    if float(shown.replace(",", "")) == 0:
        shown = shown.replace("-", "").replace("+", "")  # neither "-0.00" nor "+0.00" says anything
    return shown.replace("-", _MINUS)


def write_estimate(value: float, low: float, high: float, *, sign: bool = False, decimals: int | None = None) -> str:
    """Write `value [low, high]` with the digits that the interval leaves room for, unless `decimals` says how many.

    A number that would be written as a zero, and is none, gets the digit that shows its sign: an interval that leaves
    out 0 must not seem to end there.

    Example:
        >>> write_estimate(-0.01234, -0.0234, 0.0011, sign=True)
        '−0.012 [−0.023, +0.001]'
        >>> write_estimate(-0.084, -0.181, -0.0003)
        '−0.084 [−0.181, −0.0003]'
        >>> write_estimate(0.0, -1e-9, 1e-9)  # zeros are not digits that anyone needs
        '0.0000 [0.0000, 0.0000]'
    """
    if not math.isfinite(value):
        return MISSING
    if not (math.isfinite(low) and math.isfinite(high)):
        return write_number(value, 4, sign=sign)
    decimals = decimals_for((high - low) / 2) if decimals is None else decimals
    if low <= 0 <= high and max(abs(value), abs(low), abs(high)) < 0.5 * 10.0**-decimals:
        shown = [write_number(number, min(decimals, 4), sign=sign) for number in (value, low, high)]
    else:
        nothing = _ROUNDING * max(abs(low), abs(high))
        shown = [_with_sign(number, decimals, nothing=nothing, sign=sign) for number in (value, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _with_sign(value: float, decimals: int, *, nothing: float, sign: bool) -> str:
    """Write a number, with its first digit where it would be written as a zero; what is `nothing` or less is one."""
    if abs(value) <= nothing or abs(value) >= 0.5 * 10.0**-decimals:
        return write_number(value, decimals, sign=sign)
    needed = -math.floor(math.log10(abs(value)))
    if needed > max(decimals, 4) + 2:
        return typeset(f"{value:{'+' * sign}.0e}")
    return write_number(value, needed, sign=sign)


def write_spread(mean: float, sd: float) -> str:
    """Write `mean ± sd`, both with the digits that the standard deviation leaves room for.

    Example:
        >>> write_spread(0.61234, 0.0123), write_spread(12.0, float("nan"))
        ('0.612 ± 0.012', '12.0000')
    """
    if not math.isfinite(mean):
        return MISSING
    if not math.isfinite(sd):
        return write_number(mean, 4)
    decimals = decimals_for(sd)
    return f"{write_number(mean, decimals)} ± {write_number(sd, decimals)}"
