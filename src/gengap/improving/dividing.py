"""Which cases are learned from, chosen on and judged on, where nobody says it: folds where there are few."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gengap.datasets.folds import CrossValidation
from gengap.datasets.held_out import hold_out
from gengap.datasets.split import Dataset, Split
from gengap.datasets.table_dataset import cases_of_folds, fits_folds, with_test_held_out
from gengap.datasets.training_data import TrainingData

FEW = 2000
"""Cases below which a fifth of them is too small a test: then every case is a test case once."""
FOLDS = 5
_LEAST_FOLDS = 3
"""With fewer, no fold is left to choose on."""


@dataclass(frozen=True, eq=False)
class Division:
    """The cases of an improvement, as arguments of `Study.run`.

    Attributes:
        split: Of a study of one split: the finalists', or with folds that of the model which is shipped.
        folds: Of a resampled study, which judges; None where a test split does.
        said: What was decided, in sentences.
    """

    split: Mapping[str, Any]
    folds: Mapping[str, Any] | None
    said: tuple[str, ...]


def divide(data: Dataset | TrainingData) -> Division:
    """Decide which cases are learned from, chosen on and judged on.

    Test data that are given are kept for judging. Without any, fewer than 2,000 cases are judged in folds; of more a
    fifth becomes the test split. Validation data that are missing are a fifth of what is left.

    Args:
        data: What was given: a data set, or splits, of which only the first must be there.

    Raises:
        DataError: The cases cannot be divided.
    """
    if isinstance(data, Dataset):
        return of_dataset(data)
    train, validation, test = _by_place(data.train), data.validation, data.test
    if validation is None and test is None and len(train) < FEW:
        rest, held, _ = hold_out(train)
        number = _folds(train)
        folds = {"x": train, "cv": CrossValidation(number, redraw=False)}
        return Division({"x": rest, "validation_data": held}, folds, (_few(len(train), number),))
    said = []
    if test is None:
        train, test, how = hold_out(train)
        said.append(f"{len(test):,} cases were held out to judge on ({how}).")
    if validation is None:
        train, validation, how = hold_out(train)
        said.append(f"{len(validation):,} cases were held out to choose on ({how}).")
    return Division({"x": train, "validation_data": validation, "test_data": test}, None, tuple(said))


def of_dataset(data: Dataset) -> Division:
    """Decide it for a data set, which has a validation split.

    What was encoded by the training cases is encoded anew wherever some of them judge, inside each fold or once.
    """
    if data.test is not None:
        return Division({"x": data}, None, ())
    pool = data.pooled()
    if len(pool) < FEW and fits_folds(data):
        number = _folds(pool)
        folds = {**cases_of_folds(data), "cv": CrossValidation(number, redraw=False)}
        return Division({"x": data}, folds, (_few(len(pool), number),))
    divided, how = with_test_held_out(data)
    said = f"{len(divided.test or ()):,} cases were held out to judge on ({how})."
    return Division({"x": divided}, None, (said,))


def _few(number: int, folds: int) -> str:
    return f"{number:,} cases are few, so all of them are judged on, in {folds} folds."


def _folds(pool: Split) -> int:
    """Return the number of folds: five, or as few as three where cases, groups or a rare label are fewer."""
    if _of_heads(pool.y):
        return FOLDS
    answers = np.asarray(pool.y)
    units = np.arange(len(answers)) if pool.groups is None else np.asarray(pool.groups)
    labels = np.unique(answers) if answers.size == len(answers) else ()
    apart = [units] if len(labels) != 2 else [units[answers.reshape(-1) == label] for label in labels]
    return max(_LEAST_FOLDS, min(FOLDS, *(len(np.unique(one)) for one in apart)))


def _by_place(split: Split) -> Split:
    """Return a split whose answers are taken by their place: those of a frame would be taken by their label."""
    return split if _of_heads(split.y) else replace(split, y=np.asarray(split.y))


def _of_heads(y: Any) -> bool:
    """Tell whether answers are of several outputs: by name, or a list of arrays."""
    return isinstance(y, Mapping) or (isinstance(y, list | tuple) and any(getattr(one, "shape", ()) for one in y))
