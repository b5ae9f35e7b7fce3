"""What a study trains on: its splits as they are, or its cases divided into folds; preprocessed where that is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from gengap.datasets.output_kind import OutputKind
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Run
from gengap.study.inputs import check_data
from gengap.study.preprocessing import check_preprocess, describe_preprocess, preprocessed, preprocessed_folds
from gengap.study.resampling import Folds, divide


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The data of a study and its runs on them.

    Attributes:
        data: What engines train on. With folds, each split is all cases, of which a run has its own.
        runs: The runs; with folds, one for each fold of each seed and variant.
        described: The checked data before any preprocessing; with folds, all cases as the training split.
        folds: The folds; None for single splits.
        preprocess: What was fitted to training cases, in words; None where nothing was.
    """

    data: TrainingData
    runs: Sequence[Run]
    described: TrainingData
    folds: Folds | None
    preprocess: str | None

    def account(self, description: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a manifest says of folds and preprocessing, given what it says of the data."""
        told: dict[str, Any] = {} if self.preprocess is None else {"preprocess": self.preprocess}
        if self.folds is None:
            return told
        tested = len(self.folds.tested)
        sizes = {"n_train": min(len(run.fold.train) for run in self.runs if run.fold is not None), "n_test": tested}
        sizes |= {"n_validation": tested} if self.folds.validates_all else {}
        return {**told, "resampling": self.folds.describe(), "data": {**description, **sizes}}


def arrange(
    given: TrainingData,
    models: Sequence[keras.Model],
    kind: OutputKind,
    runs: Sequence[Run],
    *,
    seeds: Sequence[int],
    cv: Any,
    preprocess: Any,
) -> Arrangement:
    """Check the data of a study, divide them and preprocess them as it is asked.

    Args:
        given: The splits as they were given; with `cv`, the training split holds all cases.
        models: The model of every variant, the baseline first.
        kind: How the scored output is read.
        runs: Every variant with every seed.
        seeds: Seeds of the study.
        cv: What `Study.run(cv=)` was given.
        preprocess: What is fitted to training cases; None for nothing.

    Raises:
        DataError: The data cannot be used as given.
    """
    raw = check_preprocess(preprocess) is not None  # shapes and numbers are then those that a model will see
    described = check_data(given, models, kind, inputs=not raw)
    told = describe_preprocess(preprocess)
    if cv is None:
        data = check_data(preprocessed(described, preprocess, kind), models, kind) if raw else described
        return Arrangement(data, runs, described, None, told)
    folds = divide(described.train, cv, kind, seeds)
    pool, of_folds = described.train, folds.runs(runs)
    if raw:
        pool, of_folds = preprocessed_folds(pool, of_folds, preprocess, kind)
        pool = check_data(TrainingData(pool), models, kind).train
    return Arrangement(TrainingData(pool, pool, pool), of_folds, described, folds, told)
