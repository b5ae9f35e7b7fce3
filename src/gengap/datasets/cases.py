"""Cases along the first axis, whatever holds them: how many there are, and some of them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


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
