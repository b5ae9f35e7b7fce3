"""Columns of a table as what they are: numbers, truth values, times or words, with what is missing said as missing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets import cells, written_dates
from gengap.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

EXACT = 2**53
"""Whole numbers up to here are 64-bit floats without rounding."""
_CODE = 4
"""Digits from which a number with a leading zero may be a name, as a post code is; hours are shorter."""
MOSTLY = 0.5
"""Share of numbers beyond which a column of text is one of numbers, and what is no number in it a mistake."""


@dataclass(frozen=True)
class Place:
    """Which column of which table, for messages.

    Attributes:
        table: Name of the file, or what else the table is called.
        column: Name of the column.
    """

    table: str
    column: str

    def __str__(self) -> str:
        return f"column {self.column!r} of {self.table}"


def typed(column: "pd.Series", place: Place, missing: Sequence[str] | None = None) -> "pd.Series":
    """Return a column as numbers, truth values, times or words.

    Text whose cells are numbers becomes numbers, likewise dates; between those, marks such as `NA` or `-` are missing.
    Between words only blanks are missing: `None` may be a word.

    Args:
        column: Any column of a data frame.
        place: Where it stands.
        missing: What else means that a value is missing, such as `"-999"`; empty says that nothing else does, else
            numbers that look like such marks are refused.

    Returns:
        float64 (NaN is missing), an integer or bool, `datetime64[ns]` (NaT is missing), or object of `str` (blanks
        are missing).

    Raises:
        DataError: It is none of these; the sentence names the first cell in the way.
    """
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _words(column.astype(object), missing)
    kind = getattr(dtype, "kind", "O")
    if kind == "b":
        return _plain(column, np.float64 if column.isna().any() else np.bool_)
    if kind in "iuf":
        return _numbers(column, place, missing)
    if kind in "mM" or isinstance(dtype, pd.PeriodDtype):
        return _times(column, place)
    return _of_objects(column, place, missing)


def _times(column: "pd.Series", place: Place) -> "pd.Series":
    """Return times without a zone, and durations in seconds."""
    import pandas as pd

    if isinstance(column.dtype, pd.PeriodDtype):
        return _times(column.dt.to_timestamp(), place)
    if column.dtype.kind == "m":
        seconds: pd.Series = column.dt.total_seconds()
        return seconds
    zoned = getattr(column.dtype, "tz", None) is not None
    plain = column.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else column
    if (beyond := written_dates.beyond_nanoseconds(plain)) is not None:
        raise DataError(
            f"The {place} holds the date {plain.iloc[beyond]} in row {beyond + 1}, {written_dates.BEYOND}: leave it "
            "blank, if it means that the date is missing."
        )
    return plain.astype("datetime64[ns]")


def as_words(column: "pd.Series", missing: Sequence[str] | None = None) -> "pd.Series":
    """Return a column as words whatever it holds; whole numbers without a point, blanks as empty strings."""
    kind = getattr(column.dtype, "kind", "O")
    if kind == "f":
        values = column.to_numpy(np.float64, na_value=np.nan)
        whole = bool((np.isnan(values) | (values == np.round(values))).all())
        return _words(column.map(lambda v: "" if v != v else str(int(v)) if whole else repr(float(v))), missing)  # noqa: PLR0124
    if kind == "M":
        dates = column.dt.strftime("%Y-%m-%d" if (column.dropna() == column.dropna().dt.normalize()).all() else "%c")
        return _words(dates, missing)
    return _words(column.astype(object), missing)


def _plain(column: "pd.Series", dtype: Any) -> "pd.Series":
    import pandas as pd

    values = column.to_numpy(dtype, na_value=np.nan) if dtype is np.float64 else column.to_numpy(dtype)
    return pd.Series(values, index=column.index, name=column.name)


def _numbers(column: "pd.Series", place: Place, missing: Sequence[str] | None) -> "pd.Series":
    whole = column.dtype.kind in "iu" and not column.isna().any()
    plain = _plain(column, np.dtype(f"{column.dtype.kind}8").type if whole else np.float64)
    plain = _without_marks(plain, missing)
    _check_suspicious(plain, place, missing)
    return plain


def _without_marks(column: "pd.Series", missing: Sequence[str] | None) -> "pd.Series":
    values = cells.as_numbers(list(missing or ()))
    marked = column.isin(values[np.isfinite(values)])
    return column.astype(np.float64).mask(marked) if marked.any() else column


def _of_objects(column: "pd.Series", place: Place, missing: Sequence[str] | None) -> "pd.Series":
    """Read Python objects: text as a file's, else all of one kind."""
    import pandas as pd

    present = column[~column.isna()]
    kinds = {type(value) for value in present}
    if not kinds or all(issubclass(one, str) for one in kinds):
        return _of_text(_words(column, None), place, missing)
    if kinds <= {bool, np.bool_}:
        return _plain(column, np.float64 if column.isna().any() else np.bool_)
    if any(issubclass(one, str) for one in kinds):
        first = next(number for number, value in enumerate(column, 1) if isinstance(value, str))
        other = next(value for value in present if not isinstance(value, str))
        raise DataError(
            f"The {place} mixes text and other things: {column.iloc[first - 1]!r} in row {first}, but also {other!r}: "
            "make it one kind, such as text with `.astype(str)`."
        )
    try:
        return _numbers(column.astype(np.float64), place, missing)
    except (TypeError, ValueError):
        pass
    try:
        return typed(pd.to_datetime(column), place, missing)
    except (TypeError, ValueError):
        shown = sorted(one.__name__ for one in kinds)
        raise DataError(
            f"The {place} holds {', '.join(shown)}, of which no number, date or word can be made: leave it out with "
            "`ignore` (--ignore)."
        ) from None


def _words(column: "pd.Series", missing: Sequence[str] | None) -> "pd.Series":
    """Return text without spaces at its ends, missing values as empty strings."""
    import pandas as pd

    absent = column.isna().to_numpy()
    marks = set(missing or ())
    text = ["" if gone else str(value).strip() for gone, value in zip(absent, column, strict=True)]
    return pd.Series(["" if one in marks else one for one in text], index=column.index, name=column.name, dtype=object)


def _of_text(text: "pd.Series", place: Place, missing: Sequence[str] | None) -> "pd.Series":
    """Read cells of text as numbers or dates where they are."""
    import pandas as pd

    marked = text.isin(cells.MARKS | set(missing or ())).to_numpy()
    written = [cell for cell, gone in zip(text, marked, strict=True) if not gone]
    if not written:
        return _words(text, missing)
    found = {cell.casefold() for cell in written}
    if found <= {"true", "false", "1", "0"} and found & {"true", "false"}:
        truth = text.str.casefold().map({"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}).astype(np.float64)
        return truth if marked.any() else truth.astype(np.bool_)
    _check_groups_of_digits(written, text, place)
    good = np.isfinite(cells.as_numbers(written, decimal_comma=True))
    if good.mean() > MOSTLY and cells.with_a_sign(written) is None:
        _check_all_numbers(text, marked, good, place)
        numbers = _in_one_way(written, text, place)
        whole = not marked.any() and all(one.lstrip("+-").isdigit() for one in written)
        _check_digits(written, text, place)
        values = np.full(len(text), np.nan)
        values[~marked] = numbers
        column = pd.Series(values, index=text.index, name=text.name)
        return _numbers(column.astype(np.int64) if whole else column, place, missing)
    dates = written_dates.look_like_dates(written)
    if dates.mean() > MOSTLY:
        _check_all_dates(written, dates, text, place)
        return _as_times(text, ~marked, written, place)
    _check_no_numbers(written, text, place)
    return _words(text, missing)


def _row_of(cell: str, text: "pd.Series") -> int:
    return int(np.flatnonzero((text == cell).to_numpy())[0]) + 1


def _check_no_numbers(written: Sequence[str], text: "pd.Series", place: Place) -> None:
    """Refuse numbers and times of day that would be taken for words."""
    alone = "write the numbers alone; if they are names, put a letter before each."
    if written_dates.look_like_times_of_day(written):
        raise DataError(
            f"The {place} holds times of day, such as {written[0]!r} in row {_row_of(written[0], text)}: write them as "
            "hours, 18.5 for 18:30, or together with their date as 2020-01-31 18:30."
        )
    if (unit := cells.common_unit(written)) is not None:
        raise DataError(
            f"The {place} holds numbers with {unit!r} behind each, such as {written[0]!r} in row "
            f"{_row_of(written[0], text)}: {alone}"
        )
    if (signed := cells.with_a_sign(written)) is not None:
        raise DataError(
            f"The {place} holds numbers with signs beside them, such as {signed!r} in row {_row_of(signed, text)}: "
            f"{alone}"
        )


def _check_all_dates(written: Sequence[str], dates: NDArray[np.bool_], text: "pd.Series", place: Place) -> None:
    if not dates.all():
        cell = written[int(np.argmin(dates))]
        raise DataError(
            f"The {place} holds dates, but {cell!r} in row {_row_of(cell, text)} is none: correct it, or, if it means "
            f"that the date is missing, say so with `missing` (--missing {cell!r}); if the dates are names, put a "
            "letter before each."
        )


def _as_times(text: "pd.Series", present: NDArray[np.bool_], written: list[str], place: Place) -> "pd.Series":
    import pandas as pd

    times = np.full(len(text), np.datetime64("NaT", "ns"), dtype="datetime64[ns]")
    try:
        times[present] = written_dates.as_dates(written).to_numpy()
    except ValueError as reason:
        said, cell = reason.args
        remedy = "leave it blank, if it means that the date is missing"
        if written_dates.BEYOND not in said:
            remedy = "write them as 2020-01-31; if they are names, put a letter before each"
        raise DataError(
            f"The {place} holds dates, and {said} (first in row {_row_of(cell, text)}): {remedy}."
        ) from None
    return pd.Series(times, index=text.index, name=text.name)


def _check_all_numbers(text: "pd.Series", marked: NDArray[np.bool_], good: NDArray[np.bool_], place: Place) -> None:
    if good.all():
        return
    row = int(np.flatnonzero(~marked)[int(np.argmin(good))])
    cell = text.iloc[row]
    first = "delete the row, if it holds units or remarks; else " if row == 0 else ""
    raise DataError(
        f"The {place} holds numbers, but {cell!r} in row {row + 1} is none: {first}correct it, or, if it means that "
        f"the value is missing, say so with `missing` (--missing {cell!r}); if the numbers are names, put a letter "
        "before each."
    )


def _in_one_way(written: Sequence[str], text: "pd.Series", place: Place) -> NDArray[np.float64]:
    """Return numbers whose points and commas mean the same in all cells."""
    points, commas = cells.readings(written)
    pointed, comma = np.isfinite(points), np.isfinite(commas)
    with_comma = [cell for cell in written if "," in cell]
    if pointed.all() and not (with_comma and comma.all()):
        return points
    if comma.all() and not pointed.all():
        return commas
    if pointed.all():
        raise DataError(
            f"The {place} holds {with_comma[0]!r} in row {_row_of(with_comma[0], text)}, where the comma may be "
            "decimal or one of thousands: write its numbers as 1234.5, without commas."
        )
    one, other = written[int(np.argmin(pointed))], written[int(np.argmin(comma))]
    raise DataError(
        f"The {place} holds {one!r} in row {_row_of(one, text)} and {other!r} in row {_row_of(other, text)}, whose "
        "commas and points cannot mean the same: write its numbers as 1234.5."
    )


def _check_groups_of_digits(written: Sequence[str], text: "pd.Series", place: Place) -> None:
    if (cell := cells.grouped(written)) is not None:
        raise DataError(
            f"The {place} holds {cell!r} in row {_row_of(cell, text)}, whose digits stand in groups: write its numbers "
            "as 1234.5; if they are names, put a letter before each."
        )


def _check_digits(written: Sequence[str], text: "pd.Series", place: Place) -> None:
    digits = [cell for cell in written if cell.lstrip("+-").isdigit()]
    if long := next((cell for cell in digits if abs(int(cell)) > EXACT), None):
        raise _too_long(long, _row_of(long, text), place)
    if padded := next((cell for cell in digits if cell.startswith("0") and len(cell) >= _CODE), None):
        raise DataError(
            f"The {place} holds {padded!r} in row {_row_of(padded, text)}, whose leading zero a number does not keep: "
            "put a letter before each, if they are names; write them without the zero, if they are numbers."
        )


def _too_long(cell: Any, row: int, place: Place) -> DataError:
    return DataError(
        f"The {place} holds {cell} in row {row}, more digits than a 64-bit float keeps: leave the column out with "
        "`ignore` (--ignore) if it is a name; if it measures something, subtract the smallest value from it."
    )


def has_decimal_commas(table: "pd.DataFrame") -> bool:
    """Tell whether a column of text has commas that can only be decimal."""
    return any(cells.decimal_commas(column) for _, column in _columns_of_text(table))


def check_points(table: "pd.DataFrame", name: str) -> None:
    """Refuse points that may be of thousands, in a table that is written with decimal commas.

    Raises:
        DataError: There are some.
    """
    for column, written in _columns_of_text(table):
        if (found := cells.points_may_be_of_thousands(written)) is not None:
            row = _row_of(found, _words(table[column], None))
            raise DataError(
                f"Column {column!r} of {name} holds {found!r} in row {row}, and other columns have decimal commas "
                "(or those of the training table): its point may be one of thousands: write its numbers with a decimal "
                "comma, or without points."
            )


def _columns_of_text(table: "pd.DataFrame") -> "Iterator[tuple[str, list[str]]]":
    for name in table:
        if table[name].dtype.kind == "O":
            yield str(name), [cell.strip() for cell in table[name] if isinstance(cell, str) and cell.strip()]


def check_exact(column: "pd.Series", place: Place) -> None:
    """Refuse whole numbers that become others as 64-bit floats.

    Raises:
        DataError: There is one.
    """
    if column.dtype.kind not in "iu" or not len(column):
        return
    values = column.to_numpy(dtype=object) if column.isna().any() else column.to_numpy()
    for row, value in ((int(np.argmax(values)), values.max()), (int(np.argmin(values)), values.min())):
        if abs(int(value)) > EXACT:
            raise _too_long(int(value), row + 1, place)


_NEGATIVE_MARKS = (-99.0, -99.9, -999.0, -999.9, -999.99, -9999.0, -9999.9, -99999.0, -32768.0)
_POSITIVE_MARKS = (999.0, 999.9, 9999.0, 9999.9, 99999.0, 1e20)
_FAR = 3.0
"""Ranges of the other values that a mark lies away from them, where it has their sign."""


def _check_suspicious(column: "pd.Series", place: Place, missing: Sequence[str] | None) -> None:
    """Refuse infinite numbers, and numbers that usually stand for a missing value and lie far from all others."""
    values = column.to_numpy(np.float64)
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0]) + 1
        raise DataError(
            f"The {place} holds an infinite number in row {row}: write a finite one there, or leave it blank."
        )
    if missing is not None and not missing:
        return
    for mark in (*_NEGATIVE_MARKS, *_POSITIVE_MARKS):
        found = values == mark
        if not found.any() or not _is_far(mark, values[~found & ~np.isnan(values)]):
            continue
        first, shown = int(np.flatnonzero(found)[0]) + 1, f"{mark:g}"
        raise DataError(
            f"The {place} holds {shown} in {int(found.sum())} of {len(values)} rows, first in row {first}, far from "
            f"all its other values: if it means that the value is missing, say so with `missing` (--missing {shown!r}"
            "); if it is a number, with an empty `missing` (--missing '')."
        )


def _is_far(mark: float, others: NDArray[np.float64]) -> bool:
    if not len(others):
        return False
    low, high = float(others.min()), float(others.max())
    if mark < 0:
        return mark < low and (low >= 0 or low - mark > high - low)
    return mark > high and mark - high > _FAR * max(high - low, abs(high))
