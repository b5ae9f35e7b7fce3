"""Times of cases, in the ways in which tables write them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.columns import Place, typed
from gengap.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_WRITTEN = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_NANOSECONDS = np.dtype("datetime64[ns]")
_FIRST, _LAST = np.datetime64("1678-01-01"), np.datetime64("2262-01-01")
_UNIX = {"s": (1e8, 5e9), "ms": (1e11, 5e12), "us": (1e14, 5e15), "ns": (1e17, 5e18)}


def as_times(column: "pd.Series", place: Place) -> NDArray[np.datetime64]:
    """Return a column as `datetime64[ns]`: dates, whole numbers such as 20200131 or 2020013106, or Unix times.

    Raises:
        DataError: A time is missing, or cannot be read in one way.
    """
    times = typed(column, place, ())
    if times.dtype.kind in "iuf":
        times = _of_numbers(times, place)
    if times.dtype.kind != "M":
        first = str(column.iloc[0])
        raise DataError(f"The {place} must hold times; row 1 holds {first!r}: write them as 2020-01-31 or 20200131.")
    absent = times.isna().to_numpy()
    if absent.any():
        raise DataError(
            f"{place.table} lacks the time {place.column!r} in {int(absent.sum())} of {len(times)} rows, first in row "
            f"{int(np.argmax(absent)) + 1}: give every case a time."
        )
    return np.asarray(times.to_numpy("datetime64[ns]"))


def in_nanoseconds(values: Any) -> NDArray[Any]:
    """Return times in nanoseconds, xarray's own unit, where they lie in the years that these reach, 1678 to 2261.

    Others stay in their unit: NumPy makes other days of them, and since version 2.5 raises instead.

    Args:
        values: `datetime64` of any unit; what is no time is returned as it is.
    """
    array = np.asarray(values)
    if array.dtype.kind != "M" or array.dtype == _NANOSECONDS:
        return array
    absent = np.isnat(array)
    reached = (array >= _FIRST) & (array < _LAST)
    return array.astype(_NANOSECONDS) if (reached | absent).all() else array


def _of_numbers(column: "pd.Series", place: Place) -> "pd.Series":
    import pandas as pd

    values = column.dropna().to_numpy(np.float64)
    whole = bool((values == np.round(values)).all()) and len(values) > 0
    lengths = {len(str(int(value))) for value in values} if whole else set()
    if len(lengths) == 1 and (form := _WRITTEN.get(next(iter(lengths)))):
        written = column.map(lambda v: None if v != v else str(int(v)))  # noqa: PLR0124  NaN is not itself
        times = pd.to_datetime(written, format=form, errors="coerce")
        if times.notna().sum() == len(values) and times.dt.year.between(1800, 2200).all():
            return times
    for unit, (low, high) in _UNIX.items():
        if whole and ((low <= values) & (values < high)).all():
            since: Any = pd.to_datetime(column.to_numpy(), unit=unit)  # type: ignore[call-overload]
            return pd.Series(since)
    shown = f"{column.iloc[0]:.15g}"
    raise DataError(
        f"The {place} holds numbers that are no times, such as {shown} in row 1: write them as 2020-01-31 or 20200131, "
        "or as seconds since 1970."
    )
