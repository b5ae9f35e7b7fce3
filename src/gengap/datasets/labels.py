"""Answers of several files as the same codes: words in their order, the event of two labels as 1."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Split
from gengap.errors import DataError, UnknownNameError
from gengap.naming import did_you_mean

_NO_EVENT = {
    *("no", "none", "null", "nil", "false", "negative", "neg", "absent", "normal", "n", "f", "healthy", "benign"),
    *("dry", "calm", "never", "nothing", "0", "nein", "non", "否", "无", "没有", "阴性", "正常"),
}
"""What the label of cases without the event is usually called."""


def encode_labels(
    splits: Mapping[str, Split], names: Mapping[str, str], *, positive: str | None = None, labels: bool = False
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Turn answers in words into integer codes, the same in every split.

    Of two labels the event is 1: `positive`, or the one that is no usual word for its absence, or the rarer one in the
    training split. More labels are numbered in alphabetical order.

    Args:
        splits: Splits by name, `"train"` among them.
        names: What each split's file is called in messages.
        positive: The label that is 1, where there are two.
        labels: Whether whole numbers, too, are labels; such as are codes already stay as they are.

    Returns:
        The splits, and the names of the labels in the order of their codes; none where answers stay as they are.

    Raises:
        DataError: A split mixes words and numbers, or holds a label that training does not know; or there are not two
            labels, and `positive` is given.
        UnknownNameError: There is no label `positive`.
    """
    answers = {name: np.asarray(split.y) for name, split in splits.items()}
    words = {name: y.dtype.kind in "OUS" for name, y in answers.items()}
    if any(words.values()) and not all(words.values()):
        worded = " and ".join(names[name] for name, said in words.items() if said)
        raise DataError(f"Answers are words in {worded} and numbers in the other files: write them alike.")
    named = words["train"] or positive is not None or (labels and _are_no_codes(answers["train"]))
    if not named:
        truth = {name: y.astype(np.int64) for name, y in answers.items() if y.dtype == bool}
        return {name: replace(split, y=truth.get(name, split.y)) for name, split in splits.items()}, ()
    written = {name: _as_text(y) for name, y in answers.items()}
    ordered = _ordered(written["train"], positive, names["train"])
    codes = {label: code for code, label in enumerate(ordered)}
    for name, y in written.items():
        _check_known(y, codes, names[name], names["train"])
    coded = {name: np.array([codes[label] for label in y.tolist()], np.int64) for name, y in written.items()}
    return {name: replace(split, y=coded[name]) for name, split in splits.items()}, ordered


def _are_no_codes(y: NDArray[Any]) -> bool:
    """Tell whether answers are whole numbers other than 0, 1, 2, ...: of 1 to 3 a fourth label 0 would be made."""
    if y.ndim != 1 or y.dtype.kind not in "iuf" or (y != np.round(y)).any():
        return False
    found = np.unique(y)
    return not np.array_equal(found, np.arange(len(found)))


def _as_text(y: NDArray[Any]) -> NDArray[np.str_]:
    if y.dtype.kind == "f" and (y == np.round(y)).all():
        return y.astype(np.int64).astype(str)
    return y.astype(str)


def _ordered(y: NDArray[np.str_], positive: str | None, name: str) -> tuple[str, ...]:
    """Return the labels in the order of their codes."""
    found, counts = np.unique(y, return_counts=True)
    labels = [str(label) for label in found]
    if positive is not None:
        return _with_positive(labels, positive, name)
    if len(labels) != 2:
        whole = all(label.lstrip("+-").isdecimal() for label in labels)
        return tuple(sorted(labels, key=int) if whole else labels)
    absent = [label for label in labels if _says_absence(label, labels)]
    if len(absent) == 1:
        return absent[0], next(label for label in labels if label != absent[0])
    return (labels[0], labels[1]) if counts[1] <= counts[0] else (labels[1], labels[0])


def _with_positive(labels: Sequence[str], positive: str, name: str) -> tuple[str, ...]:
    shown = ", ".join(labels[:8])
    known = next((label for label in labels if label.casefold() == positive.strip().casefold()), None)
    if known is None:
        near = did_you_mean(positive, labels)
        raise UnknownNameError(
            f"There is no label {positive!r} in the answers of {name}{near}; its labels are {shown}."
        )
    if len(labels) != 2:
        raise DataError(
            f"`positive` (--positive) says which of two labels is the event, and the answers of {name} have "
            f"{len(labels)} ({shown}): leave it out."
        )
    return next(label for label in labels if label != known), known


def _says_absence(label: str, labels: Sequence[str]) -> bool:
    said = label.casefold()
    other = next(one for one in labels if one != label).casefold()
    return said in _NO_EVENT or said in {f"{no}{gap}{other}" for no in ("no", "not", "non") for gap in (" ", "_", "-")}


def _check_known(y: NDArray[np.str_], codes: Mapping[str, int], name: str, training: str) -> None:
    for row, label in enumerate(y.tolist(), 1):
        if label not in codes:
            raise DataError(
                f"{name} has the answer {label!r} in row {row}, which {training} does not have: its labels are "
                f"{', '.join(list(codes)[:8])}; remove such rows, or add such cases to the training data."
            )
