"""The door by which data come in: whatever holds them becomes one checked value, divided and preprocessed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from gengap.datasets.account import describe_data, describe_source
from gengap.datasets.cases import arrays_of, count_cases, few_cases, plain_array, take
from gengap.datasets.checks import check_inputs, check_marks, check_not_the_same
from gengap.datasets.data_audit import row_digests
from gengap.datasets.frames import as_frame, is_frame
from gengap.datasets.loaders import read_batches, yields_batches
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.preprocessed import Preprocess, preprocessed, preprocessed_folds
from gengap.datasets.resampling import Folds, divide, refuse_splits
from gengap.datasets.split import Dataset, Split
from gengap.datasets.training_data import TrainingData
from gengap.errors import DataError


class Requirements(Protocol):
    """What the models of a study require of data; `gengap.keras_models.requirements` asks the models."""

    @property
    def kind(self) -> OutputKind:
        """How the scored output is read."""

    @property
    def input_names(self) -> Sequence[str]:
        """Names of the inputs."""

    def check_shapes(self, x: Any, name: str) -> None:
        """Check that inputs fit every model."""

    def plain_answers(self, y: Any, name: str, num_cases: int) -> Any:
        """Check the answers and return them in the plain form of `TrainingData`."""

    def wants_codes(self, y: Any) -> bool:
        """Tell whether a loss is to get labels as integers, since `y` has them so."""


@dataclass(frozen=True, eq=False)
class StudyData:
    """What a user handed in, as a study needs it.

    Attributes:
        data: What engines train on. With folds, each split is all cases, of which a run has its own.
        described: The checked data before any preprocessing; with folds, all cases as the training split.
        kind: How the scored output is read.
        source: What the data are beside their arrays: name, labels, features, licence.
        wants_codes: Whether a loss of the user's own is to get labels as integers.
        folds: The folds; None for single splits.
        preprocess: What was fitted to training cases, in words; None where nothing was.
    """

    data: TrainingData
    described: TrainingData
    kind: OutputKind
    source: Mapping[str, Any]
    wants_codes: bool
    folds: Folds | None = None
    preprocess: str | None = None

    @property
    def num_held_out(self) -> int:
        """Number of predictions that a result holds for each run."""
        held_out = self.described if self.folds is None else self.folds.held_out()
        return sum(map(len, held_out.held_out().values()))

    @property
    def few(self) -> Any:
        """Inputs of a few training cases, as models see them."""
        return few_cases(self.data.train.x)

    @cached_property  # hashing takes a while, and a study's other arguments may be refused first
    def account(self) -> dict[str, Any]:
        """What a manifest says of the data, and of folds and preprocessing where there are any."""
        named = {"train": self.described.train, **self.described.held_out()}
        digests = {name: row_digests(split.x) for name, split in named.items()}
        seen = None if self.preprocess is None else self.data.train.x
        data = {**describe_data(self.described, self.kind, digests=digests, seen=seen), **self.source}
        told = {} if self.preprocess is None else {"preprocess": self.preprocess}
        if self.folds is None:
            return {**told, "data": data}
        return {**told, "data": {**data, **self.folds.sizes()}, "resampling": self.folds.describe(digests["train"])}


def take_in(
    x: Any,
    y: Any,
    required: Requirements,
    *,
    cv: Any,
    seeds: Sequence[int],
    preprocess: Preprocess | None,
    progress: bool = False,
    validation_data: Any = None,
    validation_split: float = 0.0,
    test_data: Any = None,
    sample_weight: Any = None,
) -> StudyData:
    """Take in the data of a study: read, check, divide and preprocess them as it is asked.

    Args:
        x: A `Dataset`, a `Split`, inputs, or what yields batches, as `as_splits` takes them.
        y: Answers.
        required: What the models require.
        cv: What `Study.run(cv=)` was given; the training split then holds all cases.
        seeds: Seeds of the study.
        preprocess: What is fitted to training cases; None for nothing.
        progress: Whether to show how much of what yields batches has been read.
        validation_data: A `Split`, a tuple `(x, y)` or `(x, y, sample_weight)`, or what yields batches; None.
        validation_split: Share of the training cases to hold out.
        test_data: As `validation_data`.
        sample_weight: Weights of the training cases.

    Raises:
        DataError: The data cannot be used as given; the first thing found, in one sentence.
        TypeError: `preprocess` cannot be fitted, or `cv` divides nothing.
    """
    splits = {"validation_data": validation_data, "validation_split": validation_split, "test_data": test_data}
    if cv is not None:
        refuse_splits(x, **splits)
    raw = preprocess is not None  # inputs are not yet what models will see
    names = required.input_names
    given = as_splits(x, y, **splits, sample_weight=sample_weight, names=names, keep_frames=raw, progress=progress)
    if preprocess is not None:
        preprocess.check()
    described = check_data(given, required, inputs=not raw)
    folds = None if cv is None else divide(described.train, cv, required.kind, seeds)
    data, folds = _as_seen(described, folds, preprocess, required)
    return StudyData(
        data,
        described,
        required.kind,
        source=describe_source(x),
        wants_codes=required.wants_codes(given.train.y),
        folds=folds,
        preprocess=None if preprocess is None else preprocess.describe(),
    )


def _as_seen(
    described: TrainingData, folds: Folds | None, preprocess: Preprocess | None, required: Requirements
) -> tuple[TrainingData, Folds | None]:
    """Return what models see, behind preprocessing where it is asked for, with the folds of these cases."""
    data, kind = described, required.kind
    if preprocess is not None and folds is None:
        data = preprocessed(described, preprocess, kind)
    elif preprocess is not None and folds is not None:
        pool, folds = preprocessed_folds(described.train, folds, preprocess, kind)
        data = TrainingData(pool)
    if preprocess is not None:
        _check_inputs(data, required)
    return data if folds is None else TrainingData(data.train, data.train, data.train), folds


def check_data(data: TrainingData, required: Requirements, *, inputs: bool = True) -> TrainingData:
    """Check every split and return it with answers in plain form.

    Args:
        data: The splits as they were given.
        required: What the models require.
        inputs: Whether inputs are what the models will see, and so must be finite and of their shape.

    Raises:
        DataError: The first thing found that would spoil the study, in one sentence.
    """
    checked = {}
    for name, split in _named(data).items():
        num_cases = check_inputs(split, name, numbers=inputs)
        if inputs:
            required.check_shapes(split.x, name)
        y = required.plain_answers(split.y, name, num_cases)
        checked[name] = Split(split.x, y, *check_marks(split, name, num_cases))
    _check_apart(data)
    return TrainingData(checked["training"], checked.get("validation"), checked.get("test"))


def _check_inputs(data: TrainingData, required: Requirements) -> None:
    """Check inputs that preprocessing made; answers were checked before."""
    for name, split in _named(data).items():
        check_inputs(split, name)
        required.check_shapes(split.x, name)
    _check_apart(data)


def _check_apart(data: TrainingData) -> None:
    for name, split in data.held_out().items():
        check_not_the_same(data.train, split, name)


def _named(data: TrainingData) -> dict[str, Split]:
    return {"training": data.train, **data.held_out()}


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
