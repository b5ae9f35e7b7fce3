"""What comes in from outside as a result, brought into one form or refused in one sentence.

The task says what an axis means; its length never does: there may be as many cases as labels, seeds or targets.
"""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Task
from gengap.errors import DataError, UnknownNameError

Array = NDArray[Any]


def answers_of(y_true: Any, task: str) -> Array:
    """Return answers in plain form: shape `(n,)`, or `(n, targets)` for a regression of several numbers.

    Raises:
        UnknownNameError: There is no such task.
        DataError: The answers have more axes than the task allows.
    """
    if task not in get_args(Task):
        raise UnknownNameError(f"`task` must be one of {', '.join(get_args(Task))}; received {task!r}.")
    answers = np.asarray(y_true)
    if answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers[:, 0]
    if answers.ndim != 1 and not (task == "regression" and answers.ndim == 2):
        wanted = "(n,) or (n, targets)" if task == "regression" else f"(n,) for a {task} task, one label for each case"
        raise DataError(f"`y_true` must have shape {wanted}; received {answers.shape}.")
    return answers


def runs_of(predictions: Mapping[str, Any], answers: Array, task: str) -> dict[str, Array]:
    """Return predictions of every variant, shape `(seeds, n)` or `(seeds, n, labels or targets)`.

    They are float32, unless all of them have double precision.

    Args:
        predictions: By variant; a single run may lack the axis of the seeds, and a single number a case may stand in
            a column, as Keras' `predict` returns it.
        answers: Answers in plain form.
        task: What is predicted.

    Raises:
        DataError: There are none, or one does not fit the answers under this task.
    """
    arrays = {name: _with_seeds(np.asarray(values), answers.ndim, task) for name, values in predictions.items()}
    shape = ", ".join(map(str, answers.shape)) + (", labels" if task == "multiclass" else "")
    wrong = {name: values.shape for name, values in arrays.items() if not _fits(values.shape, answers.shape, task)}
    if wrong or not arrays:
        received = next((f"; received {np.shape(predictions[name])} for {name!r}" for name in wrong), "")
        hint = ": the probability of label 1 alone" if task == "binary" else ""
        raise DataError(
            f"`predictions` must hold arrays of shape (seeds, {shape}), as `y_true` has it{received}{hint}."
        )
    if len({values.shape for values in arrays.values()}) > 1:
        raise DataError("Every variant needs predictions of the same shape: equal seeds, cases and labels.")
    # one precision for all: it decides where the log loss clips
    precision = np.float64 if all(values.dtype == np.float64 for values in arrays.values()) else np.float32
    return {name: values.astype(precision) for name, values in arrays.items()}


def _with_seeds(values: Array, answer_axes: int, task: str) -> Array:
    axes = answer_axes + (task == "multiclass")
    if task != "multiclass" and answer_axes == 1 and values.ndim > 1 and values.shape[-1] == 1:
        return values[..., 0][None] if values.ndim == 2 else values[..., 0]
    return values[None] if values.ndim == axes else values


def _fits(shape: tuple[int, ...], answers: tuple[int, ...], task: str) -> bool:
    own = shape[1:-1] if task == "multiclass" else shape[1:]
    return len(shape) == 1 + len(answers) + (task == "multiclass") and own == answers
