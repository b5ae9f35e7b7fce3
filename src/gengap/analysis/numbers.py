"""Numbers as people read them: as many digits as their uncertainty leaves room for."""

import math
import re

MISSING = "–"
_MINUS = "−"
_HYPHEN_FOR_MINUS = re.compile(r"(?<![\w.])-(?=[.\d])")
_TAG = re.compile(r"<(?=[A-Za-z/!?]|$)")
_ROUNDING = 1e-9
"""Shares of an interval's ends that are errors of rounding."""
_PLAIN = 8
"""More decimals than these are zeros to count, so an exponent counts them."""
_LONGEST_TICK = 8
"""Characters of a mark on an axis that do not run into the next."""
LEAST_P = 0.0001
"""Below this a p value's size says nothing more, and its tail is the least certain of all numbers."""


def decimals_for(width: float, *, scale: float = 1.0) -> int:
    """Return the decimals that show two digits of an uncertainty: more would pretend to know.

    Args:
        width: The uncertainty.
        scale: Size of the numbers that it is of: of small ones, as of squared errors of a humidity in kg/kg, a
            millionth is no rounding yet.

    Example:
        >>> decimals_for(0.034), decimals_for(2.1), decimals_for(140.0), decimals_for(3e-14, scale=1e-12)
        (3, 1, 0, 15)
    """
    more = _small(scale)
    if not math.isfinite(width) or width <= 0:
        return 4 + more
    return min(max(1 - math.floor(math.log10(width)), 0), 6 + more)


def _small(scale: float) -> int:
    """Decimals that numbers of a size need more than those of about 1; of a thousandth or more they need none."""
    return -1 - math.floor(math.log10(scale)) if 0 < scale < 1e-3 else 0


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


def without_tags(text: str) -> str:
    r"""Keep what looks like a tag in a name from being taken for one by Markdown, which would swallow it.

    Example:
        >>> print(without_tags("<b>net</b>, p < 0.0001"))
        \<b>net\</b>, p < 0.0001
    """
    return _TAG.sub(r"\\<", text)


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
    """Write a number with a true minus; a dash stands for a missing one, an exponent for zeros that nobody would count.

    Example:
        >>> write_number(-0.0412, 3), write_number(1234.5, 0), write_number(float("nan"), 2)
        ('−0.041', '1,234', '–')
        >>> write_number(-3.1e-13, 14), write_number(3e-17, 14)
        ('−3.1e-13', '0')
    """
    if not math.isfinite(value):
        return MISSING
    if decimals > _PLAIN:
        if abs(value) < 0.5 * 10.0**-decimals:
            return "0"
        digits = max(decimals + math.floor(math.log10(abs(value))), 0)
        return typeset(f"{value:{'+' * sign}.{digits}e}")
    shown = f"{value:{'+' if sign else ''},.{decimals}f}"
    if float(shown.replace(",", "")) == 0:
        shown = shown.replace("-", "").replace("+", "")  # neither "-0.00" nor "+0.00" says anything
    return shown.replace("-", _MINUS)


def write_score(value: float, *, sign: bool = False) -> str:
    """Write a score, or a difference of two, in any units: four decimals, unless they are too many, or show nothing.

    Example:
        >>> write_score(0.25583), write_score(0.00031), write_score(0.0), write_score(0.0000123)
        ('0.2558', '0.0003', '0.0000', '0.0000123')
        >>> write_score(749203676272.9523), write_score(8.6e-14), write_score(float("nan"))
        ('749,203,676,273', '8.60e-14', '–')
    """
    if value == 0 or not math.isfinite(value):
        return write_number(value, 4)
    power = math.floor(math.log10(abs(value)))
    return write_number(value, 2 - power if power < -4 else max(min(7 - power, 4), 0), sign=sign)


def write_tick(value: float, decimals: int) -> str:
    """Write a round value beside an axis, with its sign, and short.

    Example:
        >>> write_tick(0.02, 2), write_tick(-200_000, 0), write_tick(-5e11, 0), write_tick(2e-13, 13)
        ('+0.02', '−200,000', '−5e+11', '+2e-13')
    """
    written = write_number(value, decimals, sign=True)
    return written if len(written) <= _LONGEST_TICK else typeset(f"{value:+.0e}")


def write_estimate(
    value: float, low: float, high: float, *, sign: bool = False, decimals: int | None = None, scale: float = 1.0
) -> str:
    """Write `value [low, high]` with the digits that the interval leaves room for, unless `decimals` says how many.

    A number that would be written as a zero, and is none, gets the digit that shows its sign: an interval that leaves
    out 0 must not seem to end there. What a zero is depends on `scale`, the size of the scores that are compared.

    Example:
        >>> write_estimate(-0.01234, -0.0234, 0.0011, sign=True)
        '−0.012 [−0.023, +0.001]'
        >>> write_estimate(-0.084, -0.181, -0.0003)
        '−0.084 [−0.181, −0.0003]'
        >>> write_estimate(0.0, -1e-9, 1e-9)  # zeros are not digits that anyone needs
        '0.0000 [0.0000, 0.0000]'
        >>> write_estimate(-3.1e-13, -6.4e-13, 2.3e-13, scale=1e-12)
        '−3.1e-13 [−6.4e-13, 2.3e-13]'
    """
    if not math.isfinite(value):
        return MISSING
    if not (math.isfinite(low) and math.isfinite(high)):
        return write_score(value, sign=sign) if _small(scale) else write_number(value, 4, sign=sign)
    decimals = decimals_for((high - low) / 2, scale=scale) if decimals is None else decimals
    if low <= 0 <= high and max(abs(value), abs(low), abs(high)) < 0.5 * 10.0**-decimals:
        shown = [write_number(number, min(decimals, 4 + _small(scale)), sign=sign) for number in (value, low, high)]
    else:
        nothing = _ROUNDING * max(abs(low), abs(high))
        shown = [_with_sign(number, decimals, nothing=nothing, sign=sign) for number in (value, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _with_sign(value: float, decimals: int, *, nothing: float, sign: bool) -> str:
    """Write a number, with its first digit where it would be written as a zero; what is `nothing` or less is one."""
    if abs(value) <= nothing or abs(value) > 0.5 * 10.0**-decimals:  # a half itself is rounded to the even zero
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
        return write_score(mean)
    decimals = decimals_for(sd, scale=abs(mean))
    return f"{write_number(mean, decimals)} ± {write_number(sd, decimals)}"
