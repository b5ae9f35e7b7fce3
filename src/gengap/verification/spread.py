"""Does the spread know the error? Spread-skill ratio and reliability, and the discard test.

For a regression, an ensemble is calibrated when its spread equals its error. For probabilities against 0/1 outcomes
it cannot be: even exactly right epistemic spread has a spread-skill ratio far below 1, because most of the error is
the coin that nature tosses. There the discard test, which only asks whether uncertain cases are worse, is meaningful.
"""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gengap.errors import DataError, StatisticsWarning
from gengap.verification.inputs import Cases, Floats, cases, spread_cases
from gengap.verification.named import keeps_dims


def _centre_and_spread(
    y_true: ArrayLike, y_pred: ArrayLike, *, spread: ArrayLike | None, sample_weight: ArrayLike | None
) -> tuple[Cases, Floats]:
    """Validate an ensemble `(n, members)`, or central forecasts `(n,)` with their spread; return centre and spread.

    Raises:
        DataError: See `gengap.verification.inputs`; or fewer than two members; or a negative spread.
    """
    if spread is None:
        valid = cases(y_true, y_pred, sample_weight, axes=2)
        if valid.forecast.shape[1] < 2:
            raise DataError("an ensemble needs at least two members to have a spread, got 1")
        width = valid.forecast.std(axis=1, ddof=1)
        valid = valid._replace(forecast=valid.forecast.mean(axis=1))
    else:
        valid, width = spread_cases(y_true, y_pred, spread, sample_weight)
    if np.array_equal(np.unique(valid.observed), [0, 1]):
        warnings.warn(
            "All observations are 0 or 1: the spread of probabilities cannot be calibrated against outcomes, not even "
            "when it is exactly right; use the discard test or a proper score of the mean forecast.",
            StatisticsWarning,
            stacklevel=4,
        )
    return valid, width


@keeps_dims("member")
def spread_skill_ratio(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    spread: ArrayLike | None = None,
    average: Literal["mean", "root_mean_square"] = "mean",
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Spread-skill ratio (SSRAT): mean spread over root-mean-square error of the centre.

    1 is calibrated on the whole, below 1 overconfident, above 1 underconfident.

    $$\mathrm{SSRAT} = \overline{s} \Big/ \sqrt{\overline{(\hat y - y)^2}}$$

    `average="mean"` is Haynes et al.'s, comparable with published values; it stays below 1 for calibrated
    forecasts whose spread varies (Jensen). `"root_mean_square"` is 1 for calibrated ensembles of any size: it averages
    variances and, for m members, multiplies by (m + 1) / m.

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        y_pred: Members, shape `(n, members)` (dim `member`); or the centre, shape `(n,)`, with `spread`.
        spread: Standard deviation of each forecast, shape `(n,)`, or None for that of the members (divisor m - 1).
        average: How spreads are averaged.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The ratio, from 0 upwards; infinite where every centre is exact. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes differ, a forecast of an observed case is NaN, a spread is negative, fewer than two members.

    Example:
        >>> spread_skill_ratio([1.0, 5.0], [2.0, 4.0], spread=[0.5, 0.5])
        0.5

    References:
        Haynes, K. et al. (2023). doi 10.1175/AIES-D-22-0061.1

        Fortin, V., Abaza, M., Anctil, F. and Turcotte, R. (2014). Why should ensemble spread match the RMSE of the
        ensemble mean? Journal of Hydrometeorology 15. doi 10.1175/JHM-D-14-0008.1
    """
    valid, width = _centre_and_spread(y_true, y_pred, spread=spread, sample_weight=sample_weight)
    error = np.sqrt(np.average((valid.forecast - valid.observed) ** 2, weights=valid.weight))
    if average == "mean":
        typical = np.average(width, weights=valid.weight)
    else:
        members = np.shape(y_pred)[-1] if spread is None else np.inf
        typical = np.sqrt(np.average(width**2, weights=valid.weight) * (1 + 1 / members))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.divide(typical, error))


@dataclass(frozen=True, eq=False)
class SpreadSkillCurve:
    """Error as a function of spread, in bins of equally many cases.

    Attributes:
        spread: Mean spread in each bin, shape `(k,)`, ascending.
        error: Root-mean-square error in each bin, shape `(k,)`.
        weight: Weight of the cases of each bin, shape `(k,)`.
        reliability: SSREL, the weighted mean of |error - spread| over the bins; 0 is perfect.
        ratio: SSRAT, the mean spread over the root-mean-square error of all cases; 1 is calibrated.
    """

    spread: Floats
    error: Floats
    weight: Floats
    reliability: float
    ratio: float


def spread_skill_curve(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    spread: ArrayLike | None = None,
    bins: int = 10,
    sample_weight: ArrayLike | None = None,
) -> SpreadSkillCurve:
    r"""Spread-skill diagram: error in classes of spread, with reliability (SSREL) and ratio (SSRAT).

    $$\mathrm{SSREL} = \sum_k \frac{N_k}{N} \left| \mathrm{RMSE}_k - \overline{s}_k \right|$$

    Haynes et al. cut the spread's range into equal widths; here each bin holds equally many cases (equal spreads stay
    together), so that no bin rests on a handful.

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        y_pred: Members, shape `(n, members)`; or the centre, shape `(n,)`, with `spread`.
        spread: Standard deviation of each forecast, shape `(n,)`, or None for that of the members.
        bins: Number of bins at most.
        sample_weight: Weight of each case, shape `(n,)`.

    Raises:
        DataError: Shapes differ, a forecast of an observed case is NaN, a spread is negative, fewer than two members.

    Example:
        >>> curve = spread_skill_curve([0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 3.0, 3.0], spread=[1.0, 1.0, 2.0, 2.0], bins=2)
        >>> curve.error, curve.reliability
        (array([1., 3.]), 0.5)

    References:
        Haynes, K. et al. (2023). doi 10.1175/AIES-D-22-0061.1
    """
    valid, width = _centre_and_spread(y_true, y_pred, spread=spread, sample_weight=sample_weight)
    edges = np.unique(np.quantile(width, np.linspace(0, 1, bins + 1)[1:-1])) if bins > 1 else np.array([])
    _, bin_of = np.unique(np.searchsorted(edges, width, side="right"), return_inverse=True)
    total = np.bincount(bin_of, weights=valid.weight)
    mean_spread = np.bincount(bin_of, weights=valid.weight * width) / total
    squared = valid.weight * (valid.forecast - valid.observed) ** 2
    error = np.sqrt(np.bincount(bin_of, weights=squared) / total)
    overall = np.sqrt(squared.sum() / total.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.divide(np.average(width, weights=valid.weight), overall))
    reliability = float(np.average(np.abs(error - mean_spread), weights=total))
    return SpreadSkillCurve(mean_spread, error, np.asarray(total, dtype=np.float64), reliability, ratio)


@dataclass(frozen=True, eq=False)
class DiscardCurve:
    """Mean loss of the cases that are left when the most uncertain ones are discarded.

    Attributes:
        fraction: Share of cases discarded, ascending from 0, shape `(k,)`.
        loss: Mean loss of the rest, shape `(k,)`.
        monotonicity_fraction: Share of the steps at which the loss does not rise; 1 is perfect.
        improvement: Mean fall of the loss per step; larger is better.
    """

    fraction: Floats
    loss: Floats
    monotonicity_fraction: float
    improvement: float


def discard_curve(
    losses: ArrayLike,
    uncertainty: ArrayLike,
    *,
    fractions: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> DiscardCurve:
    r"""Discard test: does the loss fall as the most uncertain cases are set aside?

    Works for every task, as it asks for the order of the uncertainties only.

    $$\mathrm{MF} = \frac{1}{k-1} \sum_j \mathbb 1\{\epsilon_j \ge \epsilon_{j+1}\}, \qquad
    \mathrm{DI} = \frac{1}{k-1} \sum_j (\epsilon_j - \epsilon_{j+1})$$

    Args:
        losses: Loss of each case, shape `(n,)`, such as `case_brier_scores` gives; NaN (no observation) is left out.
        uncertainty: Uncertainty of each case, shape `(n,)`, in any units. Equal ones are discarded in equal parts.
        fractions: Shares to discard, ascending from 0, below 1; None for 0, 0.1 ... 0.9.
        sample_weight: Weight of each case, shape `(n,)`.

    Raises:
        DataError: Shapes differ, an uncertainty is NaN, no case is left, or `fractions` do not ascend from 0.

    Example:
        >>> curve = discard_curve([4.0, 1.0, 1.0, 0.0], [9.0, 2.0, 3.0, 1.0], fractions=[0.0, 0.25, 0.75])
        >>> curve.loss.round(3), curve.monotonicity_fraction
        (array([1.5  , 0.667, 0.   ]), 1.0)

    References:
        Haynes, K. et al. (2023). doi 10.1175/AIES-D-22-0061.1; Barnes, E. A. and Barnes, R. J. (2021). Controlled
        abstention neural networks for identifying skillful predictions for regression problems. Journal of Advances in
        Modeling Earth Systems 13. doi 10.1029/2021MS002575
    """
    valid = cases(losses, uncertainty, sample_weight, infinite=True, name="losses")
    shares = np.arange(10) / 10 if fractions is None else np.asarray(fractions, dtype=np.float64)
    if len(shares) < 2 or shares[0] != 0 or (np.diff(shares) <= 0).any() or shares[-1] >= 1:
        raise DataError(f"`fractions` must ascend from 0 and stay below 1, got {shares}")
    # cumulated weight and loss from the most certain case on; ties shared, so the order of the input cannot matter
    values, at = np.unique(valid.forecast, return_inverse=True)
    weight = np.bincount(at, weights=valid.weight, minlength=len(values))
    loss = np.bincount(at, weights=valid.weight * valid.observed, minlength=len(values))
    kept_weight = (1 - shares) * weight.sum()
    cumulated = np.interp(kept_weight, np.append(0, np.cumsum(weight)), np.append(0, np.cumsum(loss)))
    mean = cumulated / kept_weight
    steps = -np.diff(mean)
    # a step of rounding size is no rise
    falls = steps >= -1e-12 * np.abs(mean).max()
    return DiscardCurve(shares, mean, float(np.mean(falls)), float(np.mean(steps)))
