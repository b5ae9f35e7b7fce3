"""What a comparison may say: better, worse, equivalent, or that it cannot say and what it would take."""

import math
from dataclasses import dataclass
from typing import Literal

from gengap.analysis.comparison.advice import Advice, advise
from gengap.analysis.comparison.pass_advice import PassAdvice, advise_passes
from gengap.analysis.findings.wording import GIVEN
from gengap.analysis.inference.components import MeanEstimate
from gengap.analysis.inference.intervals import limits

Kind = Literal["better", "worse", "equivalent", "cannot say"]


@dataclass(frozen=True)
class Verdict:
    """A verdict and, where nothing can be said, what would settle it; `given` says for which training sets."""

    kind: Kind
    margin: float | None = None
    advice: Advice | PassAdvice | None = None
    given: str = GIVEN

    @property
    def short(self) -> str:
        """The verdict for a table whose head says for which training sets it holds."""
        if self.kind == "equivalent":
            return f"equivalent within {self.margin:g}"
        return f"cannot say, {self.advice}" if self.kind == "cannot say" and self.advice else self.kind

    def __str__(self) -> str:
        return f"{self.short} ({self.given})"


def interval(estimate: MeanEstimate, level: float) -> tuple[float, float]:
    """Two-sided interval of confidence `1 - level` of a scalar estimate."""
    low, high = limits(estimate, level)
    return float(low), float(high)


def judge(
    estimate: MeanEstimate,
    *,
    level: float,
    next_level: float,
    larger_is_better: bool,
    margin: float | None,
    cases: int,
    given: str = GIVEN,
) -> Verdict:
    """Read the verdict off the simultaneous interval, so that the two can never disagree.

    Args:
        estimate: The difference from the baseline.
        level: Level of the interval that is shown.
        next_level: Level that a further look would have, for the advice.
        larger_is_better: Orientation of the score.
        margin: Differences within it do not matter to the user; None allows no verdict of equivalence.
        cases: Number of held-out cases.
        given: For which training sets the verdict holds.

    Returns:
        `equivalent` where the whole interval lies within the margin, `better` or `worse` where it excludes 0.
    """
    low, high = interval(estimate, level)
    if margin is not None and -margin < low and high < margin:
        return Verdict("equivalent", margin=margin, given=given)
    if low > 0 or high < 0:
        return Verdict("better" if (low > 0) == larger_is_better else "worse", given=given)
    return Verdict("cannot say", margin=margin, advice=_advice(estimate, next_level, margin, cases), given=given)


def _advice(estimate: MeanEstimate, level: float, margin: float | None, cases: int) -> Advice | PassAdvice:
    """What would show the difference seen so far or, if that is less, that none as large as the margin exists."""

    def asked(target: float) -> Advice | PassAdvice:
        if estimate.rho is None:
            return advise(estimate, target=target, level=level, cases=cases)
        return advise_passes(estimate, target=target, level=level, cases=cases)

    found = asked(abs(float(estimate.mean)))
    if margin is None or math.isclose(margin, 0):
        return found
    return min((found, asked(margin - abs(float(estimate.mean)))), key=effort)


def effort(advice: Advice | PassAdvice) -> float:
    """How much an advice asks for, to order several: infinite where it has nothing to offer."""
    runs = advice.passes if isinstance(advice, PassAdvice) else advice.seeds
    if runs is None and advice.cases is None:
        return math.inf
    return (runs or 0) + 1e-3 * (advice.cases or 0)
