"""Means over seeds and their intervals, for measures that have one value per run: gaps, slopes, fluctuations."""

from collections.abc import Mapping
from typing import cast

import numpy as np

from gengap.analysis.cases import Floats
from gengap.analysis.inference.components import MeanEstimate, seeds_only, with_skewness
from gengap.analysis.inference.intervals import limits
from gengap.analysis.inference.skewness import pooled_range, share_of_variants, skewness_of_difference
from gengap.analysis.tables import IntervalEstimate

NOTHING = IntervalEstimate(float("nan"), float("nan"), float("nan"))


def as_estimate(estimate: MeanEstimate, level: float) -> IntervalEstimate:
    """The mean with its interval of confidence `1 - level`."""
    low, high = limits(estimate, level)
    return IntervalEstimate(float(estimate.mean), float(low), float(high))


def means(values: Mapping[str, Floats], *, level: float = 0.05) -> dict[str, IntervalEstimate]:
    """Mean of every variant over its runs, for new seeds.

    Args:
        values: One value per seed by variant, shape `(seeds,)`; NaN where a run has none.
        level: One minus the confidence of each interval.
    """
    return _judged(values, {name: np.zeros_like(one) for name, one in values.items()}, values, level)


def differences(values: Mapping[str, Floats], baseline: str, *, level: float) -> dict[str, IntervalEstimate]:
    """Mean difference of every other variant from the baseline, paired by seed.

    Args:
        values: As in `means`, the seeds in one order.
        baseline: Name of the variant that the others are compared with.
        level: One minus the confidence of each interval.
    """
    others = {name: one for name, one in values.items() if name != baseline}
    return _judged(others, dict.fromkeys(others, values[baseline]), values, level)


def _judged(
    treated: Mapping[str, Floats], untreated: Mapping[str, Floats], groups: Mapping[str, Floats], level: float
) -> dict[str, IntervalEstimate]:
    allowed = pooled_range([one[np.isfinite(one)] for one in groups.values()])
    pairs = {name: _complete(one, untreated[name]) for name, one in treated.items()}
    several = [pair for pair in pairs.values() if len(pair[0]) > 1]
    typical = share_of_variants(several) if several else None
    return {name: _one(*pair, allowed, typical, level) for name, pair in pairs.items()}


def _complete(treated: Floats, untreated: Floats) -> tuple[Floats, Floats]:
    kept = np.isfinite(treated) & np.isfinite(untreated)
    return treated[kept], untreated[kept]


def _one(
    own: Floats, others: Floats, allowed: tuple[Floats, Floats], typical: Floats | None, level: float
) -> IntervalEstimate:
    if not len(own):
        return NOTHING
    if len(own) < 2:
        return IntervalEstimate(float(own[0] - others[0]), float("nan"), float("nan"))
    noise = skewness_of_difference(own, others, allowed, typical_share=typical)
    return as_estimate(with_skewness(seeds_only(own - others), seeds=noise), level)


def late_slopes(curves: Floats, *, share: float) -> Floats:
    """Change per epoch over the last `share` of the epochs by least squares, shape `(seeds,)`; NaN below 3 epochs."""
    late = curves[:, -max(3, round(share * curves.shape[1])) :] if curves.size else curves
    if late.shape[1] < 3:
        return np.full(len(curves), np.nan)
    # Epochs around their own mean: the slope of least squares is then sum(x y) / sum(x^2), whatever the level of y.
    epochs = np.arange(late.shape[1]) - (late.shape[1] - 1) / 2
    return cast("Floats", late @ epochs / np.square(epochs).sum())


def roughness(curves: Floats) -> Floats:
    """How much a curve jumps about its own trend after the first third: sd of its steps from epoch to epoch."""
    later = curves[:, curves.shape[1] // 3 :] if curves.size else curves
    return np.diff(later, axis=1).std(axis=1, ddof=1) if later.shape[1] > 3 else np.full(len(curves), np.nan)


def rises(curves: Floats) -> Floats:
    """Last score minus the lowest, shape `(seeds,)`: what training on has cost."""
    return curves[:, -1] - curves.min(axis=1) if curves.size else np.full(len(curves), np.nan)
