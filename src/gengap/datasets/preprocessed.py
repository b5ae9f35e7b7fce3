"""The splits of a study behind what is fitted to their training cases: inside each fold, never to held-out cases."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, Self

import numpy as np
from scipy import sparse

from gengap.datasets.cases import count_cases, joined_cases, rows_of
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.resampling import Folds
from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.errors import DataError

_MOST_BYTES = 8 << 30


class Preprocess(Protocol):
    """What can be fitted to training cases; `gengap.keras_models.preprocessing` knows how."""

    def check(self) -> None:
        """Raise a TypeError where it cannot be fitted at all."""

    def describe(self) -> str:
        """Return what it is, in words."""

    def declared(self, x: Any) -> Self:
        """Return what knows the columns of a table."""

    def fitted(self, train: Split, kind: OutputKind) -> tuple[Any, Callable[[Any], Any]]:
        """Return a copy that is fitted to training cases, and what transforms inputs by it."""


def preprocessed(data: TrainingData, preprocess: Preprocess, kind: OutputKind) -> TrainingData:
    """Return the splits of a single-split study, transformed by what is fitted to the training split.

    Raises:
        DataError: It cannot be fitted or applied.
    """
    _, transform = preprocess.declared(data.train.x).fitted(data.train, kind)
    splits = {"train": data.train, **data.held_out()}
    return TrainingData(**{name: replace(one, x=_transformed(one.x, transform)) for name, one in splits.items()})


def preprocessed_folds(pool: Split, folds: Folds, preprocess: Preprocess, kind: OutputKind) -> tuple[Split, Folds]:
    """Return the cases as each fold sees them, one fold's below the other's, and the folds of these.

    Args:
        pool: All cases.
        folds: How they are divided.
        preprocess: What is fitted to the training cases of each fold, on a copy.
        kind: How the scored output is read.

    Raises:
        DataError: It cannot be fitted or applied, or the cases of all folds take too much memory.
    """
    preprocess, parts = preprocess.declared(pool.x), []
    places = [(seed, place) for seed, one in folds.divisions.items() for place in range(len(one.folds))]
    for seed, place in places:
        rows = folds.own(seed, place).train
        _, transform = preprocess.fitted(Split(rows_of(pool.x, rows), rows_of(pool.y, rows)), kind)
        part = _transformed(pool.x, transform)
        if (size := len(places) * _bytes(part)) > _MOST_BYTES:
            raise DataError(
                f"`preprocess` gives every fold inputs of its own, {size / 2**30:.0f} GiB for {len(places)} folds: put "
                "the layer into the model, or take fewer seeds."
            )
        parts.append(part)
    y = joined_cases([pool.y] * len(places), "answers")
    weight = None if pool.sample_weight is None else np.tile(np.asarray(pool.sample_weight), len(places))
    starts = {where: number * count_cases(pool.x) for number, where in enumerate(places)}
    return Split(joined_cases(parts, "inputs after `preprocess`"), y, weight), replace(folds, starts=starts)


def _transformed(x: Any, transform: Callable[[Any], Any]) -> Any:
    found = transform(x)
    if count_cases(found) != count_cases(x):
        raise DataError(f"`preprocess` must keep every case; it made {count_cases(found)} of {count_cases(x)}.")
    return found


def _bytes(x: Any) -> int:
    return int(x.data.nbytes + x.indices.nbytes if sparse.issparse(x) else x.nbytes)
