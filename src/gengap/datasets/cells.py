"""Cells of text as numbers, dates or words: only what can be read in one way is read."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BLANKS = ("", "-", "--", ".", "?", "*", "\\N", "\u2014")
_ABBREVIATED = ("NA", "N/A", "n/a", "na", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "NaT")
_WORDS = ("missing", "Missing", "缺失", "缺测", "#DIV/0!", "#VALUE!", "#REF!")
_MAY_BE_LABELS = ("NULL", "null", "None", "none")

MARKS = frozenset([*_BLANKS, *_ABBREVIATED, *_WORDS, *_MAY_BE_LABELS])
"""What stands for a missing value between numbers or dates; between words it may be a word."""

AMBIGUOUS = MARKS - {"", *_MAY_BE_LABELS}
"""What as an answer may be a label or a missing one."""

_EXPONENT = r"([eE][+-]?\d+|[dD][+-]\d+)?"
_NUMBER = re.compile(rf"[+-]?(\d+(\.\d*)?|\.\d+){_EXPONENT}")
_DECIMAL_COMMA = re.compile(rf"[+-]?\d*,\d+{_EXPONENT}")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([,.]\d{3})+")
_COMMAS_OF_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
_POINTS_OF_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?")
_GROUPED = re.compile(r"[+-]?(\d{1,3}([ '\u2019\u00a0\u2009\u202f_]\d{3})+([.,]\d+)?|\d{1,2}(,\d{2})+,\d{3})")


def as_numbers(cells: Sequence[str], *, decimal_comma: bool = False) -> NDArray[np.float64]:
    """Return cells as numbers, NaN where one is none.

    Args:
        cells: The cells; spaces at their ends do not matter.
        decimal_comma: Whether what is no number with a decimal point may be one with a decimal comma, as `1,5`.

    Example:
        >>> as_numbers(["1.5", " -2e3", "x", "1,5"]).tolist()
        [1.5, -2000.0, nan, nan]
        >>> as_numbers(["1,5", "1.234,5"], decimal_comma=True).tolist()
        [1.5, 1234.5]
    """
    points, commas = readings(cells)
    return np.where(np.isnan(points), commas, points) if decimal_comma else points


def readings(cells: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what cells are with decimal points (and commas of thousands), and with decimal commas; NaN for no number.

    Example:
        >>> [values.tolist() for values in readings(["1,200", "1.5"])]
        [[1200.0, 1.5], [1.2, nan]]
    """
    plain = [cell.strip().replace("\u2212", "-") for cell in cells]
    return np.array([_pointed(one) for one in plain], float), np.array([_comma(one) for one in plain], float)


def _pointed(cell: str) -> float:
    if _NUMBER.fullmatch(cell):
        return _float(cell)
    return _float(cell.replace(",", "")) if _COMMAS_OF_THOUSANDS.fullmatch(cell) else float("nan")


def _comma(cell: str) -> float:
    if _DECIMAL_COMMA.fullmatch(cell) or ("." not in cell and _NUMBER.fullmatch(cell)):
        return _float(cell.replace(",", "."))
    return _float(cell.replace(".", "").replace(",", ".")) if _POINTS_OF_THOUSANDS.fullmatch(cell) else float("nan")


def _float(cell: str) -> float:
    return float(cell.replace("d", "e").replace("D", "e"))


def grouped(cells: Sequence[str]) -> str | None:
    """Return a cell whose digits stand in groups, such as `1 200`, of a column of numbers.

    Example:
        >>> grouped(["900", "1 200"]), grouped(["900", "room 1 200"])
        ('1 200', None)
    """
    plain = [cell.strip() for cell in cells]
    found = [cell for cell in plain if _GROUPED.fullmatch(cell)]
    others = [cell for cell in plain if not _GROUPED.fullmatch(cell)]
    return found[0] if found and np.isfinite(as_numbers(others, decimal_comma=True)).all() else None


def decimal_commas(cells: Sequence[str]) -> bool:
    """Tell whether all cells are numbers, some of them with a comma that can only be decimal."""
    commas = any(_can_only_be_decimal(cell) for cell in cells if "," in cell)
    return commas and bool(np.isfinite(as_numbers(cells, decimal_comma=True)).all())


def _can_only_be_decimal(cell: str) -> bool:
    if "." in cell:
        return _POINTS_OF_THOUSANDS.fullmatch(cell) is not None
    return _DECIMAL_COMMA.fullmatch(cell) is not None and _THOUSANDS.fullmatch(cell) is None


def points_may_be_of_thousands(cells: Sequence[str]) -> str | None:
    """Return a cell such as `1.234` of a column in which every point could be one of thousands."""
    with_point = [cell for cell in cells if "." in cell]
    if with_point and all("," not in cell and _THOUSANDS.fullmatch(cell) for cell in with_point):
        return with_point[0]
    return None


_WITH_UNIT = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*([^\d\s].*)")
_MONEY = r"(?:[$\u20ac\u00a3\u00a5\u20b9]|USD|EUR|GBP|CNY|RMB|JPY|CHF)"
_FIGURE = r"\d[\d.,]*"
_SIGNED = re.compile(rf"[+-]?(?:{_MONEY}\s*{_FIGURE}|{_FIGURE}\s*(?:{_MONEY}|[%\u2030]|\u00b0?\s?[NSEW]|\u00b0C?))")


def common_unit(cells: Sequence[str]) -> str | None:
    """Return what stands behind all numbers of a column, such as `%`; None where a cell is no number with the same.

    Example:
        >>> common_unit(["12 %", "3.5%"]), common_unit(["1st", "2nd"])
        ('%', None)
    """
    found = [_WITH_UNIT.fullmatch(cell) for cell in cells]
    units = {None if match is None else match[1] for match in found}
    return units.pop() if len(units) == 1 else None


def with_a_sign(cells: Sequence[str]) -> str | None:
    """Return a cell such as `$5`, `5 %` or `5N` of a column in which all others are numbers, or such, too.

    Example:
        >>> with_a_sign(["5", "6%"]), with_a_sign(["5 kt", "6%"])
        ('6%', None)
    """
    found = [cell for cell in cells if _SIGNED.fullmatch(cell)]
    others = [cell for cell in cells if not _SIGNED.fullmatch(cell)]
    return found[0] if found and np.isfinite(as_numbers(others, decimal_comma=True)).all() else None
