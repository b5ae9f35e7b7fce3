"""What a data set is: three splits that say what they hold and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.cases import joined_cases
from gengap.errors import DataError

if TYPE_CHECKING:
    from gengap.datasets.table_reading import TableReading

Task = Literal["binary", "multiclass", "regression"]
"""What a model predicts: one probability, a probability per label, or real numbers."""


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set: cases, answers, and what makes cases dependent on each other.

    Attributes:
        x: Inputs; an array or SciPy CSR matrix whose first axis is the case, or a mapping from input names to such.
        y: Answers, shape `(n,)` or `(n, labels)`, or a mapping from output names to such.
        sample_weight: Weights of the cases, shape `(n,)`, or None for equal weights.
        groups: Labels of groups of cases that are not independent (days, patients), shape `(n,)`, or None.
        times: Times of the cases as `datetime64`, shape `(n,)`, or None.
    """

    x: Any
    y: Any
    sample_weight: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None
    times: NDArray[np.datetime64] | None = None

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(next(iter(self.y.values()))) if isinstance(self.y, Mapping) else len(self.y)


@dataclass(frozen=True, eq=False)
class PooledSplit(Split):
    """All cases of a data set as one split, which a resampled study divides; made by `Dataset.pooled`.

    Attributes:
        source: The data set that they come from, for its name, labels and provenance.
    """

    source: "Dataset | None" = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test split of one data set, with its provenance.

    Attributes:
        name: Short name, as `gengap demo` takes it.
        task: What is predicted.
        train: The split that models learn from.
        validation: The split that epochs, strengths and rates are chosen on.
        test: The split that is read once, at the end; None where a data set has none.
        description: What a case and an answer are, in a few sentences.
        feature_names: Names of the last axis of `x`, with units where there are any.
        label_names: Names of the labels; two for a binary task, none for regression.
        target_units: Units of `y` for regression, else the empty string.
        synthetic: Whether the cases were drawn by a generator instead of observed.
        licence: Under which terms the data may be used.
        citation: What to cite.
        truth: For synthetic data the true probability of every case, by split name; else empty.
        table: How the table was read and encoded that the splits come from; None where there was none.
        raw: The splits as columns, before they were encoded by what the training cases hold; empty where they were not.
    """

    name: str
    task: Task
    train: Split
    validation: Split
    test: Split | None
    description: str
    feature_names: tuple[str, ...]
    label_names: tuple[str, ...]
    target_units: str
    synthetic: bool
    licence: str
    citation: str
    truth: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    table: "TableReading | None" = None
    raw: Mapping[str, Split] = field(default_factory=dict)

    def pooled(self) -> PooledSplit:
        """Return all cases as one split: those of training, then of validation, then of test.

        A resampled study (`Study.run(data.pooled(), cv=5)`) then holds each of them out once. What was computed from
        the training split, such as a standardization, has seen cases that are now held out: give it as `preprocess=`.

        Raises:
            DataError: The splits differ in form, or some have groups, times or weights and others have none.
        """
        splits = [split for split in (self.train, self.validation, self.test) if split is not None]
        beside = {name: [getattr(split, name) for split in splits] for name in ("sample_weight", "groups", "times")}
        for name, values in beside.items():
            if 0 < sum(one is None for one in values) < len(splits):
                raise DataError(
                    f"Some splits of {self.name!r} have `{name}` and others have none: they cannot be pooled."
                )
        together = {
            name: None if values[0] is None else np.concatenate([np.asarray(one) for one in values])
            for name, values in beside.items()
        }
        x = joined_cases([split.x for split in splits], "inputs")
        y = joined_cases([split.y for split in splits], "answers")
        return PooledSplit(x, y, **together, source=self)
