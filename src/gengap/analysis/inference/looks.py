"""Looking again after adding seeds: every look is paid for out of one error budget."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, stats

if TYPE_CHECKING:
    from gengap.results import Result

FIRST_SHARE = 0.9
"""Share of the error that the first look spends; each later one spends half of what is then left."""
EXACT_LOOKS = 5
"""Up to here the overlap of the looks is computed; after that each spends its part as if they shared nothing."""


def look_level(seeds: Sequence[int], alpha: float = 0.05) -> float:
    r"""Level of the verdict at the latest of several looks, such that all looks together err at most at `alpha`.

    The first look spends nine tenths of `alpha`, every later one half of what is left: nobody has to say beforehand how
    often they will look. Verdicts after $n_1 < n_2 < \dots$ seeds are correlated like $\sqrt{n_i/n_j}$ where seeds
    dominate, and more where cases do; the overlap is counted at the smaller value.

    Args:
        seeds: Number of seeds at each look, increasing; the last is the present one.
        alpha: Error of all looks together.

    Returns:
        The two-sided level for the present look.

    Raises:
        ValueError: `seeds` is empty or does not increase.

    Example:
        >>> round(look_level([10]), 4), round(look_level([6, 10]), 4)
        (0.045, 0.0076)

    References:
        Lan, K. K. G. and DeMets, D. L. (1983). Discrete sequential boundaries for clinical trials. Biometrika 70,
        659-663. doi:10.1093/biomet/70.3.659
    """
    if not len(seeds) or any(b <= a for a, b in pairwise(seeds)):
        raise ValueError(f"`seeds` must increase from look to look, got {list(seeds)}.")
    return _levels(tuple(int(n) for n in seeds), alpha)[-1]


@lru_cache(maxsize=256)
def _levels(seeds: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """Levels of all looks so far."""
    index = len(seeds) - 1
    spent = alpha * (1 - (1 - FIRST_SHARE) * 0.5**index)
    if index == 0:
        return (spent,)
    before = _levels(seeds[:-1], alpha)
    part = alpha * (1 - FIRST_SHARE) * 0.5**index
    if index >= EXACT_LOOKS:
        return (*before, part)
    critical = [float(stats.norm.isf(level / 2)) for level in before]

    def excess(c: float) -> float:
        return 1 - _inside([*critical, c], seeds) - spent

    # The part that this look adds is safe whatever looks have in common (errors add up at most), so that it is the
    # floor: the root is found to a tolerance, and the overlap counts in favour only.
    level = 2 * float(stats.norm.sf(optimize.brentq(excess, 0.5, 8.0, xtol=1e-5)))
    return (*before, max(level, part))


def _inside(critical: list[float], seeds: tuple[int, ...]) -> float:
    """P(no look so far finds a difference where there is none)."""
    n = np.asarray(seeds, dtype=np.float64)
    correlation = np.sqrt(np.minimum.outer(n, n) / np.maximum.outer(n, n))
    limits = np.asarray(critical)
    law = stats.multivariate_normal(mean=np.zeros(len(n)), cov=correlation, allow_singular=True, seed=0)
    return float(law.cdf(limits, lower_limit=-limits))


def looks_of(result: "Result") -> tuple[int, ...]:
    """Numbers of seeds at which this study has been looked at, the present one last.

    A study that ran again without new seeds has not been looked at anew.
    """
    present = int(result.runs.sizes["seed"])
    recorded = [int(look["seeds"]) for look in result.manifest.get("looks") or ()]
    return (*sorted({n for n in recorded if n < present}), present)
