r"""Intervals of the area under the ROC curve that hold with few events, too.

DeLong's variance rests on how the placements of the scarcer label vary. With two or three events it is a matter of
luck: placements that happen to agree give an interval of almost no width, and a single event gives none at all. So
the estimate $\hat V$ with its $f$ degrees of freedom is moderated by what Hanley and McNeil's model expects for an
area of this size, $V_0(\theta)$, as if that were worth $k$ more degrees of freedom:

$$r = \frac{f \hat V / V_0(\hat\theta) + k}{f + k}, \qquad
(\hat\theta - \theta)^2 = t^2_{f + k}\, r\, V_0(\theta)$$

The ends are the solutions $\theta$ of the second equation: the variance is taken at the end itself, as in Wilson's
interval of a proportion, which keeps the ends inside 0 to 1. With many events $r V_0$ is DeLong's variance. An area of
exactly 0 or 1 gets Clopper and Pearson's limit for as many trials as the scarcer label has cases (or groups). $k$ is 5
for independent cases and 3 for groups, of whose dependence the model knows nothing; both were chosen by simulation,
over forecasts of nine kinds. What the intervals cover is measured in `docs/coverage.md`.

References:
    Hanley, J. A. and McNeil, B. J. (1982). doi 10.1148/radiology.143.1.7063747

    Newcombe, R. G. (2006). Confidence intervals for an effect size measure based on the Mann-Whitney statistic. Part
    2. Statistics in Medicine 25. doi 10.1002/sim.2324

    Smyth, G. K. (2004). Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments (moderated variances). doi 10.2202/1544-6115.1027
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gengap.verification.discrimination import linear_roc_auc
from gengap.verification.estimates import Estimate, Linearized, estimate, group_sums, standard_error
from gengap.verification.inputs import Cases, Floats

_ROUNDING = 1e-12
_WORTH_CASES, _WORTH_GROUPS = 5.0, 3.0
"""Degrees of freedom that the model's variance counts for."""


class _Sizes(NamedTuple):
    """Effective numbers of events and non-events."""

    events: float
    non_events: float

    def variance(self, area: float) -> float:
        """Hanley and McNeil's variance of an area; the scarcer label takes the larger of the model's two parts."""
        few, many = sorted(self)
        square = area**2
        one, other = sorted((area / (2 - area) - square, 2 * square / (1 + area) - square))
        return (area * (1 - area) + max(few - 1, 0) * one + max(many - 1, 0) * other) / (few * many)


def area_interval(valid: Cases, groups: NDArray[Any] | None, level: float) -> Estimate:
    """Estimate the area under the ROC curve with its interval.

    Args:
        valid: The cases.
        groups: Group of each case, or None where cases are independent.
        level: Nominal coverage.
    """
    linear = linear_roc_auc(valid)
    if groups is not None and linear.deciding:
        linear = replace(linear, deciding=min(len(np.unique(groups[valid.observed == outcome])) for outcome in (0, 1)))
    plain = estimate(linear, groups=groups, level=level)
    area = linear.value
    if math.isnan(area) or np.abs(linear.influence).max() < _ROUNDING:  # one label, all tie, or the area is 0 or 1
        return plain
    if groups is not None and plain.groups < 2:  # one group says nothing of how groups differ, and no model does
        return plain
    from scipy.stats import t

    variance, freedom = _observed(linear, groups)
    sizes = _effective_sizes(valid)
    worth = _WORTH_CASES if groups is None else _WORTH_GROUPS
    ratio = (freedom * variance / sizes.variance(area) + worth) / (freedom + worth)
    reach = float(t.ppf(0.5 + level / 2, freedom + worth)) ** 2 * ratio

    def excess(theta: float) -> float:
        return (area - theta) ** 2 - reach * sizes.variance(theta)

    low, high = _root(excess, 0.0, area), _root(excess, 1.0, area)
    return replace(plain, low=low, high=high, degrees_of_freedom=freedom + worth)


def area_difference(one: Cases, other: Cases, groups: NDArray[Any] | None, level: float) -> Estimate:
    """Estimate the difference of the areas of two forecasts of the same cases, with its interval.

    The model's variance of a difference needs the correlation of the two areas: that of the forecasts' ranks within
    each label, which many non-events tell even where events are few (Hanley & McNeil 1983).

    Args:
        one: The cases with the first forecast.
        other: The same cases with the second forecast.
        groups: Group of each case, or None where cases are independent.
        level: Nominal coverage.
    """
    first, second = linear_roc_auc(one), linear_roc_auc(other)
    influences = first.influence - second.influence
    difference = Linearized(first.value - second.value, influences)
    plain = estimate(difference, groups=groups, level=level)
    if math.isnan(difference.value) or np.array_equal(one.forecast, other.forecast):
        return plain
    if groups is not None and plain.groups < 2:
        return plain
    if not influences.any():  # both perfect (or worst): nothing varies here, which does not make them equal elsewhere
        return replace(plain, standard_error=math.nan, low=math.nan, high=math.nan)
    from scipy.stats import t

    variance, freedom = _observed(difference, groups)
    sizes = _effective_sizes(one)
    own, its = (sizes.variance(_off_the_edge(area, sizes)) for area in (first.value, second.value))
    expected = own + its - 2 * _rank_correlation(one, other) * math.sqrt(own * its)
    worth = _WORTH_CASES if groups is None else _WORTH_GROUPS
    moderated = (freedom * variance + worth * expected) / (freedom + worth)
    half = float(t.ppf(0.5 + level / 2, freedom + worth)) * math.sqrt(moderated)
    low, high = max(difference.value - half, -1.0), min(difference.value + half, 1.0)
    return replace(plain, low=low, high=high, degrees_of_freedom=freedom + worth)


def _observed(linear: Linearized, groups: NDArray[Any] | None) -> tuple[float, float]:
    """Return DeLong's variance (over groups) with its degrees of freedom; none where a single event tells nothing."""
    error, freedom = standard_error(group_sums(linear.influence, groups))
    return (error**2, freedom) if math.isfinite(error) else (0.0, 0.0)


def _effective_sizes(valid: Cases) -> _Sizes:
    """Return how many events and non-events count, fewer where weights differ (Kish)."""
    weights = (valid.weight[valid.observed == outcome] for outcome in (1, 0))
    return _Sizes(*(float(weight.sum() ** 2 / (weight**2).sum()) for weight in weights))


def _off_the_edge(area: float, sizes: _Sizes) -> float:
    """Return the area, moved half a case away from 0 and 1, where the model knows no variance."""
    half = min(0.5 / min(sizes), 0.5)
    return min(max(area, half), 1 - half)


def _rank_correlation(one: Cases, other: Cases) -> float:
    from scipy.stats import rankdata

    def within_labels(valid: Cases) -> Floats:
        ranks = np.empty(len(valid.observed))
        for of in (valid.observed == 1, valid.observed == 0):
            place = rankdata(valid.forecast[of]) / max(int(of.sum()), 1)
            ranks[of] = place - place.mean()
        return ranks

    a, b = within_labels(one), within_labels(other)
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale else 0.0


def _root(excess: Callable[[float], float], end: float, area: float) -> float:
    """Return where the function changes its sign between an end of the scale and the area."""
    from scipy.optimize import brentq

    tiny = 1e-12
    far, near = end + math.copysign(tiny, area - end), area + math.copysign(tiny, end - area)
    if excess(far) <= 0:
        return end
    return near if excess(near) >= 0 else float(brentq(excess, far, near))
