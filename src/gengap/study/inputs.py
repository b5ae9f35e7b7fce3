"""What a user brings as data, checked and brought into one form before any training starts."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from gengap.datasets.checks import check_inputs, check_marks, check_not_the_same
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.errors import DataError
from gengap.keras_models.heads import flat_inputs, input_names, input_structure
from gengap.study.answers import check_answers


def check_data(
    data: TrainingData, models: Sequence[keras.Model], kind: OutputKind, *, inputs: bool = True
) -> TrainingData:
    """Check every split and return it with answers in plain form.

    Args:
        data: The splits as they were given.
        models: The model of every variant, the baseline first.
        kind: How the scored output is read.
        inputs: Whether inputs are what the models will see, and so must be finite and of their shape.

    Raises:
        DataError: The first thing found that would spoil the study, in one sentence.
    """
    named = {"training": data.train, "validation": data.validation, "test": data.test}
    checked = {
        name: None if split is None else _check_split(split, name, models, kind, inputs=inputs)
        for name, split in named.items()
    }
    for name in ("validation", "test"):
        check_not_the_same(data.train, named[name], name)
    train = checked["training"]
    assert train is not None  # noqa: S101  the training split is always there
    return TrainingData(train, checked["validation"], checked["test"])


def check_class_weight(class_weight: Any, kind: OutputKind) -> None:
    """Check the weights of labels.

    Raises:
        DataError: They are not a mapping from labels that exist to finite numbers from 0.
    """
    if class_weight is None:
        return
    if not isinstance(class_weight, Mapping):
        raise DataError(
            "`class_weight` must be a mapping from labels to weights, such as {0: 1.0, 1: 3.0}; received "
            f"{type(class_weight).__name__}."
        )
    if kind.name is not None:
        raise DataError(
            "`class_weight` weighs the labels of one output, and the model has several, all of which a case's weight "
            "counts in: give `sample_weight`, one number for each case, made from the labels."
        )
    if kind.task == "regression":
        raise DataError(
            "`class_weight` weighs labels, and a regression has none: give `sample_weight`, one number for each case."
        )
    labels = range({"binary": 2, "multiclass": kind.width}[kind.task])
    if unknown := [label for label in class_weight if label not in labels]:
        raise DataError(f"`class_weight` names {unknown}, and the labels are {list(labels)}.")
    if bad := [w for w in class_weight.values() if not isinstance(w, int | float) or not 0 <= w < np.inf]:
        raise DataError(f"`class_weight` must hold finite weights from 0; received {bad[0]!r}.")
    if set(class_weight) == set(labels) and not any(class_weight.values()):
        raise DataError("`class_weight` must not be zero for every label: nothing would be learned.")


def _check_split(split: Split, name: str, models: Sequence[keras.Model], kind: OutputKind, *, inputs: bool) -> Split:
    num_cases = check_inputs(split, name, numbers=inputs)
    for model in models if inputs else ():
        _check_shapes(split.x, name, model)
    y = check_answers(split.y, name, num_cases, models[0], kind)
    weight, groups, times = check_marks(split, name, num_cases)
    return Split(split.x, y, weight, groups, times)


def _check_shapes(x: Any, name: str, model: keras.Model) -> None:
    names = input_names(model)
    if not names:  # a subclassed model knows its input only after its first call
        return
    if isinstance(x, Mapping) and (unknown := sorted(set(x) - set(names))) and not any("/" in one for one in names):
        raise DataError(
            f"The {name} split has inputs named {', '.join(map(str, unknown))}; the model's inputs are named "
            f"{', '.join(names)}."
        )
    parts = flat_inputs(model, x)
    if len(parts) != len(names):
        raise DataError(
            f"The model has {len(names)} input(s), but the {name} split is a {type(x).__name__} of "
            f"{len(parts)} arrays: give one array with a row for each case."
        )
    for label, part, tensor in zip(names, parts, keras.tree.flatten(input_structure(model)), strict=True):
        expected, actual = tuple(tensor.shape), tuple(part.shape)
        if not _fits(actual, expected, lenient=len(names) > 1):
            which = f"for {label!r} " if len(names) > 1 else ""
            raise DataError(
                f"The model takes inputs {which}of shape {expected}, but the {name} split has shape {actual}: reshape "
                "the data or change the model's Input."
            )


def _fits(actual: tuple[int, ...], expected: tuple[int | None, ...], *, lenient: bool) -> bool:
    """Tell whether inputs have the shape of an Input; Keras adds or takes away a last axis of 1."""
    if lenient and len(actual) == len(expected) - 1 and expected[-1] == 1:
        actual = (*actual, 1)
    elif lenient and len(actual) == len(expected) + 1 and actual[-1] == 1:
        actual = actual[:-1]
    sizes = zip(actual[1:], expected[1:], strict=False)
    return len(actual) == len(expected) and all(e in {None, a} for a, e in sizes)
