"""How skewed the noise of seeds and cases may be, since a t interval of a skewed mean is too short on one side.

A handful of seeds cannot show their own skewness: the runs that look best are those in which the rare bad one is
missing. All variants of a study together can, and where variant and baseline vary alike, their differences are
symmetric whatever the law.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

CAUTION = 0.9
"""Standard errors of a single group's L-skewness, divided by the number of groups, by which noise may be more skewed
than it looks. Chosen by simulation, for families of 1, 3 and 8."""
FEWEST = 3
MOST = 1.2
"""Sigma of the most skewed lognormal law that is thought of, of skewness 11. Three or four seeds may look as skewed as
one likes; without this limit their intervals reach ten times too far. In simulated studies of lognormal noise (sigma 1)
it adds .2 % of errors with six seeds and more."""


@dataclass(frozen=True, eq=False)
class Skewness:
    """Skewness that a law may have to either side; neither is negative.

    Attributes:
        left: Size of its skewness to the left, shape `(...)`.
        right: To the right.
    """

    left: Floats
    right: Floats


SYMMETRIC = Skewness(np.zeros(()), np.zeros(()))


def l_skewness(values: Floats) -> Floats:
    r"""L-skewness along the last axis: 0 for symmetric laws, .17 for the normal's neighbour, the Gumbel, at most 1.

    Sample L-moments are unbiased; their ratio is not, so it is multiplied by $n/(n - 1.4)$, which brings the mean of
    small samples of a lognormal law within 2 % of the truth. With a tenth of the cases that a moment needs it tells
    skewed laws from the normal.

    Args:
        values: Shape `(..., n)`.

    Returns:
        Shape `(...)`; NaN where there are fewer than three values, or all are equal.

    Example:
        >>> float(l_skewness(np.array([1.0, 2.0, 3.0])))
        0.0

    References:
        Hosking, J. R. M. (1990). L-moments. Journal of the Royal Statistical Society B 52, 105-124.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=-1)
    n = ordered.shape[-1]
    if n < FEWEST:
        return np.full(ordered.shape[:-1], np.nan)
    ordered = ordered - ordered.mean(axis=-1, keepdims=True)
    rank = np.arange(n)
    # Probability-weighted moments b1 and b2. Of centered values b0 is 0, so that l2 = 2 b1 - b0 and l3 = 6 b2 - 6 b1 +
    # b0 lose it, and with it the digits that a large common mean would cost.
    first = ordered @ (rank / (n - 1.0)) / n
    second = ordered @ (rank * (rank - 1) / ((n - 1.0) * (n - 2.0))) / n
    scale, third = 2 * first, 6 * second - 6 * first
    # Measured by the values themselves: scores that differ by rounding have no spread, however small they are.
    vanishing = scale <= 1e-12 * np.abs(np.asarray(values)).max(axis=-1, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(vanishing, np.nan, third / scale * n / (n - 1.4))


def l_skewness_error(n: int) -> float:
    """Standard error of the L-skewness of `n` normal values (Hosking's asymptotics with a term for small samples)."""
    n = max(n, FEWEST)
    return float(np.sqrt((0.1866 + 0.8 / n) / n) * n / (n - 1.4))


def pooled_range(groups: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Skewness that the law of several groups of values may have, lowest and highest.

    Args:
        groups: Values that share a law up to place and scale, shape `(..., n)` each; those too few or without spread
            say nothing.

    Returns:
        Two arrays of shape `(...)`, in units of ordinary skewness, as a shifted lognormal law of that L-skewness has
        it; without any telling group as far as that goes.
    """
    errors = [l_skewness_error(group.shape[-1]) for group in groups]
    return allowed_range([l_skewness(group) for group in groups], errors)


def allowed_range(seen: Sequence[Floats], errors: Sequence[float]) -> tuple[Floats, Floats]:
    """The same from the groups' L-skewness, shape `(...)` each, and its standard errors."""
    values = np.stack(seen)
    telling = np.isfinite(values)
    count = np.maximum(telling.sum(axis=0), 1)
    mean = np.where(telling, values, 0.0).sum(axis=0) / count
    widths = np.reshape(errors, (-1, *[1] * (values.ndim - 1)))
    error = np.where(telling, widths, 0.0).sum(axis=0) / count
    allowed = np.where(telling.any(axis=0), CAUTION * error / count, 1.0)
    return ordinary_skewness(mean - allowed), ordinary_skewness(mean + allowed)


def ordinary_skewness(l_skew: Floats) -> Floats:
    """Skewness of the shifted lognormal law that has this L-skewness, up to that of `MOST`."""
    known, skewness = _lognormal()
    return np.asarray(np.sign(l_skew) * np.interp(np.abs(l_skew), known, skewness))


@lru_cache(maxsize=1)
def _lognormal() -> tuple[Floats, Floats]:
    """L-skewness and skewness of lognormal laws, by quadrature over the normal law."""
    sigma = np.linspace(0.0, MOST, 61)[1:]
    z = np.linspace(-9.0, 12.0, 4001)
    weight, below = np.exp(-(z**2) / 2), special.ndtr(z)
    values = np.exp(sigma[:, None] * z) * weight
    # L-moments are means of x times Legendre's polynomials of F(x): 2 F - 1 for scale, 6 F^2 - 6 F + 1 for skewness. In
    # their ratio the step of the grid and the constant of the normal law cancel.
    ratio = (values @ (6 * below**2 - 6 * below + 1)) / (values @ (2 * below - 1))
    spread = np.exp(sigma**2)
    return np.append(0.0, ratio), np.append(0.0, (spread + 2) * np.sqrt(spread - 1))


def skewness_of_difference(
    treated: Floats, untreated: Floats, allowed: tuple[Floats, Floats], *, typical_share: Floats | None = None
) -> Skewness:
    r"""Skewness that paired differences may have, if both sides have noise of one shape.

    With $x = c + e_x$ and $b = c + e_b$, the share $w$ of the variance of $d = x - b$ that comes from $x$ is
    $\mathrm{cov}(x, d)/\mathrm{var}(d)$, and the skewness of $d$ is $\gamma (w^{3/2} - (1-w)^{3/2})$: nothing where
    both vary alike, all of it where one side stands still.

    Args:
        treated: Scores of the variant, shape `(..., seeds)`.
        untreated: Scores of the baseline, the same.
        allowed: Lowest and highest skewness of the noise, shape `(...)` each.
        typical_share: Share in comparable differences, see `share_of_variants`. Seeds that lack the rare bad run make a
            variant look steadier than it is, and its own share then hides what is feared (with a baseline that varies a
            quarter as much, one family of eight in eight was wrong): any share between the two is thought of.
    """
    own = share_of_variants([(treated, untreated)])
    other = own if typical_share is None else typical_share
    factors = [share**1.5 - (1 - share) ** 1.5 for share in (own, other)]
    ends = [_two_sided(factor * allowed[0], factor * allowed[1]) for factor in factors]
    return Skewness(np.maximum(*(one.left for one in ends)), np.maximum(*(one.right for one in ends)))


def share_of_variants(pairs: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Share of the variance of paired differences that comes from the variants, over several together.

    Args:
        pairs: Scores of a variant and of the baseline, shape `(..., seeds)` each.

    Returns:
        Shape `(...)`, from 0 to 1; 1/2 where no difference varies.
    """
    products, squares = [], []
    for treated, untreated in pairs:
        difference = treated - untreated
        difference = difference - difference.mean(axis=-1, keepdims=True)
        products.append(np.sum((treated - treated.mean(axis=-1, keepdims=True)) * difference, axis=-1))
        squares.append(np.sum(difference**2, axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.sum(products, axis=0) / np.sum(squares, axis=0)
    return cast("Floats", np.clip(np.nan_to_num(ratio, nan=0.5), 0.0, 1.0))


def skewness_of_units(seen: Sequence[Floats], units: int) -> list[Skewness]:
    """Skewness that differences of cases may have, from the L-skewness of the mean over seeds of every contrast.

    Each contrast's own counts, or that of all together where it is more: some differences lack the rare case.

    Args:
        seen: L-skewness of every contrast, shape `(...)` each.
        units: Number of cases, or of groups of them.
    """
    error = l_skewness_error(units)
    together = _two_sided(*allowed_range(seen, [error] * len(seen)))
    found = [_two_sided(*allowed_range([one], [error])) for one in seen]
    return [Skewness(np.maximum(one.left, together.left), np.maximum(one.right, together.right)) for one in found]


def _two_sided(one: Floats, other: Floats) -> Skewness:
    zero = np.zeros(())
    return Skewness(
        left=cast("Floats", -np.minimum(np.minimum(one, other), zero)),
        right=cast("Floats", np.maximum(np.maximum(one, other), zero)),
    )
