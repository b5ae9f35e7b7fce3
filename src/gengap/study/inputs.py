"""What a user brings as data, checked and brought into one form before any training starts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from scipy import sparse

from gengap.datasets.arrays import plain_array
from gengap.datasets.cases import arrays_of, count_cases, take
from gengap.datasets.checks import check_finite, check_marks, check_not_the_same
from gengap.datasets.frames import is_frame
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.split import Dataset, Split
from gengap.engine.runs import TrainingData
from gengap.errors import DataError
from gengap.keras_models.heads import flat_inputs, input_names, input_structure
from gengap.study.answers import check_answers
from gengap.study.fit_arguments import as_inputs, refuse_loader


def as_splits(
    x: Any,
    y: Any,
    *,
    validation_data: Any,
    validation_split: float,
    test_data: Any,
    sample_weight: Any,
    names: Sequence[str] = (),
) -> TrainingData:
    """Bring the ways in which data are given to `Study.run` into one form.

    Args:
        x: A `Dataset`, a `Split`, or inputs.
        y: Answers; None with a `Dataset` or `Split`.
        validation_data: A `Split` or a tuple `(x, y)` or `(x, y, sample_weight)`; None.
        validation_split: Share of the training cases to hold out, the *last* ones, as Keras does.
        test_data: As `validation_data`.
        sample_weight: Weights of the training cases.
        names: Names of the inputs of a model with several, to each of which a column of a data frame goes.

    Raises:
        DataError: The combination makes no sense.
    """
    for name, given in {"validation_data": validation_data, "test_data": test_data}.items():
        refuse_loader(given, name)
    if isinstance(x, Dataset):
        if any(given is not None for given in (y, validation_data, test_data, sample_weight)) or validation_split:
            raise DataError(
                "A `Dataset` brings its own answers, weights and splits: pass it alone, or pass its splits one by one."
            )
        return TrainingData(_plain_inputs(x.train, "training", names), *_plain_held_out(x.validation, x.test, names))
    x = as_inputs(x, "The training data")
    if y is None and not isinstance(x, Split):
        raise DataError("`y` is missing: pass `study.run(x, y, ...)`, or a `Split` or `Dataset` in place of both.")
    if isinstance(x, Split) and not (y is None and sample_weight is None):
        raise DataError("A `Split` brings its own answers and weights: pass it without `y` and `sample_weight`.")
    train = _plain_inputs(x if isinstance(x, Split) else Split(x, y, _weights(sample_weight)), "training", names)
    held_out = _as_split(validation_data, "validation_data"), _as_split(test_data, "test_data")
    validation, test = _plain_held_out(*held_out, names)
    if _is_asked_for(validation_split):
        if validation is not None:
            raise DataError("Give `validation_data` or `validation_split`, not both.")
        train, validation = _cut_off_last(train, validation_split)
    return TrainingData(train, validation, test)


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


def _is_asked_for(validation_split: Any) -> bool:
    if validation_split is None:
        return False
    if isinstance(validation_split, bool) or not isinstance(validation_split, int | float | np.number):
        raise DataError(f"`validation_split` must be a number between 0 and 1; received {validation_split!r}.")
    return bool(validation_split != 0)


def _weights(given: Any) -> Any:
    if given is None or np.ndim(given) == 0:
        return given if given is None else np.asarray(given)
    return plain_array(given, "`sample_weight`")


def _plain_held_out(
    validation: Split | None, test: Split | None, names: Sequence[str]
) -> tuple[Split | None, Split | None]:
    named = {"validation": validation, "test": test}
    plain = {name: None if split is None else _plain_inputs(split, name, names) for name, split in named.items()}
    return plain["validation"], plain["test"]


def _by_name(x: Any, names: Sequence[str]) -> Any:
    """Return a data frame as a column for each input, where a model has several of these names."""
    if len(names) < 2 or not is_frame(x) or not set(names) <= set(map(str, x.columns)):
        return x
    return {name: x[next(column for column in x.columns if str(column) == name)] for name in names}


def _plain_inputs(split: Split, name: str, names: Sequence[str]) -> Split:
    """Return a split whose inputs are NumPy arrays or sparse rows, before anything counts their cases."""
    split = replace(split, x=as_inputs(_by_name(split.x, names), f"The inputs of the {name} split"))
    if not list(arrays_of(split.x)):
        raise DataError(f"The inputs of the {name} split are empty.")
    plain = {}
    for label, part in arrays_of(split.x):
        what = f"input{label} of the {name} split"
        if not isinstance(getattr(part, "shape", None), tuple) or len(part.shape) == 0:
            raise DataError(
                f"The {what} must be an array with cases along its first axis; received {type(part).__name__}."
            )
        plain[label] = plain_array(part, what)
    if isinstance(split.x, Mapping):
        x: Any = dict(zip(split.x, plain.values(), strict=True))
    else:
        x = list(plain.values()) if isinstance(split.x, list | tuple) else plain[""]
    return replace(split, x=x)


def _as_split(given: Any, argument: str) -> Split | None:
    if given is None or isinstance(given, Split):
        return given
    if isinstance(given, tuple | list) and len(given) in {2, 3}:
        return Split(given[0], given[1], None if len(given) == 2 else _weights(given[2]))
    raise DataError(
        f"`{argument}` must be a `Split`, or a tuple (x, y) or (x, y, sample_weight); received {type(given).__name__}."
    )


def _cut_off_last(train: Split, share: float) -> tuple[Split, Split]:
    if not 0 < share < 1:
        raise DataError(f"`validation_split` must lie between 0 and 1; received {share}.")
    first = round(count_cases(train.x) * (1 - share))

    def part(where: slice) -> Split:
        rows = {name: getattr(train, name) for name in ("sample_weight", "groups", "times")}
        x = train.x[where] if sparse.issparse(train.x) else take(train.x, where)
        return Split(x, take(train.y, where), **{k: None if v is None else v[where] for k, v in rows.items()})

    return part(slice(first)), part(slice(first, None))


def _check_split(split: Split, name: str, models: Sequence[keras.Model], kind: OutputKind, *, inputs: bool) -> Split:
    num_cases = count_cases(split.x)
    if num_cases == 0:
        raise DataError(f"The {name} split is empty.")
    for label, part in arrays_of(split.x):
        if count_cases(part) != num_cases:
            raise DataError(
                f"The inputs of the {name} split have different lengths: {num_cases} and {count_cases(part)}."
            )
        if inputs:
            check_finite(part, f"input{label} of the {name} split")
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
