"""ROC and performance curves: a yes/no forecast's scores at every threshold that makes a difference."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gengap.verification.contingency_table import contingency_of_ranked
from gengap.verification.inputs import Floats, label_cases
from gengap.verification.ranking import RankedForecasts, rank, ranked_probabilities


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Detection against false detection, from "never yes" to "always yes".

    Attributes:
        threshold: Smallest forecast that counts as yes, descending from infinity, shape `(k,)`.
        probability_of_detection: Share of events forecast, shape `(k,)`.
        probability_of_false_detection: Share of non-events forecast, shape `(k,)`.
        area: Area under the curve.
    """

    threshold: Floats
    probability_of_detection: Floats
    probability_of_false_detection: Floats
    area: float


@dataclass(frozen=True, eq=False)
class PerformanceCurve:
    """Detection against success ratio, with bias and critical success index, at each threshold (Roebber's diagram).

    Attributes:
        threshold: Smallest forecast that counts as yes, descending, shape `(k,)`.
        probability_of_detection: Share of events forecast, shape `(k,)`.
        success_ratio: Share of forecasts of the event that came true, shape `(k,)`.
        critical_success_index: Hits among events and forecasts of events, shape `(k,)`.
        frequency_bias: Forecasts of the event per event, shape `(k,)`.
        base_rate: Share of events: the success ratio of always predicting the event.
    """

    threshold: Floats
    probability_of_detection: Floats
    success_ratio: Floats
    critical_success_index: Floats
    frequency_bias: Floats
    base_rate: float


def roc_curve(y_true: ArrayLike, y_score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> RocCurve:
    """ROC curve: probability of detection against probability of false detection.

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_score: Probabilities, or any real numbers that rise with the chance of the event, shape `(n,)`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The curve, one point per distinct forecast value that turns it, from (0, 0) to (1, 1). With one label only,
        the share of the absent one is NaN.

    Raises:
        DataError: Shapes or labels are not what they must be, a forecast is NaN, or no case is left.

    Example:
        >>> roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).probability_of_detection
        array([0. , 0.5, 0.5, 1. , 1. ])

    References:
        Mason, I. (1982). A model for assessment of weather forecasts. Australian Meteorological Magazine 30.
    """
    return roc_curve_of_ranked(rank(label_cases(y_true, y_score, sample_weight), weighted=sample_weight is not None))


def roc_curve_of_ranked(ranked: RankedForecasts) -> RocCurve:
    """Return the ROC curve of forecasts that are sorted already, without points inside straight steps."""
    hits, false_alarms = ranked.hits[::-1], ranked.false_alarms[::-1]
    turns = np.flatnonzero(_turning(hits, false_alarms))
    return RocCurve(
        threshold=np.append(np.inf, ranked.values[::-1][turns]),
        probability_of_detection=np.append(0.0, _share(hits[turns], ranked.event_total)),
        probability_of_false_detection=np.append(0.0, _share(false_alarms[turns], ranked.non_event_total)),
        area=ranked.area(),
    )


def performance_curve(
    y_true: ArrayLike, y_prob: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> PerformanceCurve:
    """Performance curve: probability of detection against success ratio at every distinct probability.

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The curve; detection and critical success index are NaN where no event occurs.

    Raises:
        DataError: Shapes, labels or probabilities are not what they must be, or no case is left.

    Example:
        >>> performance_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).frequency_bias
        array([0.5, 1. , 1.5, 2. ])

    References:
        Roebber, P. J. (2009). Visualizing multiple measures of forecast quality. Weather and Forecasting 24.
        doi 10.1175/2008WAF2222159.1
    """
    return performance_curve_of_ranked(ranked_probabilities(y_true, y_prob, sample_weight))


def performance_curve_of_ranked(ranked: RankedForecasts) -> PerformanceCurve:
    """Return the performance curve of forecasts that are sorted already."""
    threshold = ranked.values[::-1]
    table = contingency_of_ranked(ranked, threshold)
    return PerformanceCurve(
        threshold,
        table.probability_of_detection,
        table.success_ratio,
        table.critical_success_index,
        table.frequency_bias,
        ranked.base_rate,
    )


def _turning(hits: Floats, false_alarms: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mark the points where a curve of horizontal, vertical and slanted steps changes direction, and its last."""
    up, right = np.diff(hits, prepend=0.0) > 0, np.diff(false_alarms, prepend=0.0) > 0
    keep = np.ones(len(hits), dtype=np.bool_)
    straight = (up[:-1] ^ right[:-1]) & (up[:-1] == up[1:]) & (right[:-1] == right[1:])
    keep[:-1] = ~straight
    return keep


def _share(part: Floats, whole: float) -> Floats:
    return part / whole if whole else np.full(len(part), np.nan)
