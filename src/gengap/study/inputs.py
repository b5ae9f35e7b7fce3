"""What a user brings as data, checked and brought into one form before any training starts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.datasets.split import Dataset, Split
from gengap.engine.batches import count_cases, take
from gengap.engine.heads import answers_by_name, flat_inputs, in_columns, input_names, input_structure, output_names
from gengap.engine.loss_kinds import read_loss
from gengap.engine.outputs import OutputKind, loss_of
from gengap.engine.runs import TrainingData
from gengap.errors import DataError
from gengap.study.arrays import check_magnitude, plain_array
from gengap.study.fit_arguments import gathered, refuse_loader

_CHUNK = 2**22
_COARSEST = 0.1
"""Steps of 32-bit floats that scores can bear, in standard deviations of the answers: a variance of a thousandth."""


def as_splits(
    x: Any, y: Any, *, validation_data: Any, validation_split: float, test_data: Any, sample_weight: Any
) -> TrainingData:
    """Bring the ways in which data are given to `Study.run` into one form.

    Args:
        x: A `Dataset`, a `Split`, or inputs.
        y: Answers; None with a `Dataset` or `Split`.
        validation_data: A `Split` or a tuple `(x, y)` or `(x, y, sample_weight)`; None.
        validation_split: Share of the training cases to hold out, the *last* ones, as Keras does.
        test_data: As `validation_data`.
        sample_weight: Weights of the training cases.

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
        return TrainingData(_plain_inputs(x.train, "training"), *_plain_held_out(x.validation, x.test))
    x = gathered(x, "The training data")
    if y is None and not isinstance(x, Split):
        raise DataError("`y` is missing: pass `study.run(x, y, ...)`, or a `Split` or `Dataset` in place of both.")
    if isinstance(x, Split) and not (y is None and sample_weight is None):
        raise DataError("A `Split` brings its own answers and weights: pass it without `y` and `sample_weight`.")
    train = _plain_inputs(x if isinstance(x, Split) else Split(x, y, _weights(sample_weight)), "training")
    validation, test = _plain_held_out(_as_split(validation_data, "validation_data"), _as_split(test_data, "test_data"))
    if _is_asked_for(validation_split):
        if validation is not None:
            raise DataError("Give `validation_data` or `validation_split`, not both.")
        train, validation = _cut_off_last(train, validation_split)
    return TrainingData(train, validation, test)


def check_data(data: TrainingData, models: Sequence[keras.Model], kind: OutputKind) -> TrainingData:
    """Check every split and return it with answers in plain form.

    Args:
        data: The splits as they were given.
        models: The model of every variant, the baseline first.
        kind: How the scored output is read.

    Raises:
        DataError: The first thing found that would spoil the study, in one sentence.
    """
    named = {"training": data.train, "validation": data.validation, "test": data.test}
    checked = {
        name: None if split is None else _check_split(split, name, models, kind) for name, split in named.items()
    }
    for name in ("validation", "test"):
        _check_not_the_same(data.train, named[name], name)
    train = checked["training"]
    assert train is not None  # noqa: S101  the training split is always there
    return TrainingData(train, checked["validation"], checked["test"])


def check_class_weight(class_weight: Any, kind: OutputKind) -> None:
    """Check the weights of labels.

    Raises:
        DataError: They are no mapping from labels that exist to finite numbers from 0.
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


def arrays_of(x: Any) -> Iterator[tuple[str, Any]]:
    """Yield the arrays that inputs are made of, with a name for messages."""
    if isinstance(x, Mapping):
        for name, part in x.items():
            yield f" {name!r}", part
    elif isinstance(x, list | tuple):
        for position, part in enumerate(x):
            yield f" number {position}", part
    else:
        yield "", x


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


def _plain_held_out(validation: Split | None, test: Split | None) -> tuple[Split | None, Split | None]:
    named = {"validation": validation, "test": test}
    plain = {name: None if split is None else _plain_inputs(split, name) for name, split in named.items()}
    return plain["validation"], plain["test"]


def _plain_inputs(split: Split, name: str) -> Split:
    """Return a split whose inputs are NumPy arrays or sparse rows, before anything counts their cases."""
    split = replace(split, x=gathered(split.x, f"The inputs of the {name} split"))
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


def _check_split(split: Split, name: str, models: Sequence[keras.Model], kind: OutputKind) -> Split:
    num_cases = count_cases(split.x)
    if num_cases == 0:
        raise DataError(f"The {name} split is empty.")
    for label, part in arrays_of(split.x):
        if count_cases(part) != num_cases:
            raise DataError(
                f"The inputs of the {name} split have different lengths: {num_cases} and {count_cases(part)}."
            )
        _check_finite(part, f"input{label} of the {name} split")
    for model in models:
        _check_shapes(split.x, name, model)
    y = _check_answers(split.y, name, num_cases, models[0], kind)
    for what in ("sample_weight", "groups", "times"):
        values = getattr(split, what)
        if values is not None and np.shape(values) != (num_cases,):
            raise DataError(
                f"`{what}` of the {name} split must have shape ({num_cases},); received {np.shape(values)}."
            )
    weight = split.sample_weight
    if weight is not None and np.asarray(weight).dtype.kind not in "biuf":
        raise DataError(f"`sample_weight` of the {name} split must hold numbers; received {np.asarray(weight).dtype}.")
    if weight is not None and not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise DataError(f"`sample_weight` of the {name} split must be finite, not negative, and not all zero.")
    if weight is not None:
        check_magnitude(float(np.asarray(weight, np.float64).max()), f"`sample_weight` of the {name} split")
    _check_dependence(split, name)
    return Split(split.x, y, weight, None if split.groups is None else _plain_groups(split.groups, name), split.times)


def _check_dependence(split: Split, name: str) -> None:
    """Check groups and times, which are stored with the study."""
    groups, times = (None if values is None else np.asarray(values) for values in (split.groups, split.times))
    if groups is not None and groups.dtype.kind not in "biufUSMO":
        raise DataError(f"`groups` of the {name} split must be numbers or text; received {groups.dtype}.")
    if groups is not None and groups.dtype.kind == "O" and not all(isinstance(g, str | int | float) for g in groups):
        raise DataError(f"`groups` of the {name} split must be numbers or text; received {type(groups[0]).__name__}.")
    if groups is not None and any(group != group for group in groups.tolist()):  # noqa: PLR0124  NaN is not itself
        raise DataError(f"`groups` of the {name} split hold missing values: give every case a group.")
    if times is not None and (times.dtype.kind != "M" or np.isnat(times).any()):
        raise DataError(f"`times` of the {name} split must be datetime64 without gaps; received {times.dtype}.")


def _plain_groups(given: Any, name: str) -> NDArray[Any]:
    """Return groups as one array of numbers or of text, as a store and a file keep them: `1` and `"1"` would be one."""
    groups = np.asarray(given)
    kinds = {isinstance(group, str) for group in (groups if groups.dtype.kind == "O" else np.asarray(given, object))}
    if len(kinds) > 1:
        raise DataError(f"`groups` of the {name} split mix text and numbers: write all of them as text.")
    if groups.dtype.kind == "S":
        return np.char.decode(groups, "utf-8")
    if groups.dtype.kind == "M":
        return np.datetime_as_string(groups)
    return np.array(groups.tolist()) if groups.dtype.kind == "O" else groups


def _check_finite(values: Any, what: str) -> None:
    """Look for NaN, infinite and huge values chunk by chunk, so that memory-mapped data stay on the disk."""
    data = values.data if sparse.issparse(values) and values.format != "lil" else values
    data = data.tocsr().data if sparse.issparse(data) else data
    if data.dtype.kind != "f":
        return
    rows = max(1, _CHUNK // max(1, int(np.prod(data.shape[1:]))))
    for start in range(0, len(data), rows):
        chunk = data[start : start + rows]
        good = np.isfinite(chunk)
        if not good.all():
            first = start + int(np.argmin(good.reshape(len(good), -1).all(axis=1)))
            where = "" if sparse.issparse(values) else f", first in case {first}"
            raise DataError(f"The {what} holds NaN or infinite values{where}: remove or impute them before training.")
        if chunk.size and data.dtype.itemsize > 4:
            check_magnitude(float(np.abs(chunk).max()), what)


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


def _check_answers(y: Any, name: str, num_cases: int, model: keras.Model, kind: OutputKind) -> Any:
    """Check the answers and bring those of the scored output into plain form; others keep theirs, as arrays."""
    names = output_names(model)
    if len(names) == 1:
        alone = next(iter(y.values())) if isinstance(y, Mapping) and list(y) in (names, [kind.name]) else y
        return _plain(_as_answers(alone, name, num_cases), name, kind)
    given = {head: one for head, one in answers_by_name(names, y, f"the {name} split").items() if one is not None}
    losses = {head: loss_of(model, place, head) for place, head in enumerate(names)}
    if missing := [head for head in names if losses[head] is not None and head not in given]:
        raise DataError(f"The {name} split has no answers for {', '.join(missing)}, which the model has a loss for.")
    arrays = {head: _as_answers(one, name, num_cases) for head, one in given.items()}
    for head, array in arrays.items():
        if head != kind.name and losses[head] is not None:
            _check_other(array, f"answers of the {name} split for {head!r}", losses[head])
    plain = {**in_columns(model, arrays), str(kind.name): _plain(arrays[str(kind.name)], name, kind)}
    return {head: plain[head] for head in names if head in plain}


def _check_other(y: NDArray[Any], what: str, loss: Any) -> None:
    """Check answers that train but are not scored; a loss of the user's own may know what to do with missing ones."""
    if y.dtype.kind not in "biuf":
        raise DataError(f"Answers must be numbers; the {what} are {y.dtype}: encode labels as integers.")
    if read_loss(loss, 0).family != "own" and not np.isfinite(y).all():
        raise DataError(
            f"The {what} hold NaN or infinite values, which its loss makes NaN: leave these cases out, or give this "
            "output a loss of your own that passes over them."
        )


def _as_answers(y: Any, name: str, num_cases: int) -> NDArray[Any]:
    array = _answer_array(y, f"answers of the {name} split")
    if array.shape[:1] != (num_cases,):
        raise DataError(f"The {name} split has {num_cases} cases but answers of shape {array.shape}.")
    return array


def _answer_array(y: Any, what: str) -> NDArray[Any]:
    if hasattr(y, "iloc") and y.ndim == 1 and str(getattr(y, "dtype", "")) == "category":
        y = np.asarray(y)
    if hasattr(y, "shape") and not isinstance(y, np.ndarray) and not sparse.issparse(y):
        return np.asarray(plain_array(y, what))
    if isinstance(y, np.ma.MaskedArray):
        return np.asarray(plain_array(y, what))
    try:
        return np.asarray(y)
    except ValueError:
        raise DataError(f"The {what} must have the same length in every case; received a ragged list.") from None


def _plain(y: NDArray[Any], name: str, kind: OutputKind) -> NDArray[Any]:
    if y.dtype.kind not in "biuf":
        raise DataError(f"Answers must be numbers; those of the {name} split are {y.dtype}: encode labels as integers.")
    if not np.isfinite(y).all():
        raise DataError(f"Answers of the {name} split hold NaN or infinite values.")
    if y.size:
        check_magnitude(float(np.abs(y.astype(np.float64)).max()), f"answers of the {name} split")
    if kind.task == "regression":
        plain = y.reshape(len(y), -1).astype(np.float32)
        if plain.shape[1] != kind.width:
            raise DataError(f"The model predicts {kind.width} numbers a case, the {name} split has {plain.shape[1]}.")
        if name == "training":
            _check_resolution(y.reshape(len(y), -1))
        return plain[:, 0] if kind.width == 1 else plain
    return _codes(y, name, kind)


def _check_resolution(y: NDArray[Any]) -> None:
    """Check that 32-bit floats, which networks compute with, tell the training answers apart."""
    largest, spread = np.abs(y).max(axis=0).astype(np.float32), y.std(axis=0, dtype=np.float64)
    step = np.spacing(largest).astype(np.float64)
    if (coarse := (spread > 0) & (step > _COARSEST * spread)).any():
        at = int(np.argmax(coarse))
        raise DataError(
            f"Answers of the training split lie near {largest[at]:.6g} with a standard deviation of {spread[at]:.3g}, "
            f"and 32-bit floats, which networks compute with, have steps of {step[at]:.3g} there: subtract the mean of "
            "the training answers from all of them (and scale them) before the study."
        )


def _codes(y: NDArray[Any], name: str, kind: OutputKind) -> NDArray[np.int64]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and kind.task == "multiclass" and y.shape[1] == kind.width:
        if not ((y == 0) | (y == 1)).all() or not (y.sum(axis=1) == 1).all():
            raise DataError(
                f"Answers of the {name} split must be one-hot: a single 1 in each row.{_of_shares(y, kind)}"
            )
        y = y.argmax(axis=1)
    num_labels = 2 if kind.task == "binary" else kind.width
    if y.ndim != 1:
        raise DataError(f"Answers of the {name} split must have shape (n,) for a {kind.task} task; received {y.shape}.")
    if (y != np.round(y)).any() or y.min() < 0 or y.max() >= num_labels:
        raise DataError(
            f"Labels of a {kind.task} task with {num_labels} labels must be the integers 0 to {num_labels - 1}; "
            f"the {name} split has values from {y.min():.6g} to {y.max():.6g}.{_of_shares(y, kind)}"
        )
    if len(np.unique(y)) < 2:
        raise DataError(
            f"The {name} split holds one label only ({int(y[0])}): nothing can be learned from or scored on it."
        )
    return y.astype(np.int64)


def _of_shares(y: NDArray[Any], kind: OutputKind) -> str:
    """Return what serves where answers are shares, as far as the loss takes them."""
    if y.size == 0 or y.min() < 0 or y.max() > 1 or (kind.task == "multiclass" and not kind.one_hot):
        return ""
    return (
        ' For shares and soft labels declare task="regression": they train under the same loss, and are scored by '
        "squared error."
    )


def _check_not_the_same(train: Split, held_out: Split | None, name: str) -> None:
    if held_out is None or count_cases(held_out.x) != count_cases(train.x):
        return
    pairs = zip(arrays_of(train.x), arrays_of(held_out.x), strict=False)
    if all(a is b or _equal(a, b) for (_, a), (_, b) in pairs):
        raise DataError(
            f"The {name} split is the training split itself: what a model was trained on cannot show its gap."
        )


def _equal(a: Any, b: Any) -> bool:
    if sparse.issparse(a) and sparse.issparse(b):
        return bool(a.shape == b.shape and (a != b).nnz == 0)
    return type(a) is type(b) and isinstance(a, np.ndarray) and np.array_equal(a, b)
