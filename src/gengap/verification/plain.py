"""Arrays of every kind that users hold (masked ones, tensors, tables) as those that NumPy reads right."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.errors import DataError

Floats = NDArray[np.float64]


def plain(values: Any) -> Any:
    """Return masked arrays and tensors as arrays that NumPy reads right, with NaN for what is masked; others unchanged.

    Args:
        values: Anything that is given as an array.
    """
    if isinstance(values, list | tuple) and any(isinstance(one, np.ma.MaskedArray) for one in values):
        values = np.ma.array(values)
    if isinstance(values, np.ma.MaskedArray):
        return _unmasked(values)
    if hasattr(values, "detach") and hasattr(values, "is_sparse"):
        tensor = values.detach().cpu()
        tensor = tensor.to_dense() if str(tensor.layout) != "torch.strided" else tensor
        return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    if hasattr(values, "iloc") and not all(isinstance(kind, np.dtype) for kind in np.atleast_1d(values.dtypes)):
        return values.to_numpy(dtype=object, na_value=np.nan)  # pandas' own NA is not a number to NumPy
    return values


def _unmasked(values: "np.ma.MaskedArray[Any, Any]") -> NDArray[Any]:
    if not np.ma.is_masked(values):
        return np.asarray(values.data)
    hidden, kind = np.ma.getmaskarray(values), values.dtype.kind
    if kind in "mM":
        return np.where(hidden, np.array("NaT", dtype=values.dtype), values.data)
    if kind in "biuf":
        return np.where(hidden, np.array(np.nan, dtype=values.dtype if kind == "f" else np.float64), values.data)
    labels = values.data.astype(object)
    labels[hidden] = None
    return np.asarray(labels)


def missing(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each label says nothing: NaN and NaT are not equal to themselves, nor is pandas' NA."""
    if labels.dtype != object:
        return np.asarray(labels != labels)  # noqa: PLR0124
    return np.array([one is None or one is np.ma.masked or (one == one) is not True for one in map(_item, labels)])  # noqa: PLR0124


def _item(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def codes_of(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return codes of labels of any hashable kind; NumPy would sort them, which text beside numbers does not allow."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(label, len(known)) for label in labels], dtype=np.int64)


def numbers(values: ArrayLike, name: str, *, squeeze: bool = True) -> Floats:
    """Return real numbers as a float64 array.

    Args:
        values: What was given.
        name: What it is called in messages.
        squeeze: Whether a last axis of length 1 is dropped.

    Raises:
        DataError: They are not real numbers, or do not make one array.
    """
    called = name if " " in name else f"`{name}`"
    try:
        array = np.asarray(plain(values))
        if array.dtype.kind != "c":
            array = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        found = _first_of_no_number(values)
        reason = "they do not make one shape" if found is None else f"got {found}"
        raise DataError(f"{called} must hold real numbers in an array of one shape; {reason}") from error
    if array.dtype.kind == "c":
        raise DataError(f"{called} must hold real numbers in an array of one shape; got complex ones")
    return array[..., 0] if squeeze and array.ndim > 1 and array.shape[-1] == 1 else array


def _first_of_no_number(values: Any) -> str | None:
    """Return the first entry that is not a number, as one would type it; None where each is one."""
    try:
        entries = np.asarray(plain(values), dtype=object).ravel()
    except (TypeError, ValueError, RuntimeError):
        return None
    for one in entries:
        try:
            float(one)
        except (TypeError, ValueError, RuntimeError):
            return None if isinstance(one, list | tuple | np.ndarray) else repr(_item(one))
    return None
