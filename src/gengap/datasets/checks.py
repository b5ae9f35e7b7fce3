"""What is true of good data whatever the model: finite numbers, weights that weigh, groups and times without gaps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.datasets.cases import arrays_of, check_magnitude, count_cases
from gengap.datasets.split import Split
from gengap.errors import DataError

_CHUNK = 2**22


def check_inputs(split: Split, name: str, *, numbers: bool = True) -> int:
    """Check the inputs of a split and return how many cases they hold.

    Args:
        split: The split.
        name: Its name, for messages.
        numbers: Whether they are what models will see, and so must be finite.

    Raises:
        DataError: They hold no case, differ in length, or are not finite.
    """
    num_cases = count_cases(split.x)
    if num_cases == 0:
        raise DataError(f"The {name} split is empty.")
    for label, part in arrays_of(split.x):
        if count_cases(part) != num_cases:
            raise DataError(
                f"The inputs of the {name} split have different lengths: {num_cases} and {count_cases(part)}."
            )
        if numbers:
            check_finite(part, f"input{label} of the {name} split")
    return num_cases


def check_marks(split: Split, name: str, num_cases: int) -> tuple[Any, Any, Any]:
    """Check weights, groups and times of a split, and return them with groups as one array of numbers or of text.

    Raises:
        DataError: They have another length, or values that nothing can be made of.
    """
    for what in ("sample_weight", "groups", "times"):
        values = getattr(split, what)
        if values is not None and np.shape(values) != (num_cases,):
            raise DataError(
                f"`{what}` of the {name} split must have shape ({num_cases},); received {np.shape(values)}."
            )
    weight = split.sample_weight
    if weight is not None and np.asarray(weight).dtype.kind not in "biuf":
        raise DataError(f"`sample_weight` of the {name} split must hold numbers; received {np.asarray(weight).dtype}.")
    if weight is not None and not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise DataError(f"`sample_weight` of the {name} split must be finite, not negative, and not all zero.")
    if weight is not None:
        check_magnitude(float(np.asarray(weight, np.float64).max()), f"`sample_weight` of the {name} split")
    _check_dependence(split, name)
    groups = None if split.groups is None else _plain_groups(split.groups, name)
    return weight, groups, split.times


def check_finite(values: Any, what: str) -> None:
    """Look for NaN, infinite and huge values chunk by chunk, so that memory-mapped data stay on the disk."""
    data = values.data if sparse.issparse(values) and values.format != "lil" else values
    data = data.tocsr().data if sparse.issparse(data) else data
    if data.dtype.kind != "f":
        return
    rows = max(1, _CHUNK // max(1, int(np.prod(data.shape[1:]))))
    for start in range(0, len(data), rows):
        chunk = data[start : start + rows]
        good = np.isfinite(chunk)
        if not good.all():
            first = start + int(np.argmin(good.reshape(len(good), -1).all(axis=1)))
            where = "" if sparse.issparse(values) else f", first in case {first}"
            raise DataError(f"The {what} holds NaN or infinite values{where}: remove or impute them before training.")
        if chunk.size and data.dtype.itemsize > 4:
            check_magnitude(float(np.abs(chunk).max()), what)


def check_not_the_same(train: Split, held_out: Split, name: str) -> None:
    """Check that a held-out split is not the training split.

    Raises:
        DataError: It is.
    """
    if count_cases(held_out.x) != count_cases(train.x):
        return
    pairs = zip(arrays_of(train.x), arrays_of(held_out.x), strict=False)
    if all(a is b or _equal(a, b) for (_, a), (_, b) in pairs):
        raise DataError(
            f"The {name} split is the training split itself: what a model was trained on cannot show its gap."
        )


def _check_dependence(split: Split, name: str) -> None:
    """Check groups and times, which are stored with the study."""
    groups, times = (None if values is None else np.asarray(values) for values in (split.groups, split.times))
    if groups is not None and groups.dtype.kind not in "biufUSMO":
        raise DataError(f"`groups` of the {name} split must be numbers or text; received {groups.dtype}.")
    if groups is not None and groups.dtype.kind == "O" and not all(isinstance(g, str | int | float) for g in groups):
        raise DataError(f"`groups` of the {name} split must be numbers or text; received {type(groups[0]).__name__}.")
    if groups is not None and any(group != group for group in groups.tolist()):  # noqa: PLR0124  NaN is not itself
        raise DataError(f"`groups` of the {name} split hold missing values: give every case a group.")
    if times is not None and (times.dtype.kind != "M" or np.isnat(times).any()):
        raise DataError(f"`times` of the {name} split must be datetime64 without gaps; received {times.dtype}.")


def _plain_groups(given: Any, name: str) -> NDArray[Any]:
    """Return groups as one array of numbers or of text, as a store and a file keep them: `1` and `"1"` would be one."""
    groups = np.asarray(given)
    kinds = {isinstance(group, str) for group in (groups if groups.dtype.kind == "O" else np.asarray(given, object))}
    if len(kinds) > 1:
        raise DataError(f"`groups` of the {name} split mix text and numbers: write all of them as text.")
    if groups.dtype.kind == "S":
        return np.char.decode(groups, "utf-8")
    if groups.dtype.kind == "M":
        return np.datetime_as_string(groups)
    return np.array(groups.tolist()) if groups.dtype.kind == "O" else groups


def _equal(a: Any, b: Any) -> bool:
    if sparse.issparse(a) and sparse.issparse(b):
        return bool(a.shape == b.shape and (a != b).nnz == 0)
    return type(a) is type(b) and isinstance(a, np.ndarray) and np.array_equal(a, b)
