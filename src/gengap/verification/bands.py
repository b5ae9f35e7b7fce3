"""Bands and bars around curves: how far chance alone moves them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.verification.curves import roc_curve_of_ranked
from gengap.verification.decomposition import ReliabilityBins
from gengap.verification.inputs import Cases, Floats, label_cases
from gengap.verification.ranking import rank
from gengap.verification.resampling import bootstrap_counts


@dataclass(frozen=True, eq=False)
class RocBand:
    """Pointwise confidence band of a ROC curve: of detection at given false detection.

    Attributes:
        probability_of_false_detection: From 0 to 1, shape `(k,)`.
        low: Lower end of the probability of detection, shape `(k,)`.
        high: Upper end, shape `(k,)`.
        level: Nominal coverage at each value by itself.
    """

    probability_of_false_detection: Floats
    low: Floats
    high: Floats
    level: float


def roc_band(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 500,
    seed: int = 0,
) -> RocBand:
    """Pointwise confidence band of the ROC curve, over cases or groups of cases.

    The percentile bootstrap of the curve, widened to Wilson's interval of the probability of detection where that
    reaches further: a sample in which all events are detected has no bootstrap variation, but is no proof. With fewer
    than some twenty events the band still covers less than it claims at low false detection.

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_score: Probabilities, or any real numbers that rise with the chance of the event, shape `(n,)`.
        groups: Labels of groups of cases that are not independent, shape `(n,)`, or None.
        level: Nominal coverage at each value by itself.
        replicates: Number of bootstrap samples.
        seed: Fixes the samples.

    Returns:
        The band on 101 values; NaN throughout where only one label occurs.

    Raises:
        DataError: The cases are invalid.

    Example:
        >>> band = roc_band([0, 1, 0, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.2, 0.3], replicates=50)
        >>> bool((band.low <= band.high).all())
        True
    """
    valid = label_cases(y_true, y_score)
    labels = None if groups is None else valid.keep(groups, "groups")
    grid = np.linspace(0.0, 1.0, 101)
    curves = np.full((replicates, len(grid)), np.nan)
    for row, tallies in enumerate(_tallies(valid, labels, replicates, seed)):
        hits, alarms = np.cumsum(tallies, axis=1)
        if hits[-1] and alarms[-1]:
            curves[row] = np.interp(grid, np.append(0, alarms / alarms[-1]), np.append(0, hits / hits[-1]))
    if np.isnan(curves).all():
        return RocBand(grid, curves[0], curves[0], level)
    low, high = np.nanquantile(curves, [(1 - level) / 2, (1 + level) / 2], axis=0)
    curve = roc_curve_of_ranked(rank(valid, weighted=False))
    pod = np.interp(grid, curve.probability_of_false_detection, curve.probability_of_detection)
    event = valid.observed == 1
    independent = float(event.sum())
    if labels is not None:
        independent /= _design_effect(curves, pod, independent, independent / len(np.unique(labels[event])))
    wilson_low, wilson_high = _wilson(pod, independent, level)
    return RocBand(grid, np.minimum(low, wilson_low), np.maximum(high, wilson_high), level)


def _design_effect(curves: Floats, share: Floats, events: float, most: float) -> float:
    """Return how many dependent events tell as much as one independent one, from the variance of the bootstrap."""
    inner = (share > 0.05) & (share < 0.95)
    if not inner.any():
        return most
    ratios = np.nanvar(curves[:, inner], axis=0) * events / (share * (1 - share))[inner]
    return float(np.clip(np.median(ratios), 1.0, most))


def _wilson(share: Floats, n: float, level: float) -> tuple[Floats, Floats]:
    """Return Wilson's interval of shares of n independent cases."""
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return centre - half, centre + half


def _tallies(valid: Cases, labels: NDArray[Any] | None, replicates: int, seed: int) -> Iterator[NDArray[Any]]:
    """Yield events and non-events of each bootstrap sample by forecast, from the highest down, shape `(2, k)`.

    At most 2,000 values are told apart: more than any figure can show.
    """
    values, place = np.unique(-valid.forecast, return_inverse=True)
    count = min(len(values), 2000)
    cell = place * count // len(values) + np.where(valid.observed == 1, 0, count)
    if labels is None:
        # drawing cases and tallying them is drawing tallies
        share = np.bincount(cell, minlength=2 * count) / len(cell)
        rng = np.random.default_rng(seed)
        yield from (rng.multinomial(len(cell), share).reshape(2, count) for _ in range(replicates))
        return
    for counts in bootstrap_counts(len(cell), replicates=replicates, groups=labels, seed=seed):
        yield np.bincount(cell, counts, 2 * count).reshape(2, count)


def consistency_bars(table: ReliabilityBins, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Ends of the event frequency in each bin that calibrated, independent forecasts would show.

    Args:
        table: Forecasts and outcomes in bins, without weights.
        level: Probability of each frequency to lie between its ends, by itself (at least, as counts are whole).

    Returns:
        Lower and upper ends, each of shape `(k,)`; NaN for empty bins.

    Example:
        >>> from gengap.verification import reliability_bins
        >>> low, high = consistency_bars(reliability_bins([0, 1, 0, 1], [0.2, 0.3, 0.6, 0.9], bins=2))
        >>> low.tolist(), high.tolist()
        ([0.0, 0.0], [1.0, 1.0])

    References:
        Bröcker, J. and Smith, L. A. (2007). doi 10.1175/WAF993.1
    """
    from scipy.stats import binom

    n = np.round(table.weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (binom.ppf(q, n, table.forecast) / n for q in ((1 - level) / 2, (1 + level) / 2))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
