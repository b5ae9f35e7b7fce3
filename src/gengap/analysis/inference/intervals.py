"""Intervals and p values of a mean whose standard error comes from seeds and cases, both perhaps skewed."""

from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from gengap.analysis.inference.components import MeanEstimate, seeds_share

Floats = NDArray[np.float64]
_SMALLEST_LOG_P = -300.0


def limits(estimate: MeanEstimate, level: float) -> tuple[Floats, Floats]:
    """Two-sided intervals of confidence `1 - level`, shape of the estimate's fields each."""
    reach = estimate.se * students(estimate, level)
    with np.errstate(invalid="ignore"):
        # a mean of noise that is skewed to the right is more often far below the truth than above it
        return (
            estimate.mean - reach * widening(estimate.skewness.left, level),
            estimate.mean + reach * widening(estimate.skewness.right, level),
        )


def students(estimate: MeanEstimate, level: float) -> Floats:
    r"""Standard errors to either side for symmetric noise: halfway between two approximations.

    Satterthwaite's single number of degrees of freedom is about right at 95 %, but with six seeds beside 25,000 cases,
    at the levels that eight comparisons need, it lets 8.3 % of families err: where the seeds happen to differ little,
    it mistakes them for the many cases. Cochran's quantiles of seeds and of units, weighted by what each adds to the
    variance, err in 2 to 4 % and are too long at 95 %. Their mean was simulated: coverage 94.9 to 95.7 %, at most
    4.9 % of families of eight, for 6 to 10 seeds, 43 and 25,000 units, all shares of either.

    References:
        Cochran, W. G. and Cox, G. M. (1957). Experimental Designs, 2nd edition, section 4.14. Wiley.
    """
    of_seeds = -special.stdtrit(estimate.seeds - 1.0, level / 2)
    if estimate.units < 2:
        return np.full_like(estimate.se, of_seeds)
    of_units = -special.stdtrit(estimate.units - 1.0, level / 2)
    share = seeds_share(estimate)
    cochran = share * of_seeds + (1 - share) * of_units
    return cast("Floats", (cochran - special.stdtrit(estimate.df, level / 2)) / 2)


def widening(skewness: Floats, level: float) -> Floats:
    r"""Factor of the reach towards the side that a skewed mean falls short of.

    The Cornish-Fisher expansion of Student's ratio moves its quantile $z$ by $\lambda (2 z^2 + 1)/6$ where the mean
    has the skewness $\lambda$; taken relative to $z$ it agrees within 8 % with simulated quantiles of lognormal
    samples of 6 to 43 values, down to levels of 1 in 10,000, up to a skewness of 6.
    """
    z = np.maximum(-special.ndtri(level / 2), 1.0)
    return cast("Floats", 1 + skewness * (2 * z + 1 / z) / 6)


def p_value(estimate: MeanEstimate) -> float:
    """Two-sided p value of "no difference": the level at which the interval of a scalar estimate ends at 0.

    1 where nothing differs anywhere, 0 where everything differs alike.
    """
    mean, se = float(estimate.mean), float(estimate.se)
    if se == 0 or mean == 0:
        return 1.0 if mean == 0 else 0.0
    skewness = estimate.skewness.left if mean > 0 else estimate.skewness.right

    def too_far(log_level: float) -> float:
        level = float(np.exp(log_level))
        return float(students(estimate, level) * widening(skewness, level)) - abs(mean) / se

    if too_far(_SMALLEST_LOG_P) < 0:
        return 0.0
    return float(np.exp(optimize.brentq(too_far, _SMALLEST_LOG_P, 0.0, xtol=1e-10)))
