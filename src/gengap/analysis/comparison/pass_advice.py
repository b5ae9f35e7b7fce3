"""How many passes, or cases, would settle what a resampled study could not."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from gengap.analysis.comparison.advice import MOST_CASES, POWER, in_cases, smallest
from gengap.analysis.inference.components import MeanEstimate
from gengap.analysis.inference.intervals import students, widening
from gengap.analysis.inference.resampled import rescaled

MOST_PASSES = 100
"""More passes than this lower a standard error by less than anyone would notice: its floor stays."""


@dataclass(frozen=True)
class PassAdvice:
    """What would settle a comparison of a resampled study.

    Attributes:
        passes: Passes in all; None where no number of them is enough on these cases, or they are not what is missing.
        cases: Cases in all where these cases are too few, at the difference seen so far; None where they are enough, or
            where no number within reason is.
    """

    passes: int | None
    cases: int | None

    @property
    def on_these_cases(self) -> bool:
        """Whether more passes over the same cases would settle it."""
        return self.passes is not None and self.cases is None

    def __str__(self) -> str:
        if self.on_these_cases:
            return f"needs {self.passes:,} passes"
        parts = [f"{self.passes:,} passes"] if self.passes is not None else []
        parts += [f"{self.cases:,} cases"] if self.cases is not None else []
        wanted = f": needs about {' and '.join(parts)}" if parts else ""
        return f"no number of passes settles this on these cases{wanted}"


def advise_passes(estimate: MeanEstimate, *, target: float, level: float, cases: int) -> PassAdvice:
    """Passes, or cases, with which a difference of `target` would be found.

    More passes go over the same cases, so that most of the mean stays as it is: as many are advised as bring the
    interval around it down to `target`. More cases are taken for a new study, which should find it four times in five.
    The estimated variances are taken for true, and the difference for one that stays; with more cases to train on
    differences mostly shrink, so that a number of cases is a lower bound. `docs/resampling_statistics.md` counts what
    comes of it.

    Args:
        estimate: What the study knows, from `over_passes`, scalar fields.
        target: The difference to find, above 0.
        level: Level of the next verdict.
        cases: Number of cases now (an estimate may count groups).

    Returns:
        More passes if they suffice; else more cases if they suffice; else both; else nothing within reason.
    """
    passes, units = estimate.seeds, estimate.units
    if not target > 0:
        return PassAdvice(None, None)

    def settles(n: int, g: int) -> bool:
        return reach(rescaled(estimate, passes=n, units=g), level) <= target

    def settles_here(n: int) -> bool:
        longer = rescaled(estimate, passes=n, units=units)
        return half_length(longer, level) <= target

    more_passes = smallest(settles_here, passes + 1, MOST_PASSES)
    if more_passes is not None:
        return PassAdvice(more_passes, None)
    largest = max(units, round(MOST_CASES * units / cases))
    for factor in (1, 2, 4):
        more_units = smallest(lambda g, n=factor * passes: settles(n, g), units + 1, largest)  # type: ignore[misc]
        if more_units is not None:
            return PassAdvice(None if factor == 1 else factor * passes, in_cases(more_units, units, cases))
    return PassAdvice(None, None)


def reach(estimate: MeanEstimate, level: float) -> float:
    """How large a difference must be for four new studies of five to find it."""
    return half_length(estimate, level) + float(special.stdtrit(estimate.df, POWER) * estimate.se)


def half_length(estimate: MeanEstimate, level: float) -> float:
    """Half the interval, on its longer side."""
    skewness = np.maximum(estimate.skewness.left, estimate.skewness.right)
    return float(students(estimate, level) * widening(skewness, level) * estimate.se)
