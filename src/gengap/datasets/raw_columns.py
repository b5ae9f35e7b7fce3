"""Raw columns of a table as plain numbers, which a model that holds the encoder takes: one each, two of a time."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.columns import Place
from gengap.datasets.encoded_columns import DeclaredColumn, Learned, encode

if TYPE_CHECKING:
    import pandas as pd

Meaning = Literal["number", "standardized", "code", "day", "time"]

_COARSE = 1000.0
"""Means beyond so many deviations lose digits in float32, so that such a column is standardized before, in float64."""
_SMALLEST, _LARGEST = 1e-30, 1e30
"""Deviations beyond leave float32, or their inverse does; such columns likewise."""


@dataclass(frozen=True)
class RawNumber:
    """One number of a raw row.

    Attributes:
        column: The column that it is read from.
        meaning: `"number"` as it stands; `"standardized"`, minus `mean` and divided by `deviation` in 64-bit floats;
            `"code"` of a word; `"day"` of the year, 0 on 1 January at 0 h, with its fraction; `"time"` of the day, from
            0 at 0 h to 1.
        codes: Codes of the known words; any other word is 0.
        blank: Code of a blank, where codes are whole numbers; else a blank is NaN.
        mean: What is subtracted.
        deviation: What it is divided by then.
    """

    column: str
    meaning: Meaning
    codes: Mapping[str, int] | None = None
    blank: int | None = None
    mean: float | None = None
    deviation: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without those that do not apply."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def raw_numbers(column: str, declared: DeclaredColumn, learned: Learned, *, whole: bool = False) -> list[RawNumber]:
    """Return the numbers that a raw column is given as.

    Args:
        column: Its name.
        declared: What is declared of it.
        learned: What was learned of it.
        whole: Whether codes are whole numbers, so that no NaN can stand for a blank.
    """
    if declared.kind == "words":
        codes = {word: code for code, word in enumerate(learned.words, 1)}
        return [RawNumber(column, "code", codes, (declared.size + 1) * declared.blanks if whole else None)]
    if declared.kind == "dates":
        return [RawNumber(column, "day"), *([RawNumber(column, "time")] if declared.hours else [])]
    if in_float32(learned.mean, learned.deviation):
        return [RawNumber(column, "number")]
    return [RawNumber(column, "standardized", mean=learned.mean, deviation=learned.deviation)]


def in_float32(mean: float, deviation: float) -> bool:
    """Tell whether a layer that computes in 32-bit floats may standardize numbers."""
    return abs(mean) <= _COARSE * deviation and _SMALLEST <= deviation <= _LARGEST


def as_raw_numbers(
    column: "pd.Series", declared: DeclaredColumn, learned: Learned, place: Place
) -> NDArray[np.float32]:
    """Return rows of a column as plain numbers, NaN for a blank.

    Args:
        column: Numbers, truth values, times or words.
        declared: What is declared of it.
        learned: What was learned of it.
        place: Where it stands, for messages.

    Returns:
        Shape `(n, 1)`, or `(n, 2)` for dates with a time of day.

    Raises:
        DataError: As `encoded_columns.encode`.
    """
    encoded = encode(column, declared, learned, place, one_hot=False)  # checks what the column holds
    if declared.kind == "words":
        return np.where((column == "").to_numpy(), np.nan, encoded)[:, None].astype(np.float32)
    absent = column.isna().to_numpy() if column.dtype.kind != "O" else np.ones(len(column), bool)
    values = np.full((len(column), len(raw_numbers("", declared, learned))), np.nan)
    if not absent.all():
        values[~absent] = _present(column[~absent], declared, learned)
    return values.astype(np.float32)


def _present(column: "pd.Series", declared: DeclaredColumn, learned: Learned) -> NDArray[np.float64]:
    if declared.kind == "dates":
        time = ((column - column.dt.normalize()).dt.total_seconds() / 86400.0).to_numpy(np.float64)
        day = column.dt.day_of_year.to_numpy(np.float64) - 1 + time
        return np.stack([day, *([time] if declared.hours else [])], axis=1)
    values = column.to_numpy(np.float64)
    if not in_float32(learned.mean, learned.deviation):
        values = (values - learned.mean) / learned.deviation
    return values[:, None]
