"""Every variant against the baseline, with verdicts that hold for new cases and new seeds."""

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from gengap.analysis.cases import EpochRule, Floats, HeldOut, baseline_name, held_out, primary_rule, primary_score
from gengap.analysis.claims import Claim, claim_of, given_of, notes_of, title_of
from gengap.analysis.comparison.contrasts import Contrast, Pairs, Rules, contrasts, pair
from gengap.analysis.comparison.estimators import (
    SCORES_OF,
    ScoreName,
    carriers,
    case_values,
    convention_of,
    larger_is_better,
)
from gengap.analysis.comparison.selection import Winner, winner
from gengap.analysis.findings.wording import GIVEN
from gengap.analysis.inference.looks import look_level, looks_of
from gengap.analysis.inference.resampled import RHO, RHO_WORSE
from gengap.analysis.inference.simultaneous import comparison_level, holm
from gengap.analysis.summary import at_epoch
from gengap.analysis.tables import AS_UNCERTAIN, P_VALUE, Cell, Column, ShownAsTable, Table
from gengap.errors import DataError, StatisticsWarning
from gengap.results.checks import check_is_result
from gengap.results.resampled import resampling_of
from gengap.verification.naming import no_such_score

if TYPE_CHECKING:
    from gengap.results import Result

_SCARCER = "independent units with the scarcer label"


@dataclass(frozen=True, repr=False)
class Comparison(ShownAsTable):
    """All variants of a study against its baseline.

    Attributes:
        baseline: Name of the variant that the others are compared with.
        score: The score; `larger_is_better` says which way it points.
        larger_is_better: Orientation of the score.
        rule: The declared epoch rule: its contrasts carry the verdicts.
        claim: What the verdicts are about.
        given: For which training sets they hold.
        part: The split that was read.
        confidence: With which probability all intervals of `contrasts` hold at once.
        contrasts: At the declared epoch rule, one per variant.
        descriptive: At the other epoch rule; outside the error budget, so to be read as description.
        best: The best variant, corrected for having been chosen; None for fewer than two variants or seeds.
        notes: What a reader has to know.
    """

    baseline: str
    score: str
    larger_is_better: bool
    rule: EpochRule
    claim: Claim
    given: str
    part: str
    confidence: float
    contrasts: tuple[Contrast, ...]
    descriptive: tuple[Contrast, ...]
    best: Winner | None
    notes: tuple[str, ...]

    def __getitem__(self, variant: str) -> Contrast:
        """Return a variant's contrast at the declared epoch rule."""
        return {found.variant: found for found in self.contrasts}[variant]

    @property
    def table(self) -> Table:
        """The comparison as a table: verdict first, then the numbers that it rests on."""
        rows = [_cells(found, verdict=found.verdict.short) for found in self.contrasts]
        rows += [_cells(found, verdict=f"({found.verdict.kind})") for found in self.descriptive]
        better = "larger" if self.larger_is_better else "smaller"
        of = f"{self.score} minus that of {self.baseline} on {self.part}"
        title = f"{of}, {better} is better; claim: {title_of(self.claim, self.given)}"
        return Table(title, _columns(self.given), tuple(rows), self.notes)


def _columns(given: str) -> tuple[Column, ...]:
    return (
        Column("variant", "variant"),
        Column("rule", "at epoch", spare=0),
        Column("verdict", f"verdict, {given}", spare=0),
        Column("difference", "difference", AS_UNCERTAIN, spare=0),
        Column("p", "p", P_VALUE, spare=3),
        Column("p_holm", "p (Holm)", P_VALUE),
        Column("effect_size", "effect size", ".2f", spare=3),
        Column("probability_better", "passes won" if _of_passes(given) else "seeds won", ".0%", spare=2),
        Column("correlation", "pairs' r", ".2f", spare=4),
        Column("seeds", "passes" if _of_passes(given) else "seeds", "d", spare=4),
        Column("warnings", "warnings"),
    )


def _of_passes(given: str) -> bool:
    return given.startswith("for new")


COLUMNS = _columns(GIVEN)


def _cells(found: Contrast, *, verdict: str) -> tuple[Cell, ...]:
    numbers = (found.p, found.p_holm, found.effect_size, found.probability_better, found.correlation, found.seeds)
    return (found.variant, found.rule, verdict, found.shown, *numbers, "; ".join(found.warnings))


def compare(
    result: "Result",
    *,
    baseline: str | None = None,
    score: ScoreName | None = None,
    epoch: EpochRule | None = None,
    claim: Claim | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
) -> Comparison:
    """Compare every variant with the baseline, paired by seed and by case.

    Verdicts are about new cases and new seeds, given this training set: both are random in the standard error
    (`gengap.analysis.inference.components.two_way`), with cases grouped by the split's groups, else by day. They are
    read off simultaneous intervals, so no verdict contradicts its interval and at most `alpha` of all studies hold a
    false one, looks at fewer seeds included. Noise may be skewed, as where a rare run gets stuck: an interval is
    longer on the side on which it may then fall short (`gengap.analysis.inference.skewness`), the more so where the
    baseline does not vary as the variant does; `docs/statistics.md` counts what that keeps and costs. The best epoch is
    chosen on validation; the test split, where there is one, is what is read.

    Of a resampled study (`Study.run(cv=)`) whose seeds drew divisions of their own, verdicts are about new training
    sets as well, of the size that a fold learned from
    (`gengap.analysis.inference.resampled.over_passes`); `docs/statistics.md` says how often they err.

    Args:
        result: A study's result, or one from elsewhere.
        baseline: Name of the variant to compare with; by default the result's own.
        score: The score; by default the one that the study declared. Another is exploratory, and the notes say so:
            `"log_loss"`, `"brier_score"`, `"brier_skill_score"` and, of two labels, `"roc_auc"`; of real numbers
            `"squared_error"` and `"squared_error_skill_score"`.
        epoch: The epoch rule that carries the verdicts; by default the declared one.
        claim: What verdicts are about; None takes the most that the result can speak for: `"new training sets, cases
            and seeds"` where divisions were redrawn, else `"new cases and seeds"`. `"this test set"` takes the cases
            for all there are; narrower, and labelled so.
        margin: Differences of this size or less do not matter. Without it no verdict of equivalence is possible.
        alpha: Probability of any false verdict.

    Returns:
        The comparison; printing it shows the table.

    Raises:
        UnknownNameError: no such baseline, or no such score of this task.
        DataError: Nothing was held out; `margin` or `alpha` is out of range; the result cannot speak for `claim`; AUC
            is asked of so few events (or non-events) that nothing can be said; or climatology is perfect on these
            cases, so that there is no skill score.

    Warns:
        StatisticsWarning: the result has no predictions, so the claim can only be about these held-out cases.

    References:
        Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics
        Bulletin 2. doi 10.2307/3002019

        Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6.

        Bouthillier, X. et al. (2021). Accounting for variance in machine learning benchmarks. arXiv:2103.03098
    """
    check_is_result(result, "compare")
    _check_numbers(margin, alpha)
    baseline = baseline_name(result, baseline)
    chosen_score = score or primary_score(result)
    chosen_rule = epoch or primary_rule(result)
    held = held_out(result, "test") or held_out(result, "validation")
    check_scored(result, held, chosen_score)
    claim = claim_of(result, claim)
    if held is None and claim == "new cases and seeds":
        warnings.warn(
            "The result has no predictions, so the claim is about these held-out cases only.",
            StatisticsWarning,
            stacklevel=2,
        )
        claim = "this test set"
    others = [name for name in result.variants if name != baseline]
    looks = looks_of(result)
    rules = Rules(
        level=comparison_level(look_level(looks, alpha), comparisons=len(others)),
        next_level=comparison_level(look_level((*looks, 2 * looks[-1]), alpha), comparisons=len(others)),
        # curves of other tools are negated where larger is better, so histories always point downwards
        larger_is_better=held is not None and larger_is_better(chosen_score),
        margin=margin,
        new_cases=claim != "this test set",
        cases=len(held) if held else 1,
        given=given_of(result),
        **({"unit": _SCARCER} if chosen_score == "roc_auc" else {}),
    )
    reading = _Reading(result, held, baseline, chosen_score)
    judged = _family(reading, chosen_rule, rules)
    best, level = _best(reading, chosen_rule, larger_is_better=rules.larger_is_better), look_level(looks, alpha)
    notes = _notes(reading, chosen_rule, level, judged) + ([] if best is None else [str(best)])
    return Comparison(
        baseline=baseline,
        score=chosen_score,
        larger_is_better=rules.larger_is_better,
        rule=chosen_rule,
        claim=claim,
        given=rules.given,
        part=held.part if held else "validation",
        confidence=1 - level,
        contrasts=judged,
        descriptive=_family(reading, "last" if chosen_rule == "best" else "best", rules),
        best=best,
        notes=tuple(notes),
    )


def _check_numbers(margin: float | None, alpha: float) -> None:
    if margin is not None and not margin > 0:
        raise DataError(f"`margin` must be above 0, got {margin}; leave it out where no difference is negligible.")
    if not 0 < alpha < 1:
        raise DataError(f"`alpha` must lie between 0 and 1, got {alpha}.")


def check_scored(result: "Result", held: HeldOut | None, chosen_score: str) -> None:
    """Check that the result holds what the score is computed from.

    Raises:
        DataError: The result holds curves alone, and of another score, or nothing was held out.
        UnknownNameError: There is no such score of this task.
    """
    if held is None and chosen_score != result.score:
        raise DataError(f"This result holds curves of {result.score} and no predictions: it has no {chosen_score}.")
    if held is None and "val_score" not in result.history:
        raise DataError(
            "Nothing was held out, so there is nothing to compare on: give `validation_data=`, `validation_split=` or "
            "`test_data=` to the study, or held-out curves (`val_...`) to `Result.from_histories`."
        )
    if held is not None and chosen_score not in SCORES_OF[result.task]:
        raise no_such_score(chosen_score, SCORES_OF[result.task], of=f"a {result.task} task")


@dataclass(frozen=True, eq=False)
class _Reading:
    """What is compared: the score of whose predictions, on which cases."""

    result: "Result"
    held: HeldOut | None
    baseline: str
    score: str
    means: dict[tuple[str, EpochRule], Floats] = field(default_factory=dict)

    def values(self, variant: str, rule: EpochRule) -> Floats:
        """Case values; a result without predictions has one value per seed, from its history."""
        if self.held is None:
            found = at_epoch(self.result, variant, "val_score", rule)[:, None]
        else:
            found = case_values(self.result, self.held, variant, rule=rule, score=cast("ScoreName", self.score))
        self.means[variant, rule] = found.mean(axis=-1)
        return found

    def rho(self, variant: str, rule: EpochRule) -> float | None:
        """What new training sets add to the variance between cases, by convention; None for one training set."""
        resampled = resampling_of(self.result)
        if self.held is None or resampled is None or resampled.kind != "passes":
            return None
        pair = (variant, rule), (self.baseline, rule)
        return convention_of(self.result, self.held, pair, score=self.score)

    def differences(self, rule: EpochRule) -> dict[str, Floats]:
        """Paired differences of the seeds from the baseline, by variant."""
        # means are kept, values are not: a million cases of every run would not fit
        for name in self.result.variants:
            if (name, rule) not in self.means:
                self.values(name, rule)
        untreated = self.means[self.baseline, rule]
        others = [name for name in self.result.variants if name != self.baseline]
        return {name: self.means[name, rule] - untreated for name in others}


def _family(reading: _Reading, rule: EpochRule, rules: Rules) -> tuple[Contrast, ...]:
    """All contrasts at one epoch rule."""
    untreated = reading.values(reading.baseline, rule)
    carrying = None if reading.held is None else carriers(reading.held, reading.score)
    family: list[Pairs] = [
        pair(
            variant,
            rule,
            reading.values(variant, rule),
            untreated,
            new_cases=rules.new_cases,
            carriers=carrying,
            rho=reading.rho(variant, rule),
        )
        for variant in reading.result.variants
        if variant != reading.baseline
    ]
    found = contrasts(family, rules)
    adjusted = holm(np.asarray([one.p for one in found]))
    return tuple(replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True))


def _best(reading: _Reading, rule: EpochRule, *, larger_is_better: bool) -> Winner | None:
    if resampling_of(reading.result) is not None:
        return None  # its correction is for seeds on one training set
    read = reading.differences(rule)
    validation = held_out(reading.result, "validation")
    if reading.held is None or reading.held.part == "validation" or validation is None:
        part = "validation" if reading.held is None else reading.held.part
        return winner(read, read, larger_is_better=larger_is_better, chosen_on=part)
    chosen = replace(reading, held=validation, means={}).differences(rule)
    return winner(chosen, read, larger_is_better=larger_is_better)


def _conventions(reading: _Reading, rule: EpochRule) -> list[str]:
    """Say which share of the variance between cases was added for new training sets, which no study can estimate."""
    others = [name for name in reading.result.variants if name != reading.baseline]
    by_share: dict[float, list[str]] = {}
    for name in others:
        if (share := reading.rho(name, rule)) is not None:
            by_share.setdefault(share, []).append(name)
    said = [f"{1 + share:g} times for {', '.join(names)}" for share, names in sorted(by_share.items())]
    if not said:
        return []
    counted = f"The variance between cases counts {' and '.join(said)}"
    why = (
        f"{1 + RHO:g}, or {1 + RHO_WORSE:g} where a forecast is worse than a constant one; one study cannot estimate it"
    )
    return [f"{counted}: what new training sets add is a convention ({why})."]


def _notes(reading: _Reading, rule: EpochRule, level: float, judged: tuple[Contrast, ...]) -> list[str]:
    result, held, score = reading.result, reading.held, reading.score
    looks = looks_of(result)
    when = "at the first look" if len(looks) == 1 else f"at look {len(looks)} (after {looks[0]} seeds at first)"
    intervals = (
        f"All intervals at the {rule} epoch are simultaneous, with {1 - level:.1%} confidence {when} (the rest of the "
        "error that is allowed is for looks after more seeds); verdicts follow from these intervals."
    )
    resampled = resampling_of(result)
    other = f" Every row is {GIVEN}: with another one, equivalent variants may look different."
    notes = [intervals, f"Rows in brackets are descriptive.{'' if resampled else other}"]
    notes += [] if resampled is None else notes_of(resampled)
    notes += _conventions(reading, rule)
    if (score, rule) != (primary_score(result), primary_rule(result)):
        declared = f"{primary_score(result)} at the {primary_rule(result)} epoch"
        notes.append(f"Exploratory: the study declared {declared} before it ran.")
    if held is not None and held.part == "validation" and rule == "best":
        notes.append("There is no test split: the best epoch was chosen on the cases that are scored here.")
    if held is not None and held.group is not None:
        notes.append(f"Cases are grouped: {int(held.group.max()) + 1} independent units.")
    notes += [
        f"{one.variant}: Holm's step-down test rejects, the simultaneous interval does not; the verdict follows it."
        for one in judged
        if one.p_holm <= level and one.verdict.kind == "cannot say"
    ]
    return notes
