"""One variant against the baseline: the paired difference and all that is said about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import EpochRule, Floats
from gengap.analysis.comparison.advice import Advice
from gengap.analysis.comparison.pass_advice import PassAdvice
from gengap.analysis.comparison.verdicts import Verdict, interval, judge
from gengap.analysis.findings.wording import GIVEN
from gengap.analysis.inference.components import MeanEstimate, seeds_only, seeds_share, two_way, with_skewness
from gengap.analysis.inference.intervals import p_value, widening
from gengap.analysis.inference.resampled import FEWEST_PASSES, RHO_WORSE, USUAL_PASSES, over_passes
from gengap.analysis.inference.skewness import (
    l_skewness,
    pooled_range,
    share_of_variants,
    skewness_of_difference,
    skewness_of_units,
)
from gengap.analysis.tables import IntervalEstimate

FEW_SEEDS = 6
"""Below this the smallest variance estimates are so unsure that the interval rests on the normal law."""
FEW_UNITS = 20
"""Below this, groups of cases are too few to stand for new ones."""
NOTED_WIDENING = 1.5
"""An interval that possible skewness makes longer by this factor says so."""


@dataclass(frozen=True)
class Rules:
    """What all contrasts of a comparison have in common.

    Attributes:
        level: Level of one simultaneous interval.
        next_level: Level that it would have at a further look.
        larger_is_better: Orientation of the score.
        margin: Differences within it do not matter; None where the user declared none.
        new_cases: Whether the claim is about new cases as well as new seeds.
        cases: Number of held-out cases.
        unit: What an independent unit is called, where there may be few.
        given: For which training sets verdicts hold.
    """

    level: float
    next_level: float
    larger_is_better: bool
    margin: float | None
    new_cases: bool
    cases: int
    unit: str = "independent units"
    given: str = GIVEN


@dataclass(frozen=True)
class Contrast:
    """A variant minus the baseline.

    Attributes:
        variant: Name of the variant.
        rule: Epoch at which both are read.
        difference: Mean difference of the score, variant minus baseline, in the score's units.
        low: Lower end of its simultaneous interval.
        high: Upper end.
        se: Standard error.
        df: Degrees of freedom of the standard error.
        p: Two-sided p value of this contrast alone.
        p_holm: Holm's adjusted p value; NaN until the family is known.
        effect_size: Difference in standard deviations of the seeds' paired differences (Hedges' g; sign as difference).
        probability_better: Share of seeds whose pair the variant wins; ties count half.
        correlation: Pearson correlation of the paired scores over seeds; NaN where one does not vary.
        seeds: Number of pairs.
        verdict: What may be said.
        warnings: What weakens it.
        scale: Size of the two scores that it is a difference of.
    """

    variant: str
    rule: EpochRule
    difference: float
    low: float
    high: float
    se: float
    df: float
    p: float
    p_holm: float
    effect_size: float
    probability_better: float
    correlation: float
    seeds: int
    verdict: Verdict
    warnings: tuple[str, ...]
    scale: float = 1.0

    @property
    def shown(self) -> IntervalEstimate:
        """The difference with its interval, which writes itself with the digits that it deserves."""
        return IntervalEstimate(self.difference, self.low, self.high, self.scale)


@dataclass(frozen=True, eq=False)
class Pairs:
    """What a contrast needs to know of the case values, which are too many to keep.

    Attributes:
        variant: Name of the variant.
        rule: Epoch at which both are read.
        treated: Scores of the variant's seeds whose pair is complete, shape `(seeds,)`.
        untreated: Those of the baseline.
        estimate: Their mean difference; None where there are fewer than two pairs, or cases.
        units: L-skewness of the differences of units; 0 where the claim is not about new ones.
        dropped: Pairs left out.
        rho: The convention of a resampled study, whose seeds are passes; None where all seeds saw one training set.
    """

    variant: str
    rule: EpochRule
    treated: Floats
    untreated: Floats
    estimate: MeanEstimate | None
    units: Floats
    dropped: int
    rho: float | None = None

    @property
    def scale(self) -> float:
        """Size of the scores: that of the larger mean."""
        return max((abs(float(part.mean())) for part in (self.treated, self.untreated) if len(part)), default=1.0)


def pair(
    variant: str,
    rule: EpochRule,
    treated: Floats,
    untreated: Floats,
    *,
    new_cases: bool,
    carriers: NDArray[np.bool_] | None = None,
    rho: float | None = None,
) -> Pairs:
    """Pair the case values of a variant with those of the baseline, seed by seed and unit by unit.

    Args:
        variant: Name of the variant.
        rule: Epoch at which both are read.
        treated: The variant's case values, shape `(seeds, units)`; a diverged run is a row of NaN.
        untreated: The baseline's, same shape.
        new_cases: Whether the claim is about new cases as well as new seeds.
        carriers: Which units carry the sampling error, shape `(units,)`; None for all.
        rho: Where the rows are passes of a resampled study, what new training sets add
            (`gengap.analysis.inference.resampled.convention`); None where all seeds saw one training set.
    """
    kept = np.isfinite(treated).all(axis=-1) & np.isfinite(untreated).all(axis=-1)
    difference = treated[kept] - untreated[kept]
    seeds, units = difference.shape
    own, others = (part[kept].mean(axis=-1) if units else np.empty(0) for part in (treated, untreated))
    estimate, skewness = None, np.zeros(())
    if seeds >= (2 if rho is None else FEWEST_PASSES) and new_cases and units >= 2:
        carrying = np.ones(units, dtype=bool) if carriers is None else carriers
        count = int(carrying.sum())
        estimate = two_way(difference, carriers=count) if rho is None else over_passes(difference, rho, carriers=count)
        skewness = l_skewness(difference.mean(axis=0)[carrying])
    elif seeds >= 2 and rho is None and not new_cases:
        estimate = seeds_only(difference.mean(axis=-1))
    return Pairs(variant, rule, own, others, estimate, skewness, int((~kept).sum()), rho)


def estimates_with_skewness(family: Sequence[Pairs]) -> list[MeanEstimate | None]:
    """Estimates of a family with the skewness that its noise may have: together its variants show it."""
    known = [one.estimate for one in family if one.estimate is not None]
    if not known:
        return [None] * len(family)
    largest = max(family, key=lambda one: len(one.untreated))
    allowed = pooled_range([largest.untreated, *(one.treated for one in family)])
    units = skewness_of_units([one.units for one in family], max(one.units for one in known))
    share = np.asarray(np.mean([seeds_share(one) for one in known]))
    of_variants = share_of_variants([(one.treated, one.untreated) for one in family if one.estimate is not None])
    return [
        None
        if one.estimate is None
        else with_skewness(
            one.estimate,
            seeds=skewness_of_difference(one.treated, one.untreated, allowed, typical_share=of_variants),
            units=of_units,
            typical_share=share,
        )
        for one, of_units in zip(family, units, strict=True)
    ]


def contrasts(family: Sequence[Pairs], rules: Rules) -> tuple[Contrast, ...]:
    """Judge all variants of a study.

    Args:
        family: Every variant's pairs with the baseline.
        rules: What the comparison has declared.
    """
    return tuple(
        _undecided(one, rules) if estimate is None else _contrast(one, estimate, rules)
        for one, estimate in zip(family, estimates_with_skewness(family), strict=True)
    )


def _contrast(pairs: Pairs, estimate: MeanEstimate, rules: Rules) -> Contrast:
    of_seeds = pairs.treated - pairs.untreated
    low, high = interval(estimate, rules.level)
    return Contrast(
        variant=pairs.variant,
        rule=pairs.rule,
        difference=float(estimate.mean),
        low=low,
        high=high,
        se=float(estimate.se),
        df=float(estimate.df),
        p=p_value(estimate),
        p_holm=float("nan"),
        effect_size=effect_size(of_seeds),
        probability_better=_wins(of_seeds, larger_is_better=rules.larger_is_better),
        correlation=_correlation(pairs.treated, pairs.untreated),
        seeds=len(of_seeds),
        verdict=judge(
            estimate,
            level=rules.level,
            next_level=rules.next_level,
            larger_is_better=rules.larger_is_better,
            margin=rules.margin,
            cases=rules.cases,
            given=rules.given,
        ),
        warnings=_warnings(estimate, rules, dropped=pairs.dropped),
        scale=pairs.scale,
    )


def effect_size(differences: Floats) -> float:
    """Hedges' g of paired differences: their mean in standard deviations, corrected for small samples.

    0 where all differences are 0, infinite where they are equal but not 0; NaN for fewer than two.
    """
    n = len(differences)
    if n < 2:
        return float("nan")
    mean, sd = float(differences.mean()), float(differences.std(ddof=1))
    if sd == 0:
        return 0.0 if mean == 0 else float(np.copysign(np.inf, mean))
    return mean / sd * (1 - 3 / (4 * (n - 1) - 1))


def _wins(differences: Floats, *, larger_is_better: bool) -> float:
    won = differences > 0 if larger_is_better else differences < 0
    return float(np.mean(won + 0.5 * (differences == 0)))


def _correlation(first: Floats, second: Floats) -> float:
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _undecided(pairs: Pairs, rules: Rules) -> Contrast:
    nan, of_seeds = float("nan"), pairs.treated - pairs.untreated
    return Contrast(
        variant=pairs.variant,
        rule=pairs.rule,
        difference=float(of_seeds.mean()) if len(of_seeds) else nan,
        low=nan,
        high=nan,
        se=nan,
        df=nan,
        p=nan,
        p_holm=nan,
        effect_size=nan,
        probability_better=nan,
        correlation=nan,
        seeds=len(of_seeds),
        verdict=Verdict("cannot say", advice=_fewest(pairs), given=rules.given),
        warnings=(
            "one seed says nothing about seeds" if pairs.rho is None else f"only {len(of_seeds)} complete passes",
            *_dropped(pairs.dropped),
        ),
        scale=pairs.scale,
    )


def _fewest(pairs: Pairs) -> Advice | PassAdvice:
    return Advice(FEW_SEEDS, None) if pairs.rho is None else PassAdvice(FEWEST_PASSES, None)


def _dropped(count: int) -> tuple[str, ...]:
    return (f"{count} pair{'s' if count > 1 else ''} left out (diverged or missing)",) if count else ()


def _warnings(estimate: MeanEstimate, rules: Rules, *, dropped: int) -> tuple[str, ...]:
    said = list(_dropped(dropped))
    if estimate.rho is None and estimate.seeds < FEW_SEEDS:
        said.append(f"only {estimate.seeds} seeds")
    if estimate.rho is not None and estimate.seeds < USUAL_PASSES:
        said.append(f"only {estimate.seeds} passes")
    if estimate.rho is not None and estimate.rho >= RHO_WORSE:
        said.append("it or the baseline is worse than a constant forecast: intervals may be a little short")
    if 0 < estimate.units < FEW_UNITS:
        said.append(f"only {estimate.units} {rules.unit}")
    widened = float(
        np.maximum(*(widening(side, rules.level) for side in (estimate.skewness.left, estimate.skewness.right)))
    )
    if widened >= NOTED_WIDENING:
        what = "seeds" if float(estimate.from_seeds) >= float(estimate.from_units) else "cases"
        said.append(f"differences of {what} may be skewed: one side of the interval is {widened:.1f} times as long")
    return tuple(said)
