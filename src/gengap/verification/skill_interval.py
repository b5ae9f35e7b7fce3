r"""Intervals of the Brier skill score that hold for rare events, too.

With few events the skill hangs on the few cases that were forecast with confidence: a sample that happens to lack the
rare well-forecast event shows little skill *and* little variance, so its interval is short where it should be long.
How often forecasts were confident, however, is known from all cases, events or not. So the estimate $\hat V$ from
influences, with its $f$ degrees of freedom, is moderated by the variance $V_0$ that outcomes would have if forecasts
were right up to one shift of their log-odds (which makes them right on average), as if that were worth $k$ more
degrees of freedom, as in `gengap.verification.area_interval`:

$$V = \frac{f \hat V + k V_0}{f + k}, \qquad
V_0 = \frac{1}{n \bar r^2} \operatorname{var}\big[\pi_i, p_i\big]\big((p_i - o_i)^2 - (B/R)\,(c - o_i)^2\big)$$

with $\pi_i$ the shifted forecast, the chance of $o_i = 1$, and $\bar r = R$ the reference's Brier score. With many
events $\hat V$ is all that counts. Of groups the model knows nothing but their cases; there it may only lengthen an
interval. $k$ = 5 (3 for groups) was chosen by simulation over forecasts that are calibrated, sharp, overconfident,
underconfident and without any skill, with base rates from .003 to .5; `docs/statistics.md` has what they cover.

References:
    Smyth, G. K. (2004). Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments (moderated variances). doi 10.2202/1544-6115.1027
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.verification.estimates import Estimate, estimate, interval_on
from gengap.verification.inputs import Cases, Floats
from gengap.verification.probability import linear_brier_skill_score, reference_forecast

_WORTH_CASES, _WORTH_GROUPS = 5.0, 3.0
"""Degrees of freedom that the model's variance counts for."""
_FARTHEST = 60.0
"""Log-odds beyond which a shift is not sought."""


def skill_interval(
    valid: Cases, groups: NDArray[Any] | None, level: float, *, climatology: ArrayLike | None = None
) -> Estimate:
    """Estimate the Brier skill score of two labels with its interval.

    Args:
        valid: The cases, with probabilities of label 1.
        groups: Group of each case, or None where cases are independent.
        level: Nominal coverage.
        climatology: Reference probability; None for the base rate of these cases.
    """
    linear = linear_brier_skill_score(valid, climatology=climatology)
    plain = estimate(linear, groups=groups, level=level, scale="skill")
    if not math.isfinite(plain.low) or plain.standard_error == 0:
        return plain
    expected = _expected_variance(valid, reference_forecast(valid, climatology), 1 - linear.value)
    observed, freedom = plain.standard_error**2, plain.degrees_of_freedom
    worth = _WORTH_CASES if groups is None else _WORTH_GROUPS
    moderated = (freedom * observed + worth * expected) / (freedom + worth)
    if groups is not None:
        moderated = max(moderated, observed)
    freedom += worth
    low, high = interval_on("skill", linear.value, math.sqrt(moderated), freedom, level)
    return replace(plain, low=low, high=high, degrees_of_freedom=freedom)


def _expected_variance(valid: Cases, reference: Floats, ratio: float) -> float:
    """Variance of the skill score if the forecasts, shifted to be right on average, were the chances of the events."""
    p, weight = valid.forecast, valid.weight / valid.weight.mean()
    chance = _shifted(p, weight, float(np.average(valid.observed, weights=weight)))
    if_event = weight * (np.square(1 - p) - ratio * np.square(1 - reference))
    if_none = weight * (np.square(p) - ratio * np.square(reference))
    mean = float(np.mean(chance * if_event + (1 - chance) * if_none))
    square = float(np.mean(chance * np.square(if_event) + (1 - chance) * np.square(if_none)))
    worst = float(np.mean(weight * np.square(reference - valid.observed)))
    return max(square - mean**2, 0.0) / len(p) / worst**2


def _shifted(p: Floats, weight: Floats, rate: float) -> Floats:
    """Return the forecasts with one shift of their log-odds that makes their mean the rate of events."""
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    if not 0 < rate < 1:
        return np.full(len(p), rate)
    clipped = np.clip(p, 1e-12, 1 - 1e-12)
    odds = logit(clipped)

    def excess(shift: float) -> float:
        return float(np.mean(weight * expit(odds + shift))) - rate

    guess, reach = float(logit(rate) - logit(np.average(clipped, weights=weight))), 0.5
    while excess(guess - reach) > 0 or excess(guess + reach) < 0:
        reach *= 4
        if reach > _FARTHEST:
            return np.full(len(p), rate)
    return np.asarray(expit(odds + brentq(excess, guess - reach, guess + reach, xtol=1e-5)))
