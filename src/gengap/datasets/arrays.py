"""What users bring as arrays (tables, tensors, labelled arrays), in the one form that the rest computes with."""

import sys
from typing import Any

import numpy as np
from scipy import sparse

from gengap.errors import DataError

_KINDS = "biuf"
_LARGEST = float(np.finfo(np.float32).max)


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


def check_magnitude(largest: float, what: str) -> None:
    """Check that numbers fit into what networks compute with.

    Raises:
        DataError: They do not.
    """
    if largest > _LARGEST:
        raise DataError(f"The {what} holds {largest:.3g}, beyond what 32-bit floats can hold: scale it.")


def _real(array: Any, what: str) -> Any:
    if array.dtype.kind not in _KINDS:
        raise DataError(f"The {what} must hold real numbers; received {array.dtype}: encode it first.")
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
