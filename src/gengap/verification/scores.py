"""The table of scores: what each needs to know to be estimated with an interval, compared, and laid under one law."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.errors import DataError
from gengap.verification.area_interval import area_difference, area_interval
from gengap.verification.contingency_table import Contingency, ContingencyScore
from gengap.verification.discrimination import linear_roc_auc
from gengap.verification.ensemble import case_crps_ensemble
from gengap.verification.estimates import (
    Estimate,
    Linearized,
    Scale,
    caution,
    difference_of_proportions,
    estimate,
    group_sums,
)
from gengap.verification.inputs import Cases, Floats, binary_cases, cases, label_cases, multiclass_cases
from gengap.verification.losses import (
    case_absolute_errors,
    case_brier_scores,
    case_interval_scores,
    case_log_losses,
    case_quantile_scores,
    case_ranked_probability_scores,
    case_squared_errors,
)
from gengap.verification.named import keeps_dims
from gengap.verification.naming import no_such_score
from gengap.verification.probability import (
    linear_brier_skill_score,
    linear_mean,
    linear_skill,
    log_loss_cases,
    probability_cases,
)
from gengap.verification.regression import reference_errors
from gengap.verification.skill_interval import skill_interval

Linearize = Callable[..., Linearized]
Validate = Callable[[ArrayLike, ArrayLike, ArrayLike | None], Cases]


@dataclass(frozen=True)
class Score:
    """A score with what is needed to estimate it.

    Attributes:
        name: Its name, which is also that of its function where it has one.
        orientation: Whether smaller or larger values are better, or a target value is.
        perfect: Its value for perfect forecasts.
        validate: Checks observations and forecasts.
        linearize: Maps valid cases (and the score's options) to its value and the influence of each case.
        scale: Scale on which its interval is symmetric.
        losses: Loss of each case, where the score is their mean; else None.
    """

    name: str
    orientation: Literal["smaller", "larger", "target"]
    perfect: float
    validate: Validate
    linearize: Linearize
    scale: Scale = "identity"
    losses: Callable[..., Floats] | None = None


def _mean_score(name: str, validate: Validate, losses: Callable[..., Floats]) -> Score:
    def linearize(valid: Cases, **options: Any) -> Linearized:
        return linear_mean(losses(valid.observed, valid.forecast, **options), valid.weight)

    return Score(name, "smaller", 0.0, validate, linearize, "log", losses)


def _brier_score(valid: Cases) -> Linearized:
    linear = linear_mean(case_brier_scores(valid.observed, valid.forecast), valid.weight)
    # a loss that cannot exceed 1: if it is 0 (or 1) for all, the share of cases where it is not has an exact limit
    return replace(linear, deciding=len(valid.observed) if valid.forecast.ndim == 1 else 0)


def _squared_error_skill(valid: Cases, *, climatology: ArrayLike | None = None) -> Linearized:
    own = case_squared_errors(valid.observed, valid.forecast)
    return linear_skill(own, reference_errors(valid, climatology), valid.weight)


def _vectors(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None) -> Cases:
    return cases(y_true, y_pred, sample_weight, axes=2)


def _contingency(name: ContingencyScore) -> Linearize:
    def linearize(valid: Cases, *, threshold: float = 0.5) -> Linearized:
        event, yes = valid.observed == 1, valid.forecast >= threshold
        cell = np.where(yes, np.where(event, 0, 1), np.where(event, 2, 3))
        share = valid.weight / valid.weight.mean()
        cells = np.bincount(cell, weights=share, minlength=4) / len(share)
        # The scores are ratios of polynomials: a complex step of 1e-30 gives their exact derivative by each cell.
        slopes = np.array([
            Contingency(*(cells + 1e-30j * np.eye(4)[j])).score(name).imag / 1e-30 for j in range(4)
        ])  # fmt: skip
        value = float(Contingency(*cells).score(name))
        if name in _COMPARES_LABELS and event.all() == event.any():
            return Linearized(value, np.full(len(share), np.nan))  # one label: 0 by definition, not by evidence
        deciding = int(np.isin(cell, _DENOMINATOR.get(name, ())).sum())
        apart = slopes - slopes @ cells
        apart[np.abs(apart) <= _ROUNDING * np.abs(slopes).max()] = 0.0  # cells that the score does not depend on
        return Linearized(value, share * apart[cell], deciding)

    return linearize


_ROUNDING = 1e-12
# Cells (hits, false alarms, misses, correct negatives) that make the denominator of a proportion.
_DENOMINATOR: Mapping[ContingencyScore, tuple[int, ...]] = {
    "probability_of_detection": (0, 2),
    "probability_of_false_detection": (1, 3),
    "false_alarm_ratio": (0, 1),
    "success_ratio": (0, 1),
    "critical_success_index": (0, 1, 2),
    "accuracy": (0, 1, 2, 3),
}
_COMPARES_LABELS = {"heidke_skill_score", "gilbert_skill_score"}
_CONTINGENCY_SCALES: Mapping[ContingencyScore, Scale] = {
    **dict.fromkeys(_DENOMINATOR, "logit"),
    "frequency_bias": "log",
    "peirce_skill_score": "fisher",
    "heidke_skill_score": "fisher",
    "gilbert_skill_score": "fisher",
}
_ZERO_IS_PERFECT = {"probability_of_false_detection", "false_alarm_ratio"}


def _contingency_score(name: ContingencyScore) -> Score:
    zero = name in _ZERO_IS_PERFECT
    orientation: Literal["smaller", "larger", "target"] = "smaller" if zero else "larger"
    return Score(
        name=name,
        orientation="target" if name == "frequency_bias" else orientation,
        perfect=0.0 if zero else 1.0,
        validate=binary_cases,
        linearize=_contingency(name),
        scale=_CONTINGENCY_SCALES[name],
    )


SCORES: Mapping[str, Score] = {
    score.name: score
    for score in (
        replace(_mean_score("brier_score", probability_cases, case_brier_scores), linearize=_brier_score),
        _mean_score("log_loss", log_loss_cases, case_log_losses),
        _mean_score("ranked_probability_score", multiclass_cases, case_ranked_probability_scores),
        _mean_score("squared_error", cases, case_squared_errors),
        _mean_score("absolute_error", cases, case_absolute_errors),
        _mean_score("quantile_score", cases, case_quantile_scores),
        _mean_score("interval_score", _vectors, case_interval_scores),
        _mean_score("crps_ensemble", _vectors, case_crps_ensemble),
        Score("brier_skill_score", "larger", 1.0, probability_cases, linear_brier_skill_score, "skill"),
        Score("squared_error_skill_score", "larger", 1.0, cases, _squared_error_skill, "skill"),
        Score("roc_auc", "larger", 1.0, label_cases, linear_roc_auc, "logit"),
        *(_contingency_score(name) for name in get_args(ContingencyScore)),
    )
}
"""All scores that can be estimated with an interval, by name."""


def get_score(name: str) -> Score:
    """Return a score by its name.

    Raises:
        UnknownNameError: There is no such score.

    Example:
        >>> get_score("brier_score").orientation
        'smaller'
    """
    if name not in SCORES:
        raise no_such_score(name, SCORES)
    return SCORES[name]


def influence(
    y_true: ArrayLike, y_pred: ArrayLike, *, score: str, sample_weight: ArrayLike | None = None, **options: Any
) -> Floats:
    """Influence of each case on a score: how much the score moves per unit of extra weight on it.

    The score's sampling variance is that of the mean of these values, `influence.var(ddof=1) / n` for independent
    cases (for `roc_auc` DeLong's variance to rounding); differences of two forecasts have the difference of influences.

    Args:
        y_true: Observations, shape `(n,)`.
        y_pred: Forecasts, as the score takes them.
        score: Name of the score, see `SCORES`.
        sample_weight: Weight of each case, shape `(n,)`.
        **options: What the score itself takes, such as `climatology` or `threshold`.

    Returns:
        Influences, shape `(n,)`, of mean zero; NaN for cases that are left out.

    Raises:
        UnknownNameError: There is no such score.
        DataError: The cases are invalid.

    Example:
        >>> influence([0, 1], [0.1, 0.7], score="brier_score")
        array([-0.04,  0.04])
    """
    chosen = get_score(score)
    valid = chosen.validate(y_true, y_pred, sample_weight)
    values = chosen.linearize(valid, **options).influence
    if valid.kept is None:
        return values
    everywhere = np.full(len(valid.kept), np.nan)
    everywhere[valid.kept] = values
    return everywhere


@keeps_dims("label", "member", "bound")
def score_interval(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    score: str,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    sample_weight: ArrayLike | None = None,
    **options: Any,
) -> Estimate:
    """Estimate a score with its pointwise two-sided interval, over independent cases or groups of cases.

    The interval holds for new cases from the same source and for this trained model; it says nothing of other seeds.

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        y_pred: Forecasts, as the score takes them.
        score: Name of the score, see `SCORES`.
        groups: Labels of groups of cases that are not independent (days, patients), shape `(n,)`, or None. For cases in
            the order of time `np.arange(n) // length` makes blocks.
        level: Nominal coverage.
        sample_weight: Weight of each case, shape `(n,)`.
        **options: What the score itself takes, such as `climatology` or `threshold`.

    Returns:
        Value, standard error and interval, with a `caution` where events or groups are so few that it may cover less
        than it claims (`docs/coverage.md`). A perfect AUC, proportion or Brier score gets Clopper and Pearson's
        one-sided limit; a score that is undefined is NaN throughout; other cases that all cost the same give an
        interval of no width. The Heidke and Gilbert scores of cases with one label only have no interval.

    Raises:
        UnknownNameError: There is no such score.
        DataError: The cases are invalid.
        ValueError: `level` is not between 0 and 1.

    Example:
        >>> print(score_interval([0, 0, 1, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.2, 0.9], score="roc_auc"))
        0.8889 [0.3458, 0.9908] (only 3 events and 3 non-events: may cover less than it claims)
    """
    chosen = get_score(score)
    valid = chosen.validate(y_true, y_pred, sample_weight)
    labels = None if groups is None else valid.keep(groups, "groups")
    return interval_of(chosen, valid, labels, level=level, **options)


def interval_of(
    chosen: Score, valid: Cases, labels: NDArray[Any] | None, *, level: float = 0.95, **options: Any
) -> Estimate:
    """Estimate a score of valid cases with its interval; see `score_interval`."""
    if chosen.name == "roc_auc":
        found = area_interval(valid, labels, level)
    elif chosen.name == "brier_skill_score" and valid.forecast.ndim == 1:
        found = skill_interval(valid, labels, level, **options)
    elif chosen.name == "peirce_skill_score":
        found = _peirce_interval(valid, labels, level, options)
    else:
        found = estimate(chosen.linearize(valid, **options), groups=labels, level=level, scale=chosen.scale)
    return _with_caution(found, chosen, valid, labels, skill=chosen.name == "brier_skill_score")


def _with_caution(
    found: Estimate, chosen: Score, valid: Cases, labels: NDArray[Any] | None, *, skill: bool = False
) -> Estimate:
    of_events = {binary_cases, label_cases, probability_cases, log_loss_cases}
    binary = chosen.validate in of_events and valid.forecast.ndim == 1
    freedom = found.degrees_of_freedom
    return replace(found, caution=caution(valid.observed, labels, binary=binary, freedom=freedom, skill=skill))


def _peirce_interval(valid: Cases, labels: NDArray[Any] | None, level: float, options: Mapping[str, Any]) -> Estimate:
    names = ("probability_of_detection", "probability_of_false_detection")
    linear = [SCORES[name].linearize(valid, **options) for name in names]
    detection, false_detection = (estimate(part, groups=labels, level=level, scale="logit") for part in linear)
    correlation = 0.0
    if labels is not None and detection.standard_error * false_detection.standard_error > 0:
        one, other = (group_sums(part.influence, labels) for part in linear)
        correlation = float(np.corrcoef(one, other)[0, 1])
    return difference_of_proportions(detection, false_detection, correlation)


@keeps_dims("label", "member", "bound")
def score_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_reference: ArrayLike,
    *,
    score: str,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    sample_weight: ArrayLike | None = None,
    **options: Any,
) -> Estimate:
    """Estimate the difference of a score between two forecasts of the same cases, paired case by case.

    Negative means that `y_pred` scores lower, which is better for errors and worse for skill. For AUC this is DeLong's
    test with Student's t.

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        y_pred: Forecasts, as the score takes them.
        y_reference: The forecasts to compare with, same shape.
        score: Name of the score, see `SCORES`.
        groups: Labels of groups of cases that are not independent, shape `(n,)`, or None.
        level: Nominal coverage.
        sample_weight: Weight of each case, shape `(n,)`.
        **options: What the score itself takes.

    Returns:
        Difference (`y_pred` less `y_reference`), standard error and interval. Identical forecasts give 0 with an
        interval of no width; different ones that are both perfect give 0 with an interval of NaN. `caution` as in
        `score_interval`.

    Raises:
        UnknownNameError: There is no such score.
        DataError: The cases are invalid.
        ValueError: `level` is not between 0 and 1.

    Example:
        >>> print(score_difference([0, 1, 1, 0], [0.1, 0.9, 0.7, 0.3], [0.5, 0.5, 0.5, 0.5], score="brier_score"))
        -0.2000 [-0.2735, -0.1265] (only 2 events and 2 non-events: may cover less than it claims)

    References:
        Diebold, F. X. and Mariano, R. S. (1995). Comparing predictive accuracy. Journal of Business and Economic
        Statistics 13. doi 10.1080/07350015.1995.10524599
    """
    if np.shape(y_pred) != np.shape(y_reference):
        raise DataError(f"both forecasts must have the same shape, got {np.shape(y_pred)} and {np.shape(y_reference)}")
    chosen = get_score(score)
    first, second = (chosen.validate(y_true, forecast, sample_weight) for forecast in (y_pred, y_reference))
    labels = None if groups is None else first.keep(groups, "groups")
    if score == "roc_auc":
        return _with_caution(area_difference(first, second, labels, level), chosen, first, labels)
    mine, other = chosen.linearize(first, **options), chosen.linearize(second, **options)
    influences = mine.influence - other.influence
    edge = mine.deciding and not influences.any() and not np.array_equal(first.forecast, second.forecast)
    if edge:  # both perfect (or both worst): nothing varies here, which does not make them equal elsewhere
        influences = np.full(len(influences), np.nan)
    found = estimate(Linearized(mine.value - other.value, influences), groups=labels, level=level)
    return _with_caution(found, chosen, first, labels)
