"""Two-way variance components: how sure a mean over seeds *and* cases is, for new seeds and new cases."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.inference.skewness import SYMMETRIC, Skewness

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MeanEstimate:
    """A mean over seeds and units (cases, or groups of them) with its standard error.

    The three parts are contributions to the variance of the mean, so they add up: `se**2` is
    `from_seeds + from_units - from_both`, never less than `from_both`.

    Attributes:
        mean: The mean, shape `(...)`.
        se: Its standard error for new seeds and new units.
        df: Satterthwaite's degrees of freedom of `se**2`.
        from_seeds: Variance of the means of seeds, divided by their number.
        from_units: Variance of the means of units, divided by their number.
        from_both: Interaction, which either of the first two contains once: counted twice, so subtracted once.
        seeds: Number of seeds.
        units: Number of units, or of those that carry the variance between units.
        skewness: Skewness that the mean may have; none unless it was looked into, see `with_skewness`.
        rho: What new training sets add to the variance between units, as a share of it, where the "seeds" are passes of
            a resampled study; `from_units` contains it. None where all runs saw one training set.
    """

    mean: Floats
    se: Floats
    df: Floats
    from_seeds: Floats
    from_units: Floats
    from_both: Floats
    seeds: int
    units: int
    skewness: Skewness = SYMMETRIC
    rho: float | None = None


def seeds_share(estimate: MeanEstimate) -> Floats:
    """Share of a mean's variance that comes from seeds, as estimated; 1 where nothing varies."""
    units = np.maximum(estimate.from_units - estimate.from_both, 0.0)
    total = estimate.from_seeds + units
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, estimate.from_seeds / total, 1.0)


def with_skewness(
    estimate: MeanEstimate, *, seeds: Skewness, units: Skewness = SYMMETRIC, typical_share: Floats | None = None
) -> MeanEstimate:
    r"""Say how skewed a mean may be, from how skewed the noise of single seeds and of single units may be.

    The third cumulants of independent parts add up: $\lambda = \sum_i \gamma_i n_i^{-1/2} w_i^{3/2}$ with the share
    $w_i$ of the mean's variance that $n_i$ seeds or units bring.

    Args:
        estimate: The mean.
        seeds: Skewness that the noise of seeds may have.
        units: Likewise that of units.
        typical_share: Share of seeds in comparable estimates. Seeds that lack the rare bad run vary little; their own
            share would then hide what is feared, so the larger one counts, for units too.
    """
    own = seeds_share(estimate)
    usual = own if typical_share is None else typical_share
    weight_seeds = np.maximum(own, usual) ** 1.5 / np.sqrt(estimate.seeds)
    weight_units = (1 - np.minimum(own, usual)) ** 1.5 / np.sqrt(max(estimate.units, 1))
    left = weight_seeds * seeds.left + weight_units * units.left
    return replace(estimate, skewness=Skewness(left, weight_seeds * seeds.right + weight_units * units.right))


def two_way(values: Floats, *, carriers: int | None = None) -> MeanEstimate:
    r"""Mean of a table of seeds x units, with a standard error that counts both as random.

    With $y_{sg} = \mu + a_s + b_g + e_{sg}$, the mean has the variance
    $\sigma_a^2/S + \sigma_b^2/G + \sigma_e^2/(SG)$. The mean squares of seeds, units and interaction estimate it as
    $MS_a/(SG) + MS_b/(SG) - MS_e/(SG)$, and Satterthwaite's formula gives its degrees of freedom.

    Args:
        values: Shape `(..., seeds, units)`; at least two of each, no NaN.
        carriers: How many of the units carry the variance between units, where it is known that few do; they give the
            degrees of freedom. None for all.

    Returns:
        The estimate, every field of shape `(...)`. Where all values are equal, `se` is 0 and `df` is `seeds - 1`.

    Raises:
        ValueError: there are fewer than two seeds or fewer than two units.

    Example:
        >>> table = np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]])
        >>> estimate = two_way(table)
        >>> float(estimate.mean), float(estimate.se) ** 2  # 1/4 from seeds, 1/3 from units, no interaction
        (2.5, 0.5833)

    References:
        Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics
        Bulletin 2, 110-114. doi:10.2307/3002019
    """
    values = np.asarray(values, dtype=np.float64)
    seeds, units = values.shape[-2:]
    if seeds < 2 or units < 2:
        raise ValueError(f"`values` needs two seeds and two units or more, got {seeds} and {units}.")
    of_seeds, of_units = values.mean(axis=-1), values.mean(axis=-2)
    mean = of_seeds.mean(axis=-1)
    squares_seeds = units * np.sum((of_seeds - mean[..., None]) ** 2, axis=-1)
    squares_units = seeds * np.sum((of_units - mean[..., None]) ** 2, axis=-1)
    squares_total = np.sum((values - mean[..., None, None]) ** 2, axis=(-2, -1))
    # The difference of sums of one size may come out below 0 by rounding alone.
    squares_both = np.maximum(squares_total - squares_seeds - squares_units, 0.0)
    cells = seeds * units
    return from_mean_squares(
        mean,
        from_seeds=squares_seeds / (seeds - 1) / cells,
        from_units=squares_units / (units - 1) / cells,
        from_both=squares_both / ((seeds - 1) * (units - 1)) / cells,
        seeds=seeds,
        units=units if carriers is None else carriers,
    )


def from_mean_squares(
    mean: Floats, *, from_seeds: Floats, from_units: Floats, from_both: Floats, seeds: int, units: int
) -> MeanEstimate:
    """Combine the mean squares of a two-way table, each divided by the number of cells, into an estimate."""
    # the interaction alone is the least that the variance can be: the difference of mean squares may fall below it
    variance = np.maximum(from_seeds + from_units - from_both, from_both)
    uncertainty = from_seeds**2 / (seeds - 1) + from_units**2 / (units - 1) + from_both**2 / ((seeds - 1) * (units - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(uncertainty > 0, variance**2 / uncertainty, seeds - 1.0)
    return MeanEstimate(
        # Where the interaction is subtracted, Satterthwaite's formula may fall below the degrees of freedom that the
        # smaller of the two factors has by itself.
        mean=np.asarray(mean),
        se=np.sqrt(variance),
        df=cast("Floats", np.maximum(df, min(seeds, units) - 1.0)),
        from_seeds=np.asarray(from_seeds),
        from_units=np.asarray(from_units),
        from_both=np.asarray(from_both),
        seeds=seeds,
        units=units,
    )


def seeds_only(of_seeds: Floats) -> MeanEstimate:
    """Mean over seeds with Student's standard error: for new seeds on *these* cases only.

    Args:
        of_seeds: One value per seed, shape `(..., seeds)`; at least two.
    """
    of_seeds = np.asarray(of_seeds, dtype=np.float64)
    seeds = of_seeds.shape[-1]
    if seeds < 2:
        raise ValueError(f"`of_seeds` needs two seeds or more, got {seeds}.")
    variance = of_seeds.var(axis=-1, ddof=1) / seeds
    zero = np.zeros_like(variance)
    return MeanEstimate(
        mean=of_seeds.mean(axis=-1),
        se=np.sqrt(variance),
        df=np.full_like(variance, seeds - 1.0),
        from_seeds=variance,
        from_units=zero,
        from_both=zero,
        seeds=seeds,
        units=0,
    )
