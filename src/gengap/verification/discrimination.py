"""Area under the ROC curve and each case's part in it (DeLong's placements)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.verification.estimates import Linearized
from gengap.verification.inputs import Cases, Floats, label_cases
from gengap.verification.named import keeps_dims
from gengap.verification.ranking import rank

_ROUNDING = 1e-12


@keeps_dims(infinite=True)
def roc_auc(y_true: ArrayLike, y_score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Area under the ROC curve: the chance that a random event got a higher forecast than a random non-event.

    1 is perfect, 0.5 is no discrimination; larger is better. Ties count half. Blind to calibration: any rising
    function of the forecasts has the same area.

    $$\mathrm{AUC} = P(p_1 > p_0) + \tfrac12 P(p_1 = p_0)$$

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_score: Probabilities, or any real numbers that rise with the chance of the event, shape `(n,)`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The area, from 0 to 1; NaN where only one label occurs. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes or labels are not what they must be, a forecast is NaN, or no case is left.

    Example:
        >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75

    References:
        Hanley, J. A. and McNeil, B. J. (1982). The meaning and use of the area under a receiver operating
        characteristic (ROC) curve. Radiology 143. doi 10.1148/radiology.143.1.7063747
    """
    return rank(label_cases(y_true, y_score, sample_weight), weighted=sample_weight is not None).area()


def placements(y_true: ArrayLike, y_score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Floats:
    """Placement of each case among those of the other label: DeLong's structural components.

    For an event, the share of non-events with a lower forecast; for a non-event, the share of events with a higher
    one; ties count half. The mean over events is the AUC, and so is the mean over non-events; their variances and,
    for two forecasts of the same cases, their covariances give DeLong's test.

    Args:
        y_true: 0/1, shape `(n,)`.
        y_score: Probabilities, or any real numbers that rise with the chance of the event, shape `(n,)`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        Placements, shape `(n,)`, from 0 to 1; NaN for cases that are left out (no observation, no weight), and for all
        where only one label occurs.

    Raises:
        DataError: Shapes or labels are not what they must be, a forecast is NaN, or no case is left.

    Example:
        >>> placements([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        array([1. , 0.5, 0.5, 1. ])

    References:
        DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988). Comparing the areas under two or more correlated
        receiver operating characteristic curves: a nonparametric approach. Biometrics 44. doi 10.2307/2531595
    """
    valid = label_cases(y_true, y_score, sample_weight)
    placed = _placements(valid, weighted=sample_weight is not None)
    if valid.kept is None:
        return placed
    everywhere = np.full(len(valid.kept), np.nan)
    everywhere[valid.kept] = placed
    return everywhere


def _placements(valid: Cases, *, weighted: bool) -> Floats:
    ranked = rank(valid, weighted=weighted)
    if not ranked.event_total or not ranked.non_event_total:
        return np.full(len(valid.observed), np.nan)
    beaten = (ranked.non_event_total - ranked.false_alarms + ranked.non_events / 2) / ranked.non_event_total
    beating = (ranked.hits - ranked.events / 2) / ranked.event_total
    at = _places(valid.forecast)
    placed = np.where(valid.observed == 1, beaten[at], beating[at])
    if weighted:  # weights sum to their total only up to rounding, and an area of 0 or 1 has an interval of its own
        edge = np.rint(placed)
        placed = np.where(np.abs(placed - edge) <= _ROUNDING, edge, placed)
    return placed


def _places(forecast: Floats) -> NDArray[np.intp]:
    """Return the place of each forecast among the distinct values, ascending: one sort instead of n searches."""
    order = np.argsort(forecast)
    ascending = forecast[order]
    places = np.empty(len(forecast), dtype=np.intp)
    places[order] = np.cumsum(np.append(False, ascending[1:] != ascending[:-1]))
    return places


def linear_roc_auc(valid: Cases) -> Linearized:
    """Return the AUC with each case's influence; without weights and groups its variance is exactly DeLong's.

    With a single event or non-event the influences, and so error and interval, are NaN.
    """
    weight, is_event = valid.weight, valid.observed == 1
    weighted = bool((weight != weight[0]).any())
    placed = _placements(valid, weighted=weighted)
    n, m = len(placed), int(is_event.sum())
    if m in {0, n}:
        return Linearized(np.nan, np.full(n, np.nan))
    value = float(np.average(placed[is_event], weights=weight[is_event]))
    if min(m, n - m) == 1 and 0 < value < 1:
        return Linearized(value, np.full(n, np.nan))  # a single event (or non-event) does not tell how events vary
    totals = np.where(is_event, weight[is_event].sum(), weight[~is_event].sum())
    influence = n * weight / totals * (placed - value)
    # each label's own (m - 1)-denominator, as DeLong has it, instead of the common n - 1
    sizes = np.where(is_event, m, n - m)
    influence *= np.sqrt(sizes / np.maximum(sizes - 1, 1) * (n - 1) / n)
    return Linearized(value, influence, deciding=min(m, n - m))
