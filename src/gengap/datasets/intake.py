"""The door by which data come in: whatever holds them becomes splits of plain arrays, before any model is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from gengap.datasets.cases import arrays_of, count_cases, plain_array, take
from gengap.datasets.frames import as_frame, is_frame
from gengap.datasets.loaders import read_batches, yields_batches
from gengap.datasets.split import Dataset, Split
from gengap.datasets.training_data import TrainingData
from gengap.errors import DataError


def as_splits(
    x: Any,
    y: Any,
    *,
    validation_data: Any,
    validation_split: float,
    test_data: Any,
    sample_weight: Any,
    names: Sequence[str] | None = (),
    keep_frames: bool = False,
    progress: bool = False,
) -> TrainingData:
    """Bring the ways in which data are given to `Study.run` into one form.

    Args:
        x: A `Dataset`, a `Split`, inputs, or what yields batches of inputs and answers, which is read once.
        y: Answers; None with a `Dataset`, a `Split` or what yields batches.
        validation_data: A `Split`, a tuple `(x, y)` or `(x, y, sample_weight)`, or what yields batches; None.
        validation_split: Share of the training cases to hold out, the *last* ones, as Keras does.
        test_data: As `validation_data`.
        sample_weight: Weights of the training cases.
        names: Names of the inputs of a model with several, to each of which a column of a data frame goes.
        keep_frames: Whether data frames stay what they are, for what makes numbers of them later.
        progress: Whether to show how much of what yields batches has been read.

    Raises:
        DataError: The combination makes no sense.
    """
    wanted = None if keep_frames else names
    x, y, sample_weight = read_cases(x, y, sample_weight, "The training data", progress=progress)
    validation_data = _read_tuple(validation_data, "`validation_data`", progress=progress)
    test_data = _read_tuple(test_data, "`test_data`", progress=progress)
    if isinstance(x, Dataset):
        if any(given is not None for given in (y, validation_data, test_data, sample_weight)) or validation_split:
            raise DataError(
                "A `Dataset` brings its own answers, weights and splits: pass it alone, or pass its splits one by one."
            )
        return TrainingData(_plain_inputs(x.train, "training", wanted), *_plain_held_out(x.validation, x.test, wanted))
    x = as_inputs(x, "The training data")
    if y is None and not isinstance(x, Split):
        raise DataError("`y` is missing: pass `study.run(x, y, ...)`, or a `Split` or `Dataset` in place of both.")
    if isinstance(x, Split) and not (y is None and sample_weight is None):
        raise DataError("A `Split` brings its own answers and weights: pass it without `y` and `sample_weight`.")
    train = _plain_inputs(x if isinstance(x, Split) else Split(x, y, _weights(sample_weight)), "training", wanted)
    held_out = _as_split(validation_data, "validation_data"), _as_split(test_data, "test_data")
    validation, test = _plain_held_out(*held_out, wanted)
    if _is_asked_for(validation_split):
        if validation is not None:
            raise DataError("Give `validation_data` or `validation_split`, not both.")
        train, validation = _cut_off_last(train, validation_split)
    return TrainingData(train, validation, test)


def read_cases(x: Any, y: Any, sample_weight: Any, what: str, *, progress: bool = False) -> tuple[Any, Any, Any]:
    """Return inputs, answers and weights, read from what yields batches of them where that is given as `x`.

    Raises:
        DataError: Answers or weights are given beside it, or it cannot be read; see `gengap.datasets.loaders`.
    """
    if not yields_batches(x):
        return x, y, sample_weight
    if y is not None or sample_weight is not None:
        raise DataError(
            f"{what} came as {type(x).__name__}, which yields answers and weights with its batches: pass it without "
            "`y` and `sample_weight`."
        )
    return read_batches(x, what, progress=progress)


def _read_tuple(given: Any, what: str, *, progress: bool) -> Any:
    return read_batches(given, what, progress=progress) if yields_batches(given) else given


def as_inputs(x: Any, what: str) -> Any:
    """Return inputs with lists of numbers, or of rows, as one array; refuse whatever yields batches.

    Raises:
        DataError: It is a data loader or another iterator, or a list of rows of unequal lengths.
    """
    if _is_of_numbers(x):
        try:
            return np.asarray(x)
        except ValueError:
            raise DataError(f"{what} must have the same length in every case; received a ragged list.") from None
    if sparse.issparse(x):  # only this format gives cases by their rows, and a `dok_matrix` would pass for a mapping
        return x if x.format == "csr" else x.tocsr()
    if yields_batches(x):
        raise DataError(
            f"{what} came as {type(x).__name__}, which yields batches, inside a `Split` or among inputs: give it in "
            "place of all inputs and answers, as `study.run(loader, ...)` or `validation_data=loader`, or give arrays."
        )
    return x


def _is_of_numbers(x: Any) -> bool:
    """Say whether something is a list whose entries are numbers or lists, and so one input and not several."""
    return isinstance(x, list) and len(x) > 0 and all(isinstance(row, list | int | float | np.number) for row in x)


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
    validation: Split | None, test: Split | None, names: Sequence[str] | None
) -> tuple[Split | None, Split | None]:
    named = {"validation": validation, "test": test}
    plain = {name: None if split is None else _plain_inputs(split, name, names) for name, split in named.items()}
    return plain["validation"], plain["test"]


def _by_name(x: Any, names: Sequence[str]) -> Any:
    """Return a data frame as a column for each input, where a model has several of these names."""
    if len(names) < 2 or not is_frame(x) or not set(names) <= set(map(str, x.columns)):
        return x
    return {name: x[next(column for column in x.columns if str(column) == name)] for name in names}


def _plain_inputs(split: Split, name: str, names: Sequence[str] | None) -> Split:
    """Return a split whose inputs are NumPy arrays or sparse rows, before anything counts their cases.

    Without `names`, a data frame stays one.
    """
    if names is None and is_frame(split.x):
        return replace(split, x=as_frame(split.x, f"the {name} split"))
    names = names or ()
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
        kept = train.x.iloc if hasattr(train.x, "iloc") else train.x if sparse.issparse(train.x) else None
        x = take(train.x, where) if kept is None else kept[where]
        return Split(x, take(train.y, where), **{k: None if v is None else v[where] for k, v in rows.items()})

    return part(slice(first)), part(slice(first, None))
