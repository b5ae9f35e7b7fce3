"""Every score as a mean over cases: means, AUC and skill share one theory once written as case values."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import CASE_SCORES, CaseScore, EpochRule, Floats, HeldOut
from gengap.analysis.climatology import SKILL_OF, climatology_scores
from gengap.analysis.inference.resampled import convention
from gengap.errors import DataError
from gengap.verification import SCORES
from gengap.verification.discrimination import linear_roc_auc
from gengap.verification.estimates import FEW_EVENTS, Linearized
from gengap.verification.inputs import label_cases
from gengap.verification.naming import no_such_score
from gengap.verification.probability import linear_skill

if TYPE_CHECKING:
    from gengap.results import Result

ScoreName = Literal[
    "log_loss", "brier_score", "squared_error", "roc_auc", "brier_skill_score", "squared_error_skill_score"
]
SCORES_OF: dict[str, tuple[ScoreName, ...]] = {
    "binary": ("log_loss", "brier_score", "roc_auc", "brier_skill_score"),
    "multiclass": ("log_loss", "brier_score", "brier_skill_score"),
    "regression": ("squared_error", "squared_error_skill_score"),
}
"""Scores of a task on which variants can be compared."""
SKILL_SCORE: dict[str, ScoreName] = {
    "binary": "brier_skill_score",
    "multiclass": "brier_skill_score",
    "regression": "squared_error_skill_score",
}
"""The skill score of a task."""


def larger_is_better(score: str) -> bool:
    """Whether a score rises with what the forecasts are worth."""
    return score in SCORES and SCORES[score].orientation == "larger"


def case_values(result: "Result", held: HeldOut, variant: str, *, rule: EpochRule, score: ScoreName) -> Floats:
    r"""Values of every seed and unit whose mean over units is the seed's score.

    The scores themselves, and each case's influence on them, are those of `gengap.verification`: a mean score is its
    own case value, AUC becomes one through DeLong's placements, the skill score $1 - B/R$ by the delta method. Where
    cases are grouped, a unit is a group, and its value is the group's share of the sum, so that large groups count for
    what they hold.

    Args:
        result: The result, for its climatology.
        held: The split that is read.
        variant: Whose predictions.
        rule: At which epoch.
        score: Which score.

    Returns:
        Shape `(seeds, units)`; a run without predictions is a row of NaN.

    Raises:
        UnknownNameError: the score has no case values, or is none of this task.
        DataError: Climatology is perfect on these cases (one class, or a constant): there is no skill score.

    References:
        DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988). Comparing the areas under two or more
        correlated receiver operating characteristic curves. Biometrics 44, 837-845. doi:10.2307/2531595
    """
    task = held.task
    if score not in SCORES_OF[task]:
        raise no_such_score(score, SCORES_OF[task], of=f"a {task} task")
    prediction = held.predictions(variant, rule)
    if score == "roc_auc":
        return _ranked(prediction, held)
    if score == SKILL_SCORE[task]:
        return _skill_values(result, held, prediction)
    values = held.scores(prediction, score=cast("CaseScore", score))
    return to_units(values, weight=held.weight, group=held.group)


def convention_of(result: "Result", held: HeldOut, pair: tuple[str, str], *, rule: EpochRule, score: str) -> float:
    """Share of the variance between cases that new training sets are taken to add; see `convention`.

    Args:
        result: A resampled result.
        held: The split that is read.
        pair: The variant and the baseline.
        rule: At which epoch.
        score: The score; one that is no mean over cases is judged by the proper score of its task.
    """
    proper = score if score in CASE_SCORES else SKILL_OF[held.task]

    def units(losses: Floats) -> Floats:
        return to_units(losses, weight=held.weight, group=held.group)

    treated, untreated = (units(held.scores(held.predictions(name, rule), score=proper)) for name in pair)
    constant = climatology_scores(result, held, score=proper)
    return convention(treated, untreated, constant=units(np.broadcast_to(constant, (len(result.seeds), len(held)))))


def carriers(held: HeldOut, score: str) -> NDArray[np.bool_] | None:
    """Which units carry the sampling error of a score; None where all do.

    How far an AUC may be off is decided by the scarcer label: by its cases, or the groups that hold any. Their number
    gives the degrees of freedom. With three events among a thousand cases intervals are wider than the scale is long,
    with two they err too often (`docs/statistics.md`), so below five nothing is said.

    Args:
        held: The split that is read.
        score: Which score.

    Returns:
        Shape `(units,)`.

    Raises:
        DataError: There are fewer than 5 events, or non-events, or groups that hold any.
    """
    if score != "roc_auc":
        return None
    shown = []
    for label in (1, 0):
        mine = np.asarray(held.y_true == label)
        shown.append(mine if held.group is None else np.bincount(held.group, weights=mine) > 0)
    events, others = (int(one.sum()) for one in shown)
    if min(events, others) < FEW_EVENTS:
        where = "" if held.group is None else "groups that hold "
        raise DataError(
            f"Differences of AUC need {FEW_EVENTS} {where}events and as many {where}non-events at least, received "
            f"{events} and {others}: compare on `log_loss` or `brier_score`, or hold out more cases. "
            "`gg.verify` gives the AUC of every run."
        )
    return shown[0] if events <= others else shown[1]


def to_units(values: Floats, *, weight: Floats | None, group: NDArray[np.int64] | None) -> Floats:
    """Turn values of cases into values of units (weighted cases, or groups) with the same mean for every seed."""
    if weight is None and group is None:
        return values
    mean = np.average(values, axis=-1, weights=weight)[..., None]
    influence = values - mean if weight is None else weight * (values - mean)
    if group is None:
        return mean + influence
    units = int(group.max()) + 1
    sums = np.stack([np.bincount(group, weights=row, minlength=units) for row in influence])
    return cast("Floats", mean + sums * (units / len(group)))


def _ranked(prediction: NDArray[Any], held: HeldOut) -> Floats:
    """Values whose mean is the AUC; with folds, the mean of the AUC within each: forecasts of two folds do not rank.

    References:
        Forman, G. and Scholz, M. (2010). Apples-to-apples in cross-validation studies. SIGKDD Explorations 12, 49-57.
        doi:10.1145/1882471.1882479
    """
    if "fold" not in held.data.coords:
        return _over_runs(prediction, lambda one, _: _area(held, one, slice(None)), held)
    folds = held.data["fold"].transpose("seed", "sample").to_numpy()

    def within(one: NDArray[Any], row: int) -> Linearized:
        places, influence, areas = np.unique(folds[row]), np.empty(len(one)), []
        for place in places:
            mine = np.flatnonzero(folds[row] == place)
            if len(np.unique(held.y_true[mine])) < 2:
                raise DataError(
                    f"AUC is computed within each fold, and fold {place} holds one label only: compare on `log_loss` "
                    "or `brier_score`, or take fewer folds."
                )
            linear = _area(held, one, mine)
            areas.append(linear.value)
            influence[mine] = linear.influence * len(one) / (len(places) * len(mine))
        return Linearized(float(np.mean(areas)), influence)

    return _over_runs(prediction, within, held)


def _area(held: HeldOut, one: NDArray[Any], mine: Any) -> Linearized:
    weight = None if held.weight is None else held.weight[mine]
    return linear_roc_auc(label_cases(held.y_true[mine], one[mine], weight))


def _over_runs(prediction: NDArray[Any], linearize: Callable[[NDArray[Any], int], Linearized], held: HeldOut) -> Floats:
    """Values of every run whose mean is the score, from the influence that each case has on it."""
    values = np.full((len(prediction), len(held)), np.nan)
    for row, one in enumerate(prediction):
        if not np.isnan(one).any():
            linear = linearize(one, row)
            values[row] = linear.value + linear.influence  # a single event has a value, but no influences: NaN
    return to_units(values, weight=None, group=held.group)  # influences are weighted already


def _skill_values(result: "Result", held: HeldOut, prediction: NDArray[Any]) -> Floats:
    score = SKILL_OF[held.task]
    reference = climatology_scores(result, held, score=score)
    weight = np.ones(len(held)) if held.weight is None else held.weight
    if not (np.average(reference, axis=-1, weights=weight) > 0).all():
        raise DataError("Climatology is perfect on these cases (one class, or a constant): there is no skill score.")
    rows = np.broadcast_to(reference, (len(prediction), len(held)))
    return _over_runs(prediction, lambda one, row: linear_skill(held.scores(one, score=score), rows[row], weight), held)
