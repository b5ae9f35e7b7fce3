"""Means over passes of a resampled study: how sure they are for new training sets, new cases and new seeds."""

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.inference.components import MeanEstimate, from_mean_squares, seeds_share, two_way
from gengap.analysis.inference.skewness import Skewness

Floats = NDArray[np.float64]

FEWEST_PASSES = 3
"""With two passes their variance has one degree of freedom, and no interval is of use."""
USUAL_PASSES = 5
RHO = 0.25
RHO_WORSE = 1.0


def convention(treated: Floats, untreated: Floats, constant: Floats | None = None) -> float:
    """How much new training sets are taken to add to the variance between cases, as a share of it.

    A case is a test case in one fold of every pass and a training case in all others, and what it does there hardly
    shows in the spread of folds or passes: one study cannot estimate its own share. So it is a convention, chosen by
    simulation (`make bench-resampling`): a quarter, and one where a variant forecasts worse than a constant, as
    networks do that have memorized their training cases: what a case does as a training case then counts as much as
    what it does as a test case. (A half left intervals of such variants at 89 to 93 % in place of 95.)

    Args:
        treated: Losses of the variant, smaller is better, shape `(passes, cases)`; a pass with NaN does not count.
        untreated: Losses of the baseline, the same.
        constant: Losses of the constant forecast, shape `(passes, cases)` or `(cases,)`; None where there is none.

    Returns:
        `RHO_WORSE` where the variant or the baseline does worse on average than the constant forecast, else `RHO`.
    """
    if constant is None:
        return RHO
    beyond = [np.mean(side - constant, axis=-1) for side in (treated, untreated)]
    return RHO_WORSE if any(np.mean(one[np.isfinite(one)]) > 0 for one in beyond if np.isfinite(one).any()) else RHO


def over_passes(difference: Floats, rho: float = RHO, *, carriers: int | None = None) -> MeanEstimate:
    r"""Mean paired difference of a resampled study, with a standard error for new training sets, cases and seeds.

    A pass divides all cases anew into folds, trains each fold's rest with a seed of its own, and so predicts every case
    once. The mean squares of passes x cases are those of `gengap.analysis.inference.components.two_way`; the variance
    between cases counts $1 + \rho$ times, since the same cases are what all runs were trained on:

    $$\mathrm{se}^2 = \mathrm{MS}_\mathrm{passes} + (1 + \rho)\,\mathrm{MS}_\mathrm{cases} - \mathrm{MS}_\mathrm{both}$$

    each divided by the number of cells. No estimate of the variance of cross-validation is unbiased (Bengio and
    Grandvalet 2004); this one is as large as simulated studies need it.

    Args:
        difference: Variant minus baseline, shape `(..., passes, units)`, without NaN; units are cases or groups.
        rho: See `convention`.
        carriers: How many of the units carry the variance between units, where it is known that few do.

    Returns:
        The estimate; its `seeds` are the passes, and `rho` is kept for the advice.

    Raises:
        ValueError: there are fewer than three passes, or fewer than two units.

    Example:
        >>> table = np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [3.0, 4.0, 5.0]])
        >>> found = over_passes(table, rho=0.25)
        >>> float(found.mean), float(found.se) ** 2  # 1/3 from passes, 5/4 of 1/3 from cases
        (3.0, 0.75)

    References:
        Bengio, Y. and Grandvalet, Y. (2004). No unbiased estimator of the variance of K-fold cross-validation. Journal
        of Machine Learning Research 5, 1089-1105.

        Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, 239-281.
        doi:10.1023/A:1024068626366
    """
    difference = np.asarray(difference, dtype=np.float64)
    passes = difference.shape[-2]
    if passes < FEWEST_PASSES:
        raise ValueError(
            f"`difference` needs {FEWEST_PASSES} passes or more, got {passes}: add seeds, one for each pass."
        )
    plain = two_way(difference, carriers=carriers)
    found = from_mean_squares(
        plain.mean,
        from_seeds=plain.from_seeds,
        from_units=(1 + rho) * plain.from_units,
        from_both=plain.from_both,
        seeds=plain.seeds,
        units=plain.units,
    )
    return replace(found, rho=rho)


def floor(estimate: MeanEstimate) -> Floats:
    """Variance of the mean that no number of passes lowers, only new cases: what cases do as test and training cases.

    Args:
        estimate: From `over_passes`.
    """
    rho = 0.0 if estimate.rho is None else estimate.rho
    return cast("Floats", np.maximum(estimate.from_units - (1 + rho) * estimate.from_both, 0.0))


def rescaled(estimate: MeanEstimate, *, passes: int, units: int) -> MeanEstimate:
    """Return the estimate that another number of passes and units would give, were the variances as estimated.

    Args:
        estimate: From `over_passes`, scalar fields.
        passes: Number of passes, two or more.
        units: Number of units, two or more.
    """
    rho = 0.0 if estimate.rho is None else estimate.rho
    both, of_passes = estimate.from_both, np.maximum(estimate.from_seeds - estimate.from_both, 0.0)
    fewer, smaller = estimate.seeds / passes, estimate.units / units
    interaction = both * fewer * smaller
    found = from_mean_squares(
        estimate.mean,
        from_seeds=of_passes * fewer + interaction,
        from_units=floor(estimate) * smaller + (1 + rho) * interaction,
        from_both=interaction,
        seeds=passes,
        units=units,
    )
    return replace(found, rho=estimate.rho, skewness=_rescaled_skewness(estimate, found, fewer, smaller))


def _rescaled_skewness(now: MeanEstimate, then: MeanEstimate, fewer: float, smaller: float) -> Skewness:
    """Skewness of the mean of a larger study: third cumulants fall with the square of the number, for each part."""
    share = seeds_share(now)
    of_passes, of_units = share**1.5 / np.sqrt(now.seeds), (1 - share) ** 1.5 / np.sqrt(max(now.units, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        part = of_passes / (of_passes + of_units)  # as if passes and units were equally skewed
        factor = np.nan_to_num((part * fewer**2 + (1 - part) * smaller**2) * (now.se / then.se) ** 3, nan=1.0)
    return Skewness(now.skewness.left * factor, now.skewness.right * factor)
