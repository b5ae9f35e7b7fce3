"""The splits of a study as one value: what every part of the way from the user's data to the first step is handed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.cases import rows_of
from gengap.datasets.folds import Fold
from gengap.datasets.split import Split


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The splits of a study, validated by `gengap.study`.

    Answers are in their plain form: 0/1 or integer codes of shape `(n,)`, real numbers of shape `(n,)` or
    `(n, targets)`; a mapping by output name for models with several outputs, of which the scored one is in plain form.
    `outputs.targets` gives each run's loss the form that it wants (variants may differ in it: logits, one-hot, codes).
    """

    train: Split
    validation: Split | None = None
    test: Split | None = None

    def held_out(self) -> Mapping[str, Split]:
        """Return the splits that are predicted but not trained on, by name."""
        splits = {"validation": self.validation, "test": self.test}
        return {name: split for name, split in splits.items() if split is not None}

    def of(self, fold: Fold | None, *, inputs: bool = True) -> "TrainingData":
        """Return what a run of this fold sees: the fold's cases, or all without one.

        Args:
            fold: The run's own cases of each split, or None.
            inputs: Whether inputs are wanted; without, only answers and weights are taken: who scores is handed these.
        """
        if fold is None and inputs:
            return self
        named = {"train": self.train, **self.held_out()}
        if fold is None:
            return TrainingData(**{name: replace(one, x=None) for name, one in named.items()})
        return TrainingData(**{name: _part(one, fold.rows(name), inputs=inputs) for name, one in named.items()})


def _part(split: Split, rows: NDArray[np.int64], *, inputs: bool) -> Split:
    beside = {name: getattr(split, name) for name in ("sample_weight", "groups", "times")}
    return Split(
        rows_of(split.x, rows) if inputs else None,
        rows_of(split.y, rows),
        **{name: None if values is None else np.asarray(values)[rows] for name, values in beside.items()},
    )
