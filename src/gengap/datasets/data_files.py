"""The splits of a study from files or frames: read, encoded, a fifth held out, and an account of what was taken."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gengap.datasets.checks import check_finite
from gengap.datasets.features import as_inputs
from gengap.datasets.held_out import hold_out
from gengap.datasets.labels import encode_labels
from gengap.datasets.split import Split
from gengap.datasets.table_encoder import Layout, TableEncoder
from gengap.datasets.table_files import NamedSplit, Wanted, read_named
from gengap.datasets.table_reading import TableReading
from gengap.errors import DataError


@dataclass(frozen=True, eq=False)
class DataFiles:
    """What was read.

    Attributes:
        splits: Splits by name, `"train"` and `"validation"` always.
        label_names: Names of the labels where the answers are words, in the order of their codes.
        notes: What was taken from where, for the user to see.
        table: How the table was read; None where the files hold arrays.
        raw: The splits before they were encoded, for what encodes them inside each fold; empty where nothing was.
    """

    splits: Mapping[str, Split]
    label_names: tuple[str, ...]
    notes: tuple[str, ...]
    table: TableReading | None = None
    raw: Mapping[str, Split] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """What a model takes.

    Attributes:
        shape: Shape of a case, where it takes one array of known shape; else empty.
        names: Names of its inputs, where it takes several; else none.
    """

    shape: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


def read_files(
    sources: Mapping[str, Any],
    inputs: Inputs,
    wanted: Wanted,
    *,
    positive: str | None = None,
    labels: bool = False,
    share: bool = True,
    judge_from: int | None = None,
) -> DataFiles:
    """Read the splits of a study.

    Args:
        sources: Paths or data frames by split; `"train"` is required.
        inputs: What the model takes: flat features take its shape where their number allows it, and each column is
            an input where it has several.
        wanted: What to take from them. With `encode` the table is encoded by what its training cases hold.
        positive: The label that is 1, where there are two labels.
        labels: Whether whole numbers are labels, be they 0, 1, 2 or not.
        share: Whether a fifth of the training cases is held out where there is no validation split.
        judge_from: Number of training cases from which a fifth is held out before that, as test split, where there is
            none; None holds none out.

    Returns:
        The splits. Answers in words become integer codes, see `gengap.datasets.labels`. What is held out is the latest
        where times are known, else whole groups or cases drawn at random, always the same, with each label's share.
        Cases of one day are a group where times are given and no groups.

    Raises:
        DataError: A file cannot be used; the sentence names the file, the column and what to do.
    """
    first = read_named(sources["train"], replace(wanted, encode=True), name=called("train"))
    words = tuple(one for one in first.features if first.split.x[one].dtype.kind == "O")  # whatever others hold of them
    others = replace(
        wanted,
        target=first.target,
        ignore=(),
        features=first.features or None,
        encode=True,
        words=words,
        decimal_comma=first.decimal_comma,
    )
    read = {
        name: first if name == "train" else read_named(source, others, name=called(name))
        for name, source in sources.items()
    }
    if not wanted.encode:
        for one in read.values():
            _check_rows(one)
    names = {name: one.name for name, one in read.items()}
    given = {name: one.split for name, one in read.items()}
    splits, label_names = encode_labels(given, names, positive=positive, labels=labels)
    if wanted.times is not None and wanted.groups is None:
        splits = {name: _with_days(split) for name, split in splits.items()}
    notes = [_account(first, splits["train"], label_names, wanted)]
    enough = judge_from is not None and len(splits["train"]) >= judge_from
    if "test" not in splits and enough:  # first: neither an encoder nor a net's scale may have seen them
        splits["train"], splits["test"], how = hold_out(splits["train"], label_names)
        notes.append(f"Test: {len(splits['test'])} of them, {how}")
    if "validation" not in splits and share:
        splits["train"], splits["validation"], how = hold_out(splits["train"], label_names)
        notes.append(f"Validation: {len(splits['validation'])} of them, {how}")
    notes += [f"{_short(one)}: {len(splits[name])} {name} cases" for name, one in read.items() if name != "train"]
    names = {**dict.fromkeys(("validation", "test"), names["train"]), **names}
    if not first.features:  # arrays
        return DataFiles({n: _reshaped(s, inputs, names[n]) for n, s in splits.items()}, label_names, tuple(notes))
    table = _reading(first, splits["train"], inputs, wanted, label_names)
    notes += [] if table.encoder is None else [f"Encoded: {_said(table.encoder)}"]
    encoded = {name: _as_inputs(split, table, names[name], inputs) for name, split in splits.items()}
    return DataFiles(encoded, label_names, tuple(notes), table, {} if table.encoder is None else splits)


def _check_rows(read: NamedSplit) -> None:
    """Refuse features that are no numbers, and gaps, while rows are counted as in their file: none is held out yet."""
    if read.features:
        as_inputs(read.split.x, read.name)
    elif read.split.x.dtype.kind == "f":
        check_finite(read.split.x, f"array 'x' of {read.name}")


def called(split: str) -> str:
    """Return what a data frame of a split is called in messages."""
    return f"the {'training' if split == 'train' else split} table"


def _short(read: NamedSplit) -> str:
    return Path(read.name).name


def _account(read: NamedSplit, train: Split, label_names: Sequence[str], wanted: Wanted) -> str:
    """Say what was taken from the training table, and which label is the event."""
    told = ", ".join(f"{name} = {code}" for code, name in enumerate(label_names))
    said = f"{_short(read)}: {len(train)} cases, answers in {read.target!r}" + (f" ({told})" if told else "")
    if len(label_names) == 2:
        said += f"; the event is {label_names[1]!r} (--positive {label_names[0]!r} turns it round)"
    if wanted.times is not None and wanted.groups is None and train.groups is not None:
        said += f"; cases of one day of {wanted.times!r} are a group"
    return said


def _with_days(split: Split) -> Split:
    """Make groups of the days of the cases, unless all are of one day or there is no day with several."""
    if split.times is None or split.groups is not None:
        return split
    days = np.datetime_as_string(np.asarray(split.times, "datetime64[D]"))
    number = len(np.unique(days))
    return replace(split, groups=days) if 1 < number < len(days) else split


def _reading(
    first: NamedSplit, train: Split, inputs: Inputs, wanted: Wanted, label_names: tuple[str, ...]
) -> TableReading:
    """Return how the table was read, with an encoder that has learned from the training cases that are left."""
    several = len(inputs.names) > 1
    encoder = None
    if wanted.encode:
        layout: Layout = "columns" if several else "matrix"
        # kinds and widths by the whole file, words and means by what is left for training
        declared = TableEncoder.declare(first.split.x, layout=layout, missing=wanted.missing, name=first.name)
        encoder = declared.fit(train.x)
    return TableReading(
        first.features,
        first.target,
        label_names,
        encoder,
        None if wanted.missing is None else tuple(wanted.missing),
        wanted.encoding,
        by_column=several and encoder is None,
        shape=() if several else _flat_shape(inputs),
        decimal_comma=first.decimal_comma,
    )


def _as_inputs(split: Split, table: TableReading, name: str, inputs: Inputs) -> Split:
    """Give features the form that the model takes; say so where their number does not allow it."""
    if len(inputs.names) > 1:
        if absent := [one for one in inputs.names if one not in table.features]:
            raise DataError(
                f"The model has an input named {absent[0]!r}, and {name} has no such column among its features "
                f"({', '.join(table.features)}): name the inputs like the columns."
            )
    elif inputs.shape:
        _check_width(table, name, inputs.shape)
    x = table.encoded(split.x, name=name)
    return replace(split, x={one: x[one] for one in inputs.names} if len(inputs.names) > 1 else x)


def _check_width(table: TableReading, name: str, shape: tuple[int, ...]) -> None:
    features = len(table.features) if table.encoder is None else table.encoder.width
    wanted = math.prod(shape)
    if features == wanted:
        return
    if table.encoder is not None:
        raise DataError(
            f"The model takes {wanted} features and {name} has {features} when encoded: give it an Input of "
            f"({features},), or take --model auto."
        )
    hint = " leave columns out with --ignore, or" if features > wanted else ""
    raise DataError(f"The model takes {wanted} features and {name} has {features}:{hint} check --target.")


def _flat_shape(inputs: Inputs) -> tuple[int, ...]:
    return inputs.shape if len(inputs.shape) > 1 else ()


def _reshaped(split: Split, inputs: Inputs, name: str) -> Split:
    """Give flat rows of an array the shape that the model takes."""
    if getattr(split.x, "ndim", 0) != 2 or not inputs.shape:
        return split
    if split.x.shape[1] != math.prod(inputs.shape):
        raise DataError(f"The model takes {math.prod(inputs.shape)} features and {name} has {split.x.shape[1]}.")
    return replace(split, x=split.x.reshape(-1, *inputs.shape))


def _said(encoder: TableEncoder) -> str:
    """Say what became of the columns, in words."""
    kinds = {
        kind: [n for n, one in encoder.declared_.items() if one.kind == kind] for kind in ("numbers", "words", "dates")
    }
    parts = [f"{len(names)} of {kind}" for kind, names in kinds.items() if names]
    gaps = [name for name, one in encoder.declared_.items() if one.blanks]
    told = f"; gaps filled and marked in {', '.join(gaps)}" if gaps else ""
    return f"{len(encoder.declared_)} columns ({', '.join(parts)}) as {encoder.width} inputs{told}"
