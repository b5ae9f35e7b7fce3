"""A data set from tables as people have them: words, dates, blanks and a rare event, encoded by the training cases."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.data_files import DataFiles, Inputs, called, read_files
from gengap.datasets.held_out import hold_out
from gengap.datasets.split import Dataset, Split, Task
from gengap.datasets.table_files import Wanted
from gengap.errors import DataError

_MOST_LABELS = 20


def from_table(
    train: Any,
    *,
    target: str | None = None,
    validation: Any = None,
    test: Any = None,
    groups: str | None = None,
    times: str | None = None,
    ignore: Sequence[str] = (),
    positive: str | None = None,
    missing: Sequence[str] | None = None,
    encoding: str | None = None,
    task: Task | None = None,
    inputs: Sequence[str] = (),
) -> Dataset:
    """Read and encode tables, from files or data frames, by what the training cases hold.

    Words become one column each, numbers are standardized, gaps are filled and marked, dates become season and time of
    day, see `TableEncoder`. Without a validation table a fifth of the training cases is held out: the latest where
    `times` are named, whole groups where there are groups, of each label its share.

    Args:
        train: A path, see `read_split`, or a data frame of pandas or polars.
        target: Column of the answers; None takes the last one.
        validation: Table that epochs and remedies are chosen on; its columns may stand in any order.
        test: Table that is read once, at the end.
        groups: Column of groups of dependent cases.
        times: Column of the times of the cases; cases of one day are a group then, unless `groups` are named.
        ignore: Columns that are no features.
        positive: The label that is the event, where there are two. None takes the one that is no usual word for its
            absence (such as `no` or `none`), else the rarer one.
        missing: What else means that a value is missing, such as `["-999"]`, see `read_split`.
        encoding: How text files are written; None takes UTF-8.
        task: What is predicted; None takes words, truth values and whole numbers from 0 without a gap for labels.
        inputs: Names of a model's inputs, where each takes one column; words come as codes then.

    Returns:
        The data set; `table` says how it was read, with the fitted encoder, and reads raw rows for prediction.

    Raises:
        DataError: A table holds something that could be read wrongly; the sentence says where, and what to do.
        UnknownNameError: There is no such column or label.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"cape": range(0, 4000, 100), "region": ["coast", "hills"] * 20})
        >>> table["hail"] = ["hail" if cape > 3000 else "none" for cape in table["cape"]]
        >>> data = from_table(table, target="hail")
        >>> data.feature_names, data.label_names, len(data.train), len(data.validation)
        (('cape', 'region=coast', 'region=hills'), ('none', 'hail'), 32, 8)
    """
    given = {"train": train, "validation": validation, "test": test}
    wanted = Wanted(target, groups, tuple(ignore), times=times, missing=missing, encoding=encoding, encode=True)
    several = tuple(inputs) if len(inputs) > 1 else ()
    sources = {name: source for name, source in given.items() if source is not None}
    read = read_files(sources, Inputs(names=several), wanted, positive=positive, labels=task == "multiclass")
    return as_dataset(read, name=train if isinstance(train, str) else "table", task=task)


def as_dataset(read: DataFiles, *, name: str, task: Task | None = None) -> Dataset:
    """Return what was read as a data set.

    Args:
        read: What was read.
        name: What to call it.
        task: What is predicted; None takes it from the answers.
    """
    encoder = None if read.table is None else read.table.encoder
    names: tuple[str, ...] = () if read.table is None else read.table.features
    return Dataset(
        name=name,
        task=task or task_of(np.asarray(read.splits["train"].y), read.label_names),
        train=read.splits["train"],
        validation=read.splits["validation"],
        test=read.splits.get("test"),
        description="",
        feature_names=names if encoder is None or encoder.layout == "columns" else encoder.feature_names,
        label_names=read.label_names,
        target_units="",
        synthetic=False,
        licence="",
        citation="",
        table=read.table,
        raw=read.raw,
    )


def fits_folds(data: Dataset) -> bool:
    """Tell whether cases can be encoded inside each fold: what is encoded there is one array, not one a column."""
    encoder = None if data.table is None else data.table.encoder
    return encoder is None or encoder.layout != "columns"


def cases_of_folds(data: Dataset) -> dict[str, Any]:
    """Return arguments of a resampled study: all cases; raw, with what encodes them inside each fold, where they were.

    Raises:
        ValueError: They cannot be encoded there.
    """
    if not fits_folds(data):
        raise ValueError(
            "--cv and a model of one input a column do not go together: what is encoded inside a fold is one array. "
            "Give a model of one input, or leave --cv out."
        )
    if not data.raw or data.table is None:
        return {"x": data.pooled()}
    _check_raw(data)
    return {"x": replace(data, table=None, raw={}, **_by_name(data.raw)).pooled(), "preprocess": data.table.encoder}


def with_test_held_out(data: Dataset) -> tuple[Dataset, str]:
    """Hold a fifth of the training cases out as test split, and encode anew, by those that are left.

    Returns:
        The data set with a test split, and how this was chosen, in words.

    Raises:
        DataError: There are too few cases.
    """
    if not data.raw or data.table is None:
        train, test, how = hold_out(data.train)
        return replace(data, train=train, test=test), how
    _check_raw(data)
    train, test, how = hold_out(data.raw["train"])
    raw = {**data.raw, "train": train, "test": test}
    table = replace(data.table, encoder=copy.copy(data.table.encoder).fit(train.x))  # type: ignore[union-attr]
    encoded = {}
    for name, one in raw.items():
        x = table.encoded(one.x, name=called(name))
        columns = data.train.x if isinstance(data.train.x, Mapping) else ()
        encoded[name] = replace(one, x={column: x[column] for column in columns} if columns else x)
    return replace(data, table=table, raw=raw, **_by_name(encoded)), how


def _check_raw(data: Dataset) -> None:
    """Check that the splits are those that were read: somebody may have put others, or fewer cases, in their place.

    Raises:
        DataError: They are not.
    """
    for name, raw in data.raw.items():
        split = getattr(data, name)
        if split is None or not np.array_equal(np.asarray(split.y), np.asarray(raw.y)):
            raise DataError(
                f"The {name} split of {data.name!r} is not the one that was read from its table: read the table with "
                "the cases that you want, or give `raw={}` with the new splits, which are then taken as they are, "
                "encoded by all training cases."
            )


def _by_name(splits: Mapping[str, Split]) -> dict[str, Any]:
    return {name: splits.get(name) for name in ("train", "validation", "test")}


def task_of(y: NDArray[Any], label_names: Sequence[str]) -> Task:
    """Tell what answers ask for: labels where they are words, truth values, or whole numbers from 0 without a gap.

    Raises:
        DataError: They are two whole numbers other than 0 and 1, which may be labels.
    """
    if len(label_names) > 0:
        return "binary" if len(label_names) == 2 else "multiclass"
    if y.dtype.kind not in "biuf" and not (y == np.round(y)).all():
        return "regression"
    found = np.unique(y)
    if len(found) == 2 and (y == np.round(y)).all() and not np.array_equal(found, [0, 1]):
        low, high = (f"{one:g}" for one in found.tolist())
        raise DataError(
            f"The answers are {low} and {high}, which may be labels or numbers: if they are labels, name the event "
            f"with `positive` (--positive {high}); if they are numbers, say `task='regression'` (--task regression)."
        )
    if len(found) > _MOST_LABELS or len(found) < 2 or not np.array_equal(found, np.arange(len(found))):
        return "regression"
    return "binary" if len(found) == 2 else "multiclass"
