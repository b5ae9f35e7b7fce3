"""When to stop climbing a ladder of capacities, and which rung to keep."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gengap.analysis.cases import Floats
from gengap.analysis.inference.components import MeanEstimate, seeds_only, two_way
from gengap.analysis.inference.over_seeds import NOTHING
from gengap.analysis.inference.resampled import FEWEST_PASSES, over_passes
from gengap.analysis.tables import IntervalEstimate
from gengap.errors import DataError


@dataclass(frozen=True, eq=False)
class Rung:
    """One size of a model, trained with every seed.

    Attributes:
        name: Name of the variant.
        shape: Units of the hidden layers, such as `"16-16"`.
        parameters: Number of trainable parameters.
        values: Held-out score of every seed and unit (case, or group of cases), smaller is better, shape
            `(seeds, units)`; a diverged run is a row of NaN.
        rho: In a resampled study, whose seeds are passes, what new training sets add to the variance between units by
            convention; None for one training set.
    """

    name: str
    shape: str
    parameters: int
    values: Floats
    rho: float | None = None

    @property
    def mean(self) -> float:
        """Mean score over the runs that did not diverge; infinite where none is left."""
        kept = self.values[_finite(self.values)]
        return float(kept.mean()) if len(kept) else float("inf")

    @property
    def size(self) -> str:
        """Its hidden layers and parameters in words."""
        return f"{self.shape} units ({self.parameters:,d} parameters)"


@dataclass(frozen=True)
class Gain:
    """What a larger rung has over a smaller one, paired by seed and by case.

    Attributes:
        lower: Name of the smaller rung.
        upper: Name of the larger one.
        gain: Score of the lower minus score of the upper, with its 95 % interval; positive is an improvement.
        se: Standard error of the gain, for new seeds and new cases.
        improves: Whether the rule goes on.
    """

    lower: str
    upper: str
    gain: IntervalEstimate
    se: float
    improves: bool

    def __str__(self) -> str:
        return f"{self.upper} {self.gain.show('+.4f')}"


def gain(lower: Rung, upper: Rung, *, margin: float | None = None) -> Gain:
    r"""Judge one step of a ladder.

    Without a margin, the step improves if its mean gain exceeds one standard error of the paired difference (the
    one-standard-error rule, Breiman et al. 1984). With a margin, it improves unless the gain is shown to be below the
    margin (one-sided, 5 %): then a rung is given up only because it was seen not to matter. Neither rule reads "not
    significant" as "no better".

    Args:
        lower: The smaller rung.
        upper: The larger one, trained with the same seeds and read on the same cases.
        margin: Gain that is worth a step, in the score's units; None takes the one-standard-error rule.

    Returns:
        The gain. A larger rung that diverged with all seeds but one (of passes two), or all, does not improve.

    Raises:
        DataError: `margin` is not above 0, or the rungs were read on different cases.

    References:
        Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and Regression Trees, ch. 3.
    """
    if margin is not None and not margin > 0:
        raise DataError(f"`margin` must be above 0, received {margin!r}.")
    if lower.values.shape != upper.values.shape:
        raise DataError(
            f"Rungs must share seeds and cases: {lower.name!r} has {lower.values.shape}, {upper.name!r} "
            f"{upper.values.shape}."
        )
    estimate = _paired(lower, upper)
    if estimate is None:
        return Gain(lower.name, upper.name, NOTHING, float("nan"), improves=False)
    mean, se, df = float(estimate.mean), float(estimate.se), float(estimate.df)
    reach = float(stats.t.ppf(0.975, df)) * se
    improves = mean > se if margin is None else mean + float(stats.t.ppf(0.95, df)) * se >= margin
    return Gain(lower.name, upper.name, IntervalEstimate(mean, mean - reach, mean + reach), se, improves)


@dataclass(frozen=True)
class Choice:
    """The rung to keep.

    Attributes:
        name: The smallest rung that the rule does not tell from the best.
        best: The rung of best mean score.
        cost: What the chosen rung loses against the best, with its 95 % interval; 0 where they are one.
    """

    name: str
    best: str
    cost: IntervalEstimate


def smallest_sufficient(rungs: Sequence[Rung], *, margin: float | None = None) -> Choice:
    """Choose the smallest rung from which the step to the best rung would not improve.

    Args:
        rungs: All rungs that were trained; order does not matter.
        margin: As in `gain`.

    Raises:
        DataError: There is no rung, or all of them diverged.
    """
    alive = sorted((rung for rung in rungs if _finite(rung.values).any()), key=lambda rung: rung.parameters)
    if not alive:
        raise DataError("No rung of the ladder was trained to the end: every run diverged.")
    best = min(alive, key=lambda rung: rung.mean)
    for rung in alive:
        if rung is best:
            break
        step = gain(rung, best, margin=margin)
        if not step.improves and np.isfinite(step.gain.value):
            return Choice(rung.name, best.name, step.gain)
    return Choice(best.name, best.name, IntervalEstimate(0.0, 0.0, 0.0))


def _finite(values: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(values).all(axis=-1))


def _paired(lower: Rung, upper: Rung) -> MeanEstimate | None:
    kept = _finite(lower.values) & _finite(upper.values)
    difference = lower.values[kept] - upper.values[kept]
    if lower.rho is not None and upper.rho is not None:
        rho = max(lower.rho, upper.rho)
        return over_passes(difference, rho) if len(difference) >= FEWEST_PASSES else None
    if len(difference) < 2:
        return None
    return two_way(difference) if difference.shape[1] > 1 else seeds_only(difference[:, 0])
