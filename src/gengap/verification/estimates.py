r"""A score with its interval, from the influence that each case has on it.

Every smooth score $\theta$ has an influence value $I_i$ for each case: how much the score moves per unit of extra
weight on that case, with $\sum_i I_i = 0$. The sampling variance of the score is that of the mean of the $I_i$; cases
that are not independent (storms of one day) are summed within their group first. One line of arithmetic so serves
means, skill scores, AUC (where it is DeLong's variance) and contingency scores, with groups, with weights, and for
the difference of two forecasts of the same cases.

The degrees of freedom of Student's t are those of the variance estimate itself, $2G / (\kappa - 1)$ with $\kappa$ the
kurtosis of the (summed) influences, at most $G - 1$: with few events few cases carry the variance, and the interval
widens accordingly (Satterthwaite's idea; Pustejovsky & Tipton 2018, doi 10.1080/07350015.2016.1247004).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gengap.verification.inputs import Floats

Scale = Literal["identity", "log", "logit", "skill", "fisher"]
"""On which scale an interval is symmetric: s, log s, log(s / (1 - s)), log(1 - s) for skill scores, artanh s."""


@dataclass(frozen=True)
class Estimate:
    """A score with its standard error and its pointwise two-sided interval.

    Attributes:
        value: The score.
        standard_error: Its standard error; NaN where one case or group cannot tell.
        low: Lower end of the interval.
        high: Upper end of the interval.
        level: Nominal coverage, e.g. 0.95.
        degrees_of_freedom: Of Student's t behind the interval.
        groups: Number of independent units: groups of cases, or cases.
        caution: Why the interval may cover less than it claims (few events, few groups), or the empty string.
    """

    value: float
    standard_error: float
    low: float
    high: float
    level: float
    degrees_of_freedom: float
    groups: int
    caution: str = ""

    def __str__(self) -> str:
        said = f" ({self.caution})" if self.caution else ""
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]{said}"


@dataclass(frozen=True, eq=False)
class Linearized:
    """A score and what each case contributes to its sampling error.

    Attributes:
        value: The score.
        influence: Influence of each case, shape `(n,)`, of mean zero.
        deciding: Number of independent chances to err, for the interval of a perfect or worst score whose
            influences are all zero; 0 where no such interval exists.
    """

    value: float
    influence: Floats
    deciding: int = 0


_FORWARD: dict[Scale, tuple[Callable[[float], float], Callable[[float], float], Callable[[float], float]]] = {
    "identity": (lambda s: s, lambda _: 1.0, lambda x: x),
    "log": (math.log, lambda s: 1 / s, math.exp),
    "logit": (lambda s: math.log(s / (1 - s)), lambda s: 1 / (s * (1 - s)), lambda x: 1 / (1 + math.exp(-x))),
    "skill": (lambda s: -math.log(1 - s), lambda s: 1 / (1 - s), lambda x: 1 - math.exp(-x)),
    "fisher": (math.atanh, lambda s: 1 / (1 - s**2), math.tanh),
}


FEW_EVENTS, FEW_GROUPS, FEW_FREEDOM = 5, 10, 8
"""Events, groups, degrees of freedom of the variance: below these an interval may cover less than it claims, as
simulation shows (`docs/coverage.md`)."""


FEW_RARE_EVENTS = 40
"""A skill score hangs on the few events that were forecast with confidence, so it needs more of rare events: so many,
fewer where they are more common than one case in fifty (`docs/statistics.md`)."""


def caution(
    observed: Floats, groups: NDArray[np.generic] | None, *, binary: bool, freedom: float, skill: bool = False
) -> str:
    """Say why an interval may cover less than it claims, or nothing.

    Args:
        observed: Observations, shape `(n,)`.
        groups: Group of each case, or None where cases are independent.
        binary: Whether the observations are 0 and 1.
        freedom: Degrees of freedom of the variance: few where few cases carry it.
        skill: Whether the score is a skill score, which needs more of rare events.
    """
    said = []
    units, name = (len(observed), "case") if groups is None else (len(np.unique(groups)), "group")
    if binary:
        events = int(observed.sum())
        share = max(min(events, len(observed) - events), 1) / len(observed)
        enough = max(FEW_EVENTS, min(FEW_RARE_EVENTS, FEW_RARE_EVENTS / 50 / share)) if skill else FEW_EVENTS
        for outcome, singular in ((1, "event"), (0, "non-event")):
            of = observed == outcome
            count, holding = int(of.sum()), FEW_EVENTS if groups is None else len(np.unique(groups[of]))
            if count < enough:
                said.append(f"{count} {singular}{'s' * (count != 1)}")
            elif holding < min(FEW_EVENTS, units):
                said.append(f"{holding} group{'s' * (holding != 1)} with {singular}s")
    if units < FEW_GROUPS and not (said and groups is None):
        said.append(f"{units} {name}{'s' * (units != 1)}")
    if said:
        return f"only {' and '.join(said)}: may cover less than it claims"
    return f"few {name}s carry the variance: may cover less than it claims" if freedom < FEW_FREEDOM else ""


_ROUNDING = 1e-12


def group_sums(influence: Floats, groups: NDArray[np.generic] | None) -> Floats:
    """Return the influence of each group (rescaled so that its mean's variance is the score's), or of each case.

    Args:
        influence: Influence of each case, shape `(n,)`.
        groups: Group of each case, shape `(n,)`, or None where cases are independent.
    """
    if groups is None:
        return influence
    _, codes = np.unique(groups, return_inverse=True)
    sums = np.bincount(codes, weights=influence)
    sums[np.abs(sums) <= _ROUNDING * np.bincount(codes, weights=np.abs(influence))] = 0.0  # not a spread of groups
    return np.asarray(sums * (len(sums) / len(influence)), dtype=np.float64)


def standard_error(units: Floats) -> tuple[float, float]:
    """Return the standard error of a score, and its degrees of freedom, from the influence of independent units.

    Args:
        units: Influence of each case or group, shape `(G,)`.
    """
    count = len(units)
    if count < 2:
        return math.nan, math.nan
    exponent = math.frexp(float(np.abs(units).max()))[1]
    squares = np.square(np.ldexp(units, -exponent))  # fourth powers of tiny losses would be 0
    variance = float(np.mean(squares))
    if variance == 0.0:
        return 0.0, float(count - 1)
    kurtosis = float(squares @ squares) / count / variance**2
    freedom = min(count - 1.0, max(1.0, 2.0 * count / max(kurtosis - 1.0, 1e-12)))
    return math.ldexp(math.sqrt(variance / (count - 1)), exponent), freedom


def estimate(
    linearized: Linearized,
    *,
    groups: NDArray[np.generic] | None = None,
    level: float = 0.95,
    scale: Scale = "identity",
) -> Estimate:
    """Turn a linearized score into a value with its interval.

    Args:
        linearized: The score and the influence of each case.
        groups: Group of each case, shape `(n,)`, or None where cases are independent.
        level: Nominal coverage.
        scale: Scale on which the interval is symmetric; it keeps the interval inside the score's range.

    Returns:
        The estimate. One case or group gives an interval from NaN to NaN, and so does one group that holds all cases
        which the score depends on.

    Raises:
        ValueError: `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie between 0 and 1, got {level}")
    units = group_sums(linearized.influence, groups)
    error, freedom = standard_error(units)
    if groups is not None and _of_one_group(linearized.influence, groups):
        error, freedom = math.nan, math.nan
    value = linearized.value
    if error == 0.0 and linearized.deciding and value in {0.0, 1.0}:
        low, high = _at_the_edge(value, min(linearized.deciding, len(units)), level)
    elif math.isnan(error) or error == 0.0 or not _inside(value, scale):
        low, high = value - error, value + error  # NaN stays NaN, zero stays a point
    else:
        low, high = interval_on(scale, value, error, freedom, level)
    return Estimate(value, error, low, high, level, freedom, len(units))


def _of_one_group(influence: Floats, groups: NDArray[np.generic]) -> bool:
    """Whether one group holds every case with an influence: its sum is 0 by construction."""
    carriers = groups[influence != 0.0]
    return len(carriers) > 0 and bool((carriers == carriers[0]).all())


def interval_on(scale: Scale, value: float, error: float, freedom: float, level: float) -> tuple[float, float]:
    """Return Student's interval of a value inside its range, symmetric on a scale."""
    from scipy.stats import t

    forward, slope, back = _FORWARD[scale]
    half = float(t.ppf(0.5 + level / 2, freedom)) * error * slope(value)
    if scale == "identity":
        return value - half, value + half
    return _bounded(back, forward(value) - half), _bounded(back, forward(value) + half)


def difference_of_proportions(first: Estimate, second: Estimate, correlation: float) -> Estimate:
    r"""Combine the intervals of two proportions into one of their difference (square-and-add, "MOVER").

    Needed where one proportion is exactly 0 or 1 in the sample: its influences are all zero then, its interval is not.

    $$\text{low} = \hat d - \sqrt{(\hat p_1 - l_1)^2 + (u_2 - \hat p_2)^2 - 2 \rho (\hat p_1 - l_1)(u_2 - \hat p_2)}$$

    Args:
        first: The first proportion.
        second: The proportion that is subtracted.
        correlation: Correlation of the two, 0 for independent cases.

    References:
        Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions. Statistics in
        Medicine 17. Zou, G. Y. and Donner, A. (2008). doi 10.1002/sim.3095
    """

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(one**2 + other**2 - 2 * correlation * one * other, 0.0))

    value = first.value - second.value
    low = value - reach(first.value - first.low, second.high - second.value)
    high = value + reach(first.high - first.value, second.value - second.low)
    error = reach(first.standard_error, second.standard_error)
    freedom = min(first.degrees_of_freedom, second.degrees_of_freedom)
    return Estimate(value, error, low, high, first.level, freedom, first.groups)


def _inside(value: float, scale: Scale) -> bool:
    return {
        "identity": True,
        "log": value > 0,
        "logit": 0 < value < 1,
        "skill": value < 1,
        "fisher": abs(value) < 1,
    }[scale]


def _bounded(back: Callable[[float], float], x: float) -> float:
    return back(min(max(x, -700.0), 700.0))  # exp overflows beyond


def _at_the_edge(value: float, deciding: int, level: float) -> tuple[float, float]:
    """Clopper and Pearson's interval for `deciding` successes (or failures) in as many independent trials."""
    farthest = ((1 - level) / 2) ** (1 / deciding)
    return (farthest, 1.0) if value == 1.0 else (0.0, 1 - farthest)
