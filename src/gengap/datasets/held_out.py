"""A fifth of the training cases held out: the latest, whole groups, and of every label its share."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, StratifiedShuffleSplit

from gengap.datasets.cases import rows_of
from gengap.datasets.split import Split
from gengap.errors import DataError

VALIDATION_SHARE = 0.2
_SEED = 0
_MOST_LABELS = 20
_TRIES = 20


def hold_out(split: Split, label_names: tuple[str, ...] = ()) -> tuple[Split, Split, str]:
    """Cut a fifth off a split.

    Where times are known it is the latest, whole groups of them where there are groups; else whole groups drawn at
    random, or cases. Of labels both parts get their share, as far as whole groups allow it.

    Args:
        split: The training cases.
        label_names: Names of the labels by code, for messages.

    Returns:
        What is left, what is held out, and how it was chosen, in words.

    Raises:
        DataError: There are too few cases or groups for two parts, or one of two labels would be missing from one.
    """
    number = len(split)
    if number < 2 or (split.groups is not None and len(np.unique(split.groups)) < 2):
        raise DataError(
            "The training data hold too little to hold a fifth out for validation: give validation data (--validation)."
        )
    labels = _labels_of(split.y)
    if labels is not None and split.times is None:
        _check_counts(split, labels, label_names)
    if split.times is not None:
        held, how = _latest(split)
    elif split.groups is not None:
        held, how = _whole_groups(split.groups, labels)
    else:
        held, how = _cases(number, labels)
    kept = np.setdiff1d(np.arange(number), held)
    if labels is not None and len(np.unique(labels)) == 2:
        _check_both(labels, {"what is left": kept, "what is held out": held}, label_names, how)
    return part_of(split, kept), part_of(split, held), how


def part_of(split: Split, indices: NDArray[np.int64]) -> Split:
    """Return some cases of a split."""
    beside = {name: getattr(split, name) for name in ("sample_weight", "groups", "times")}
    chosen: dict[str, Any] = {name: None if values is None else values[indices] for name, values in beside.items()}
    return Split(rows_of(split.x, indices), rows_of(split.y, indices), **chosen)


def _labels_of(y: Any) -> NDArray[np.int64] | None:
    """Return answers as labels where they are a few whole numbers."""
    if isinstance(y, list | tuple) and any(np.ndim(one) for one in y):  # of several outputs
        return None
    values = np.asarray(y)
    if values.ndim != 1 or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        return None
    if (values != np.round(values)).any():
        return None
    labels, codes = np.unique(values, return_inverse=True)
    return codes if 1 < len(labels) <= _MOST_LABELS else None


def _called(code: int, label_names: tuple[str, ...]) -> str:
    return repr(label_names[code]) if code < len(label_names) else str(code)


def _check_counts(split: Split, labels: NDArray[np.int64], label_names: tuple[str, ...]) -> None:
    """Refuse one of two labels whose cases cannot stand in both parts."""
    counts = np.bincount(labels)
    rarest = int(counts.argmin())
    if len(counts) > 2:
        return
    groups = None if split.groups is None else len(np.unique(split.groups[labels == rarest]))
    units = int(counts[rarest]) if groups is None else groups
    if units < 2:
        many = f"{counts[rarest]} case" + "s" * (int(counts[rarest]) != 1)
        many += "" if groups is None else " in a single group"
        raise DataError(
            f"The training data hold {many} of the label {_called(rarest, label_names)}, which cannot be in both "
            "training and validation: give validation data (--validation) with such cases, or more training data."
        )


def _check_both(
    labels: NDArray[np.int64], parts: dict[str, NDArray[np.int64]], label_names: tuple[str, ...], how: str
) -> None:
    for name, rows in parts.items():
        if lacking := sorted({0, 1} - set(labels[rows].tolist())):
            code = lacking[0]
            raise DataError(
                f"Of the training data a fifth is held out, {how}, and {name} has no case of the label "
                f"{_called(code, label_names)} ({int((labels == code).sum())} of {len(labels)}): give "
                "validation data (--validation) with such cases, or leave out times or groups (--times, --groups)."
            )


def _latest(split: Split) -> tuple[NDArray[np.int64], str]:
    """Return the latest fifth; a group on both sides of the cut is held out whole, if that leaves any."""
    times = np.asarray(split.times)
    order = np.argsort(times, kind="stable")
    held = order[-max(1, round(VALIDATION_SHARE * len(order))) :]
    if split.groups is None:
        return np.sort(held), "the latest"
    groups = np.asarray(split.groups)
    whole = np.flatnonzero(np.isin(groups, groups[held]))
    if len(whole) in {0, len(groups)}:
        return np.sort(held), "the latest"
    return whole, "the latest, whole groups"


def _whole_groups(groups: NDArray[Any], labels: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], str]:
    number, folds = len(groups), round(1 / VALIDATION_SHARE)
    if labels is None or len(np.unique(groups)) < folds or np.bincount(labels).max() < folds:
        cutter = GroupShuffleSplit(n_splits=_TRIES, test_size=VALIDATION_SHARE, random_state=_SEED)
        parts = [held for _, held in cutter.split(np.empty((number, 1)), groups=groups)]
        chosen = parts[0] if labels is None else next((p for p in parts if _both(labels, p)), parts[0])
        return chosen, "whole groups drawn at random"
    best = None
    for seed in range(_TRIES):
        cutter = StratifiedGroupKFold(folds, shuffle=True, random_state=_SEED + seed)
        with warnings.catch_warnings():  # of a label with fewer cases than folds: what matters is checked here
            warnings.simplefilter("ignore", UserWarning)
            parts = list(cutter.split(np.empty((number, 1)), labels, groups))
        for _, held in parts:
            best = held if best is None else best
            if _both(labels, held):
                return held, "whole groups drawn at random, each label by its share"
    return np.asarray(best), "whole groups drawn at random"


def _both(labels: NDArray[np.int64], held: NDArray[np.int64]) -> bool:
    """Tell whether all labels stand on both sides."""
    kept = np.delete(labels, held)
    return len(np.unique(labels[held])) == len(np.unique(kept)) == len(np.unique(labels))


def _cases(number: int, labels: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], str]:
    many = max(1, round(VALIDATION_SHARE * number))
    counts = np.empty(0, int) if labels is None else np.bincount(labels)
    several = np.flatnonzero(counts > 1)  # what is there only once stays in training
    if labels is None or len(several) < 2 or min(many, number - many) < len(counts):
        return np.sort(np.random.default_rng(_SEED).permutation(number)[:many]), "drawn at random"
    rows = np.flatnonzero(np.isin(labels, several))
    cutter = StratifiedShuffleSplit(1, test_size=many, random_state=_SEED)
    _, drawn = next(cutter.split(np.empty((len(rows), 1)), labels[rows]))
    held = np.sort(rows[drawn])
    for code in np.setdiff1d(several, labels[held]):  # a label of so few cases that its share is none
        held = np.union1d(held, np.random.default_rng(_SEED + code).choice(np.flatnonzero(labels == code), 1))
    return held, "drawn at random, each label by its share"
