"""Brier score, log loss and their skill, for two labels or several; exact, from every forecast, without bins."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from gengap.errors import DataError
from gengap.verification.estimates import Linearized
from gengap.verification.inputs import Cases, Floats, binary_cases, multiclass_cases
from gengap.verification.losses import (
    case_brier_scores,
    case_log_losses,
    case_ranked_probability_scores,
    epsilon_of,
)
from gengap.verification.named import keeps_dims
from gengap.verification.plain import numbers, plain


def probability_cases(y_true: ArrayLike, y_prob: ArrayLike, sample_weight: ArrayLike | None = None) -> Cases:
    """Validate probabilities of label 1, shape `(n,)` or `(n, 1)`, or of every label, shape `(n, labels)`.

    Raises:
        DataError: See `gengap.verification.inputs`.
    """
    try:
        shape = np.shape(plain(y_prob))
    except ValueError as error:
        raise DataError(f"the forecasts must hold real numbers in an array of one shape; {error}") from error
    several = len(shape) == 2 and shape[1] > 1
    return (multiclass_cases if several else binary_cases)(y_true, y_prob, sample_weight)


def log_loss_cases(y_true: ArrayLike, y_prob: ArrayLike, sample_weight: ArrayLike | None = None) -> Cases:
    """Validate probabilities and clip them at the machine epsilon of the dtype they came in.

    Raises:
        DataError: See `gengap.verification.inputs`.
    """
    valid = probability_cases(y_true, y_prob, sample_weight)
    tiny = epsilon_of(y_prob)
    return valid._replace(forecast=np.clip(valid.forecast, tiny, 1 - tiny))


@keeps_dims("label")
def brier_score(y_true: ArrayLike, y_prob: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Brier score: the mean squared difference between probability and outcome.

    0 is perfect; smaller is better; always predicting the base rate $\bar o$ scores $\bar o (1 - \bar o)$. Strictly
    proper. With several labels the squares are summed over them (Brier's own definition), so it reaches 2.

    $$\mathrm{BS} = \frac{\sum_i w_i (p_i - o_i)^2}{\sum_i w_i}$$

    Args:
        y_true: 0/1, or integer codes, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`, or of each label, shape `(n, labels)`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, from 0 to 1 (to 2 for several labels). Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes, labels or probabilities are not what they must be, or no case is left.

    Example:
        >>> brier_score([0, 1, 1], [0.1, 0.9, 0.7])
        0.0366...

    References:
        Brier, G. W. (1950). Verification of forecasts expressed in terms of probability. Monthly Weather Review 78.
        doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
    """
    return mean_loss(case_brier_scores, probability_cases(y_true, y_prob, sample_weight))


@keeps_dims("label")
def log_loss(y_true: ArrayLike, y_prob: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Log loss (ignorance, cross-entropy): the mean of $-\log$ of the probability given to what happened, in nats.

    0 is perfect; smaller is better; a coin flip for two labels scores $\log 2$. Strictly proper and local.
    Probabilities are clipped at the machine epsilon of their dtype, as scikit-learn does.

    Args:
        y_true: 0/1, or integer codes, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`, or of each label, shape `(n, labels)`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, from 0 upwards. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes, labels or probabilities are not what they must be, or no case is left.

    Example:
        >>> log_loss([1, 1], [0.5, 1.0])
        0.3465...

    References:
        Good, I. J. (1952). Rational decisions. Journal of the Royal Statistical Society B 14.
    """
    return mean_loss(case_log_losses, log_loss_cases(y_true, y_prob, sample_weight))


@keeps_dims("label")
def ranked_probability_score(y_true: ArrayLike, y_prob: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Ranked probability score: the Brier scores of "at most label k", summed, for labels that have an order.

    0 is perfect; smaller is better; a near miss costs less than a far one. Strictly proper. Not divided by the number
    of labels, so that two labels give the Brier score.

    $$\mathrm{RPS} = \overline{\sum_{k=1}^{K-1} \Big(\sum_{j \le k} p_j - \sum_{j \le k} o_j\Big)^2}$$

    Args:
        y_true: Integer codes in the order of the labels, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of each label, shape `(n, labels)`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, from 0 to `labels - 1`. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes, codes or probabilities are not what they must be, or no case is left.

    Example:
        >>> ranked_probability_score([2], [[0.2, 0.3, 0.5]])
        0.29...

    References:
        Epstein, E. S. (1969). A scoring system for probability forecasts of ranked categories. Journal of Applied
        Meteorology 8. doi 10.1175/1520-0450(1969)008<0985:ASSFPF>2.0.CO;2
    """
    return mean_loss(case_ranked_probability_scores, multiclass_cases(y_true, y_prob, sample_weight))


@keeps_dims("label")
def brier_skill_score(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    climatology: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Brier skill score: the share of climatology's Brier score that the forecast removes.

    1 is perfect, 0 is no better than always predicting `climatology`, negative is worse.

    $$\mathrm{BSS} = 1 - \frac{\sum_i w_i (p_i - o_i)^2}{\sum_i w_i (c - o_i)^2}$$

    Two climatologies are in use, and they give different numbers: the base rate of the *evaluated* cases (the default;
    nobody could have forecast it, so it is a little too good a reference) and that of the *training* cases (give it).

    Args:
        y_true: 0/1, or integer codes, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`, or of each label, shape `(n, labels)`.
        climatology: Reference probability of label 1, or of each label, shape `(labels,)`; None for the weighted
            base rate of `y_true`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, at most 1; NaN where the reference is perfect (only one label occurs and climatology says so).
        Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes, labels or probabilities are not what they must be, or no case is left.

    Example:
        >>> brier_skill_score([0, 0, 1, 1], [0.0, 0.5, 0.5, 1.0])
        0.5
        >>> brier_skill_score([0, 0, 1, 1], [0.0, 0.5, 0.5, 1.0], climatology=0.25)
        0.6

    References:
        Murphy, A. H. (1973). Hedging and skill scores for probability forecasts. Journal of Applied Meteorology 12.
    """
    valid = probability_cases(y_true, y_prob, sample_weight)
    return linear_brier_skill_score(valid, climatology=climatology).value


def reference_forecast(valid: Cases, climatology: ArrayLike | None = None) -> Floats:
    """Return the climatological forecast of every case, shape as the forecasts: `climatology` or the base rate.

    Raises:
        DataError: `climatology` has another number of labels or is not a probability.
    """
    if climatology is None:
        truth = _indicator(valid)
        given: Floats = np.asarray(np.average(truth, weights=valid.weight, axis=0))
    else:
        given = numbers(climatology, "climatology", squeeze=False)
        if given.shape != valid.forecast.shape[1:]:
            raise DataError(
                f"`climatology` must have shape {valid.forecast.shape[1:]}, as one forecast, got {given.shape}"
            )
    reference = np.broadcast_to(given, valid.forecast.shape)
    return probability_cases(valid.observed, reference).forecast


def linear_brier_skill_score(valid: Cases, *, climatology: ArrayLike | None = None) -> Linearized:
    """Return the Brier skill score with each case's influence; with the base rate as reference, its error counts too.

    With c the base rate, the reference score's derivative with respect to c is zero (the mean minimizes squared
    error), so a ratio of two means is all that is left in either case.
    """
    own = case_brier_scores(valid.observed, valid.forecast)
    reference = case_brier_scores(valid.observed, reference_forecast(valid, climatology))
    return linear_skill(own, reference, valid.weight)


def linear_skill(own: Floats, reference: Floats, weight: Floats) -> Linearized:
    """Return 1 - mean(own) / mean(reference) with each case's influence (the delta method).

    Args:
        own: Loss of each case, shape `(n,)`.
        reference: Loss of the reference forecast in each case, shape `(n,)`.
        weight: Weight of each case, shape `(n,)`.
    """
    share = weight / weight.mean()
    numerator, denominator = float(np.mean(share * own)), float(np.mean(share * reference))
    if denominator == 0.0:
        return Linearized(np.nan, np.full(len(own), np.nan))
    ratio = numerator / denominator
    return Linearized(1 - ratio, -share * (own - ratio * reference) / denominator)


def linear_mean(losses: Floats, weight: Floats) -> Linearized:
    """Return the weighted mean of the losses with each case's influence.

    Args:
        losses: Loss of each case, shape `(n,)`.
        weight: Weight of each case, shape `(n,)`.
    """
    share = weight / weight.mean()
    value = float(np.mean(share * losses))
    return Linearized(value, share * (losses - value))


def mean_loss(loss: Callable[[Floats, Floats], Floats], valid: Cases) -> float:
    """Return the weighted mean of a per-case loss."""
    return float(np.average(loss(valid.observed, valid.forecast), weights=valid.weight))


def _indicator(valid: Cases) -> Floats:
    if valid.forecast.ndim == 1:
        return valid.observed
    return np.asarray(np.eye(valid.forecast.shape[1])[valid.observed.astype(np.int64)])
