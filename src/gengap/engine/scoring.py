"""The common score: one proper score on which all variants of a study are compared, whatever each optimizes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Task
from gengap.errors import UnknownNameError

Floats = NDArray[np.float64]


def _log_loss(y_true: NDArray[Any], prediction: NDArray[Any]) -> Floats:
    tiny = np.finfo(prediction.dtype).eps  # what scikit-learn clips with, so that the two agree to rounding
    p = np.clip(prediction, tiny, 1 - tiny).astype(np.float64)
    if prediction.ndim == 1:
        return np.asarray(-np.log(np.where(y_true == 1, p, 1 - p)))
    p /= p.sum(axis=-1, keepdims=True)
    return np.asarray(-np.log(np.take_along_axis(p, y_true.astype(np.int64)[:, None], axis=-1)[:, 0]))


def _brier(y_true: NDArray[Any], prediction: NDArray[Any]) -> Floats:
    p = prediction.astype(np.float64)
    if prediction.ndim == 1:
        return np.asarray(np.square(p - y_true))
    return np.asarray(np.square(p - np.eye(p.shape[-1])[y_true.astype(np.int64)]).sum(axis=-1))


def _squared_error(y_true: NDArray[Any], prediction: NDArray[Any]) -> Floats:
    error = np.square(prediction.astype(np.float64) - np.asarray(y_true).reshape(prediction.shape))
    return np.asarray(error if error.ndim == 1 else error.mean(axis=tuple(range(1, error.ndim))))


_CASE_SCORES: dict[str, Callable[[NDArray[Any], NDArray[Any]], Floats]] = {
    "log_loss": _log_loss,
    "brier_score": _brier,
    "squared_error": _squared_error,
}
_OF_TASK: dict[Task, tuple[str, ...]] = {
    "binary": ("log_loss", "brier_score"),
    "multiclass": ("log_loss", "brier_score"),
    "regression": ("squared_error",),
}


def choose_score(task: Task, score: str | None) -> str:
    """Return the score of a study: the one the user names, or the task's own.

    Raises:
        UnknownNameError: The score does not exist or does not fit the task.
    """
    if score is None:
        return _OF_TASK[task][0]
    if score not in _OF_TASK[task]:
        raise UnknownNameError(f"{score!r} is no score for a {task} task; choose from {', '.join(_OF_TASK[task])}.")
    return score


def case_scores(score: str, y_true: NDArray[Any], prediction: NDArray[Any]) -> Floats:
    """Return the score of every case, shape `(n,)`, float64; smaller is better.

    Args:
        score: `"log_loss"` (nats), `"brier_score"` (summed over the labels of a multiclass task) or `"squared_error"`
            (mean over targets).
        y_true: Answers in plain form.
        prediction: Probabilities or real numbers, as kept in a record.
    """
    return _CASE_SCORES[score](np.asarray(y_true), prediction)


def mean_score(
    score: str, y_true: NDArray[Any], prediction: NDArray[Any], sample_weight: NDArray[Any] | None = None
) -> float:
    """Return the weighted mean of `case_scores`; NaN where a prediction is not finite."""
    return float(np.average(case_scores(score, y_true, prediction), weights=sample_weight))
