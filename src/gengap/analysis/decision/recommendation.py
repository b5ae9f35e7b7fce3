"""From verdict to decision: what to ship, why, and how much could be lost by it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gengap.analysis.cases import held_out, is_reference, primary_score
from gengap.analysis.claims import Claim, claim_of, given_message, title_of
from gengap.analysis.comparison.comparison import check_scored
from gengap.analysis.comparison.estimators import ScoreName, larger_is_better
from gengap.analysis.decision import saying
from gengap.analysis.decision.beside import reference_findings
from gengap.analysis.decision.best import holds_best, one_sided_level, regret_bounds
from gengap.analysis.decision.choosing import Reason, choose
from gengap.analysis.decision.options import Option, Reading, check_alpha, compared, distinct, rules_of, with_ensembles
from gengap.analysis.decision.purchases import Market, Purchase
from gengap.analysis.findings.codes import Finding
from gengap.analysis.findings.wording import Message
from gengap.analysis.inference.looks import looks_of
from gengap.analysis.tables import SCORE, Cell, Column, ShownAsTable, Table
from gengap.errors import DataError
from gengap.results.checks import check_is_result
from gengap.results.resampled import resampling_of

if TYPE_CHECKING:
    from gengap.results import Result

SHARE = 0.01
"""What does not matter unless the user says so: this share of what the best option is short of perfection."""


@dataclass(frozen=True, repr=False)
class Recommendation(ShownAsTable):
    """What to ship, and how much could be lost by it.

    Attributes:
        choice: The option that is recommended: a variant, and when its training ends.
        reason: Why: it has the `"best"` mean, or is within the tolerance of it and has fewer `"parameters"`, is
            `"unchanged"` by a search, has fewer `"epochs"` or a smaller `"gap"` to its training score; or it is
            `"alone"`.
        leader: The option with the best mean.
        regret: Upper bound of what the choice loses against the best option, in the score's units; infinite where
            nothing can be said.
        best_set: The options that may be the best.
        excluded: Those that are shown not to be.
        bounds: Upper bound of the regret of every option of `options`, all from one error.
        options: All options, in the order of the study.
        set_aside: Options that are not considered because runs of theirs diverged, or have not come to an end.
        tolerance: What does not matter, in the score's units.
        confidence: With which probability the set holds the best and all bounds hold, together.
        score: The score.
        larger_is_better: Its orientation.
        claim: What set and bounds are about.
        given: For which training sets.
        part: The split that was read.
        seeds: Seeds of the study.
        purchases: What more seeds or cases would change: twice as many of either, and of both.
        enough: What would bring the bound down to the tolerance; None where it is there, or cannot be brought there.
        notes: What a reader has to know.
        findings: References that do as well as the best network, or better.
    """

    choice: Option
    reason: Reason
    leader: Option
    regret: float
    best_set: tuple[Option, ...]
    excluded: tuple[Option, ...]
    bounds: tuple[float, ...]
    options: tuple[Option, ...]
    set_aside: tuple[Option, ...]
    tolerance: float
    confidence: float
    score: str
    larger_is_better: bool
    claim: Claim
    given: Message
    part: str
    seeds: int
    purchases: tuple[Purchase, ...]
    enough: Purchase | None
    notes: tuple[Message, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        """What it says, most important first: bottom line, action, reason, bound, and what more would change."""
        said = (
            saying.bottom_line(self),
            saying.action(self),
            saying.why(self),
            saying.bound(self),
            *saying.more(self),
            *self.notes,
        )
        return tuple(replace(one, values={**one.values, "given": self.given}) for one in said)

    @property
    def table(self) -> Table:
        """All options: score, whether each may be the best, and how much it could lose."""
        better = "larger" if self.larger_is_better else "smaller"
        title = f"{self.score} on {self.part}, {better} is better; claim: {title_of(self.claim, str(self.given))}"
        rows = [self._row(one, bound) for one, bound in zip(self.options, self.bounds, strict=True)]
        return Table(title, _columns(str(self.given)), tuple(rows), tuple(map(str, (*self.messages, *self.findings))))

    def _row(self, one: Option, bound: float) -> tuple[Cell, ...]:
        state = "recommended" if one == self.choice else "may be the best" if one in self.best_set else "excluded"
        most = bound if math.isfinite(bound) else None
        rule = None if one.epoch is None else str(one.rule)
        return (one.variant, rule, one.score, state, most, one.epoch, one.parameters, one.gap)


def _columns(given: str) -> tuple[Column, ...]:
    return (
        Column("variant", "variant"),
        Column("rule", "read at", spare=0),
        Column("score", "score", SCORE, spare=0),
        Column("state", given, spare=0),
        Column("regret", "loses at most", SCORE, spare=0),
        Column("epoch", "epoch", ".1f"),
        Column("parameters", "parameters", ",d"),
        Column("gap", "gap to training", SCORE),
    )


def recommend(
    result: "Result",
    *,
    tolerance: float | None = None,
    patience: int | None = None,
    ensembles: bool = False,
    score: ScoreName | None = None,
    claim: Claim | None = None,
    alpha: float = 0.05,
) -> Recommendation:
    r"""Say what to ship, and give an upper bound of what could be lost by it.

    Options are all variants, each read at its best epoch (chosen on validation) and at its last, so that stopping
    early counts as the remedy that it is. A decision needs no significance: it takes the option of the best mean, or
    the cheaper and more regularized of those within `tolerance` of it; after a search, the model as it is where that is
    among them and no other has fewer parameters. What it could cost is bounded by Hsu's multiple
    comparisons with the best, on the contrasts of `compare`: one error buys the set that holds the best option and, for
    every option at once, the bound of its regret $\mu_i - \min_j \mu_j$. So the bound holds although the choice was
    made on the same cases; the score of what was chosen for looking best, however, flatters.

    Args:
        result: A study's result, or one from elsewhere.
        tolerance: Loss that does not matter, in the score's units, 0 or more; by default a hundredth of what the best
            mean is short of perfection (of the score itself where smaller is better).
        patience: Also consider `EarlyStopping(patience)`, for results that hold test forecasts of every epoch.
        ensembles: Also consider the mean forecast of all runs of every variant, at as many times the cost.
        score: The score; by default the one that the study declared.
        claim: As in `compare`: None takes the most that the result can speak for.
        alpha: Probability that the set lacks the best option, or any bound fails.

    Returns:
        The recommendation; printing it shows all options.

    Raises:
        DataError: `tolerance`, `patience` or `alpha` is out of range; `patience` needs what the result does not hold;
            no run came to an end.
        UnknownNameError: There is no such score of this task.

    References:
        Hsu, J. C. (1981). Simultaneous confidence intervals for all distances from the "best". Annals of Statistics 9,
        1026-1034. doi:10.1214/aos/1176345582

        Hsu, J. C. (1996). Multiple Comparisons: Theory and Methods. Chapman & Hall, chapter 4.
    """
    check_is_result(result, "recommend")
    _check(tolerance, alpha)
    reading = reading_of(result, score=score, claim=claim)
    rules = rules_of(reading, patience)
    found, same = distinct(reading, with_ensembles(reading, rules) if ensembles else rules)
    options, aside = _without_lost(found)
    tolerance = _tolerance(reading, options, patience, tolerance)
    kept = _unchanged(result) if "search" in result.manifest else ()
    choice = choose(options, tolerance=tolerance, larger_is_better=reading.larger_is_better, kept=kept)
    market = _market(reading, options, choice.chosen, alpha)
    level = one_sided_level(market.looks, alpha)
    high = market.pairs.bounds(level)
    inside, bounds = holds_best(high), regret_bounds(high)
    regret = float(bounds[choice.chosen])
    known = math.isfinite(regret)
    return Recommendation(
        choice=options[choice.chosen],
        reason=choice.reason,
        leader=options[choice.leader],
        regret=regret,
        best_set=tuple(one for one, may in zip(options, inside, strict=True) if may),
        excluded=tuple(one for one, may in zip(options, inside, strict=True) if not may),
        bounds=tuple(map(float, bounds)),
        options=options,
        set_aside=aside,
        tolerance=tolerance,
        confidence=1 - level,
        score=reading.score,
        larger_is_better=reading.larger_is_better,
        claim=reading.claim,
        given=given_message(result),
        part=reading.part,
        seeds=len(result.seeds),
        purchases=market.offers() if known and regret > 0 else (),
        enough=market.for_bound(tolerance) if known and regret > tolerance > 0 else None,
        notes=saying.notes(reading, options, aside, same),
        findings=reference_findings(reading, options, high, inside, tolerance=tolerance, confidence=1 - level),
    )


def _unchanged(result: "Result") -> tuple[str, ...]:
    """Return the names of what a search did not touch: the model as it is, and references."""
    return tuple(one for one in result.variants if one == result.baseline or is_reference(result, one))


def _market(reading: Reading, options: Sequence[Option], chosen: int, alpha: float) -> Market:
    resampled = resampling_of(reading.result) is not None
    return Market(
        compared(reading, options),
        chosen,
        seeds=len(reading.result.seeds),
        # more cases of a resampled study are larger training sets too, whose differences nobody can tell beforehand
        cases=len(reading.held) if reading.held is not None and reading.new_cases and not resampled else 0,
        looks=looks_of(reading.result),
        alpha=alpha,
    )


def reading_of(result: "Result", *, score: ScoreName | None, claim: Claim | None) -> Reading:
    """Decide what is read, as `compare` does.

    Raises:
        DataError: The result holds curves alone, and of another score, nothing was held out, or the result cannot
            speak for the claim.
        UnknownNameError: There is no such score of this task.
    """
    held = held_out(result, "test") or held_out(result, "validation")
    chosen = score or primary_score(result)
    check_scored(result, held, chosen)
    turned = held is not None and larger_is_better(chosen)
    return Reading(result, held, chosen, turned, held is not None and claim_of(result, claim) != "this test set")


def _check(tolerance: float | None, alpha: float) -> None:
    if tolerance is not None and not 0 <= tolerance < math.inf:
        raise DataError(f"`tolerance` must be 0 or more, received {tolerance}.")
    check_alpha(alpha)


def _without_lost(found: Sequence[Option]) -> tuple[tuple[Option, ...], tuple[Option, ...]]:
    """Set options aside whose runs diverged: the mean of those that were lucky is not what shipping them brings."""
    whole = tuple(one for one in found if not one.lost)
    if whole:
        return whole, tuple(one for one in found if one.lost)
    some = tuple(one for one in found if math.isfinite(one.score))
    if not some:
        raise DataError("Nothing can be recommended: no run came to an end.")
    return some, tuple(one for one in found if one not in some)


def _tolerance(reading: Reading, options: Sequence[Option], patience: int | None, asked: float | None) -> float:
    scores = [one.score for one in options if math.isfinite(one.score)]
    short = 1 - max(scores) if reading.larger_is_better else abs(min(scores))
    tolerance = SHARE * max(short, 0.0) if asked is None else asked
    if patience is not None:
        worst = max(reading.half_precision_error(variant) for variant in {one.variant for one in options})
        if worst > max(tolerance, SHARE * abs(short)) / 10:
            raise DataError(
                f"`patience` reads forecasts that were stored in half precision, which moves {reading.score} by up to "
                f"{worst:.2g} here: too much for a tolerance of {tolerance:.2g}. Leave it out, or choose "
                "`score='brier_score'`."
            )
    return tolerance
