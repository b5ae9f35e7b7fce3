"""Values that remedies accept, checked when the remedy is written down rather than when it is applied."""

import math
from typing import Any, get_args

from gengap.remedies.notation import snake


def _number(remedy: Any, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"`{snake(type(remedy).__name__)}` takes a number, received {type(value).__name__} {value!r}.")
    return float(value)


def check_strength(remedy: Any, value: Any) -> None:
    """Raise unless a value is a finite number of at least 0."""
    if not (math.isfinite(_number(remedy, value)) and value >= 0):
        raise ValueError(f"`{snake(type(remedy).__name__)}` takes a finite number of at least 0, received {value!r}.")


def check_positive(remedy: Any, value: Any) -> None:
    """Raise unless a value is a finite number above 0."""
    if not (math.isfinite(_number(remedy, value)) and value > 0):
        raise ValueError(f"`{snake(type(remedy).__name__)}` takes a finite number above 0, received {value!r}.")


def check_rate(remedy: Any, value: Any) -> None:
    """Raise unless a value is a share in [0, 1)."""
    if not 0 <= _number(remedy, value) < 1:
        raise ValueError(f"`{snake(type(remedy).__name__)}` takes a rate in [0, 1), received {value!r}.")


def check_share(remedy: Any, value: Any) -> None:
    """Raise unless a value is a share in (0, 1]."""
    if not 0 < _number(remedy, value) <= 1:
        raise ValueError(f"`{snake(type(remedy).__name__)}` takes a share in (0, 1], received {value!r}.")


def check_choice(name: str, value: Any, choices: Any) -> None:
    """Raise unless a value is one of a `Literal`'s."""
    if value not in get_args(choices):
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, get_args(choices)))}, received {value!r}.")
