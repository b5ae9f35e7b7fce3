"""What more seeds or cases would change, in units that can be bought."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gengap.analysis.comparison.advice import MOST_CASES, MOST_SEEDS
from gengap.analysis.decision.best import AllPairs, Floats, holds_best, one_sided_level, regret_bounds
from gengap.analysis.inference.components import MeanEstimate, from_mean_squares
from gengap.analysis.inference.resampled import rescaled
from gengap.analysis.inference.skewness import Skewness


@dataclass(frozen=True)
class Purchase:
    """A larger study, and what it would probably say.

    Attributes:
        seeds: Seeds in all.
        cases: Held-out cases in all; None where the claim is not about new cases.
        bound: Upper bound of the regret of what is recommended now.
        left: How many options the set that holds the best would have.
    """

    seeds: int
    cases: int | None
    bound: float
    left: int


@dataclass(frozen=True, eq=False)
class Market:
    """What there is, and what a larger study is judged by.

    Attributes:
        pairs: All options against each.
        chosen: Position of the one that is recommended.
        seeds: Seeds now.
        cases: Held-out cases now; 0 where the claim is not about new ones.
        looks: Numbers of seeds at each look, the present one last.
        alpha: Error of all looks together.
    """

    pairs: AllPairs
    chosen: int
    seeds: int
    cases: int
    looks: Sequence[int]
    alpha: float

    def offer(self, seeds: int, cases: int) -> Purchase:
        """What a study of so many seeds and cases would say if means and variances stayed as they are."""
        looks = self.looks if seeds <= self.looks[-1] else (*self.looks, seeds)
        times = seeds / self.seeds, cases / self.cases if self.cases else 1.0
        larger = AllPairs(
            tuple(
                tuple(None if one is None else scaled(one, seeds=times[0], units=times[1]) for one in family)
                for family in self.pairs.families
            )
        )
        high = larger.bounds(one_sided_level(looks, self.alpha))
        return Purchase(seeds, cases or None, float(regret_bounds(high)[self.chosen]), int(holds_best(high).sum()))

    def offers(self) -> tuple[Purchase, ...]:
        """Twice the seeds, twice the cases, both."""
        more = [(2 * self.seeds, self.cases)]
        if self.cases:
            more += [(self.seeds, 2 * self.cases), (2 * self.seeds, 2 * self.cases)]
        return tuple(self.offer(*one) for one in more)

    def for_bound(self, bound: float) -> Purchase | None:
        """The least that would bring the bound down to a number: seeds alone, cases alone, or both in proportion."""
        found = _smallest(lambda n: self.offer(n, self.cases), self.seeds + 1, MOST_SEEDS, bound)
        if found is None and self.cases:
            found = _smallest(lambda n: self.offer(self.seeds, n), self.cases + 1, MOST_CASES, bound)
        if found is None and self.cases:
            most = min(MOST_SEEDS / self.seeds, MOST_CASES / self.cases)
            found = _smallest(self._larger, 11, math.floor(10 * most), bound)
        return found

    def _larger(self, tenths: int) -> Purchase:
        return self.offer(math.ceil(self.seeds * tenths / 10), math.ceil(self.cases * tenths / 10))


def scaled(estimate: MeanEstimate, *, seeds: float, units: float) -> MeanEstimate:
    """The estimate that so many times the seeds and units would give, with means and variances as they are."""
    if estimate.rho is not None:
        more = max(round(estimate.seeds * seeds), 2), max(round(estimate.units * units), 2)
        return rescaled(estimate, passes=more[0], units=more[1])
    both = estimate.from_both / (seeds * units)
    of_units = max(round(estimate.units * units), 0)
    larger = from_mean_squares(
        estimate.mean,
        from_seeds=np.maximum(estimate.from_seeds - estimate.from_both, 0.0) / seeds + both,
        from_units=np.maximum(estimate.from_units - estimate.from_both, 0.0) / units + both,
        from_both=both,
        seeds=max(round(estimate.seeds * seeds), 2),
        units=max(of_units, 2),
    )
    # a mean of more is less skewed; what grows less decides, which errs to the safe side
    less = 1 / math.sqrt(max(min(seeds, units) if estimate.units else seeds, 1.0))
    skewness = Skewness(estimate.skewness.left * less, estimate.skewness.right * less)
    if not estimate.units:
        df: Floats = np.full_like(larger.df, larger.seeds - 1.0)
        return replace(larger, units=0, df=df, skewness=skewness)
    return replace(larger, skewness=skewness)


def _smallest(offer: Callable[[int], Purchase], low: int, high: int, bound: float) -> Purchase | None:
    """The smallest study whose bound is low enough, by bisection on a scale of ratios; to two digits."""
    if low > high or offer(high).bound > bound:
        return None
    while high - low > low // 50:
        middle = max(math.isqrt(low * high), low)
        if offer(middle).bound <= bound:
            high = middle
        else:
            low = middle + 1
    return offer(high)
