"""Cases along the first axis, whatever holds them: how many there are, and some of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.datasets.arrays import plain_array
from gengap.errors import DataError


def take(x: Any, indices: NDArray[np.int64] | slice) -> Any:
    """Return the given cases of an array, a mapping or sequence of arrays, a table, a tensor or a sparse matrix.

    Sparse rows come back dense, since Keras' layers want them so; the fused engine keeps them sparse by itself.
    """
    if x is None:  # an output without answers
        return None
    if isinstance(x, dict):
        return type(x)((name, take(part, indices)) for name, part in x.items())
    if isinstance(x, list | tuple):
        return type(x)(take(part, indices) for part in x)
    if sparse.issparse(x):
        return x[indices].toarray()
    if hasattr(x, "iloc"):
        return x.iloc[indices].to_numpy()
    return x[indices]


def rows_of(x: Any, indices: NDArray[np.int64]) -> Any:
    """Return the given cases in the form in which all are: sparse rows stay sparse, tables tables."""
    if isinstance(x, dict):
        return type(x)((name, rows_of(part, indices)) for name, part in x.items())
    if isinstance(x, list | tuple):
        return type(x)(rows_of(part, indices) for part in x)
    if hasattr(x, "iloc"):
        return x.iloc[indices]
    return x.tocsr()[indices] if sparse.issparse(x) else take(x, indices)


def joined_cases(parts: Sequence[Any], what: str) -> Any:
    """Return the cases of several inputs or answers of one form, one after the other.

    Args:
        parts: Arrays, sparse matrices, data frames, or mappings or sequences of such, all of the same form.
        what: What they are, for messages.

    Raises:
        DataError: They differ in form.
    """
    first = parts[0]
    if isinstance(first, dict):
        _check_alike(parts, what, lambda part: sorted(map(str, part)) if isinstance(part, dict) else None)
        return type(first)((name, joined_cases([part[name] for part in parts], what)) for name in first)
    if isinstance(first, list | tuple):
        _check_alike(parts, what, lambda part: len(part) if isinstance(part, list | tuple) else None)
        return type(first)(joined_cases(column, what) for column in zip(*parts, strict=True))
    if hasattr(first, "iloc"):
        import pandas as pd  # whoever holds a frame has it

        _check_alike(parts, what, lambda part: list(part.columns) if hasattr(part, "columns") else None)
        return pd.concat(parts, ignore_index=True)
    if any(sparse.issparse(part) for part in parts):
        return sparse.vstack([sparse.csr_matrix(part) for part in parts], format="csr")
    arrays = [plain_array(part, what) for part in parts]
    _check_alike(arrays, what, lambda array: array.shape[1:])
    return np.concatenate(arrays)


def _check_alike(parts: Sequence[Any], what: str, form: Callable[[Any], Any]) -> None:
    forms = [form(part) for part in parts]
    if other := next((one for one in forms if one != forms[0]), None):
        raise DataError(f"The {what} of the splits differ in form ({forms[0]} and {other}) and cannot be pooled.")


def count_cases(x: Any) -> int:
    """Return the number of cases of whatever `take` understands."""
    if isinstance(x, dict):
        return count_cases(next(iter(x.values())))
    if isinstance(x, list | tuple):
        return count_cases(x[0])
    return int(x.shape[0])


def arrays_of(x: Any) -> Iterator[tuple[str, Any]]:
    """Yield the arrays that inputs are made of, with a name for messages."""
    if isinstance(x, Mapping):
        for name, part in x.items():
            yield f" {name!r}", part
    elif isinstance(x, list | tuple):
        for position, part in enumerate(x):
            yield f" number {position}", part
    else:
        yield "", x
