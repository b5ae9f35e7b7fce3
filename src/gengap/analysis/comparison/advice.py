"""How many seeds or cases would settle what this study could not."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from gengap.analysis.inference.components import MeanEstimate
from gengap.analysis.inference.intervals import widening

POWER = 0.8
MOST_SEEDS = 1000
MOST_CASES = 10**8


@dataclass(frozen=True)
class Advice:
    """What would settle a comparison: more seeds, more cases, both, or neither within reason (None)."""

    seeds: int | None
    cases: int | None

    def __str__(self) -> str:
        parts = []
        if self.seeds is not None:
            parts.append(f"{self.seeds:,} seeds")
        if self.cases is not None:
            parts.append(f"{self.cases:,} cases")
        return "needs " + " and ".join(parts) if parts else f"needs more than {MOST_SEEDS:,} seeds"


@dataclass(frozen=True)
class _Variances:
    seed: float
    unit: float
    both: float

    def se_and_df(self, seeds: float, units: float) -> tuple[float, float]:
        """Standard error and degrees of freedom of the mean that such a study would have."""
        a, b, e = self.seed / seeds, self.unit / units, self.both / (seeds * units)
        spread = (a + e) ** 2 / (seeds - 1) + (b + e) ** 2 / max(units - 1, 1)
        total = a + b + e
        return math.sqrt(total), total**2 / spread if spread > 0 else seeds - 1


def advise(estimate: MeanEstimate, *, target: float, level: float, cases: int) -> Advice:
    """Seeds or cases with which a difference of `target` would be found in four studies of five.

    It takes the estimated variances for true; so it is advice, not a promise, and is worth repeating after a look.

    Args:
        estimate: What the study knows, scalar fields; `units` 0 means that only seeds are random.
        target: The difference to find, above 0.
        level: Level of the next verdict.
        cases: Number of held-out cases now (an estimate may count groups).

    Returns:
        More seeds if they suffice; else more cases if they suffice; else both; else nothing within reason.
    """
    seeds, units = estimate.seeds, estimate.units
    variances = _variances(estimate)
    skewness = float(max(estimate.skewness.left, estimate.skewness.right))
    if not target > 0:
        return Advice(None, None)

    def settles(n: float, g: float) -> bool:
        se, df = variances.se_and_df(n, g)
        # more seeds make the mean less skewed
        return quantiles(level, df, skewness * math.sqrt(seeds / n)) * se <= target

    more_seeds = smallest(lambda n: settles(n, max(units, 1)), seeds + 1, MOST_SEEDS)
    if more_seeds is not None or units == 0:
        return Advice(more_seeds, None)
    largest = max(units, round(MOST_CASES * units / cases))
    more_units = smallest(lambda g: settles(seeds, g), units + 1, largest)
    if more_units is not None:
        return Advice(None, in_cases(more_units, units, cases))
    # both: let the seeds take half of the allowed variance
    enough = smallest(
        lambda n: _half(variances, n, target, level, skewness * math.sqrt(seeds / n)), seeds + 1, MOST_SEEDS
    )
    if enough is None:
        return Advice(None, None)
    both = smallest(lambda g: settles(enough, g), units + 1, largest)
    return Advice(enough, in_cases(both, units, cases)) if both is not None else Advice(None, None)


def quantiles(level: float, df: float, skewness: float) -> float:
    """Standard errors that a difference must measure to be found; the special function alone: bisections call it."""
    return float(special.stdtrit(df, POWER) - special.stdtrit(df, level / 2) * widening(np.asarray(skewness), level))


def _half(variances: _Variances, seeds: float, target: float, level: float, skewness: float) -> bool:
    only_seeds = _Variances(seed=variances.seed, unit=0.0, both=0.0)
    se, df = only_seeds.se_and_df(seeds, 2)
    return quantiles(level, df, skewness) * se <= target / math.sqrt(2)


def in_cases(units: int, units_now: int, cases: int) -> int:
    """Cases that go with so many units, to two digits: more would pretend to know."""
    wanted = cases * units / units_now
    digits = max(0, math.floor(math.log10(wanted)) - 1)
    step = int(10**digits)
    return math.ceil(wanted / step) * step


def _variances(estimate: MeanEstimate) -> _Variances:
    seeds, units = estimate.seeds, max(estimate.units, 1)
    both = float(estimate.from_both)
    return _Variances(
        seed=seeds * max(float(estimate.from_seeds) - both, 0.0),
        unit=units * max(float(estimate.from_units) - both, 0.0),
        both=seeds * units * both,
    )


def smallest(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """Smallest whole number in `[low, high]` for which a monotone condition holds, by bisection."""
    if low > high or not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
