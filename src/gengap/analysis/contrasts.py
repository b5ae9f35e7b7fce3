"""One variant against the baseline: the paired difference and all that is said about it."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy import stats

from gengap.analysis.cases import EpochRule, Floats
from gengap.analysis.components import MeanEstimate, seeds_only, two_way
from gengap.analysis.verdicts import Verdict, interval, judge, p_value

FEW_SEEDS = 6
"""Below this the smallest variance estimates are so unsure that the interval rests on the normal law."""
FEW_UNITS = 20
"""Below this, groups of cases are too few to stand for new ones."""
SKEWED_MEAN = 0.2
"""From this skewness of a mean on, an interval from its standard error is noticeably too narrow on one side."""


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
    """

    level: float
    next_level: float
    larger_is_better: bool
    margin: float | None
    new_cases: bool
    cases: int


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


def contrast(variant: str, rule: EpochRule, treated: Floats, untreated: Floats, rules: Rules) -> Contrast:
    """Compare the case values of a variant with those of the baseline, seed by seed and unit by unit.

    Args:
        variant: Name of the variant.
        rule: Epoch at which both are read.
        treated: The variant's case values, shape `(seeds, units)`; a diverged run is a row of NaN.
        untreated: The baseline's, same shape.
        rules: What the comparison has declared.
    """
    kept = np.isfinite(treated).all(axis=-1) & np.isfinite(untreated).all(axis=-1)
    difference = treated[kept] - untreated[kept]
    seeds, units = difference.shape
    of_seeds = difference.mean(axis=-1) if units else np.empty(0)
    if seeds < 2 or (rules.new_cases and units < 2):
        return _undecided(variant, rule, of_seeds, dropped=int((~kept).sum()))
    estimate = two_way(difference) if rules.new_cases else seeds_only(of_seeds)
    low, high = interval(estimate, rules.level)
    return Contrast(
        variant=variant,
        rule=rule,
        difference=float(estimate.mean),
        low=low,
        high=high,
        se=float(estimate.se),
        df=float(estimate.df),
        p=p_value(estimate),
        p_holm=float("nan"),
        effect_size=effect_size(of_seeds),
        probability_better=_wins(of_seeds, larger_is_better=rules.larger_is_better),
        correlation=_correlation(treated[kept].mean(axis=-1), untreated[kept].mean(axis=-1)),
        seeds=seeds,
        verdict=judge(
            estimate,
            level=rules.level,
            next_level=rules.next_level,
            larger_is_better=rules.larger_is_better,
            margin=rules.margin,
            cases=rules.cases,
        ),
        warnings=_warnings(estimate, of_seeds, difference.mean(axis=0), dropped=int((~kept).sum())),
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


def _undecided(variant: str, rule: EpochRule, of_seeds: Floats, *, dropped: int) -> Contrast:
    from gengap.analysis.advice import Advice

    nan = float("nan")
    return Contrast(
        variant=variant,
        rule=rule,
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
        verdict=Verdict("cannot say", advice=Advice(FEW_SEEDS, None)),
        warnings=("one seed says nothing about seeds", *_dropped(dropped)),
    )


def _dropped(count: int) -> tuple[str, ...]:
    return (f"{count} pair{'s' if count > 1 else ''} left out (diverged)",) if count else ()


def _warnings(estimate: MeanEstimate, of_seeds: Floats, of_units: Floats, *, dropped: int) -> tuple[str, ...]:
    said = list(_dropped(dropped))
    if estimate.seeds < FEW_SEEDS:
        said.append(f"only {estimate.seeds} seeds")
    if 0 < estimate.units < FEW_UNITS:
        said.append(f"only {estimate.units} independent units")
    if estimate.seeds >= FEW_SEEDS and _skewed(of_seeds):
        said.append("differences are skewed: the interval may be too narrow")
    if estimate.from_units > estimate.from_seeds and _skewed_mean(of_units):
        said.append("cases are skewed and few: the interval may be too narrow")
    return tuple(said)


def _skewed_mean(values: Floats) -> bool:
    """Whether values are so skewed that their mean still is: its skewness is theirs over the root of their number."""
    mean_skewness = float(cast("float", stats.skew(values))) / np.sqrt(len(values)) if np.ptp(values) > 0 else 0.0
    return abs(mean_skewness) > SKEWED_MEAN and _skewed(values)


def _skewed(values: Floats) -> bool:
    if np.ptp(values) == 0:
        return False
    n = len(values)
    if n < 3:
        return False
    skewness = float(cast("float", stats.skew(values, bias=False)))
    error = np.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    return bool(abs(skewness) > 1.96 * error)
