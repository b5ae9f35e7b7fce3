"""A sensible first net for a table: two small layers, and an output and a loss by what its answers are."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Dataset, Task
from gengap.errors import DataError

_UNITS = {1_000: 16, 20_000: 32}
"""Units of a layer by the number of training cases that there are at most; more cases take 64."""
_NEAR = 10.0
"""Answers whose mean and standard deviation lie below this are learned without a scale of their own."""


def table_model(dataset: Dataset) -> keras.Model:
    """Return a compiled net for a data set of flat, standardized inputs, such as `gengap.datasets.from_table` gives.

    Two Dense layers of 16, 32 or 64 units (by the number of cases), then a sigmoid for yes or no, a softmax for several
    labels, or one number, brought to the scale of the training answers; Adam. It is a start, not a search: small
    enough to train in seconds, large enough to overfit, which is what the study then looks into. `gengap.to_code`
    prints it as code.

    Args:
        dataset: The data set; `task` says what the output is.

    Raises:
        DataError: Its inputs are no flat numbers.

    Example:
        >>> import gengap as gg
        >>> gg.table_model(gg.datasets.diabetes()).count_params()
        465
    """
    if not isinstance(dataset, Dataset):
        raise DataError(
            f"`table_model` takes a Dataset, as `gg.datasets.from_table` gives; received {type(dataset).__name__}."
        )
    x = dataset.train.x
    if not (isinstance(x, np.ndarray) and x.ndim == 2):
        raise DataError("A net for tables takes one array with a row for each case: give a model of your own.")
    y = np.asarray(dataset.train.y)
    labels = max(len(dataset.label_names), int(y.max()) + 1) if dataset.task == "multiclass" else 2
    return flat_net(x.shape, y, dataset.task, labels=labels)


def flat_net(
    shape: tuple[int, int], y: NDArray[Any], task: Task, *, labels: int, first: Sequence[keras.layers.Layer] = ()
) -> keras.Model:
    """Return a compiled net for inputs of shape `(cases, features)`.

    Args:
        shape: Numbers of cases and features.
        y: The training answers: `(n,)`, or `(n, targets)` for a regression of several numbers.
        task: What is predicted.
        labels: Number of labels of a multi-class task.
        first: Layers that stand before the first Dense layer.
    """
    units = next((size for most, size in _UNITS.items() if shape[0] < most), 64)
    hidden = [keras.layers.Dense(units, activation="relu") for _ in range(2)]
    end, loss = _end(y, task, labels)
    model = keras.Sequential([keras.Input((shape[1],)), *first, *hidden, *end])
    model.compile("adam", loss)
    return model


def _end(y: NDArray[Any], task: Task, labels: int) -> tuple[list[keras.layers.Layer], str]:
    """Return the last layers and the loss."""
    if task == "binary":
        return [keras.layers.Dense(1, activation="sigmoid")], "binary_crossentropy"
    if task == "multiclass":
        return [keras.layers.Dense(labels, activation="softmax")], "sparse_categorical_crossentropy"
    mean, deviation = y.mean(axis=0, dtype=np.float64), y.std(axis=0, dtype=np.float64)
    largest = np.maximum(np.abs(mean), deviation)
    scaled = (largest > _NEAR).any() or ((deviation > 0) & (deviation < 1 / _NEAR)).any()
    last = [keras.layers.Dense(1 if y.ndim == 1 else y.shape[1])]
    scale = np.where(deviation > 0, deviation, 1.0)  # a target that never varies keeps the scale of its weights
    return [*last, keras.layers.Rescaling(_rounded(scale), offset=_rounded(mean, scale))] if scaled else last, "mse"


def _rounded(values: NDArray[np.float64] | np.float64, spread: Any = None) -> Any:
    """Round to three digits, for code that one likes to read; to more where they are coarse beside the spread."""
    beside = np.broadcast_to(values if spread is None else spread, np.shape(values))
    rounded = [
        float(f"{one:.{max(3, 2 + math.ceil(math.log10(max(abs(one / own), 1.0))))}g}")
        for one, own in zip(np.ravel(values).tolist(), np.ravel(beside).tolist(), strict=True)
    ]
    return rounded[0] if np.ndim(values) == 0 else rounded
