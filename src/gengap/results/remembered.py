"""What a result keeps so that its models can be rebuilt and checked: the user's classes, and a few cases."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
NUM_CASES = 4
_LARGEST = 1 << 23  # bytes of inputs that are kept for the check, at most


class Remembered(dict[str, Any]):
    """The user's classes and functions by name, for as long as the process lives: they are not written or pickled."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()


class UsersCode(dict[str, Any]):
    """The user's classes and functions of one model by name, and what makes the model anew in the process that trained.

    Args:
        named: Classes and functions by name.
        again: Makes the model anew where its configuration cannot.
    """

    def __init__(self, named: Mapping[str, Any], again: Callable[[], Any]) -> None:
        super().__init__(named)
        self.again = again


def first_cases(x: Any) -> dict[str, Array]:
    """Return the first few cases of some inputs as named arrays; nothing where they are large or no plain arrays."""
    if x is None:
        return {}
    if isinstance(x, Mapping):
        named = {f"mapping/{name}": part for name, part in x.items()}
    elif isinstance(x, list | tuple):
        named = {f"list/{place}": part for place, part in enumerate(x)}
    else:
        named = {"array": x}
    rows = {name: _first_rows(part) for name, part in named.items()}
    fit = all(part.dtype.kind in "biuf" for part in rows.values()) and sum(p.nbytes for p in rows.values()) < _LARGEST
    return rows if fit else {}


def _first_rows(part: Any) -> Array:
    rows = part.iloc[:NUM_CASES].to_numpy() if hasattr(part, "iloc") else part[:NUM_CASES]
    rows = rows.toarray() if hasattr(rows, "toarray") else rows
    return np.array(rows.detach().cpu() if hasattr(rows, "detach") else rows)
