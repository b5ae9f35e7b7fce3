"""The folds of a resampled study: its cases divided, a division for every seed that is drawn anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.cases import rows_of
from gengap.datasets.dependence import unit_codes
from gengap.datasets.divider import Divider
from gengap.datasets.folds import CrossValidation, Division, Fold, Rows, fold_seed
from gengap.datasets.output_kind import OutputKind, scored_answers
from gengap.datasets.split import Dataset, Split
from gengap.datasets.training_data import TrainingData
from gengap.errors import DataError


@dataclass(frozen=True, eq=False)
class Folds:
    """The folds of a study.

    Attributes:
        pool: Answers, weights, groups and times of all cases; inputs are not needed to divide them.
        divider: What draws divisions.
        divisions: The division of each seed.
        starts: Where the inputs of a fold of a seed begin, if each has inputs of its own, one fold's below the other's.
    """

    pool: Split
    divider: Divider
    divisions: Mapping[int, Division]
    starts: Mapping[tuple[int, int], int] = field(default_factory=dict)

    @property
    def places(self) -> Mapping[int, tuple[int, int]]:
        """Seed of the study and number of the fold, by the seed of a fold's runs."""
        numbers = {seed: range(len(division.folds)) for seed, division in self.divisions.items()}
        return {fold_seed(seed, place): (seed, place) for seed, own in numbers.items() for place in own}

    @property
    def tested(self) -> Rows:
        """The cases that every pass tests, ascending."""
        return next(iter(self.divisions.values())).tested

    def held_out(self) -> TrainingData:
        """Return what a result says of held-out cases: every tested case, once for each kind of prediction."""
        rows = self.tested
        beside = {name: getattr(self.pool, name) for name in ("sample_weight", "groups", "times")}
        chosen = {name: None if values is None else np.asarray(values)[rows] for name, values in beside.items()}
        tested = Split(None, rows_of(self.pool.y, rows), **chosen)
        return TrainingData(self.pool, tested if self.validates_all else None, tested)

    @property
    def validates_all(self) -> bool:
        """Whether the inner validations of a pass, too, hold every case once."""
        return all(division.validates_all for division in self.divisions.values())

    def own(self, seed: int, place: int) -> Fold:
        """Return one fold of the pass of a seed, by the places of its cases in what engines train on."""
        fold = self.divisions[seed].folds[place]
        return fold.shifted(self.starts[seed, place]) if self.starts else fold

    def sizes(self) -> dict[str, int]:
        """Return what a manifest says of the numbers of cases: the fewest that a fold learns from, and all tested."""
        fewest = min(len(fold.train) for division in self.divisions.values() for fold in division.folds)
        sizes = {"n_train": fewest, "n_test": len(self.tested)}
        return {**sizes, "n_validation": len(self.tested)} if self.validates_all else sizes

    def describe(self, digests: NDArray[np.str_]) -> dict[str, Any]:
        """Return what every pass has in common, as JSON; a study that continues must agree in it.

        Args:
            digests: A digest of each case's inputs, see `gengap.datasets.data_audit.row_digests`.
        """
        times, units = self.pool.times, unit_codes(self.pool.groups, self.pool.times)
        forward = self.divider.forward
        return {
            "kind": "passes" if self.divider.redrawn else "crossed",
            "folds": len(next(iter(self.divisions.values())).folds),
            "cases": len(self.tested),
            "grouped": units is not None,
            "forward": forward,
            "mixed_times": times is not None and not forward and len(np.unique(_days(times))) > 1,
            "splitter": self.divider.splitter,
            "duplicates": _duplicates(digests, units),
            "division": self.divider.division(0).digest(),
        }


def _duplicates(digests: NDArray[np.str_], units: Rows | None) -> int:
    """Count cases that have a twin outside their group."""
    codes = np.unique(digests, return_inverse=True)[1].ravel()
    own = np.arange(len(codes)) if units is None else units
    pairs = np.unique(np.stack([codes, own]), axis=1)
    spread = np.bincount(pairs[0], minlength=int(codes.max()) + 1) > 1
    return int(spread[codes].sum())


def _days(times: Any) -> NDArray[Any]:
    return np.asarray(times).astype("datetime64[D]")


def divide(pool: Split, cv: Any, kind: OutputKind, seeds: Sequence[int]) -> Folds:
    """Divide the cases of a study.

    Args:
        pool: All cases, checked.
        cv: What `Study.run(cv=)` was given.
        kind: How the scored output is read.
        seeds: Seeds of the study; each has a division of its own where they are redrawn.

    Raises:
        DataError: The cases cannot be divided so, or different passes test different cases.
        TypeError: `cv` is nothing that divides cases.
    """
    chosen = cv if isinstance(cv, CrossValidation) else CrossValidation(cv)
    divider = Divider(
        chosen,
        y=np.asarray(scored_answers(pool.y, kind)),
        task=kind.task,
        units=unit_codes(pool.groups, pool.times),
        times=pool.times,
    )
    divisions = {seed: divider.division(seed) for seed in seeds}
    first = divisions[seeds[0]]
    for seed, one in divisions.items():
        if not np.array_equal(one.tested, first.tested) or len(one.folds) != len(first.folds):
            raise DataError(
                f"{divider.splitter} tests other cases, or has another number of folds, for seed {seed} than for seed "
                f"{seeds[0]}: every pass must test the same cases. Give a splitter that tests each case once."
            )
    return Folds(replace(pool, x=None), divider, divisions)


def refuse_splits(x: Any, *, validation_data: Any, validation_split: Any, test_data: Any) -> None:
    """Refuse splits beside folds, which have their own.

    Raises:
        DataError: There are any; the sentence says what to give.
    """
    if isinstance(x, Dataset):
        raise DataError(
            "`cv` divides one set of cases, and a `Dataset` has splits: pass `data.pooled()` to hold out every case of "
            "all its splits once, or `data.train` to divide the training split and leave the others alone."
        )
    if validation_data is not None or validation_split:
        raise DataError(
            "With `cv`, every fold chooses its epochs on an inner validation of its own: leave out `validation_data` "
            "and `validation_split`."
        )
    if test_data is not None:
        raise DataError(
            "With `cv`, every case is a test case of the fold that has not seen it, and no model learns from all of "
            "them: leave out `test_data`, and judge the model that you then train on all cases on it."
        )
