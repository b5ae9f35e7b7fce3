"""A gate: is one variant no worse than another by more than a margin? Holds, fails, or cannot be said."""

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gengap.analysis.cases import EpochRule, primary_rule
from gengap.analysis.claims import Claim, notes_of, title_of
from gengap.analysis.comparison.advice import Advice, advise, quantiles
from gengap.analysis.comparison.contrasts import FEW_SEEDS, FEW_UNITS
from gengap.analysis.comparison.estimators import ScoreName
from gengap.analysis.comparison.pass_advice import PassAdvice, advise_passes
from gengap.analysis.decision.best import one_sided_level
from gengap.analysis.decision.matching import Match, same_cases
from gengap.analysis.decision.options import check_alpha
from gengap.analysis.decision.recommendation import reading_of
from gengap.analysis.inference.intervals import limits
from gengap.analysis.inference.resampled import FEWEST_PASSES, USUAL_PASSES
from gengap.analysis.numbers import without_tags
from gengap.errors import DataError, UnknownNameError
from gengap.naming import did_you_mean
from gengap.results.checks import check_is_result
from gengap.results.resampled import resampling_of

if TYPE_CHECKING:
    from gengap.results import Result

Outcome = Literal["holds", "fails", "cannot say"]
EXIT_CODES: dict[Outcome, int] = {"holds": 0, "fails": 1, "cannot say": 3}
"""What `gengap gate` ends with; 2 is a wrong use's."""


@dataclass(frozen=True, repr=False)
class Gate:
    """Whether one variant is no worse than another by more than a margin.

    Attributes:
        variant: The variant that is to pass.
        against: The variant that it is held against.
        margin: By how much it may be worse, in the score's units.
        outcome: `"holds"`, `"fails"` or `"cannot say"`.
        worse_by: By how much it is worse on average, whichever way the score points; below 0 it is better.
        at_least: One-sided lower bound of that; infinite where nothing can be said.
        at_most: One-sided upper bound of that.
        confidence: Of either bound: with at most one minus that does a variant that is worse by more than the margin
            pass, or one that is not fail.
        smallest: The smallest difference from the margin that this study would have seen in four studies of five.
        advice: Where it cannot be said, what would settle it.
        score: The score.
        larger_is_better: Its orientation.
        rule: Epoch at which both are read.
        claim: What the outcome is about.
        given: For which training sets it holds.
        part: The split that was read.
        seeds: Pairs of runs.
        cases: Held-out cases.
        notes: What weakens it.
    """

    variant: str
    against: str
    margin: float
    outcome: Outcome
    worse_by: float
    at_least: float
    at_most: float
    confidence: float
    smallest: float
    advice: Advice | PassAdvice | None
    score: str
    larger_is_better: bool
    rule: EpochRule
    claim: Claim
    given: str
    part: str
    seeds: int
    cases: int
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 where it holds, 1 where it fails, 3 where it cannot be said."""
        return EXIT_CODES[self.outcome]

    @property
    def sentence(self) -> str:
        """The outcome in one sentence."""
        worse = f"worse than {self.against} by more than {self.margin:g} in {self.score}"
        if self.outcome == "cannot say":
            return f"Cannot say whether {self.variant} is {worse}, {self.given}."
        verb = "is not" if self.outcome == "holds" else "is"
        return f"{self.outcome.capitalize()}: {self.variant} {verb} {worse}, {self.given}."

    def to_markdown(self) -> str:
        """Return a few lines for a pull request."""
        better = "larger" if self.larger_is_better else "smaller"
        rows = [
            (f"{self.variant} is worse by", _signed(self.worse_by)),
            (
                f"at least / at most ({100 * self.confidence:.4g} % each)",
                f"{_signed(self.at_least)} / {_signed(self.at_most)}",
            ),
            ("may be worse by", f"{self.margin:g}"),
            ("smallest difference that this study could have seen (4 of 5)", _size(self.smallest)),
            ("score", f"{self.score} ({better} is better) on {self.part}, {self.rule} epoch"),
            ("claim", title_of(self.claim, self.given)),
            ("seeds, cases", f"{self.seeds:,}, {self.cases:,}"),
        ]
        if self.advice is not None:
            rows.append(("to settle it", str(self.advice)))
        table = ["| | |", "|---|---|", *(f"| {_cell(name)} | {_cell(value)} |" for name, value in rows)]
        notes = ["", *(f"- {without_tags(note)}" for note in self.notes)] if self.notes else []
        return (
            "\n".join([f"**{_cell(self.sentence)}** Worse counts upwards, below 0 is better.", "", *table, *notes])
            + "\n"
        )

    def to_json(self) -> str:
        """Return everything as JSON; what is infinite or unknown is null."""
        facts = asdict(self) | {"exit_code": self.exit_code, "sentence": self.sentence}
        plain = {name: None if _unknown(value) else value for name, value in facts.items()}
        return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def __str__(self) -> str:
        return self.to_markdown()

    __repr__ = __str__


def gate(
    result: "Result",
    *,
    variant: str,
    against: str,
    no_worse_than: float,
    other: "Result | None" = None,
    score: ScoreName | None = None,
    epoch: EpochRule | None = None,
    claim: Claim | None = None,
    alpha: float = 0.05,
) -> Gate:
    """Ask whether a variant is no worse than another by more than a margin.

    It holds where the one-sided upper bound of what the variant loses is within the margin, fails where the lower bound
    is beyond it, and else cannot be said: "not significantly worse" lets a careless study pass, this does not. Bounds
    are those of `compare`, for this one pair.

    Args:
        result: The result that holds the variant.
        variant: The variant that is to pass.
        against: The variant that it is held against.
        no_worse_than: By how much it may be worse, in the score's units, 0 or more.
        other: The result that holds `against`, where that is another one; on the same held-out cases. Runs are paired
            by seed where both have two seeds or more in common, else in their order; of two resampled studies passes
            are, which must have divided the cases alike.
        score: The score; by default the one that the study declared.
        epoch: The epoch rule; by default the declared one.
        claim: As in `compare`: None takes the most that the result can speak for.
        alpha: Probability that a variant which is worse by more passes, and that one which is not fails.

    Returns:
        The gate; printing it shows Markdown.

    Raises:
        DataError: `no_worse_than` or `alpha` is out of range, or the two results are not about the same cases.
        UnknownNameError: There is no such variant, or score.

    References:
        Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach. Journal of
        Pharmacokinetics and Biopharmaceutics 15, 657-680. doi:10.1007/BF01068419
    """
    check_is_result(result, "gate")
    _check(no_worse_than, alpha)
    mine = reading_of(result, score=score, claim=claim)
    theirs = mine if other is None else reading_of(other, score=score, claim=claim)
    for name, held in ((variant, mine), (against, theirs)):
        if name not in held.result.variants:
            near, known = did_you_mean(name, held.result.variants), ", ".join(held.result.variants)
            raise UnknownNameError(f"There is no variant {name!r}{near}; variants are {known}.")
    if other is None and variant == against:
        raise DataError(f"{variant!r} cannot be held against itself.")
    match = Match(mine, theirs, variant, against, epoch or primary_rule(result))
    notes = [] if other is None else same_cases(mine, theirs)
    return _judged(match, no_worse_than, alpha, [*notes, *match.alignment.notes])


def _judged(match: Match, margin: float, alpha: float, notes: list[str]) -> Gate:
    pairs, estimate = match.pairs, match.estimate
    reading = match.mine
    level = one_sided_level(match.looks, alpha)
    low, high, smallest = -math.inf, math.inf, math.inf
    if estimate is not None:
        low, high = (float(end) for end in limits(estimate, 2 * level))
        skewness = np.maximum(estimate.skewness.left, estimate.skewness.right)
        smallest = quantiles(2 * level, float(estimate.df), float(skewness)) * float(estimate.se)
    outcome: Outcome = "holds" if high <= margin else "fails" if low > margin else "cannot say"
    notes = [*notes, *_weakened(match)]
    if outcome == "holds" and match.lost:
        outcome = "cannot say"
        notes.append(
            f"Some runs of {match.variant} failed while their partners did not, so the other pairs may not be "
            "representative."
        )
    return Gate(
        variant=match.variant,
        against=match.against,
        margin=margin,
        outcome=outcome,
        worse_by=float((pairs.treated - pairs.untreated).mean()) if len(pairs.treated) else math.nan,
        at_least=low,
        at_most=high,
        confidence=1 - level,
        smallest=smallest,
        advice=_advice(match, margin, alpha) if outcome == "cannot say" and high > margin else None,
        score=reading.score,
        larger_is_better=reading.larger_is_better,
        rule=match.rule,
        claim=reading.claim,
        given=reading.given,
        part=reading.part,
        seeds=len(pairs.treated),
        cases=len(reading.held) if reading.held is not None else 0,
        notes=tuple(notes),
    )


def _check(margin: float, alpha: float) -> None:
    if not 0 <= margin < math.inf:
        raise DataError(f"`no_worse_than` must be 0 or more, in the score's units, received {margin}.")
    check_alpha(alpha)


def _advice(match: Match, margin: float, alpha: float) -> Advice | PassAdvice:
    if match.estimate is None:
        return Advice(FEW_SEEDS, None) if match.pairs.rho is None else PassAdvice(FEWEST_PASSES, None)
    level = one_sided_level((*match.looks, 2 * match.looks[-1]), alpha)
    cases = len(match.mine.held) if match.mine.held is not None else 1
    wanted = advise if match.estimate.rho is None else advise_passes
    return wanted(match.estimate, target=abs(margin - float(match.estimate.mean)), level=2 * level, cases=cases)


def _weakened(match: Match) -> list[str]:
    said, held, pairs, estimate = [], match.mine.held, match.pairs, match.estimate
    if held is None:
        said.append("There are no held-out forecasts, so the claim is about these cases only.")
    elif held.part == "validation":
        said.append("There is no test split: epochs were chosen on the cases that are read.")
    if pairs.dropped:
        said.append(f"{pairs.dropped} pairs of runs left out, because one of them diverged or has not come to an end.")
    if estimate is None:
        alone = "One pair of runs, or one case, says nothing about others."
        said.append(alone if len(pairs.treated) else "No pair of runs came to an end.")
    elif estimate.seeds < (FEW_SEEDS if estimate.rho is None else USUAL_PASSES):
        said.append(f"Only {estimate.seeds} {'seeds' if estimate.rho is None else 'passes'}.")
    if (resampled := resampling_of(match.mine.result)) is not None:
        said += notes_of(resampled)
    if estimate is not None and 0 < estimate.units < FEW_UNITS:
        said.append(f"Only {estimate.units} independent units.")
    return said


def _unknown(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _signed(value: float) -> str:
    return f"{value:+.4g}" if math.isfinite(value) else "unknown"


def _size(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "none"


def _cell(text: str) -> str:
    return without_tags(text).replace("|", "\\|").replace("\n", " ")
