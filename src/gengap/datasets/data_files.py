"""The splits of a study from files: labels encoded alike, a fifth held out, and an account of what was taken."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit

from gengap.datasets import Split
from gengap.datasets.cases import take
from gengap.datasets.table_files import Wanted, read_named
from gengap.errors import DataError

if TYPE_CHECKING:
    import keras

VALIDATION_SHARE = 0.2
_SEED = 0


@dataclass(frozen=True, eq=False)
class DataFiles:
    """What was read.

    Attributes:
        splits: Splits by name, `"train"` and `"validation"` always.
        label_names: Names of the labels where the answers are words, in the order of their codes.
        notes: What was taken from where, for the user to see.
        features: Names of a table's features, in the order in which the model takes them; empty for arrays.
    """

    splits: Mapping[str, Split]
    label_names: tuple[str, ...]
    notes: tuple[str, ...]
    features: tuple[str, ...] = ()


def read_files(
    paths: Mapping[str, Path],
    model: "keras.Model",
    *,
    target: str | None,
    groups: str | None,
    ignore: Sequence[str] = (),
) -> DataFiles:
    """Read the splits of a study.

    Args:
        paths: Files by split; `"train"` is required.
        model: The model that they are for: flat features take its input's shape where their number allows it.
        target: Column or array of the answers; None takes the last column, or `y`.
        groups: Column or array of groups of dependent cases.
        ignore: Columns that are neither features nor answers.

    Returns:
        The splits. Answers in words become integer codes, in alphabetical order. Without a validation file a fifth of
        the training cases is held out: the latest where times are known, else whole groups or cases drawn at random,
        always the same.

    Raises:
        DataError: A file cannot be used; the sentence names the file, the column and what to do.
    """
    first = read_named(paths["train"], Wanted(target, groups, ignore))
    # the other files may have their columns in another order, or more of them
    others = Wanted(first.target, groups, (), first.features or None)
    read = {name: first.split if name == "train" else read_named(path, others).split for name, path in paths.items()}
    splits, label_names = encode_labels(read, paths)
    splits = {name: _reshaped(split, model, paths[name]) for name, split in splits.items()}
    train = splits["train"]
    told = ", ".join(f"{name} = {code}" for code, name in enumerate(label_names))
    answers = f"answers in {first.target!r}" + (f" ({told})" if told else "")
    notes = [f"{paths['train'].name}: {len(train)} cases, {answers}"]
    if "validation" not in splits:
        splits["train"], splits["validation"], how = hold_out(train)
        notes.append(f"Validation: {len(splits['validation'])} of them, {how}")
    notes += [
        f"{paths[name].name}: {len(splits[name])} {name} cases" for name in ("validation", "test") if name in read
    ]
    return DataFiles(splits, label_names, tuple(notes), first.features)


def encode_labels(splits: Mapping[str, Split], paths: Mapping[str, Path]) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Turn answers in words into integer codes, the same in every split.

    Raises:
        DataError: A split mixes words and numbers, or holds a label that training does not know.
    """
    words = {name: np.asarray(split.y).dtype.kind in "OUS" for name, split in splits.items()}
    if not any(words.values()):
        return {
            name: replace(split, y=np.asarray(split.y).astype(np.int64)) if np.asarray(split.y).dtype == bool else split
            for name, split in splits.items()
        }, ()
    if not all(words.values()):
        worded = " and ".join(paths[name].name for name, said in words.items() if said)
        raise DataError(f"Answers are words in {worded} and numbers in the other files: write them alike.")
    labels, codes = np.unique(np.asarray(splits["train"].y).astype(str), return_inverse=True)
    encoded = {"train": replace(splits["train"], y=codes)}
    for name, split in splits.items():
        if name != "train":
            found = np.asarray(split.y).astype(str)
            unknown = sorted({*found.tolist()} - {*labels.tolist()})
            if unknown:
                raise DataError(
                    f"{paths[name].name} has the answer {unknown[0]!r}, which {paths['train'].name} does not have."
                )
            encoded[name] = replace(split, y=np.searchsorted(labels, found))
    return encoded, tuple(str(label) for label in labels)


def hold_out(split: Split) -> tuple[Split, Split, str]:
    """Cut a fifth off a split.

    Returns:
        What is left, what is held out, and how it was chosen, in words.

    Raises:
        DataError: There are too few cases or groups for two parts.
    """
    number = len(split)
    if number < 2 or (split.groups is not None and len(np.unique(split.groups)) < 2):
        raise DataError("The training file holds too little to hold a fifth out for validation: give --validation.")
    many = max(1, round(VALIDATION_SHARE * number))
    if split.times is not None:
        order = np.argsort(split.times, kind="stable")
        kept, held, how = order[:-many], order[-many:], "the latest"
    elif split.groups is not None:
        cutter = GroupShuffleSplit(n_splits=1, test_size=VALIDATION_SHARE, random_state=_SEED)
        kept, held = next(cutter.split(np.empty((number, 1)), groups=split.groups))
        how = "whole groups drawn at random"
    else:
        order = np.random.default_rng(_SEED).permutation(number)
        kept, held, how = order[many:], order[:many], "drawn at random"
    return _part(split, np.sort(kept)), _part(split, np.sort(held)), how


def _part(split: Split, indices: NDArray[np.int64]) -> Split:
    beside = {name: getattr(split, name) for name in ("sample_weight", "groups", "times")}
    chosen: dict[str, Any] = {name: None if values is None else values[indices] for name, values in beside.items()}
    return Split(take(split.x, indices), split.y[indices], **chosen)


def _reshaped(split: Split, model: "keras.Model", path: Path) -> Split:
    """Give flat features the shape that the model takes; say so where their number does not allow it."""
    expected = tuple(model.input_shape[1:]) if isinstance(model.input_shape, tuple) else ()
    flat = getattr(split.x, "ndim", 0) == 2
    if not flat or not expected or None in expected:
        return split
    features, wanted = split.x.shape[1], math.prod(expected)
    if features != wanted:
        hint = " leave columns out with --ignore, or" if features > wanted else ""
        raise DataError(f"The model takes {wanted} features and {path.name} has {features}:{hint} check --target.")
    return replace(split, x=split.x.reshape(-1, *expected))
