"""The common score: one proper score on which all variants of a study are compared, whatever each optimizes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Task
from gengap.verification import case_brier_scores, case_log_losses, case_squared_errors
from gengap.verification.naming import COMMON_SCORES, no_such_score

Floats = NDArray[np.float64]


_CASE_SCORES: dict[str, Callable[[NDArray[Any], NDArray[Any]], Floats]] = {
    "log_loss": case_log_losses,
    "brier_score": case_brier_scores,
    "squared_error": case_squared_errors,
}


def choose_score(task: Task, score: str | None) -> str:
    """Return the score of a study: the one the user names, or the task's own.

    Raises:
        UnknownNameError: The score does not exist or does not fit the task.
    """
    if score is None:
        return COMMON_SCORES[task][0]
    if score not in COMMON_SCORES[task]:
        raise no_such_score(score, COMMON_SCORES[task], of=f"a {task} task")
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
