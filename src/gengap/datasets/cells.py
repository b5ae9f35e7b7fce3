"""Cells of text as numbers, dates or words: only what can be read in one way is read."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

_BLANKS = ("", "-", "--", ".", "?", "*", "\\N", "\u2014")
_ABBREVIATED = ("NA", "N/A", "n/a", "na", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "NaT")
_WORDS = ("missing", "Missing", "缺失", "缺测", "#DIV/0!", "#VALUE!", "#REF!")
_MAY_BE_LABELS = ("NULL", "null", "None", "none")

MARKS = frozenset([*_BLANKS, *_ABBREVIATED, *_WORDS, *_MAY_BE_LABELS])
"""What stands for a missing value between numbers or dates; between words it may be a word."""

AMBIGUOUS = MARKS - {"", *_MAY_BE_LABELS}
"""What as an answer may be a label or a missing one."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([,.]\d{3})+")
_POINTS_THEN_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+")
_COMMAS_THEN_POINT = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d+")


def as_numbers(cells: Sequence[str], *, decimal_comma: bool = False) -> NDArray[np.float64]:
    """Return cells as numbers, NaN where one is none.

    Args:
        cells: The cells; spaces at their ends do not matter.
        decimal_comma: Whether `1,5` is a number, and a point in `1.234,5` one of thousands.

    Example:
        >>> as_numbers(["1.5", " -2e3", "x", "1,5"]).tolist()
        [1.5, -2000.0, nan, nan]
        >>> as_numbers(["1,5", "1.234,5"], decimal_comma=True).tolist()
        [1.5, 1234.5]
    """
    return np.array([_number(cell.strip(), decimal_comma=decimal_comma) for cell in cells], dtype=np.float64)


def _number(cell: str, *, decimal_comma: bool) -> float:
    if _NUMBER.fullmatch(cell):
        return float(cell)
    if decimal_comma and _DECIMAL_COMMA.fullmatch(cell):
        return float(cell.replace(",", "."))
    if decimal_comma and _POINTS_THEN_COMMA.fullmatch(cell):
        return float(cell.replace(".", "").replace(",", "."))
    if _COMMAS_THEN_POINT.fullmatch(cell):
        return float(cell.replace(",", ""))
    return float("nan")


def open_to_two_readings(cells: Sequence[str]) -> str | None:
    """Return a cell such as `1,234`, which may be one thousand and a bit or one and a bit, if nothing settles it.

    What settles it for a whole column: another cell whose comma can only be decimal (`1,5`), or only of thousands.
    """
    stripped = [cell.strip() for cell in cells]
    with_comma = [cell for cell in stripped if "," in cell]
    if with_comma:
        settled = any(not _THOUSANDS.fullmatch(cell) for cell in with_comma)
        return None if settled else with_comma[0]
    return None


def decimal_commas(cells: Sequence[str]) -> bool:
    """Tell whether all cells are numbers, some of them with a comma that can only be decimal."""
    commas = any(_DECIMAL_COMMA.fullmatch(cell) and not _THOUSANDS.fullmatch(cell) for cell in cells)
    return commas and bool(np.isfinite(as_numbers(cells, decimal_comma=True)).all())


def points_may_be_of_thousands(cells: Sequence[str]) -> str | None:
    """Return a cell such as `1.234` of a column in which every point could be one of thousands."""
    with_point = [cell.strip() for cell in cells if "." in cell]
    if with_point and all(_THOUSANDS.fullmatch(cell) for cell in with_point):
        return with_point[0]
    return None


_WITH_UNIT = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*([^\d\s].*)")


def common_unit(cells: Sequence[str]) -> str | None:
    """Return what stands behind all numbers of a column, such as `%`; None where a cell is no number with the same.

    Example:
        >>> common_unit(["12 %", "3.5%"]), common_unit(["1st", "2nd"])
        ('%', None)
    """
    found = [_WITH_UNIT.fullmatch(cell) for cell in cells]
    units = {None if match is None else match[1] for match in found}
    return units.pop() if len(units) == 1 else None


_ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}(:\d{2}(:\d{2}([.,]\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?)?")
_SLASHED = re.compile(r"(\d{4})([/.])(\d{1,2})\2(\d{1,2})( \d{1,2}:\d{2}(:\d{2})?)?")
_DAY_OR_MONTH_FIRST = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})( \d{1,2}:\d{2}(:\d{2})?)?")
_CHINESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日")


def look_like_dates(cells: Sequence[str]) -> bool:
    """Tell whether all cells are written as dates."""
    patterns = (_ISO, _SLASHED, _DAY_OR_MONTH_FIRST, _CHINESE)
    return bool(cells) and all(any(one.fullmatch(cell) for one in patterns) for cell in cells)


def as_dates(cells: Sequence[str]) -> "pd.Series":
    """Return cells as times; zones are turned into UTC.

    Raises:
        ValueError: A cell is no date, or it stays open whether its day or its month comes first; the text says which.
    """
    import pandas as pd

    written = [_iso(cell) for cell in cells]
    slashed = [match for cell in cells if (match := _DAY_OR_MONTH_FIRST.fullmatch(cell))]
    if slashed:
        day_first = _day_comes_first(slashed)
        written = [_turned(cell, day_first=day_first) for cell in written]
    times = pd.to_datetime(pd.Series(written, dtype=object), format="ISO8601", utc=True, errors="coerce")
    if times.isna().any():
        raise ValueError(f"{cells[int(np.flatnonzero(times.isna().to_numpy())[0])]!r} is no date")
    return times.dt.tz_localize(None).astype("datetime64[ns]")


def _iso(cell: str) -> str:
    match = _CHINESE.fullmatch(cell) or _SLASHED.fullmatch(cell)
    if match is None:
        return cell
    year, month, day = match[1], *((match[2], match[3]) if match.re is _CHINESE else (match[3], match[4]))
    rest = "" if match.re is _CHINESE else match[5] or ""
    return f"{year}-{int(month):02d}-{int(day):02d}{_two_digits(rest)}"


def _two_digits(time: str) -> str:
    return re.sub(r"^ (\d):", r" 0\1:", time)


def _day_comes_first(matches: "Sequence[re.Match[str]]") -> bool:
    firsts, seconds = ([int(match[place]) for match in matches] for place in (1, 3))
    if any(match[2] == "." for match in matches) or max(firsts) > 12:
        return True
    if max(seconds) > 12:
        return False
    raise ValueError(f"{matches[0][0]!r} may have its day or its month first")


def _turned(cell: str, *, day_first: bool) -> str:
    match = _DAY_OR_MONTH_FIRST.fullmatch(cell)
    if match is None:
        return cell
    day, month = (match[1], match[3]) if day_first else (match[3], match[1])
    return f"{match[4]}-{int(month):02d}-{int(day):02d}{_two_digits(match[5] or '')}"
