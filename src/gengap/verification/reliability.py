"""Is a forecast of 30 % right three times in ten? Reliability curves with bands, and calibration error."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gengap.verification.decomposition import ReliabilityBins, bins_of_ranked, recalibrated_values
from gengap.verification.inputs import Floats, multiclass_cases
from gengap.verification.named import keeps_dims
from gengap.verification.plain import numbers
from gengap.verification.ranking import RankedForecasts, ranked_probabilities


def reliability_bins(
    y_true: ArrayLike, y_prob: ArrayLike, *, bins: ArrayLike = 10, sample_weight: ArrayLike | None = None
) -> ReliabilityBins:
    """Mean forecast and event frequency in bins, for the attributes diagram.

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`.
        bins: Number of equally wide bins, or their edges.
        sample_weight: Weight of each case, shape `(n,)`.

    Raises:
        DataError: The cases are invalid, or the edges do not ascend and cover the forecasts.

    Example:
        >>> reliability_bins([0, 0, 1, 1], [0.1, 0.3, 0.7, 0.9], bins=2).frequency
        array([0., 1.])
    """
    return bins_of_ranked(ranked_probabilities(y_true, y_prob, sample_weight), bins)


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """CORP reliability curve: the isotonic recalibration of each forecast value, with a consistency band.

    Attributes:
        forecast: Distinct forecast values, ascending, shape `(k,)`.
        frequency: Recalibrated probability of each, non-decreasing, shape `(k,)`.
        low: Lower end of the consistency band at each value, shape `(k,)`.
        high: Upper end, shape `(k,)`.
        level: Probability that the curve of calibrated forecasts lies in the band.
        coverage: Whether that holds at each value by itself or everywhere at once.
    """

    forecast: Floats
    frequency: Floats
    low: Floats
    high: Floats
    level: float
    coverage: Literal["pointwise", "simultaneous"]


def reliability_curve(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    level: float = 0.95,
    coverage: Literal["pointwise", "simultaneous"] = "pointwise",
    resamples: int = 400,
    seed: int = 0,
    sample_weight: ArrayLike | None = None,
) -> ReliabilityCurve:
    """CORP reliability curve (isotonic regression) with a consistency band.

    A *consistency* band lies around the diagonal: outcomes are drawn again and again from the forecasts themselves, as
    if those were calibrated. A curve that leaves it speaks against calibration. (Confidence bands around the curve by
    the ordinary bootstrap would be inconsistent for isotonic estimates: Sen, Banerjee & Woodroofe 2010.) The band holds
    for independent cases; dependence within days or patients makes the true one wider.

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`.
        level: Coverage of the band.
        coverage: At each value by itself, or at all values at once (widened until whole drawn curves fit).
        resamples: How many times outcomes are drawn.
        seed: Fixes these draws.
        sample_weight: Weight of each case, shape `(n,)`; the band then treats cases of equal value as equally heavy.

    Raises:
        DataError: The cases are invalid.
        ValueError: `level` is not between 0 and 1.

    Example:
        >>> reliability_curve([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9]).frequency
        array([0. , 0.5, 0.5, 1. ])

    References:
        Dimitriadis, T., Gneiting, T. and Jordan, A. I. (2021). doi 10.1073/pnas.2016191118

        Bröcker, J. and Smith, L. A. (2007). Increasing the reliability of reliability diagrams. Weather and
        Forecasting 22. doi 10.1175/WAF993.1
    """
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie between 0 and 1, got {level}")
    ranked = ranked_probabilities(y_true, y_prob, sample_weight)
    coarse = _coarsened(ranked)
    curves = _curves_if_calibrated(coarse, _case_count(y_true, sample_weight), resamples, seed)
    low, high = (
        np.quantile(curves, [(1 - level) / 2, (1 + level) / 2], axis=0)
        if coverage == "pointwise"
        else _widened(curves, coarse.values, level)
    )
    low, high = (np.interp(ranked.values, coarse.values, end) for end in (low, high))
    return ReliabilityCurve(ranked.values, recalibrated_values(ranked), low, high, level, coverage)


def _case_count(y_true: ArrayLike, sample_weight: ArrayLike | None) -> int:
    kept = ~np.isnan(numbers(y_true, "y_true").ravel())
    return int(np.sum(kept if sample_weight is None else kept & (numbers(sample_weight, "sample_weight") > 0)))


def _coarsened(ranked: RankedForecasts, most: int = 1000) -> RankedForecasts:
    """Return at most `most` values for the band: neighbours of many close forecasts count as one, their mean.

    The band is smooth on this scale, and drawing 400 isotonic curves through a million values would take a minute.
    """
    if len(ranked.values) <= most:
        return ranked
    weight = ranked.events + ranked.non_events
    at = np.minimum((np.cumsum(weight) - weight / 2) / ranked.total * most, most - 1).astype(np.int64)
    _, at = np.unique(at, return_inverse=True)
    values, events, total = (
        np.asarray(np.bincount(at, part), dtype=np.float64) for part in (weight * ranked.values, ranked.events, weight)
    )
    return RankedForecasts(values / total, events, total - events)


def _curves_if_calibrated(ranked: RankedForecasts, n: int, resamples: int, seed: int) -> Floats:
    """Return the isotonic curves of outcomes drawn from the forecasts, shape `(resamples, k)`."""
    rng = np.random.default_rng(seed)
    weight = ranked.events + ranked.non_events
    cases_at = np.maximum(1, np.round(weight * (n / ranked.total))).astype(np.int64)
    curves = np.empty((resamples, len(weight)))
    probability = np.clip(ranked.values, 0.0, 1.0)  # a mean of ones can exceed one by a rounding
    for row in curves:
        events = rng.binomial(cases_at, probability) / cases_at * weight
        row[:] = recalibrated_values(RankedForecasts(ranked.values, events, weight - events))
    return curves


def _widened(curves: Floats, centre: Floats, level: float) -> tuple[Floats, Floats]:
    """Return centre less and plus a common multiple of each value's own scale that holds whole curves.

    One half of the curves gives the scales, the other the multiple: under calibration the observed curve is one more
    of that half, so the band holds it with at least the asked probability (the argument of conformal prediction).
    """
    first, second = curves[::2], curves[1::2]
    # no scale below a hundredth: where one half happens not to vary, the other may
    below: Floats = np.maximum(np.sqrt(np.mean(np.minimum(first - centre, 0) ** 2, axis=0)), 0.01)
    above: Floats = np.maximum(np.sqrt(np.mean(np.maximum(first - centre, 0) ** 2, axis=0)), 0.01)
    scale: Floats = np.where(second < centre, below, above)
    largest = np.sort((np.abs(second - centre) / scale).max(axis=1))
    factor = largest[min(int(np.ceil((len(second) + 1) * level)), len(second)) - 1]
    return np.clip(centre - factor * below, 0, 1), np.clip(centre + factor * above, 0, 1)


@keeps_dims()
def expected_calibration_error(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    bins: ArrayLike = 10,
    order: Literal[1, 2] = 1,
    debias: bool = False,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Expected calibration error: mean distance of event frequency from mean forecast, over bins.

    0 is calibrated. **Biased**: chance alone keeps it above 0 for calibrated forecasts, by about
    $\sqrt{2 K \bar p (1 - \bar p) / (\pi n)}$ with K bins and n cases, and forecasts that err inside a bin in both
    directions look better than they are. Not proper: never choose models by it. `debias=True` (order 2 only) subtracts
    the binomial noise of each bin; it can then fall slightly below 0, which is reported as it is.

    $$\mathrm{ECE}_q = \Big(\sum_k \tfrac{n_k}{n} |\bar p_k - \bar o_k|^q\Big)^{1/q}$$

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`.
        bins: Number of equally wide bins, or their edges.
        order: Exponent q; 2 gives the root of Murphy's reliability.
        debias: Whether to subtract what noise adds; the squared error is then returned with its sign as
            `sign * sqrt(|.|)`. Bins of one case say nothing about noise and are left out.
        sample_weight: Weight of each case, shape `(n,)`.

    Raises:
        DataError: The cases are invalid, or the edges do not ascend and cover the forecasts.
        ValueError: `debias` is asked for with order 1 or with weights.

    Example:
        >>> expected_calibration_error([0, 1, 1, 1], [0.4, 0.4, 0.9, 0.9], bins=2)
        0.1

    References:
        Bröcker, J. (2012). Estimating reliability and resolution of probability forecasts through decomposition of the
        empirical score. Climate Dynamics 39. doi 10.1007/s00382-011-1191-1

        Kumar, A., Liang, P. and Ma, T. (2019). Verified uncertainty calibration. NeurIPS 32. arXiv 1909.10155
    """
    if debias and (order != 2 or sample_weight is not None):
        raise ValueError("`debias` needs `order=2` and no weights: only there is the noise of a bin known")
    table = reliability_bins(y_true, y_prob, bins=bins, sample_weight=sample_weight)
    filled = np.flatnonzero(table.weight > float(debias))
    if not len(filled):
        return float("nan")
    weight, forecast, frequency = table.weight[filled], table.forecast[filled], table.frequency[filled]
    distance = np.abs(forecast - frequency) ** order
    if not debias:
        return float(np.average(distance, weights=weight) ** (1 / order))
    noise = frequency * (1 - frequency) / (weight - 1)
    squared = float(np.average(distance - noise, weights=weight))
    return float(np.copysign(np.sqrt(abs(squared)), squared))


@dataclass(frozen=True, eq=False)
class TopLabel:
    """Top-label forecasts of a multiclass task: was the most probable class right, and how sure was the forecast?

    Attributes:
        correct: Whether the most probable class happened, 0/1, shape `(n,)`.
        confidence: Its probability, shape `(n,)`.
    """

    correct: Floats
    confidence: Floats


def top_label(y_true: ArrayLike, y_prob: ArrayLike) -> TopLabel:
    """Reduce multiclass forecasts to their most probable class; all binary scores and diagrams then apply.

    Args:
        y_true: Integer codes, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of each label, shape `(n, labels)`; of equally likely labels the first counts.

    Raises:
        DataError: The cases are invalid.

    Example:
        >>> top_label([0, 2], [[0.6, 0.2, 0.2], [0.5, 0.4, 0.1]]).confidence
        array([0.6, 0.5])
    """
    valid = multiclass_cases(y_true, y_prob)
    top = valid.forecast.argmax(axis=1)
    return TopLabel((top == valid.observed).astype(np.float64), valid.forecast.max(axis=1))


def one_vs_rest(y_true: ArrayLike, *, labels: int) -> Floats:
    """Turn integer codes into one 0/1 column per label, so that binary scores and diagrams apply to each.

    Args:
        y_true: Integer codes, shape `(n,)`; NaN stays NaN.
        labels: Number of labels.

    Returns:
        Indicators, shape `(n, labels)`; column k goes with `y_prob[:, k]`.

    Example:
        >>> one_vs_rest([0, 2], labels=3)
        array([[1., 0., 0.],
               [0., 0., 1.]])
    """
    codes = numbers(y_true, "y_true")[:, None]
    return np.where(np.isnan(codes), np.nan, codes == np.arange(labels))
