"""Features of a table as the numbers that a network computes with, or the reason why they cannot be."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_EXACT = 2**24
"""Whole numbers up to here are 32-bit floats without rounding."""
_COARSEST = 0.1
"""Steps of 32-bit floats that a feature can bear, in its standard deviations."""
_NUMBERS_ROWS = re.compile(
    r"(.*_)?(id|idx|index|row|rowid|row_?(number|num|nr|no)|no|nr|number|unnamed: ?\d+|#|序号|编号)"
)
_NAMES_CASES = re.compile(r"(^|[_ .-])(id|ids|uuid|guid|identifier)$|(?-i:[a-z]I[Dd])$|编号$", re.IGNORECASE)
_FEW, _MANY = 4, 10
"""Rows from which consecutive numbers are row numbers: under a name that says so, and under any."""
ENCODE = "let gengap encode the table (--model auto, or --encode; in Python `gengap.datasets.from_table`)"


def as_inputs(features: "pd.DataFrame", name: str, *, advice: str = ENCODE) -> NDArray[np.float32]:
    """Return typed features as float32, cases along the first axis.

    Args:
        features: The features, see `columns.typed`.
        name: What the table is called in messages.
        advice: What else can be done about words, dates and gaps.

    Raises:
        DataError: A column holds words, dates or gaps, or numbers that 32-bit floats do not tell apart.
    """
    for kinds, what in (("O", "words"), ("M", "dates")):
        found = [str(one) for one in features if features[one].dtype.kind in kinds]
        if found:
            first = features[found[0]]
            row, cell = _first_present(first)
            raise DataError(
                f"Features must be numbers; {name} holds {what} in column {_listed(found)}, such as {cell!r} in row "
                f"{row}: {advice}, or leave columns out with `ignore` (--ignore)."
            )
    lacking: NDArray[np.bool_] = np.asarray(features.isna())
    if lacking.any():
        columns = [str(one) for one, gone in zip(features, np.atleast_1d(lacking.any(axis=0)), strict=True) if gone]
        raise DataError(
            f"{name} lacks {_many(int(lacking.sum()))} in column {_listed(columns)}, first in row "
            f"{int(np.argmax(lacking.any(axis=1))) + 1}: remove those rows, fill them in, or {advice}."
        )
    for one in features:
        _check_resolution(features[one].to_numpy(), str(one), name, advice)
    return features.to_numpy(np.float32)


def _many(values: int) -> str:
    return f"{values} value" + "s" * (values != 1)


def check_row_numbers(features: "pd.DataFrame", name: str) -> None:
    """Refuse a feature that only numbers the rows, or names them by numbers: a model would learn it by heart.

    Raises:
        DataError: There is one.
    """
    for column in features:
        cells = features[column]
        if cells.dtype.kind not in "iu" or not len(cells):
            continue
        least = _FEW if _NUMBERS_ROWS.fullmatch(str(column).lower()) else _MANY
        first = int(cells.iloc[0])
        consecutive = len(cells) >= least and (cells.to_numpy() == np.arange(len(cells)) + first).all()
        if consecutive and first in {0, 1}:
            raise DataError(
                f"Column {column!r} of {name} only numbers the rows (row 1 holds {first}, row 2 {first + 1}): leave it "
                f"out with `ignore` (--ignore {str(column)!r}); if it measures something, write it as {first}.0, "
                f"{first + 1}.0."
            )
        if len(cells) >= _MANY and cells.is_unique and _NAMES_CASES.search(str(column)):
            raise DataError(
                f"Column {column!r} of {name} holds another number in every row (row 1: {first}), as a name does: "
                f"leave it out with `ignore` (--ignore {str(column)!r}); if it measures something, call it otherwise."
            )


def _check_resolution(values: NDArray[Any], column: str, name: str, advice: str) -> None:
    """Check that 32-bit floats tell the values of a feature apart."""
    largest = float(np.abs(values.astype(np.float64)).max())
    if largest <= _EXACT and values.dtype.kind in "iu":
        return
    if largest > float(np.finfo(np.float32).max):
        row = int(np.argmax(np.abs(values))) + 1
        raise DataError(
            f"Column {column!r} of {name} holds {largest:.3g} in row {row}, beyond 32-bit floats: scale it."
        )
    spread = float(values.std(dtype=np.float64))
    coarse = spread > 0 and float(np.spacing(np.float32(largest))) > _COARSEST * spread
    if largest > _EXACT and (pair := _merged(values)) is not None:
        a, b = pair
        raise DataError(
            f"Column {column!r} of {name} holds {values[a]} in row {a + 1} and {values[b]} in row {b + 1}, which "
            "become one number in the 32-bit floats that networks compute with: subtract the smallest value from the "
            f"column, {advice}, or leave it out with `ignore` (--ignore) if it is a name."
        )
    if coarse:
        raise DataError(
            f"Column {column!r} of {name} lies near {largest:.6g} (row {int(np.argmax(np.abs(values))) + 1}) with a "
            f"standard deviation of {spread:.3g}, which 32-bit floats hardly hold: subtract its mean, or {advice}."
        )


def _merged(values: NDArray[Any]) -> tuple[int, int] | None:
    """Return two rows whose different whole numbers are the same 32-bit float."""
    if values.dtype.kind == "f" and not (values == np.round(values)).all():
        return None
    distinct, rows = np.unique(values, return_index=True)
    same = np.flatnonzero(np.diff(distinct.astype(np.float32)) == 0)
    if not len(same):
        return None
    first, second = sorted((int(rows[same[0]]), int(rows[same[0] + 1])))
    return first, second


def _first_present(column: "pd.Series") -> tuple[int, str]:
    cells = column.astype(str)
    present = np.flatnonzero(((cells != "") & ~column.isna()).to_numpy())
    row = int(present[0]) if len(present) else 0
    return row + 1, str(cells.iloc[row])


def _listed(names: list[str], most: int = 8) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
