"""A sensible first net for a table: two small layers, and an output and a loss by what its answers are."""

import keras
import numpy as np

from gengap.datasets.split import Dataset
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
    units = next((size for most, size in _UNITS.items() if len(x) < most), 64)
    hidden = [keras.layers.Dense(units, activation="relu") for _ in range(2)]
    end, loss = _end(dataset)
    model = keras.Sequential([keras.Input((x.shape[1],)), *hidden, *end])
    model.compile("adam", loss)
    return model


def _end(dataset: Dataset) -> tuple[list[keras.layers.Layer], str]:
    """Return the last layers and the loss."""
    y = np.asarray(dataset.train.y)
    if dataset.task == "binary":
        return [keras.layers.Dense(1, activation="sigmoid")], "binary_crossentropy"
    if dataset.task == "multiclass":
        labels = max(len(dataset.label_names), int(y.max()) + 1)
        return [keras.layers.Dense(labels, activation="softmax")], "sparse_categorical_crossentropy"
    mean, deviation = float(y.mean(dtype=np.float64)), float(y.std(dtype=np.float64))
    scaled = max(abs(mean), deviation) > _NEAR or 0 < deviation < 1 / _NEAR
    last = [keras.layers.Dense(1)]
    return [*last, keras.layers.Rescaling(_rounded(deviation), offset=_rounded(mean))] if scaled else last, "mse"


def _rounded(value: float) -> float:
    """Round to three digits, for code that one likes to read."""
    return float(f"{value:.3g}")
