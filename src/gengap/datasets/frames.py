"""Data frames as they come (pandas, polars, mappings of columns) as one pandas frame with names of text."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def is_frame(given: Any) -> bool:
    """Tell whether something is a table of named columns: of pandas, of polars, or a plain mapping of columns."""
    return hasattr(given, "columns") and (hasattr(given, "iloc") or hasattr(given, "to_dict"))


def as_frame(given: Any, what: str) -> "pd.DataFrame":
    """Return a table as a pandas frame of its own, whose columns have distinct names of text.

    Columns of an index that has names are columns, too, as `set_index` made them.

    Args:
        given: A data frame of pandas or polars, or a mapping from names to columns of equal length.
        what: What it is called in messages.

    Raises:
        DataError: It is none, or names of columns are nested, missing or the same.
    """
    import pandas as pd

    if isinstance(given, Mapping):
        table = pd.DataFrame({str(name): np.asarray(column) for name, column in given.items()})
    elif hasattr(given, "iloc") and getattr(given, "ndim", 0) == 2:
        table = given.copy(deep=False)
        named = [name for name in table.index.names if name is not None and name not in table.columns]
        table = table.reset_index(level=named) if named else table
    elif is_frame(given):
        table = pd.DataFrame({name: _of_polars(given[name]) for name in given.columns})
    else:
        raise DataError(f"{what} must be a data frame; received {type(given).__name__}.")
    if isinstance(table.columns, pd.MultiIndex):
        raise DataError(f"{what} has nested names of columns: flatten them, as by `['_'.join(c) for c in df.columns]`.")
    names = [str(name).strip() for name in table.columns]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise DataError(f"{what} has several columns named {twice[0]!r}: give each a name of its own.")
    return table.set_axis(names, axis=1).reset_index(drop=True)


def _of_polars(column: Any) -> Any:
    """Return a column of polars as NumPy's where nothing is missing, else as a list with None."""
    import pandas as pd

    if str(column.dtype).startswith(("Int", "UInt", "Float", "Boolean", "Date", "Duration")):
        if not column.null_count():
            return column.to_numpy()
        plain = pd.Series(column.to_list(), dtype=object)
        return plain.infer_objects() if not str(column.dtype).startswith("Boolean") else plain
    return pd.Series(column.to_list(), dtype=object)
