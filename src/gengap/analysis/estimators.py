"""Every score as a mean over cases: means, AUC and skill share one theory once written as case values."""

from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import CASE_SCORES, CaseScore, EpochRule, Floats, HeldOut
from gengap.analysis.climatology import climatology_scores
from gengap.errors import DataError, UnknownNameError

if TYPE_CHECKING:
    from gengap.results import Result

ScoreName = Literal["log_loss", "brier_score", "squared_error", "auc", "bss"]
SCORES: tuple[ScoreName, ...] = (*CASE_SCORES, "auc", "bss")
LARGER_IS_BETTER = frozenset({"auc", "bss"})


def case_values(result: "Result", held: HeldOut, variant: str, *, rule: EpochRule, score: ScoreName) -> Floats:
    r"""Values of every seed and unit whose mean over units is the seed's score.

    A mean score is its own case value. AUC becomes one through DeLong's placements, the Brier skill score
    $1 - B/R$ by the delta method, $\theta - (b_i - (1-\theta) r_i)/R$. Where cases are grouped, a unit is a group, and
    its value is the group's share of the sum, so that large groups count for what they hold.

    Args:
        result: The result, for its climatology.
        held: The split that is read.
        variant: Whose predictions.
        rule: At which epoch.
        score: Which score.

    Returns:
        Shape `(seeds, units)`; a run without predictions is a row of NaN.

    Raises:
        UnknownNameError: the score has no case values.
        DataError: AUC of anything but a binary task, or of cases of one class.

    References:
        DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988). Comparing the areas under two or more
        correlated receiver operating characteristic curves. Biometrics 44, 837-845. doi:10.2307/2531595
    """
    if score not in SCORES:
        raise UnknownNameError(f"`score` must be one of {', '.join(SCORES)}, got {score!r}.")
    prediction = held.predictions(variant, rule)
    if score == "auc":
        values = placements(held.y_true, prediction)
    elif score == "bss":
        values = _skill_values(result, held, prediction)
    else:
        values = held.scores(prediction, score=score)
    return to_units(values, weight=None if score == "auc" else held.weight, group=held.group)


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


def placements(y_true: NDArray[np.generic], y_prob: NDArray[np.generic]) -> Floats:
    """DeLong's placements as case values of the AUC: their mean is the AUC, their variance over `n` is DeLong's.

    Args:
        y_true: Labels 0/1, shape `(n,)`.
        y_prob: Probabilities or any ranking score, shape `(seeds, n)`.

    Returns:
        Shape `(seeds, n)`; ties count half.

    Raises:
        DataError: more than two labels, or cases of one class only.

    Example:
        >>> float(placements(np.array([0, 0, 1, 1]), np.array([[0.1, 0.4, 0.35, 0.8]])).mean())
        0.75
    """
    positive = np.asarray(y_true) == 1
    n, n1 = len(positive), int(positive.sum())
    n0 = n - n1
    if y_prob.ndim != 2 or not np.isin(y_true, (0, 1)).all():
        raise DataError("AUC needs a binary task with labels 0 and 1; compare on `log_loss` or `brier_score` instead.")
    if min(n1, n0) < 2:
        raise DataError(f"AUC needs two cases of either class, got {n0} of class 0 and {n1} of class 1.")
    values = np.empty(y_prob.shape, dtype=np.float64)
    for row, prob in enumerate(y_prob):
        if np.isnan(prob).any():
            values[row] = np.nan
            continue
        placed = _placed(positive, prob)
        auc = placed[positive].mean()
        # each class has its own sample size; the last factor gives DeLong's n1 - 1 and n0 - 1
        scale = np.where(positive, n / n1 * np.sqrt(n1 / (n1 - 1)), n / n0 * np.sqrt(n0 / (n0 - 1)))
        values[row] = auc + (placed - auc) * scale * np.sqrt((n - 1) / n)
    return values


def _placed(positive: NDArray[np.bool_], prob: NDArray[np.generic]) -> Floats:
    """Share of the other class that each case is in right order with, ties half; one sort instead of three rankings."""
    order = np.argsort(prob)
    ranked, label = prob[order], positive[order]
    is_new = np.append(True, ranked[1:] != ranked[:-1])
    first, tie = np.flatnonzero(is_new), np.cumsum(is_new) - 1
    positives = np.add.reduceat(label, first, dtype=np.int64)
    negatives = np.diff(np.append(first, len(ranked))) - positives
    below = (np.cumsum(negatives) - negatives / 2) / negatives.sum()
    above = 1 - (np.cumsum(positives) - positives / 2) / positives.sum()
    placed = np.empty(len(ranked))
    placed[order] = np.where(label, below[tie], above[tie])
    return placed


def _skill_values(result: "Result", held: HeldOut, prediction: NDArray[np.generic]) -> Floats:
    task = str(result.manifest.get("task") or "binary")
    score: CaseScore = "squared_error" if task == "regression" else "brier_score"
    achieved = held.scores(prediction, score=score)
    reference = climatology_scores(result, held, score=score)
    mean_reference = np.average(reference, weights=held.weight)
    if not mean_reference > 0:
        raise DataError("Climatology is perfect on these cases (one class, or a constant): there is no skill score.")
    remains = np.average(achieved, axis=-1, weights=held.weight)[..., None] / mean_reference
    return 1 - remains - (achieved - remains * reference) / mean_reference
