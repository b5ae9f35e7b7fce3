"""Hsu's multiple comparisons with the best: which options may be the best, and how much each could lose to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.comparison.contrasts import Pairs, estimates_with_skewness
from gengap.analysis.inference.components import MeanEstimate
from gengap.analysis.inference.intervals import limits
from gengap.analysis.inference.looks import look_level

Floats = NDArray[np.float64]
Family = tuple[MeanEstimate | None, ...]
"""Differences of all options from one of them, in their order; None for itself, and where nothing is known."""


def one_sided_level(looks: Sequence[int], alpha: float) -> float:
    """Error of the present look, so that bounds to one side hold over all looks with probability `1 - alpha`.

    Args:
        looks: Number of seeds at each look, increasing; the last is the present one.
        alpha: Error of all looks together.

    Example:
        >>> round(one_sided_level([10], 0.05), 4)
        0.045
    """
    return look_level(looks, 2 * alpha) / 2


def holds_best(high: Floats) -> NDArray[np.bool_]:
    r"""Which options are not shown to be worse than another: the set that holds the best.

    Let $\mu$ be losses and $b$ the truly best option. If all upper bounds $h_{ib} \ge \mu_i - \mu_b$ hold together with
    probability $1 - \alpha$, then all are 0 or more, and the best is in the set. No other row of bounds has to hold,
    which is why comparing everything with everything costs no more than comparing with one.

    Args:
        high: Upper bounds of the loss of the first option minus that of the second, shape `(..., options, options)`.

    Returns:
        Shape `(..., options)`. The option of the smallest mean is always in it.

    References:
        Hsu, J. C. (1981). Simultaneous confidence intervals for all distances from the "best". Annals of Statistics 9,
        1026-1034. doi:10.1214/aos/1176345582
    """
    return np.asarray((_without_itself(high, np.inf) >= 0).all(axis=-2))


def regret_bounds(high: Floats) -> Floats:
    r"""Upper bounds of what every option loses against the best, from the same error as the set.

    Where the best $b$ is in the set $S$ and $\mu_i - \mu_b \le h_{ib}$, then $\mu_i - \mu_b \le \max_{j \in S} h_{ij}$,
    for all options at once: the bound holds for whichever is chosen, however it was chosen.

    Args:
        high: As in `holds_best`.

    Returns:
        Shape `(..., options)`, 0 or more.
    """
    inside = holds_best(high)[..., None, :]
    worst = np.where(inside, _without_itself(high, 0.0), 0.0).max(axis=-1, initial=0.0)
    return cast("Floats", np.maximum(worst, 0.0))


def _without_itself(high: Floats, value: float) -> Floats:
    own = np.eye(high.shape[-1], dtype=bool)
    return np.where(own, value, high)


@dataclass(frozen=True, eq=False)
class AllPairs:
    """All options against each, as `compare` has them with each in turn for its baseline.

    Attributes:
        families: For each option, the differences of all options from it; losses, smaller is better.
    """

    families: tuple[Family, ...]

    def __len__(self) -> int:
        return len(self.families)

    def bounds(self, level: float) -> Floats:
        """Upper bounds of the loss of each option minus that of each other, shape `(options, options)`.

        Args:
            level: One-sided error of all bounds against any one option together (Bonferroni).

        Returns:
            0 on the diagonal; infinite where nothing is known.
        """
        each = min(2 * level / max(len(self) - 1, 1), 1.0)
        high = np.full((len(self), len(self)), np.inf)
        for second, family in enumerate(self.families):
            for first, one in enumerate(family):
                if first == second:
                    high[first, second] = 0.0
                elif one is not None:
                    high[first, second] = limits(one, each)[1]
        return high


def all_pairs(pairs: Sequence[Sequence[Pairs | None]]) -> AllPairs:
    """Estimate all differences with the skewness that their noise may have.

    Args:
        pairs: `pairs[i][j]`, for `i < j`, is option `i` against option `j`; the rest is not looked at.
    """
    count = len(pairs)
    families = []
    for second in range(count):
        others = [first for first in range(count) if first != second]
        found = estimates_with_skewness([_of(pairs, first, second) for first in others])
        known = dict(zip(others, found, strict=True))
        families.append(tuple(known.get(first) for first in range(count)))
    return AllPairs(tuple(families))


def _of(pairs: Sequence[Sequence[Pairs | None]], first: int, second: int) -> Pairs:
    one = pairs[min(first, second)][max(first, second)]
    assert one is not None  # noqa: S101  the upper triangle is full
    return one if first < second else turned(one)


def turned(pairs: Pairs) -> Pairs:
    """The same pairs seen from the other side."""
    estimate = pairs.estimate
    return replace(
        pairs,
        treated=pairs.untreated,
        untreated=pairs.treated,
        estimate=None if estimate is None else replace(estimate, mean=-estimate.mean),
        units=-pairs.units,
    )
