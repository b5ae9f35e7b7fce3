"""Scores of forecasts of a real number: points, quantiles and intervals."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.errors import DataError
from gengap.verification.inputs import Cases, Floats, cases
from gengap.verification.losses import (
    case_absolute_errors,
    case_interval_scores,
    case_quantile_scores,
    case_squared_errors,
)
from gengap.verification.named import keeps_dims
from gengap.verification.plain import numbers
from gengap.verification.probability import linear_skill


class Targets(NamedTuple):
    """Validated observations and forecasts of one or several real numbers per case, with weights.

    Attributes:
        observed: Observations, shape `(n,)` or `(n, targets)`.
        forecast: Forecasts, same shape.
        weight: Weights, shape `(n,)`.
        kept: Which of the cases given were kept, shape `(cases given,)`, bool; None for all.
    """

    observed: Floats
    forecast: Floats
    weight: Floats
    kept: NDArray[np.bool_] | None


def target_cases(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Targets:
    """Validate forecasts of one or several targets; a case with any target missing is left out.

    Raises:
        DataError: See `gengap.verification.inputs`.
    """
    observed, forecast = numbers(y_true, "y_true"), numbers(y_pred, "the forecasts")
    if observed.ndim < 2:
        return Targets(*cases(observed, forecast, sample_weight))
    if observed.shape != forecast.shape or observed.ndim != 2:
        raise DataError(f"`y_true` and `y_pred` must have the same shape, got {observed.shape} and {forecast.shape}")
    columns = observed.shape[1]
    marker = np.where(np.isnan(observed).any(axis=1), np.nan, 0.0)
    valid = cases(marker, np.hstack([np.nan_to_num(observed), forecast]), sample_weight, axes=2)
    return Targets(valid.forecast[:, :columns], valid.forecast[:, columns:], valid.weight, valid.kept)


@keeps_dims("label")
def squared_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Mean squared error, in squared units of `y_true`.

    0 is perfect; smaller is better. Proper for the mean. With several targets their mean.

    $$\mathrm{MSE} = \frac{\sum_i w_i (\hat y_i - y_i)^2}{\sum_i w_i}$$

    Args:
        y_true: Observations, shape `(n,)` or `(n, targets)`. Cases where one is NaN are left out.
        y_pred: Forecasts, same shape.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, from 0 upwards. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes differ, a forecast of an observed case is NaN, or no case is left.

    Example:
        >>> squared_error([1.0, 2.0], [2.0, 4.0])
        2.5
    """
    valid = target_cases(y_true, y_pred, sample_weight)
    return float(np.average(case_squared_errors(valid.observed, valid.forecast), weights=valid.weight))


@keeps_dims("label")
def absolute_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Mean absolute error, in units of `y_true`.

    0 is perfect; smaller is better. Proper for the median. With several targets their mean.

    Args:
        y_true: Observations, shape `(n,)` or `(n, targets)`. Cases where one is NaN are left out.
        y_pred: Forecasts, same shape.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, from 0 upwards. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes differ, a forecast of an observed case is NaN, or no case is left.

    Example:
        >>> absolute_error([1.0, 2.0], [2.0, 4.0])
        1.5
    """
    valid = target_cases(y_true, y_pred, sample_weight)
    return float(np.average(case_absolute_errors(valid.observed, valid.forecast), weights=valid.weight))


@keeps_dims("label")
def squared_error_skill_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    climatology: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Mean squared error skill score (MSESS): the share of climatology's squared error that the forecast removes.

    1 is perfect, 0 is no better than always predicting `climatology`, negative is worse. With the evaluated cases'
    own mean as climatology (the default) it is the coefficient of determination $R^2$. Of several targets each has a
    climatology of its own, and squared errors are summed over them (scikit-learn's `"variance_weighted"`).

    $$\mathrm{MSESS} = 1 - \frac{\sum_i w_i (\hat y_i - y_i)^2}{\sum_i w_i (c - y_i)^2}$$

    Args:
        y_true: Observations, shape `(n,)` or `(n, targets)`. Cases where one is NaN are left out.
        y_pred: Forecasts, same shape.
        climatology: Reference forecast, such as the training mean: one number, one for each target, or one for each
            answer; None for the weighted mean of `y_true`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, at most 1; NaN where the reference is perfect. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes differ, a forecast of an observed case is NaN, or no case is left.

    Example:
        >>> squared_error_skill_score([1.0, 2.0, 3.0], [1.0, 2.0, 2.0])
        0.5

    References:
        Murphy, A. H. (1988). Skill scores based on the mean square error. Monthly Weather Review 116.
        doi 10.1175/1520-0493(1988)116<2417:SSBOTM>2.0.CO;2
    """
    valid = target_cases(y_true, y_pred, sample_weight)
    reference = reference_errors(valid, climatology)
    return linear_skill(case_squared_errors(valid.observed, valid.forecast), reference, valid.weight).value


def reference_errors(valid: Cases | Targets, climatology: ArrayLike | None) -> Floats:
    """Return each case's squared error of a reference forecast: `climatology`, or the weighted mean observation.

    Raises:
        DataError: `climatology` is neither one number, nor one for each target, nor one for each answer.
    """
    observed = valid.observed
    if climatology is None:
        given: Floats = np.asarray(np.average(observed, weights=valid.weight, axis=0))
    else:
        given = numbers(climatology, "climatology", squeeze=observed.ndim == 1)
    cases_given = len(observed) if valid.kept is None else len(valid.kept)
    each = (cases_given, *observed.shape[1:])
    if given.shape == each and valid.kept is not None:
        given = given[valid.kept]
    elif given.shape not in {(), each[1:], each}:
        shapes = " or ".join(map(str, dict.fromkeys([each[1:], each])))
        raise DataError(f"`climatology` must be one number or have shape {shapes}, got {given.shape}")
    return case_squared_errors(observed, np.broadcast_to(given, observed.shape))


@keeps_dims()
def quantile_score(
    y_true: ArrayLike, y_pred: ArrayLike, *, quantile: float, sample_weight: ArrayLike | None = None
) -> float:
    r"""Quantile (pinball) score: the proper score of a forecast of a quantile, in units of `y_true`.

    0 is perfect; smaller is better. At level 0.5 it is half the mean absolute error.

    $$\mathrm{QS}_\tau = \overline{(\mathbb 1\{y \le q\} - \tau)(q - y)}$$

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        y_pred: Forecasts of the quantile, shape `(n,)`.
        quantile: Its level, between 0 and 1.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, from 0 upwards. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes differ, a forecast of an observed case is NaN, or no case is left.
        ValueError: `quantile` is not between 0 and 1.

    Example:
        >>> quantile_score([3.0, 3.0], [1.0, 5.0], quantile=0.9)
        1.0

    References:
        Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46. doi 10.2307/1913643
    """
    valid = cases(y_true, y_pred, sample_weight)
    scores = case_quantile_scores(valid.observed, valid.forecast, quantile=quantile)
    return float(np.average(scores, weights=valid.weight))


@keeps_dims("bound")
def interval_score(
    y_true: ArrayLike, y_interval: ArrayLike, *, coverage: float = 0.9, sample_weight: ArrayLike | None = None
) -> float:
    r"""Interval (Winkler) score: mean width of the intervals plus a fine for each miss, in units of `y_true`.

    Smaller is better. Proper for the central interval of the given coverage, so it cannot be gamed by width or by
    coverage alone.

    $$\mathrm{IS} = \overline{(u - l) + \tfrac{2}{\alpha}(l - y)_+ + \tfrac{2}{\alpha}(y - u)_+},
    \quad \alpha = 1 - \text{coverage}$$

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        y_interval: Lower and upper end, shape `(n, 2)`; in labelled arrays the dim `bound`.
        coverage: Nominal coverage.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, from 0 upwards. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes differ, an end is NaN or above the other, or no case is left.
        ValueError: `coverage` is not between 0 and 1.

    Example:
        >>> interval_score([1.0, 3.0], [[0.0, 2.0], [0.0, 2.0]], coverage=0.9)
        12.0

    References:
        Gneiting, T. and Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and estimation. Journal of
        the American Statistical Association 102. doi 10.1198/016214506000001437
    """
    valid = _interval_cases(y_true, y_interval, sample_weight)
    return float(
        np.average(case_interval_scores(valid.observed, valid.forecast, coverage=coverage), weights=valid.weight)
    )


@keeps_dims("bound", infinite=True)
def interval_coverage(y_true: ArrayLike, y_interval: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Share of observations inside their interval, ends included; to be compared with the nominal level.

    An end may be infinite.

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        y_interval: Lower and upper end, shape `(n, 2)`; in labelled arrays the dim `bound`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The share, from 0 to 1. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes differ, an end is NaN or above the other, or no case is left.

    Example:
        >>> interval_coverage([1.0, 3.0], [[0.0, 2.0], [0.0, 2.0]])
        0.5
    """
    valid = _interval_cases(y_true, y_interval, sample_weight, infinite=True)
    inside = (valid.forecast[:, 0] <= valid.observed) & (valid.observed <= valid.forecast[:, 1])
    return float(np.average(inside, weights=valid.weight))


def _interval_cases(
    y_true: ArrayLike, y_interval: ArrayLike, sample_weight: ArrayLike | None, *, infinite: bool = False
) -> Cases:
    valid = cases(y_true, y_interval, sample_weight, axes=2, infinite=infinite)
    if valid.forecast.shape[1] != 2:
        raise DataError(f"`y_interval` must have shape (n, 2): lower and upper end, got {np.shape(y_interval)}")
    if (valid.forecast[:, 0] > valid.forecast[:, 1]).any():
        raise DataError("`y_interval` must hold the lower end first, got a lower end above its upper end")
    return valid
