"""Cells of text as times: what is written in one of the usual ways, and can be read in one way only."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?"
_TIME = rf"(?:[T ] ?({_CLOCK}))?"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_ZONE = r" ?(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
_ISO = re.compile(
    rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}(?:[T ]\d{{1,2}}(?::\d{{2}}(?::\d{{2}}(?:[.,]\d+)?)?)?(?:{_ZONE})?)?"
    rf"|\d{{8}}T\d{{4}}(?:\d{{2}})?(?:{_ZONE})?"
)
_SLASHED = re.compile(rf"(\d{{4}})([/.-])(\d{{1,2}})\2(\d{{1,2}}){_TIME}")
_DAY_OR_MONTH_FIRST = re.compile(rf"(\d{{1,2}})([/.-])(\d{{1,2}})\2(\d{{4}}){_TIME}")
_CHINESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日")
_DAY_THEN_WORD = re.compile(rf"(\d{{1,2}})(?:st|nd|rd|th)?[ -]?{_MONTH},?[ -]?(\d{{4}}){_TIME}", re.IGNORECASE)
_WORD_THEN_DAY = re.compile(rf"{_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}}){_TIME}", re.IGNORECASE)
_SHORT_YEAR = re.compile(rf"(\d{{1,2}})([/.-])(\d{{1,2}})\2(\d{{2}}){_TIME}")
_CLOCK_ALONE = re.compile(_CLOCK)
_ZONE_OF_ZERO = re.compile(r" ?(?:UTC|GMT)$")
_YEARS = (1678, 2261)
BEYOND = f"beyond the years {_YEARS[0]} to {_YEARS[1]}"
"""What is said of times that 64-bit nanoseconds do not reach."""
_WRITTEN = (_ISO, _SLASHED, _DAY_OR_MONTH_FIRST, _CHINESE, _DAY_THEN_WORD, _WORD_THEN_DAY)


def look_like_dates(cells: Sequence[str]) -> NDArray[np.bool_]:
    """Tell of each cell whether it is written as a date, one with a year of two digits among them.

    Example:
        >>> look_like_dates(["2020-05-01", "May 1, 2020", "5/1/20", "1.2.3", "soon"]).tolist()
        [True, True, True, False, False]
    """
    return np.array([any(one.fullmatch(cell) for one in _WRITTEN) or _has_short_year(cell) for cell in cells], bool)


def _has_short_year(cell: str) -> bool:
    match = _SHORT_YEAR.fullmatch(cell)
    return (
        match is not None and min(int(match[1]), int(match[3])) <= 12 and 1 <= max(int(match[1]), int(match[3])) <= 31
    )


def look_like_times_of_day(cells: Sequence[str]) -> bool:
    """Tell whether all cells are times of day without a date, such as `18:30`."""
    return bool(cells) and all(_CLOCK_ALONE.fullmatch(cell) for cell in cells)


def as_dates(cells: Sequence[str]) -> "pd.Series":
    """Return cells as times; zones are turned into UTC.

    Raises:
        ValueError: A cell is no date, has a year of two digits, or it stays open whether its day or its month comes
            first; its first argument says which, the second is the cell.
    """
    import pandas as pd

    if short := next((cell for cell in cells if _has_short_year(cell)), None):
        raise ValueError(f"{short!r} has a year of two digits", short)
    written = [_iso(cell) for cell in cells]
    slashed = [match for cell in cells if (match := _DAY_OR_MONTH_FIRST.fullmatch(cell))]
    if slashed:
        day_first = _day_comes_first(slashed)
        written = [_turned(cell, day_first=day_first) for cell in written]
    reached = [_within_reach(one) for one in written]
    times = pd.to_datetime(pd.Series(reached, dtype=object), format="ISO8601", utc=True, errors="coerce")
    if times.isna().any():
        cell = cells[int(np.flatnonzero(times.isna().to_numpy())[0])]
        raise ValueError(f"{cell!r} is no date", cell)
    moved = (place for place, pair in enumerate(zip(written, reached, strict=True)) if pair[0] != pair[1])
    if (beyond := next(moved, beyond_nanoseconds(times))) is not None:
        raise ValueError(f"{cells[beyond]!r} is {BEYOND}", cells[beyond])
    return times.dt.tz_localize(None).astype("datetime64[ns]")


def _within_reach(written: str) -> str:
    """Return a date in a year that nanoseconds reach; pandas before 3.0 reads no other, be it a date or not.

    The calendar is the same every 400 years, so what is no date in one year is none in the other.
    """
    year = written[:4]
    if not year.isdecimal() or _YEARS[0] <= int(year) <= _YEARS[1]:
        return written
    return f"{1700 + (int(year) - 1700) % 400}{written[4:]}"


def beyond_nanoseconds(times: "pd.Series") -> int | None:
    """Return the first place of a time that 64-bit nanoseconds do not reach."""
    outside = (times.notna() & ~times.dt.year.between(*_YEARS)).to_numpy()
    return int(np.argmax(outside)) if outside.any() else None


def _iso(cell: str) -> str:
    if _ISO.fullmatch(cell):
        return _ZONE_OF_ZERO.sub("Z", cell).replace(",", ".")
    if match := _CHINESE.fullmatch(cell):
        return _date(match[1], match[2], match[3], None)
    if match := _SLASHED.fullmatch(cell):
        return _date(match[1], match[3], match[4], match[5])
    if match := _DAY_THEN_WORD.fullmatch(cell):
        return _date(match[3], _month(match[2]), match[1], match[4])
    if match := _WORD_THEN_DAY.fullmatch(cell):
        return _date(match[3], _month(match[1]), match[2], match[4])
    return cell


def _month(word: str) -> str:
    return str(_MONTHS.index(word[:3].lower()) + 1)


def _date(year: str, month: str, day: str, clock: str | None) -> str:
    return f"{year}-{int(month):02d}-{int(day):02d}{_of_clock(clock)}"


def _of_clock(clock: str | None) -> str:
    """Return a time of day with hours from 00 to 23, as ISO writes it."""
    if not clock:
        return ""
    hour, rest = clock.split(":", 1)
    half = rest.lower().replace(".", "").replace(" ", "")[-2:]
    if half in {"am", "pm"}:
        number = int(hour) % 12 + 12 * (half == "pm") if 1 <= int(hour) <= 12 else 99  # 99: no date, which is said
        return f" {number:02d}:{re.sub(r' ?[AaPp][.]?[Mm][.]?$', '', rest)}"
    return f" {int(hour):02d}:{rest}"


def _day_comes_first(matches: "Sequence[re.Match[str]]") -> bool:
    firsts, seconds = ([int(match[place]) for match in matches] for place in (1, 3))
    if any(match[2] == "." for match in matches) or max(firsts) > 12:
        return True
    if max(seconds) > 12:
        return False
    raise ValueError(f"{matches[0][0]!r} may have its day or its month first", matches[0][0])


def _turned(cell: str, *, day_first: bool) -> str:
    match = _DAY_OR_MONTH_FIRST.fullmatch(cell)
    if match is None:
        return cell
    day, month = (match[1], match[3]) if day_first else (match[3], match[1])
    return _date(match[4], month, day, match[5])
