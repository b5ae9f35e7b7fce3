"""What is fitted to the training cases before a model sees any: inside each fold, never on held-out cases."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from scipy import sparse

from gengap.datasets.cases import count_cases, joined_cases, rows_of
from gengap.datasets.output_kind import OutputKind, scored_answers
from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Run
from gengap.errors import DataError

_MOST_BYTES = 8 << 30
_AT_ONCE = 8192


def check_preprocess(preprocess: Any) -> Any:
    """Check that something can be fitted to training cases.

    Raises:
        TypeError: It is neither a Keras layer with `adapt` nor a transformer of scikit-learn's kind.
    """
    layer = isinstance(preprocess, keras.layers.Layer) and hasattr(preprocess, "adapt")
    if preprocess is None or layer or (hasattr(preprocess, "fit") and hasattr(preprocess, "transform")):
        return preprocess
    raise TypeError(
        "`preprocess` must be a Keras layer with `adapt`, such as keras.layers.Normalization(axis=-1), or a "
        f"transformer of scikit-learn with `fit` and `transform`; received {type(preprocess).__name__}."
    )


def describe_preprocess(preprocess: Any) -> str | None:
    """Return what is fitted, with its parameters; equal ones read alike in every session."""
    if preprocess is None:
        return None
    if not isinstance(preprocess, keras.layers.Layer):
        return " ".join(repr(preprocess).split())
    config = {name: value for name, value in preprocess.get_config().items() if name not in {"name", "dtype"}}
    return f"{type(preprocess).__name__}({', '.join(f'{name}={value!r}' for name, value in sorted(config.items()))})"


def preprocessed(data: TrainingData, preprocess: Any, kind: OutputKind) -> TrainingData:
    """Return the splits of a single-split study, transformed by what is fitted to the training split."""
    transform = _fitted(_declared(preprocess, data.train.x), data.train, kind)
    splits = {"train": data.train, **data.held_out()}
    return TrainingData(**{name: replace(one, x=transform(one.x)) for name, one in splits.items()})


def fitted_to(cases: Split, preprocess: Any, kind: OutputKind) -> Any:
    """Return a copy of a layer or transformer, fitted to cases.

    Args:
        cases: What it is fitted to.
        preprocess: What `check_preprocess` lets through.
        kind: How the scored output is read.

    Raises:
        DataError: It cannot be fitted.
    """
    return _fit_copy(_declared(preprocess, cases.x), cases, kind)[0]


def preprocessed_folds(pool: Split, runs: Sequence[Run], preprocess: Any, kind: OutputKind) -> tuple[Split, list[Run]]:
    """Return the cases as each fold sees them, one fold's below the other's, and the runs on their own.

    Args:
        pool: All cases.
        runs: The runs of the folds; those of one seed share a fold.
        preprocess: What is fitted to the training cases of each fold, on a copy.
        kind: How the scored output is read.

    Raises:
        DataError: It cannot be fitted or applied, or the cases of all folds take too much memory.
    """
    folds = {run.seed: run.fold for run in runs if run.fold is not None}
    preprocess = _declared(preprocess, pool.x)
    number, parts, starts = count_cases(pool.x), [], {}
    for place, (seed, fold) in enumerate(folds.items()):
        part = _fitted(preprocess, _rows(pool, fold.train), kind)(pool.x)
        if (size := len(folds) * _bytes(part)) > _MOST_BYTES:
            raise DataError(
                f"`preprocess` gives every fold inputs of its own, {size / 2**30:.0f} GiB for {len(folds)} folds: put "
                "the layer into the model, or take fewer seeds."
            )
        parts.append(part)
        starts[seed] = place * number
    x, times = joined_cases(parts, "inputs after `preprocess`"), len(folds)
    y = joined_cases([pool.y] * times, "answers")
    weight = None if pool.sample_weight is None else np.tile(np.asarray(pool.sample_weight), times)
    shifted = {seed: fold.shifted(starts[seed]) for seed, fold in folds.items()}
    return Split(x, y, weight), [replace(run, fold=shifted[run.seed]) for run in runs]


def _declared(preprocess: Any, x: Any) -> Any:
    """Return what knows the columns of a table, though none of their values yet: then all folds have as many."""
    return preprocess.declared(x) if hasattr(preprocess, "declared") and hasattr(x, "iloc") else preprocess


def _rows(split: Split, rows: Any) -> Split:
    return Split(rows_of(split.x, rows), rows_of(split.y, rows))


def _fitted(preprocess: Any, train: Split, kind: OutputKind) -> Any:
    """Fit a copy to training cases and return what transforms inputs."""
    apply = _fit_copy(preprocess, train, kind)[1]

    def transform(x: Any) -> Any:
        found = apply(x)
        if count_cases(found) != count_cases(x):
            raise DataError(f"`preprocess` must keep every case; it made {count_cases(found)} of {count_cases(x)}.")
        return found

    return transform


def _fit_copy(preprocess: Any, train: Split, kind: OutputKind) -> tuple[Any, Any]:
    """A copy that is fitted to training cases, and what transforms inputs by it."""
    if isinstance(train.x, Mapping | list | tuple):
        raise DataError("`preprocess` takes one array of inputs; with several, put layers into the model.")
    y = np.asarray(scored_answers(train.y, kind))
    try:
        layer = isinstance(preprocess, keras.layers.Layer)
        return _adapted(preprocess, train.x) if layer else _fit(preprocess, train.x, y)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(
            f"`preprocess` ({describe_preprocess(preprocess)}) cannot be fitted to inputs of shape "
            f"{tuple(train.x.shape)}: {_first_line(error)}"
        ) from error


def _adapted(layer: keras.Layer, x: Any) -> tuple[Any, Any]:
    own = type(layer).from_config(layer.get_config())
    own.adapt(x.toarray() if sparse.issparse(x) else x)

    def apply(values: Any) -> Any:
        parts = []
        for start in range(0, count_cases(values), _AT_ONCE):
            rows = values[start : start + _AT_ONCE]
            parts.append(keras.ops.convert_to_numpy(own(rows.toarray() if sparse.issparse(rows) else rows)))
        return np.concatenate(parts)

    return own, apply


def _fit(transformer: Any, x: Any, y: Any) -> tuple[Any, Any]:
    from sklearn.base import clone  # it takes a moment, and most studies fit nothing

    own = clone(transformer)
    own.fit(x, y)
    return own, lambda values: _plain(own.transform(values))


def _plain(found: Any) -> Any:
    return found if sparse.issparse(found) else np.asarray(found)


def _bytes(x: Any) -> int:
    return int(x.data.nbytes + x.indices.nbytes if sparse.issparse(x) else x.nbytes)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
