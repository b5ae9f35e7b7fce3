"""Draws divisions of cases into folds: stratified, with whole groups, shuffled by a key of the pass."""

import copy
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.folds import CrossValidation, Division, Fold, Rows, check_labels, check_units, checked_pairs
from gengap.datasets.split import Task
from gengap.errors import DataError
from gengap.randomness import generator, key

_TRAINED_WINDOWS = 3
_GRAIN = 0.01
"""Training sets are cut to sizes that differ by multiples of this share of all cases: equal sizes train together."""


class Divider:
    """Draws the divisions of one study.

    Args:
        cv: How cases are divided.
        y: Scored answers in plain form, shape `(n,)` or `(n, targets)`.
        task: What is predicted; labels are stratified.
        units: Code of each case's group, shape `(n,)`; None where cases are independent.
        times: Times of the cases; only folds forward in time need them.

    Raises:
        DataError: The cases cannot be divided so.
    """

    def __init__(
        self, cv: CrossValidation, *, y: NDArray[Any], task: Task, units: Rows | None, times: NDArray[Any] | None = None
    ) -> None:
        self._cv, self._y, self._task, self._units, self._times = cv, y, task, units, times
        self._fixed: list[tuple[Rows, Rows]] | None = None
        given = cv.splitter
        if not isinstance(given, int | np.integer) and not hasattr(given, "split"):
            if not isinstance(given, Iterable):
                raise TypeError(
                    "`cv` must be a number of folds, a splitter of scikit-learn, or pairs of index arrays; received "
                    f"{type(given).__name__}."
                )
            self._fixed = checked_pairs(given, len(y))
        if isinstance(given, int | np.integer):
            self._check_number(int(given))
        if cv.redraw and not self._can_redraw():
            raise DataError(
                f"{self.splitter} gives one division only, which `redraw=True` cannot draw anew: give a number of "
                "folds, or a splitter with `shuffle=True` and `random_state=None`."
            )

    @property
    def forward(self) -> bool:
        """Whether folds are windows forward in time."""
        return self._cv.forward

    @property
    def redrawn(self) -> bool:
        """Whether every seed has a division of its own."""
        return self._can_redraw() if self._cv.redraw is None else self._cv.redraw

    @property
    def splitter(self) -> str:
        """What divides the cases, by its name."""
        if self._fixed is not None:
            return "given folds"
        if self._cv.forward:
            return "windows forward in time"
        return type(self._splitter(0)).__name__

    def division(self, seed: int) -> Division:
        """Return the division of one seed; the same for all seeds where it is not redrawn.

        Raises:
            DataError: A fold breaks a group, tests a case twice, or holds too little.
        """
        own = key(seed, "division") if self.redrawn else 0
        division = self._forward() if self._cv.forward else self._drawn(own)
        check_labels(division, self._y, self._task)
        return division

    def _drawn(self, own: int) -> Division:
        pairs = self._pairs(own)
        check_units(pairs, self._units, self.splitter)
        if _is_partition(pairs, len(self._y)):
            return Division(self._next_validates([test for _, test in pairs], own), validates_all=True)
        return Division(
            tuple(Fold(*self._cut(train, own, place), test) for place, (train, test) in enumerate(pairs)), False
        )

    def _pairs(self, own: int) -> list[tuple[Rows, Rows]]:
        if self._fixed is not None:
            return self._fixed
        labels = np.zeros(len(self._y), np.int64) if self._task == "regression" else self._y
        with warnings.catch_warnings():
            # what matters of either is looked at below, and is an error
            warnings.filterwarnings("ignore", "The least populated class")
            warnings.filterwarnings("ignore", "The groups parameter is ignored")
            try:
                found = self._splitter(own).split(np.zeros((len(labels), 1)), self._answers(labels), self._units)
                return checked_pairs([tuple(pair) for pair in found], len(labels))
            except (ValueError, TypeError) as error:
                if isinstance(error, DataError):
                    raise
                raise DataError(f"{self.splitter} cannot divide these {len(labels)} cases: {error}") from error

    def _answers(self, labels: NDArray[Any]) -> NDArray[Any]:
        """What a splitter sees as answers: those of the user's own see the answers themselves."""
        return labels if isinstance(self._cv.splitter, int | np.integer) else self._y

    def _splitter(self, own: int) -> Any:
        given, state = self._cv.splitter, own % 2**32
        if not isinstance(given, int | np.integer):
            again = copy.copy(given)
            if self.redrawn:
                again.random_state = state
            return again
        from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold  # most studies divide nothing

        if self._units is not None:  # without labels it balances the sizes of the folds
            return StratifiedGroupKFold(int(given), shuffle=True, random_state=state)
        kind = KFold if self._task == "regression" else StratifiedKFold
        return kind(int(given), shuffle=True, random_state=state)

    def _can_redraw(self) -> bool:
        given = self._cv.splitter
        if self._fixed is not None or self._cv.forward:
            return False
        if isinstance(given, int | np.integer):
            return True
        return getattr(given, "random_state", 0) is None and bool(getattr(given, "shuffle", True))

    def _check_number(self, folds: int) -> None:
        units = len(self._y) if self._units is None else int(self._units.max()) + 1
        least = folds + _TRAINED_WINDOWS + 1 if self._cv.forward else folds
        if units < least:
            what = "cases" if self._units is None else "groups"
            raise DataError(f"`cv={folds}` needs at least {least} {what}; there are {units}.")
        if self._cv.forward and self._times is None:
            raise DataError("Folds forward in time need the `times` of the cases: give a `Split` that has them.")
        if self._task == "binary" and not self._cv.forward:
            cases = [self._y == label for label in (0, 1)]
            rarest = min(int(one.sum()) if self._units is None else len(np.unique(self._units[one])) for one in cases)
            if rarest < folds:
                what = "cases" if self._units is None else "groups"
                raise DataError(
                    f"The rarer label is in {rarest} {what}, which cannot be in each of {folds} folds: take fewer "
                    "folds, or judge on a test split (`test_data`)."
                )

    def _next_validates(self, tests: Sequence[Rows], own: int) -> tuple[Fold, ...]:
        """Let every fold choose on the one after it: then each case is validated once, too, and no group is broken."""
        folds = []
        for place, test in enumerate(tests):
            validation = tests[(place + 1) % len(tests)]
            rest = np.setdiff1d(np.arange(len(self._y)), np.concatenate([test, validation]))
            folds.append(Fold(self._even(rest, len(tests), key(own, "even", place)), validation, test))
        return tuple(folds)

    def _even(self, train: Rows, folds: int, own: int) -> Rows:
        """Leave out so few training cases that sizes of folds agree: only runs of equal size train together.

        Sizes are what perfectly even folds would leave, plus or minus whole hundredths of all cases: they depend on
        this fold alone, never on which other folds and passes there are. Where groups make folds uneven, most lie
        half a hundredth around the even size, and count as one.
        """
        number = len(self._y)
        grain = max(3, round(_GRAIN * number))
        nominal = number - 2 * -(-number // folds) - (0 if self._units is None else grain // 2)
        size = nominal + (len(train) - nominal) // grain * grain
        if not 0 < size < len(train):
            return train
        return np.sort(generator(own, "left out").permutation(train)[:size])

    def _cut(self, train: Rows, own: int, place: int) -> tuple[Rows, Rows]:
        """Cut an inner validation off the training cases of a fold: whole groups, stratified."""
        number = max(2, round(1 / self._cv.validation))
        inside = Divider(
            CrossValidation(number, redraw=True),
            y=self._y[train],
            task=self._task,
            units=None if self._units is None else np.unique(self._units[train], return_inverse=True)[1].ravel(),
        )
        kept, held = inside._pairs(key(own, "inner validation", place))[0]
        return train[kept], train[held]

    def _forward(self) -> Division:
        """Windows of equal numbers of cases, in order of time; a group belongs where it begins."""
        assert self._times is not None  # noqa: S101  `_check_number` saw to it
        times = np.asarray(self._times, "datetime64").view(np.int64)  # of whatever unit: only their order matters
        units = np.arange(len(times)) if self._units is None else self._units
        begins = np.full(int(units.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(begins, units, times)
        rank = np.argsort(np.argsort(begins, kind="stable"), kind="stable")[units]
        windows = int(self._cv.splitter) + _TRAINED_WINDOWS + 1
        before = np.searchsorted(np.sort(rank), rank, side="left")
        window = before * windows // len(times)
        parts = [np.flatnonzero(window == place) for place in range(windows)]
        folds = [
            Fold(np.sort(np.concatenate(parts[at : at + _TRAINED_WINDOWS])), *parts[at + 3 : at + 5])
            for at in range(int(self._cv.splitter))
        ]
        for place, fold in enumerate(folds):
            if len(fold.test) and max(times[fold.train].max(), times[fold.validation].max()) > times[fold.test].min():
                raise DataError(
                    f"Groups reach over the boundaries of the windows: fold {place} would learn from cases later than "
                    "some that it is tested on. Folds forward in time need groups that lie within a short time."
                )
        return Division(tuple(folds), validates_all=False)


def _is_partition(pairs: Sequence[tuple[Rows, Rows]], num_cases: int) -> bool:
    """Tell whether every case is tested once and every fold trains on all others, in three folds or more."""
    whole = sum(len(test) for _, test in pairs) == num_cases
    return len(pairs) >= 3 and whole and all(len(train) + len(test) == num_cases for train, test in pairs)
