"""Weights of labels, which must name labels that there are."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gengap.datasets.output_kind import OutputKind
from gengap.errors import DataError


def read_class_weight(class_weight: Any, kind: OutputKind) -> dict[int, float] | None:
    """Return the weights of labels as plain numbers: a manifest keeps them, NumPy's would not go into it.

    Args:
        class_weight: What was given.
        kind: What models predict.

    Raises:
        DataError: They are not a mapping from labels that exist to finite numbers from 0.
    """
    if class_weight is None:
        return None
    if not isinstance(class_weight, Mapping):
        raise DataError(
            "`class_weight` must be a mapping from labels to weights, such as {0: 1.0, 1: 3.0}; received "
            f"{type(class_weight).__name__}."
        )
    _check_output(kind)
    labels = range({"binary": 2, "multiclass": kind.width}[kind.task])
    plain = {_plain(label): _plain(weight) for label, weight in class_weight.items()}
    if unknown := [label for label in plain if label not in labels]:
        raise DataError(f"`class_weight` names {unknown}, and the labels are {list(labels)}.")
    if bad := [weight for weight in plain.values() if not isinstance(weight, int | float) or not 0 <= weight < np.inf]:
        raise DataError(f"`class_weight` must hold finite weights from 0; received {bad[0]!r}.")
    if set(plain) == set(labels) and not any(plain.values()):
        raise DataError("`class_weight` must not be zero for every label: nothing would be learned.")
    return {int(label): weight for label, weight in plain.items()}


def _check_output(kind: OutputKind) -> None:
    if kind.name is not None:
        raise DataError(
            "`class_weight` weighs the labels of one output, and the model has several, all of which a case's weight "
            "counts in: give `sample_weight`, one number for each case, made from the labels."
        )
    if kind.task == "regression":
        raise DataError(
            "`class_weight` weighs labels, and a regression has none: give `sample_weight`, one number for each case."
        )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
