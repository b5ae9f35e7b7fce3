"""In which values a strength is sought: what users write, as one kind of value."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gengap.errors import need

FIGURES = 3
"""Digits of a strength that is drawn: names stay readable, and no score knows the fourth."""
_AT_EDGE = 0.05
"""Share of a range, in its own scale, that counts as its edge."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
        low: The smallest.
        high: The largest.
        log: Whether equal ratios are equally far apart.
        whole: Whether only whole numbers are meant.
        step: Distance of neighbours; None for any number between.
        may_be_off: Whether leaving the remedy out is a value too, drawn as often as not.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: float | None = None
    may_be_off: bool = False

    def place(self, value: Any) -> float:
        """Return where a value lies, 0 at `low` and 1 at `high`."""
        scale = math.log if self.log else float
        low, high = scale(self.low), scale(self.high)
        return 1.0 if high == low else (scale(value) - low) / (high - low)

    def suggest(self, trial: Any, name: str) -> Any:
        """Ask an Optuna trial for a value; None is off."""
        if self.may_be_off and not trial.suggest_categorical(f"{name}?", [False, True]):
            return None
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        drawn = trial.suggest_float(name, self.low, self.high, log=self.log, step=self.step)
        return drawn if self.step else min(max(_rounded(drawn), self.low), self.high)

    def edge(self, value: Any) -> str:
        """Return `"lower"` or `"upper"` where a value lies at that edge and better ones may lie beyond; else `""`."""
        if value is None or self.low == self.high:
            return ""
        place = self.place(value)
        margin = 0.0 if self.whole or self.step else _AT_EDGE
        if place >= 1 - margin:
            return "upper"
        return "lower" if place <= margin and self.low > 0 and not self.may_be_off else ""

    def __str__(self) -> str:
        kind = ", log" if self.log else ""
        return f"{'off, or ' if self.may_be_off else ''}{self.low:g} to {self.high:g}{kind}"


@dataclass(frozen=True)
class Choice:
    """One of a few values, in order.

    Attributes:
        values: Numbers, or words that stand for remedies; None is off.
    """

    values: tuple[Any, ...]

    def place(self, value: Any) -> float:
        """Return where a value stands among those that are not off, from above 0 to 1."""
        given = [one for one in self.values if one is not None]
        return (given.index(value) + 1) / len(given)

    def suggest(self, trial: Any, name: str) -> Any:
        """Ask an Optuna trial for a value; None is off."""
        return trial.suggest_categorical(name, list(self.values))

    def edge(self, value: Any) -> str:
        """Return `"lower"` or `"upper"` where the value is the last of three or more numbers there; else `""`."""
        numbers = [one for one in self.values if isinstance(one, int | float) and not isinstance(one, bool)]
        if value not in numbers or len(numbers) < 3:
            return ""
        if value == max(numbers):
            return "upper"
        beyond = None in self.values or min(numbers) <= 0
        return "lower" if value == min(numbers) and not beyond else ""

    def __str__(self) -> str:
        return ", ".join("off" if one is None else f"{one:g}" if isinstance(one, float) else str(one)
                         for one in self.values)  # fmt: skip


Values = Range | Choice


def read_values(given: Any, name: str, *, whole: bool, identity: float | None) -> Values:
    """Read what a user wrote for one strength.

    Args:
        given: An Optuna distribution; a frozen distribution of SciPy (`loguniform`, `uniform`, `randint`); a pair
            `(low, high)`; or a list of values, in which None is off and one entry may be any of the others.
        name: What the strength is called, for messages.
        whole: Whether the strength is a whole number by nature.
        identity: The value at which the remedy does nothing, which is off too; None where there is none.

    Raises:
        TypeError: It is none of these.
        ValueError: It is one of these, and cannot be searched.
        MissingExtraError: Optuna is not installed.
    """
    if isinstance(given, np.ndarray) and given.ndim == 1:
        given = list(given)  # such as np.logspace(-4, -1, 4)
    if isinstance(given, list):
        return _choice(given, name, whole=whole, identity=identity)
    if isinstance(given, tuple):
        return _pair(given, name, whole=whole)
    if hasattr(given, "dist") and hasattr(given, "support"):
        return _of_scipy(given, name, whole=whole)
    optuna = need_optuna()
    if isinstance(given, optuna.distributions.BaseDistribution):
        return _of_optuna(given, name, whole=whole, identity=identity)
    raise TypeError(
        f"The values of {name} must be a pair (low, high), a list, a distribution of Optuna, or one of SciPy such as "
        f"loguniform(1e-5, 1e-1); received {type(given).__name__} {given!r}."
    )


def need_optuna() -> Any:
    """Return Optuna.

    Raises:
        MissingExtraError: It is not installed.
    """
    return need("optuna", "A search draws its trials with Optuna, which is not installed: pip install 'gengap[search]'")


def _pair(given: tuple[Any, ...], name: str, *, whole: bool) -> Range:
    numbers = [one for one in given if isinstance(one, int | float | np.number) and not isinstance(one, bool)]
    if len(given) != 2 or len(numbers) != 2:
        raise ValueError(f"The values of {name} must be a pair of numbers (low, high), or a list of single values; "
                         f"received {given!r}.")  # fmt: skip
    return _range(name, *map(float, numbers), whole=whole)


def _range(name: str, low: float, high: float, *, whole: bool, log: bool = False, step: float | None = None) -> Range:
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"The values of {name} must ascend from a finite low to a finite high; received {low:g} to "
                         f"{high:g}.")  # fmt: skip
    if log and low <= 0:
        raise ValueError(f"The values of {name} are on a logarithmic scale, so low must be above 0; received {low:g}.")
    if whole and not (low.is_integer() and high.is_integer()):
        raise ValueError(f"{name} takes whole numbers; received {low:g} to {high:g}.")
    return Range(low, high, log=log, whole=whole, step=step)


def _of_scipy(given: Any, name: str, *, whole: bool) -> Range:
    kind = given.dist.name
    if kind not in {"loguniform", "reciprocal", "uniform", "randint"}:
        raise ValueError(
            f"The values of {name} follow SciPy's {kind}, which has no counterpart in Optuna: use loguniform, uniform "
            "or randint."
        )
    low, high = map(float, given.support())
    return _range(name, low, high, whole=whole or kind == "randint", log=kind in {"loguniform", "reciprocal"})


def _of_optuna(given: Any, name: str, *, whole: bool, identity: float | None) -> Values:
    if hasattr(given, "choices"):
        return _choice(list(given.choices), name, whole=whole, identity=identity)
    step = None if given.step is None or (type(given).__name__ == "IntDistribution" and given.step == 1) else given.step
    integers = type(given).__name__ == "IntDistribution"
    return _range(name, float(given.low), float(given.high), whole=whole or integers, log=given.log, step=step)


def _choice(given: list[Any], name: str, *, whole: bool, identity: float | None) -> Values:
    """Read a list; off beside one range is that range, which may be off."""
    off = [one is None or (identity is not None and _is_number(one) and one == identity) for one in given]
    rest = [one for one, is_off in zip(given, off, strict=True) if not is_off]
    if not given:
        raise ValueError(f"The values of {name} are an empty list: give at least one.")
    if any(off) and len(rest) == 1 and not _is_number(rest[0]):
        inner = read_values(rest[0], name, whole=whole, identity=identity)
        if isinstance(inner, Range):
            return Range(inner.low, inner.high, inner.log, inner.whole, inner.step, may_be_off=True)
        rest = [one for one in inner.values if one is not None]
    if bad := [one for one in rest if not _is_number(one)]:
        raise TypeError(f"The list of values of {name} holds {bad[0]!r}: give numbers, None for off, or off beside one "
                        "range, as in [None, (0.1, 0.5)].")  # fmt: skip
    if not rest:
        raise ValueError(f"The values of {name} are off alone: leave {name} out, or give strengths too.")
    numbers = sorted({int(one) if whole else _plain(one) for one in rest})
    return Choice((*([None] if any(off) else []), *numbers))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _plain(value: Any) -> float:
    """Return a number as it was meant: 0.3, where `numpy.linspace` gives 0.30000000000000004, or 32 bits a near one."""
    return float(f"{float(str(value)):.12g}")


def _rounded(value: float) -> float:
    return float(f"{value:.{FIGURES}g}")
