"""One column of a table encoder: what is declared of it, what is learned from training rows, and how it is encoded."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.columns import Place
from gengap.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numbers", "words", "dates"]

MOST_WORDS = 50
"""Words of a column that get a code of their own, the most frequent ones; the others are unknown."""
_NAMES = 20
"""Rows from which a column in which nearly every word is another is one of names."""
_DAY = 86400.0
YEAR = 365.2425
"""Days of a year in the mean of the calendar."""
_WHOLE = re.compile(r"^([+-]?\d+)\.0+$")


@dataclass(frozen=True)
class DeclaredColumn:
    """What is known of a column before anything is learned; it fixes how many columns become of it.

    Attributes:
        kind: What it holds; truth values are numbers.
        blanks: Whether values may be missing.
        size: Number of words that get a code; 0 for other kinds.
        hours: Whether dates have a time of day.
    """

    kind: Kind
    blanks: bool = False
    size: int = 0
    hours: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_dict` described, among other values."""
        return cls(**{one.name: values[one.name] for one in fields(cls)})


@dataclass(frozen=True)
class Learned:
    """What is learned of a column from training rows.

    Attributes:
        words: Known words in the order of their codes, from 1.
        mean: Mean of the numbers, which also fills gaps.
        deviation: Their standard deviation; 1 where they do not differ.
    """

    words: tuple[str, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"words": list(self.words), "mean": self.mean, "deviation": self.deviation}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_dict` described, among other values."""
        return cls(tuple(values["words"]), float(values["mean"]), float(values["deviation"]))


def declare_column(column: "pd.Series", place: Place) -> DeclaredColumn:
    """Declare a column by what a whole table holds of it.

    Args:
        column: Numbers, truth values, times or words, see `columns.typed`.
        place: Where it stands, for messages.

    Raises:
        DataError: It holds a name of each row, of which nothing can be learned for other rows.
    """
    kind = column.dtype.kind
    if kind == "O":
        words = column[column != ""]
        if len(column) >= _NAMES and words.nunique() > 0.9 * len(column):
            raise DataError(
                f"The {place} holds another word in nearly every row ({words.nunique()} in {len(column)} rows, row 1: "
                f"{column.iloc[0]!r}), as a name does: leave it out with `ignore` (--ignore {place.column!r})."
            )
        return DeclaredColumn("words", blanks=len(words) < len(column), size=min(MOST_WORDS, words.nunique()))
    blanks = bool(column.isna().any())
    if kind == "M":
        hours = bool((column.dropna() != column.dropna().dt.normalize()).any())
        return DeclaredColumn("dates", blanks=blanks, hours=hours)
    return DeclaredColumn("numbers", blanks=blanks)


def learn(column: "pd.Series", declared: DeclaredColumn) -> Learned:
    """Learn from training rows: the most frequent words, or mean and standard deviation (in float64)."""
    if declared.kind == "words":
        counts = column[column != ""].value_counts()
        # equally frequent words in alphabetical order, so that the order of rows does not matter
        ranked = sorted(counts.index, key=lambda word: (-int(counts[word]), word))
        return Learned(words=tuple(sorted(ranked[: declared.size])))
    if declared.kind == "dates":
        return Learned()
    if column.dtype.kind == "O" or column.isna().all():  # a fold without any of its values
        return Learned()
    values = column.to_numpy(np.float64)
    present = values[~np.isnan(values)]
    unit = 2.0 ** (int(np.frexp(np.abs(present).max())[1]) - 1)  # a power of 2 rounds nothing; squares stay in range
    mean, deviation = float((present / unit).mean()), float((present / unit).std())
    return Learned(mean=mean * unit, deviation=deviation * unit if deviation > 1e-12 else 1.0)


def encode(
    column: "pd.Series", declared: DeclaredColumn, learned: Learned, place: Place, *, one_hot: bool
) -> NDArray[Any]:
    """Encode rows of a column.

    Args:
        column: Numbers, truth values, times or words.
        declared: What is declared of it.
        learned: What was learned of it.
        place: Where it stands, for messages.
        one_hot: Whether words become columns; else codes, shape `(n,)`, int32.

    Returns:
        float32, shape `(n, k)`.

    Raises:
        DataError: It holds another kind of thing, or lacks values where none may be missing.
    """
    absent = ((column == "") if column.dtype.kind == "O" else column.isna()).to_numpy()
    _check_kind(column, declared, place, absent)
    if declared.kind == "words":
        return _of_words(column, absent, declared, learned, one_hot=one_hot)
    _check_absent(absent, declared, place)
    if absent.all():
        values = np.zeros((len(column), len(feature_names("", declared, learned)) - declared.blanks))
    elif declared.kind == "dates":
        values = _of_dates(column, hours=declared.hours)
    else:
        values = ((column.to_numpy(np.float64) - learned.mean) / learned.deviation)[:, None]
    values = np.where(absent[:, None], 0.0, values)
    marks = [absent[:, None].astype(np.float64)] if declared.blanks else []
    return np.concatenate([values, *marks], axis=1).astype(np.float32)


def feature_names(name: str, declared: DeclaredColumn, learned: Learned) -> list[str]:
    """Return the names of the columns of the matrix that a column becomes."""
    if declared.kind == "words":
        known = [f"{name}={word}" for word in learned.words]
        unused = [f"{name}=(unused {number})" for number in range(len(known) + 1, declared.size + 1)]
        return [*known, *unused, *([f"{name} missing"] if declared.blanks else [])]
    parts = [name]
    if declared.kind == "dates":
        parts = [f"{name} {turn} {wave}" for turn in ("year", *(["day"] * declared.hours)) for wave in ("sin", "cos")]
    return [*parts, *([f"{name} missing"] if declared.blanks else [])]


def _check_kind(column: "pd.Series", declared: DeclaredColumn, place: Place, absent: NDArray[np.bool_]) -> None:
    holds = {"O": "words", "M": "dates"}.get(column.dtype.kind, "numbers")
    if holds == declared.kind or absent.all():
        return
    row = int(np.argmin(absent))
    raise DataError(
        f"The {place} holds {holds} (row {row + 1}: {column.iloc[row]!r}), and held {declared.kind} in the training "
        "table: write it alike."
    )


def _check_absent(absent: NDArray[np.bool_], declared: DeclaredColumn, place: Place) -> None:
    if absent.any() and not declared.blanks:
        raise DataError(
            f"The {place} lacks {int(absent.sum())} values, first in row {int(np.argmax(absent)) + 1}, and lacked none "
            "in the training table, so that nothing was learned about gaps: fill them in, or leave these rows out."
        )


def _of_words(
    column: "pd.Series", absent: NDArray[np.bool_], declared: DeclaredColumn, learned: Learned, *, one_hot: bool
) -> NDArray[Any]:
    codes_of = {word: code for code, word in enumerate(learned.words, 1)}
    alike = {_whole(word): code for word, code in codes_of.items()}
    codes = np.array([codes_of.get(word) or alike.get(_whole(word), 0) for word in column], dtype=np.int32)
    if not one_hot:
        # a blank is a word of its own where the training table has some, after all others
        return np.where(absent & declared.blanks, declared.size + 1, codes).astype(np.int32)
    hot = np.zeros((len(codes), declared.size + 1 + declared.blanks), np.float32)
    hot[np.arange(len(codes)), np.where(absent & declared.blanks, hot.shape[1] - 1, codes)] = 1
    return hot[:, 1:]


def _whole(word: str) -> str:
    """Write `3.0` as `3`: a category of numbers is written in either way, as its column has gaps or not."""
    return _WHOLE.sub(r"\1", word)


def _of_dates(column: "pd.Series", *, hours: bool) -> NDArray[np.float64]:
    """Return sine and cosine of the day of the year, and of the time of day."""
    seconds = ((column - column.dt.normalize()).dt.total_seconds() / _DAY).to_numpy(np.float64)
    turns = [(column.dt.day_of_year.to_numpy(np.float64) - 1 + seconds) / YEAR, *([seconds] * hours)]
    waves = [wave(2 * np.pi * turn) for turn in turns for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=1)
