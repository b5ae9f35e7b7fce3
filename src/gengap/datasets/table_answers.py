"""Answers of a table: numbers, or labels as words; what may be a label or a missing answer is refused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.cells import AMBIGUOUS, MARKS
from gengap.datasets.columns import Place, as_words, check_exact, typed
from gengap.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_answers(column: "pd.Series", place: Place, missing: Sequence[str] | None) -> NDArray[Any]:
    """Return answers as numbers, truth values or words.

    Args:
        column: The column of answers.
        place: Where it stands.
        missing: What else means that an answer is missing; empty says that nothing else does.

    Raises:
        DataError: An answer is missing, or may be; or labels differ in nothing but their case.
    """
    answers = typed(column, place, missing)
    if answers.dtype.kind == "M":
        raise DataError(
            f"The {place} holds dates, which are no answers (row 1: {column.iloc[0]}): name another with `target` "
            "(--target)."
        )
    if answers.dtype.kind != "O":
        _check_no_word(column, place)
        _check_present(answers.isna().to_numpy(), place)
        check_exact(answers, place)
        return np.asarray(answers.to_numpy())
    words = as_words(answers, missing)
    _check_present((words == "").to_numpy(), place)
    if missing is None:
        _check_ambiguous(words, place)
    _check_case(words, place)
    return np.array([str(word) for word in words])


def _check_present(absent: NDArray[np.bool_], place: Place) -> None:
    if absent.any():
        raise DataError(
            f"{place.table} lacks the answer {place.column!r} in {int(absent.sum())} of {len(absent)} rows, first in "
            f"row {int(np.argmax(absent)) + 1}: remove these rows."
        )


def _check_no_word(column: "pd.Series", place: Place) -> None:
    """Refuse a word such as `none` among numbers: it may be a label, and rows without an answer are removed."""
    if column.dtype.kind in "biufmM":
        return
    found = as_words(column).isin(MARKS - {""}).to_numpy()
    if found.any():
        row = int(np.argmax(found))
        raise DataError(
            f"The answer {column.iloc[row]!r} in row {row + 1} of the {place} stands among numbers: remove such rows "
            "if the answer is missing; if it is a label, write the other labels as words, too."
        )


def _check_ambiguous(words: "pd.Series", place: Place) -> None:
    found = words.isin(AMBIGUOUS).to_numpy()
    if found.any():
        row = int(np.argmax(found))
        raise DataError(
            f"The answer {words.iloc[row]!r} in row {row + 1} of the {place} may be a label, or mean that the answer "
            "is missing: remove such rows, or, if it is a label, give an empty `missing` (--missing '')."
        )


def _check_case(words: "pd.Series", place: Place) -> None:
    first: dict[str, str] = {}
    for row, word in enumerate(words, 1):
        known = first.setdefault(word.casefold(), word)
        if known != word:
            raise DataError(
                f"The {place} holds the labels {known!r} and {word!r} (row {row}), which differ only in capitals: "
                "write them alike."
            )
