"""From which epoch a model overfits: a property of the mean curve, with a confidence set instead of a guess."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

EPOCHS_A_TEST = 8
"""Neighbouring epochs tell nearly the same, so that many share one test; simulated, see docs/statistics.md."""
FEWEST_TESTS = 2


@dataclass(frozen=True)
class Onset:
    """From when on a curve stays above its minimum.

    Attributes:
        epoch: First epoch from which the mean curve exceeds its minimum by the margin, to the end; None where it
            never does within the epochs trained (a censored answer).
        low: Smallest epoch of the 95 % confidence set.
        high: Largest epoch of the set; None where the set holds "later than trained, or never".
        epochs: Number of epochs trained.
        margin: The margin, in the score's units.
    """

    epoch: int | None
    low: int | None
    high: int | None
    epochs: int
    margin: float

    def __str__(self) -> str:
        if self.low is None:
            return f"none within {self.epochs} epochs"
        high = f"after {self.epochs} or never" if self.high is None else str(self.high)
        if self.epoch is None:
            return f"none within {self.epochs} epochs (not before epoch {self.low})"
        return f"epoch {self.epoch} [{self.low}, {high}]"


def onset_of(curve: Floats, margin: float) -> int | None:
    """First epoch from which a curve exceeds its minimum by more than `margin` up to the end; None where it never does.

    Example:
        >>> onset_of(np.array([0.5, 0.3, 0.31, 0.4, 0.6]), 0.05)
        4
    """
    below = np.flatnonzero(curve <= curve.min() + margin)
    first = int(below[-1]) + 2  # epochs count from 1
    return first if first <= len(curve) else None


def onset(
    curves: Floats, *, margin: float | None = None, noise: float | None = None, unit_covariance: Floats | None = None
) -> Onset:
    r"""Onset of overfitting with a 95 % confidence set, by inverting tests on the mean curve.

    An epoch $k$ is refused as onset if the excess over the minimum, $x(e) = \max_{e'} \mu(e) - \mu(e')$, is surely
    above the margin at $k - 1$ already, or surely not above it at some later epoch. Both are read off paired
    differences of epochs within a seed, at 2.5 % each, shared among an eighth of the epochs (all of them, Bonferroni's
    choice, made sets twice as wide that covered 100 %). The argmin, which is biased on plateaus, plays no part in it.

    Args:
        curves: Held-out score of every seed and epoch, smaller is better, shape `(seeds, epochs)`, no NaN.
        margin: Rise that counts; by default the noise between seeds at the best epoch (`seed_noise`), whose own
            uncertainty then widens the set.
        noise: That noise as estimated from as many seeds elsewhere, such as from all variants of a study: a net of
            which one run got stuck has so much of its own that no rise would count.
        unit_covariance: Covariance of the mean curve that comes from the held-out cases, shape `(epochs, epochs)`;
            None makes the claim for these cases only.

    Returns:
        The onset. With one seed the set is everything.

    Raises:
        ValueError: there are fewer than two epochs, or NaN.
    """
    curves = np.asarray(curves, dtype=np.float64)
    seeds, epochs = curves.shape
    if epochs < 2 or not np.isfinite(curves).all():
        raise ValueError(f"`curves` needs two epochs or more and no NaN, got shape {curves.shape}.")
    mean = curves.mean(axis=0)
    if seeds < 2:
        return Onset(onset_of(mean, margin or 0.0), 2, None, epochs, margin or 0.0)
    low_margin, point, high_margin = _margins(curves, margin, noise)
    lower, upper = _excess_limits(curves, unit_covariance)
    # candidate k (from 2) needs lower(k-1) <= margin and upper(e) >= margin for e >= k; the last stands for "never"
    not_before = lower <= high_margin
    stays = np.append(np.logical_and.accumulate((upper >= low_margin)[::-1])[::-1], True)
    kept = [k for k in range(2, epochs + 2) if not_before[k - 2] and stays[k - 1]]
    best = onset_of(mean, point)
    kept = sorted({*kept, best if best is not None else epochs + 1})
    if kept == [epochs + 1]:
        return Onset(None, None, None, epochs, point)
    return Onset(best, kept[0], None if kept[-1] == epochs + 1 else kept[-1], epochs, point)


def seed_noise(scores: Floats) -> float:
    r"""What a new seed alone would change: the mean distance of two seeds, times $\sqrt{\pi}/2$.

    For normal scores that is their standard deviation (Gini's estimate of it); one run that got stuck, which would
    let a standard deviation hide every rise, counts in it once instead of squared.

    Args:
        scores: One score per seed, shape `(seeds,)`, at least two.

    Example:
        >>> round(seed_noise(np.array([1.0, 2.0, 4.0])), 4)  # mean distance 2
        1.7725
    """
    ordered, n = np.sort(scores), len(scores)
    distance = 2 * float((2 * np.arange(n) - n + 1) @ ordered) / (n * (n - 1))
    return float(np.sqrt(np.pi) / 2 * distance)


def noise_at_best(curves: Floats) -> float:
    """`seed_noise` at the epoch at which the mean curve is lowest."""
    return seed_noise(curves[:, curves.mean(axis=0).argmin()])


def _margins(curves: Floats, margin: float | None, noise: float | None) -> tuple[float, float, float]:
    """The margin and, where it is estimated, a 90 % interval of it."""
    if margin is not None:
        return margin, margin, margin
    df = len(curves) - 1
    noise = noise_at_best(curves) if noise is None else noise
    scale = np.sqrt(df / stats.chi2.ppf([0.95, 0.05], df))
    return noise * float(scale[0]), noise, noise * float(scale[1])


def _excess_limits(curves: Floats, unit_covariance: Floats | None) -> tuple[Floats, Floats]:
    """Lower and upper confidence limits of the mean curve's excess over its minimum, shape `(epochs,)` each."""
    seeds, epochs = curves.shape
    mean, covariance = curves.mean(axis=0), np.cov(curves, rowvar=False) / seeds
    if unit_covariance is not None:
        covariance = covariance + unit_covariance
    own = np.diag(covariance)
    se = np.sqrt(np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0.0))
    difference = mean[:, None] - mean[None, :]
    critical = float(stats.t.isf(0.025 / max(epochs / EPOCHS_A_TEST, FEWEST_TESTS), seeds - 1))
    return (difference - critical * se).max(axis=1), (difference + critical * se).max(axis=1)
