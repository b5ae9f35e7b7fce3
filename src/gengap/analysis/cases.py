"""The score of every single held-out case, read from a result: what all statistics here start from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.dependence import unit_codes
from gengap.datasets.split import Task
from gengap.errors import DataError, UnknownNameError
from gengap.naming import did_you_mean
from gengap.verification import case_brier_scores, case_log_losses, case_squared_errors
from gengap.verification.naming import no_such_score

if TYPE_CHECKING:
    import xarray as xr

    from gengap.results import Result

EpochRule = Literal["best", "last"]
Part = Literal["validation", "test"]
CaseScore = Literal["log_loss", "brier_score", "squared_error"]
Floats = NDArray[np.float64]

CASE_SCORES: tuple[CaseScore, ...] = ("log_loss", "brier_score", "squared_error")
_OF_ONE_RUN: Mapping[CaseScore, Callable[..., Floats]] = {
    "log_loss": case_log_losses,
    "brier_score": case_brier_scores,
    "squared_error": case_squared_errors,
}


def case_scores(
    y_true: NDArray[Any], y_pred: NDArray[Any], *, score: CaseScore, task: Task, epsilon: float | None = None
) -> Floats:
    """Score of every case of one run or of many; smaller is better, 0 is perfect.

    `gengap.verification` defines the scores (`case_log_losses`, `case_brier_scores`, `case_squared_errors`); here they
    only meet several runs at once.

    Args:
        y_true: Labels 0/1 or integer codes, shape `(n,)`; for regression real numbers, `(n,)` or `(n, targets)`.
        y_pred: Predictions, shape `(..., n)`; for several labels or targets `(..., n, labels)`.
        score: Which score.
        task: What is predicted. It alone says what the last axis is: there may be as many labels, or targets, as cases.
        epsilon: Where the log loss clips, see `case_log_losses`.

    Returns:
        Scores, shape `(..., n)`, float64; NaN where a prediction is NaN.

    Raises:
        UnknownNameError: `score` is none of `CASE_SCORES`.
        DataError: Answers and predictions do not fit each other under this task.

    Example:
        >>> case_scores(np.array([0, 1]), np.array([[0.2, 0.5]]), score="brier_score", task="binary")
        array([[0.04, 0.25]])
    """
    if score not in CASE_SCORES:
        raise no_such_score(score, CASE_SCORES)
    y_true, prediction = np.asarray(y_true), np.asarray(y_pred)
    several = task == "multiclass"
    _check_axes(y_true.shape, prediction.shape, several=several)
    runs = prediction.shape[: prediction.ndim - y_true.ndim - several]
    options = {"epsilon": epsilon} if score == "log_loss" else {}
    found = np.empty((*runs, len(y_true)))
    for run in np.ndindex(runs):
        found[run] = _OF_ONE_RUN[score](y_true, prediction[run], **options)
    return found


def _check_axes(answers: tuple[int, ...], predictions: tuple[int, ...], *, several: bool) -> None:
    """Check that predictions hold one entry (with several labels, one row) for each answer."""
    own = predictions[:-1] if several else predictions
    if len(own) < len(answers) or own[len(own) - len(answers) :] != answers or (several and len(answers) > 1):
        wanted = "(..., n, labels) for answers of shape (n,)" if several else f"(..., {', '.join(map(str, answers))})"
        raise DataError(f"Predictions must have shape {wanted}; received {predictions} for answers of shape {answers}.")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One held-out split of a result, ready for statistics.

    Attributes:
        data: The split's dataset, as `Result.validation` or `Result.test` holds it.
        part: Which split it is.
        task: What is predicted, as the result says it.
        y_true: Answers, shape `(n,)` or `(n, targets)`.
        weight: Weights of the cases with mean 1, shape `(n,)`, or None where all are equal.
        group: Code of each case's group, `0 .. groups - 1`, shape `(n,)`; None where cases are independent.
    """

    data: "xr.Dataset"
    part: Part
    task: Task
    y_true: NDArray[Any]
    weight: Floats | None
    group: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.y_true)

    def predictions(self, variant: str, rule: EpochRule) -> NDArray[Any]:
        """Return a variant's predictions at the best or last epoch, shape `(seeds, n)` or `(seeds, n, labels)`."""
        array = self.data[f"prediction_{rule}"].sel(variant=variant)
        return array.transpose("seed", "sample", ...).to_numpy()

    def scores(self, prediction: NDArray[Any], *, score: CaseScore, epsilon: float | None = None) -> Floats:
        """Return the score of every case, shape `(..., n)`, of predictions of shape `(..., n[, labels])`."""
        return case_scores(self.y_true, prediction, score=score, task=self.task, epsilon=epsilon)


def held_out(result: "Result", part: Part) -> HeldOut | None:
    """Return a held-out split of a result, or None where the result holds no predictions for it.

    Cases without an observation or with weight 0 are left out, as every score of `gengap.verification` does.
    """
    data = result.validation if part == "validation" else result.test
    if "y_true" not in data or "prediction_last" not in data:
        return None
    data = _observed(data)
    y_true = data["y_true"].transpose("sample", ...).to_numpy()
    weight = data["sample_weight"].to_numpy().astype(np.float64) if "sample_weight" in data.coords else None
    if weight is not None:
        weight = None if np.ptp(weight) == 0 else weight / weight.mean()
    return HeldOut(data=data, part=part, task=task_of(result), y_true=y_true, weight=weight, group=_group_codes(data))


def _observed(data: "xr.Dataset") -> "xr.Dataset":
    answered = data["y_true"].notnull()
    kept = answered.all([dim for dim in answered.dims if dim != "sample"]).to_numpy()
    if "sample_weight" in data.coords:
        kept &= data["sample_weight"].to_numpy() > 0
    return data if kept.all() or not kept.any() else data.isel(sample=kept)


def reading_part(result: "Result") -> HeldOut:
    """Return the split that claims are read on: the test split, else the validation split.

    Raises:
        DataError: the result holds predictions for neither.
    """
    found = held_out(result, "test") or held_out(result, "validation")
    if found is None:
        raise DataError(
            "This result has no held-out predictions, only histories; run the study with `validation_data`, or "
            "build the result with `Result.from_predictions`."
        )
    return found


def _group_codes(data: "xr.Dataset") -> NDArray[np.int64] | None:
    """Codes of `group`; without groups, cases of the same day belong together."""
    groups, times = (data[name].to_numpy() if name in data.coords else None for name in ("group", "time"))
    return unit_codes(groups, times)


def task_of(result: "Result") -> Task:
    """Return what the result's models predict, as its manifest says it."""
    return cast("Task", str(result.manifest.get("task") or "binary"))


def primary_score(result: "Result") -> str:
    """Return the score that the study declared before it ran."""
    primary = result.manifest.get("primary") or {}
    return str(primary.get("score") or result.manifest.get("score") or "log_loss")


def primary_rule(result: "Result") -> EpochRule:
    """Return the epoch rule that the study declared before it ran: `"best"` unless it said `"last"`."""
    primary = result.manifest.get("primary") or {}
    return "last" if primary.get("epoch") == "last" else "best"


def is_reference(result: "Result", variant: str) -> bool:
    """Tell whether a variant is a reference that stands beside the networks: no Keras model, and without curves."""
    return bool((result.manifest.get("variants") or {}).get(variant, {}).get("reference"))


def networks(result: "Result") -> "Result":
    """Return the result of the variants that are no references: what has curves, weights and a configuration."""
    names = [name for name in result.variants if not is_reference(result, name)]
    return result if len(names) == len(result.variants) else result.select(names)


def baseline_name(result: "Result", baseline: str | None = None) -> str:
    """Return the variant that all others are compared with: the one asked for, else the result's own.

    Raises:
        UnknownNameError: no variant has the asked-for name.
    """
    if baseline is not None and baseline not in result.variants:
        near = did_you_mean(baseline, result.variants)
        raise UnknownNameError(
            f"There is no variant {baseline!r}{near}; the variants are {', '.join(result.variants)}."
        )
    return baseline or result.baseline
