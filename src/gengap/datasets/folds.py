"""Divisions of cases into folds: every case is held out once, by a run that has not seen it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gengap.errors import DataError
from gengap.randomness import key

Rows = NDArray[np.int64]
_PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Fold:
    """What one run of a resampled study learns from, chooses on and is judged on.

    Attributes:
        train: Cases that it learns from, ascending.
        validation: Cases of its inner validation, which its best epoch is chosen on.
        test: Cases that it is judged on, which nothing of it has seen.
    """

    train: Rows
    validation: Rows
    test: Rows

    def rows(self, split: str) -> Rows:
        """Return the cases of `"train"`, `"validation"` or `"test"`."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[split]

    def shifted(self, by: int) -> "Fold":
        """Return the same fold of cases that stand further down."""
        return Fold(self.train + by, self.validation + by, self.test + by)


@dataclass(frozen=True)
class CrossValidation:
    """How a study is resampled: what `Study.run(cv=)` takes where a number of folds does not say enough.

    Args:
        splitter: A number of folds; a splitter of scikit-learn; or pairs `(training cases, test cases)` of indices.
            A number takes stratified folds for labels, whole groups (without groups, whole days where there are times),
            and shuffles.
        redraw: Whether each seed trains a division of its own (a pass). None redraws wherever that is possible: a
            number of folds, and splitters that shuffle with `random_state=None`. Without redrawing all seeds train the
            same division, and what is said is said given its training sets.
        forward: Whether every fold is tested on a later window of time than it learns from; then `splitter` is the
            number of windows that are tested. Windows hold equal numbers of cases; each is predicted from the three
            windows before the one that its epochs are chosen on.
        validation: Share of a fold's training cases that becomes its inner validation where the next fold cannot: for
            splitters that are no partition into three folds or more. Whole groups, stratified.

    Raises:
        TypeError: An argument is of another kind.
        ValueError: A number is out of range, or arguments contradict each other.

    Example:
        >>> import gengap as gg
        >>> gg.CrossValidation(5, redraw=False)
        CrossValidation(splitter=5, redraw=False, forward=False, validation=0.25)
    """

    splitter: Any = 5
    redraw: bool | None = None
    forward: bool = False
    validation: float = 0.25

    def __post_init__(self) -> None:
        """Check the arguments, which needs no data."""
        if isinstance(self.splitter, bool | float | str | bytes | Mapping) or self.splitter is None:
            raise TypeError(
                "`cv` must be a number of folds, a splitter of scikit-learn, or pairs of index arrays; received "
                f"{self.splitter!r}."
            )
        if isinstance(self.splitter, int | np.integer) and self.splitter < 2:
            raise ValueError(f"`cv` must be at least 2 folds; received {self.splitter}.")
        for name in ("redraw", "forward"):
            if not isinstance(getattr(self, name), bool | None):
                raise TypeError(f"`{name}` must be True or False; received {getattr(self, name)!r}.")
        if not 0 < self.validation < 1:
            raise ValueError(f"`validation` must lie between 0 and 1; received {self.validation!r}.")
        if self.forward and not isinstance(self.splitter, int | np.integer):
            raise ValueError("`forward=True` takes a number of windows to test, in place of a splitter.")
        if self.forward and self.redraw:
            raise ValueError("Windows of time cannot be drawn anew: leave out `redraw=True`, or `forward=True`.")


@dataclass(frozen=True, eq=False)
class Division:
    """One division of the cases, which the folds of a pass share.

    Attributes:
        folds: The folds.
        validates_all: Whether the inner validations of the folds, too, hold every tested case once.
    """

    folds: tuple[Fold, ...]
    validates_all: bool

    @property
    def tested(self) -> Rows:
        """The cases that are held out by one of the folds, ascending."""
        return np.sort(np.concatenate([fold.test for fold in self.folds]))

    def digest(self) -> str:
        """Return a digest of all cases of all folds, by which a stored study knows its divisions again."""
        found = blake2b(digest_size=8)
        for fold in self.folds:
            for rows in (fold.train, fold.validation, fold.test):
                found.update(f"{len(rows)};".encode())
                found.update(np.ascontiguousarray(rows, "<i8").tobytes())
        return found.hexdigest()


def fold_seed(seed: int, place: int) -> int:
    """Return the seed of one fold's runs in the pass of a seed: fresh in each, the same for all variants."""
    return key(seed, "fold", place)


def checked_pairs(given: Iterable[Any], num_cases: int) -> list[tuple[Rows, Rows]]:
    """Return pairs of training and test cases as ascending indices.

    Raises:
        DataError: They are no pairs of indices of these cases, or a case is on both sides, or none is on one.
    """
    pairs: list[tuple[Rows, Rows]] = []
    for place, pair in enumerate(given):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise DataError(
                f"`cv` must be pairs (training cases, test cases) of indices; number {place} is a "
                f"{type(pair).__name__}."
            )
        train, test = (_indices(one, num_cases, place) for one in pair)
        if len(both := np.intersect1d(train, test)):
            raise DataError(
                f"Fold {place} of `cv` trains on {len(both)} of its own test cases, the first of them case {both[0]}: "
                "take them out of one side."
            )
        pairs.append((train, test))
    if len(pairs) < 2:
        raise DataError(f"`cv` must give at least 2 folds; received {len(pairs)}.")
    return pairs


def check_units(pairs: Sequence[tuple[Rows, Rows]], units: Rows | None, what: str) -> None:
    """Check that no group lies on both sides of a fold, and that no case is tested twice.

    Raises:
        DataError: A fold breaks a group, or two folds test the same case.
    """
    seen = np.concatenate([test for _, test in pairs])
    if len(np.unique(seen)) < len(seen):
        cases, counts = np.unique(seen, return_counts=True)
        raise DataError(
            f"{what} tests case {cases[counts > 1][0]} in more than one fold. A study takes splitters that test a case "
            "once; it repeats them by itself, with a new division for each seed: give `cv=5`."
        )
    for place, (train, test) in enumerate(pairs):
        if units is not None and len(both := np.intersect1d(units[train], units[test])):
            raise DataError(
                f"{what} breaks {len(both)} group{'s' if len(both) > 1 else ''} in fold {place}: cases of one group "
                "(without groups, of one day) would be trained and tested on. Give a splitter that keeps groups whole, "
                "such as `cv=5` or GroupKFold."
            )


def check_labels(division: Division, y: NDArray[Any], task: Literal["binary", "multiclass", "regression"]) -> None:
    """Check that every part of every fold holds cases, and those that are learned from or chosen on two labels.

    Raises:
        DataError: A part of a fold holds too little.
    """
    least = {"train": 2, "validation": 2, "test": 1} if task != "regression" else dict.fromkeys(_PARTS, 1)
    for place, fold in enumerate(division.folds):
        for name in _PARTS:
            found = np.unique(y[fold.rows(name)]) if task != "regression" else fold.rows(name)
            if len(found) < least[name]:
                told = "is empty" if not len(found) else f"holds one label only ({int(found[0])})"
                raise DataError(
                    f"The {name} part of fold {place} {told}: there are too few cases (or groups) of the rarest label "
                    "for so many folds; give a smaller `cv`."
                )


def _indices(given: Any, num_cases: int, place: int) -> Rows:
    array = np.asarray(given)
    if array.dtype == bool and array.shape == (num_cases,):
        return np.flatnonzero(array).astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or not len(array):
        raise DataError(
            f"Fold {place} of `cv` must be given as two arrays of indices that hold some; received "
            f"{array.dtype} of shape {array.shape}."
        )
    if array.min() < 0 or array.max() >= num_cases or len(np.unique(array)) < len(array):
        raise DataError(
            f"Fold {place} of `cv` must name cases from 0 to {num_cases - 1}, each once; received {array.min()} to "
            f"{array.max()}."
        )
    return np.sort(array).astype(np.int64)
