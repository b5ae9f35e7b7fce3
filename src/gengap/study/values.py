"""Checks of plain arguments: flags, counts and choices."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from gengap.errors import UnknownNameError
from gengap.naming import did_you_mean

Chosen = TypeVar("Chosen", bound=str)


def flag(value: Any, name: str) -> bool:
    """Return True or False as it is.

    Raises:
        TypeError: It is neither.
    """
    if not isinstance(value, bool):
        raise TypeError(f"`{name}` must be True or False; received {value!r}.")
    return value


def positive(value: Any, name: str) -> int:
    """Return a positive integer.

    Raises:
        ValueError: It is none.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 1 <= value < 2**31:
        raise ValueError(f"`{name}` must be a positive integer; received {value!r}.")
    return int(value)


def one_of(value: Chosen, name: str, choices: Sequence[Chosen]) -> Chosen:
    """Return a choice as it is.

    Raises:
        UnknownNameError: There is no such choice.
    """
    if value not in choices:
        near = did_you_mean(value, choices)
        raise UnknownNameError(f"There is no {name} {value!r}{near}; choose from {', '.join(map(repr, choices))}.")
    return value
