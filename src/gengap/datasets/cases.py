"""Cases along the first axis, whatever holds them: their one plain form, how many there are, and some of them."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.errors import DataError

_KINDS = "biuf"
_FEW = 32
"""As many as Keras' `predict` takes at once: a rare draw might leave fewer cases all as they are."""
_LARGEST = float(np.finfo(np.float32).max)


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


def few_cases(x: Any) -> Any:
    """Return the first cases, in the form in which all are: enough to call a model on, not the data."""
    return rows_of(x, np.arange(min(_FEW, count_cases(x))))


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


def plain_array(values: Any, what: str) -> Any:
    """Return an array of numbers as NumPy, without copying where that is possible, or SciPy's sparse rows as they are.

    Args:
        values: A NumPy array, sparse matrix, pandas table or column, xarray's DataArray, or tensor.
        what: What it is, for messages.

    Raises:
        DataError: It is none of these, holds no real numbers, or hides some behind a mask.
    """
    if sparse.issparse(values):  # cases are taken by their rows
        return _real(values if values.format == "csr" else values.tocsr(), what)
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            raise DataError(f"The {what} is a masked array that hides values: fill them, or leave these cases out.")
        return _real(values.data, what)
    if (keras := sys.modules.get("keras")) is not None and isinstance(values, keras.KerasTensor):
        raise DataError(f"The {what} is a symbolic KerasTensor, which has no values: give an array.")
    if hasattr(values, "iloc"):
        return _real(_of_table(values, what), what)
    if hasattr(values, "detach") and hasattr(values, "is_sparse"):
        return _real(_of_tensor(values, what), what)
    try:
        return _real(np.asarray(values), what)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        reason = str(error).splitlines()[0][:120]
        raise DataError(f"The {what} cannot be read as an array of numbers ({reason}): give a NumPy array.") from error


def are_numbers(array: NDArray[Any]) -> bool:
    """Tell whether Python objects are numbers all the same, as a table of several kinds gives them."""
    if array.dtype.kind != "O":
        return False
    return all(isinstance(one, int | float | np.number | np.bool_) for one in array.flat)


def check_magnitude(largest: float, what: str) -> None:
    """Check that numbers fit into what networks compute with.

    Raises:
        DataError: They do not.
    """
    if largest > _LARGEST:
        raise DataError(f"The {what} holds {largest:.3g}, beyond what 32-bit floats can hold: scale it.")


def _real(array: Any, what: str) -> Any:
    if array.dtype.kind not in _KINDS:
        advice = "make it numbers, with `.astype('float64')`" if are_numbers(array) else "encode it first"
        raise DataError(f"The {what} must hold real numbers; received {array.dtype}: {advice}.")
    return array.astype(np.float64) if array.dtype.kind == "f" and array.dtype.itemsize > 8 else array


def _of_table(table: Any, what: str) -> Any:
    """Turn a pandas table or column into an array; missing values of its nullable types become NaN."""
    dtypes = list(table.dtypes.items()) if table.ndim == 2 else [(table.name, table.dtype)]
    for name, dtype in dtypes:
        kind = dtype.kind if isinstance(dtype, np.dtype) else getattr(dtype, "kind", "O")
        if kind not in _KINDS:
            where = "" if table.ndim == 1 else f" in column {name!r}"
            raise DataError(
                f"The {what} must hold real numbers; received {dtype}{where}: encode the table by its training rows, "
                "as `gengap.datasets.TableEncoder().fit(train)` does, or give it to `gengap.datasets.from_table`."
            )
    if all(isinstance(dtype, np.dtype) for _, dtype in dtypes):
        return table.to_numpy()
    return table.to_numpy(dtype=np.float64, na_value=np.nan)


def _of_tensor(tensor: Any, what: str) -> Any:
    if tensor.device.type == "meta":
        raise DataError(f"The {what} is a tensor on the device 'meta', which has no values: give one that does.")
    if tensor.is_complex():
        raise DataError(f"The {what} must hold real numbers; received {tensor.dtype}: encode it first.")
    dense = tensor.detach().cpu()
    dense = dense.to_dense() if str(dense.layout) != "torch.strided" else dense
    return (dense.float() if str(dense.dtype) == "torch.bfloat16" else dense).numpy()
