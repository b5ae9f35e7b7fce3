"""Does a variant overfit, underfit, memorize, or is it not done? What a reader sees in curves, with error bars."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from gengap.analysis.cases import CaseScore, EpochRule, Floats, HeldOut, held_out, networks, primary_score, task_of
from gengap.analysis.claims import given_message, given_of
from gengap.analysis.climatology import climatology_scores, training_majority
from gengap.analysis.comparison.contrasts import Pairs, estimates_with_skewness, pair
from gengap.analysis.comparison.estimators import convention_of, to_units
from gengap.analysis.diagnosis.onset import Onset, noise_at_best, onset
from gengap.analysis.findings.codes import Finding, found
from gengap.analysis.findings.wording import GIVEN, Message, Word, score_word
from gengap.analysis.inference.over_seeds import NOTHING, as_estimate, differences, late_slopes, means, rises, roughness
from gengap.analysis.inference.simultaneous import comparison_level
from gengap.analysis.summary import at_epoch
from gengap.analysis.tables import AS_UNCERTAIN, Column, IntervalEstimate, ShownAsTable, Table
from gengap.results.checks import check_is_result
from gengap.results.resampled import resampling_of

if TYPE_CHECKING:
    from gengap.results import Result

LEVEL = 0.05
LATE_SHARE = 1 / 3
"""The late slope is read off the last third of the epochs."""
MEMORIZED = 0.05
"""A training score below this share of climatology's counts as memorized."""
_MEASURES: Mapping[str, tuple[str, int]] = {
    "gap_best": ("gap, best epoch", 3),
    "gap_last": ("gap, last epoch", 0),
    "rise": ("rise, best to last", 2),
    "late_slope": ("late rise per epoch", 3),
    "memorization": ("training score / base rate's", 4),
    "fluctuation": ("fluctuation", 4),
    "skill_best": ("gain over base rate, best epoch", 1),
    "skill_last": ("gain over base rate, last epoch", 2),
}
"""Measures of the table, what its head calls them, and how soon a narrow terminal leaves them out."""
_RULES: tuple[EpochRule, EpochRule] = ("best", "last")


@dataclass(frozen=True)
class AgainstBaseline:
    """How a variant's curves differ from the baseline's, seed by seed; intervals hold for all variants together.

    Attributes:
        gap_last: Difference of the gaps at the last epoch.
        rise: Difference of what the held-out score rises from the best to the last epoch.
        late_slope: Difference of the late slopes.
        fluctuation: Difference of the fluctuations.
        parameters: `"fewer"`, `"as_many"` or `"more"` than the baseline has; `"unknown"` where nobody said.
    """

    gap_last: IntervalEstimate
    rise: IntervalEstimate
    late_slope: IntervalEstimate
    fluctuation: IntervalEstimate
    parameters: str


@dataclass(frozen=True)
class VariantDiagnosis:
    """What the curves of one variant say; intervals are 95 %, over new seeds.

    Attributes:
        variant: Name of the variant.
        onset: From which epoch it overfits, with a confidence set; None where epochs or seeds are too few.
        gap_best: Held-out minus training score at the best epoch.
        gap_last: The same at the last epoch.
        rise: Held-out score at the last epoch minus the lowest.
        late_slope: Change of the held-out score per epoch over the last third of the epochs.
        memorization: Training score at the last epoch as a share of climatology's.
        fluctuation: Standard deviation of the held-out score's steps from epoch to epoch after the first third.
        skill_best: Score of climatology minus that of the variant at the best epoch, for new cases and new seeds.
        skill_last: The same at the last epoch.
        over_majority: Accuracy at the best epoch minus that of always predicting the training split's most frequent
            class, for new cases and new seeds.
        against: Differences from the baseline; None for the baseline itself.
    """

    variant: str
    onset: Onset | None
    gap_best: IntervalEstimate
    gap_last: IntervalEstimate
    rise: IntervalEstimate
    late_slope: IntervalEstimate
    memorization: IntervalEstimate
    fluctuation: IntervalEstimate
    skill_best: IntervalEstimate
    skill_last: IntervalEstimate
    over_majority: IntervalEstimate
    against: AgainstBaseline | None


@dataclass(frozen=True, repr=False)
class Diagnosis(ShownAsTable):
    """Diagnoses of all variants, and what follows from them.

    Attributes:
        variants: One diagnosis for each variant, the baseline first.
        findings: What follows, as coded sentences.
        given: What its intervals are over, and for which training sets they hold.
    """

    variants: tuple[VariantDiagnosis, ...]
    findings: tuple[Finding, ...]
    given: str

    def __getitem__(self, variant: str) -> VariantDiagnosis:
        """Return the diagnosis of one variant."""
        return {one.variant: one for one in self.variants}[variant]

    @property
    def table(self) -> Table:
        """The diagnoses as a table, findings below."""
        columns = [Column("variant", "variant"), Column("onset", "overfits from epoch", spare=0)]
        columns += [Column(name, label, AS_UNCERTAIN, spare) for name, (label, spare) in _MEASURES.items()]
        rows = [
            (one.variant, None if one.onset is None else str(one.onset), *(getattr(one, name) for name in _MEASURES))
            for one in self.variants
        ]
        title = f"Diagnosis (95 % intervals {self.given})"
        return Table(title, tuple(columns), tuple(rows), tuple(map(str, self.findings)))


def diagnose(result: "Result", *, ignore: Sequence[str] = ()) -> Diagnosis:
    """Diagnose every variant of a result.

    Thresholds are in units of seed noise: a rise counts as overfitting once it exceeds the noise between seeds at the
    best epoch (the median of all variants, so that no variant's own stuck run hides its rise), a slope or a gap once
    its interval excludes zero. Differences from the baseline are paired by seed, and their intervals hold for all
    variants together. Skill over climatology and over the most frequent class are claims about new cases and new seeds,
    where held-out predictions are stored. What noise of seeds allows in skewness makes intervals longer on one side.
    Of a resampled study curves are means over the folds of each pass, and what is read off them holds for these cases;
    skill is a claim about new training sets as well.

    Args:
        result: A study's result, or curves of another tool (`Result.from_histories`).
        ignore: Codes of findings to leave out.

    Returns:
        The diagnosis; `gengap.analysis.findings.codes.describe(code)` explains a finding's code.
    """
    check_is_result(result, "diagnose")
    result = networks(result)
    variants = _diagnoses(result)
    findings = [
        finding
        for one in variants
        for finding in (
            *_of_curves(one, score_word(result.score)),
            *_of_skill(one, score_word(primary_score(result))),
            *_of_difference(one, result.baseline, score_word(result.score)),
        )
    ]
    findings += list(_underfitting(result))
    kept = (_with_given(result, finding) for finding in findings if finding.code not in set(ignore))
    return Diagnosis(variants, tuple(kept), _given(result))


_OF_NEW_CASES = {"GG110", "GG111", "GG114"}
"""Findings that are read off predictions and hold for new cases; the others are read off curves."""


def _with_given(result: "Result", finding: Finding) -> Finding:
    """Say for what a finding of a resampled study holds: curves of passes over the same cases are for these cases."""
    if resampling_of(result) is None:
        return finding
    given = given_message(result, new_cases=finding.code in _OF_NEW_CASES)
    return replace(finding, message=replace(finding.message, values={**finding.message.values, "given": given}))


def _given(result: "Result") -> str:
    """Return what intervals are over, and what they are given."""
    if resampling_of(result) is None:
        return f"over seeds, {GIVEN}"
    curves = f"of curves over passes, {given_of(result, new_cases=False)}"
    return f"{curves}; of skill {given_of(result)}, new cases and new seeds"


def _diagnoses(result: "Result") -> tuple[VariantDiagnosis, ...]:
    curves = {variant: _curves(result, variant) for variant in result.variants}
    values = _measures(result, curves)
    over = {name: means(one, level=LEVEL) for name, one in values.items()}
    baseline, others = result.baseline, len(result.variants) - 1
    level = comparison_level(LEVEL, comparisons=others)
    apart = {
        name: differences(values[name], baseline, level=level)
        for name in ("gap_last", "rise", "late_slope", "fluctuation")
    }
    complete = {variant: one[np.isfinite(one).all(axis=1)] for variant, one in curves.items()}
    telling = [one for one in complete.values() if one.shape[0] > 1 and one.shape[1] > 1]
    noise = float(np.median([noise_at_best(one) for one in telling])) if telling else float("nan")
    skills = {rule: _skills(result, rule) for rule in _RULES}
    majority = _over_majority(result)
    return tuple(
        VariantDiagnosis(
            variant,
            onset(complete[variant], noise=noise) if min(complete[variant].shape) > 1 else None,
            **{name: one[variant] for name, one in over.items()},
            skill_best=skills["best"][variant],
            skill_last=skills["last"][variant],
            over_majority=majority[variant],
            against=None
            if variant == baseline
            else AgainstBaseline(
                **{name: one[variant] for name, one in apart.items()}, parameters=_size(result, variant)
            ),
        )
        for variant in result.variants
    )


def _measures(result: "Result", curves: Mapping[str, Floats]) -> dict[str, dict[str, Floats]]:
    """One value per seed of every measure and variant."""

    def gap(variant: str, rule: EpochRule) -> Floats:
        return at_epoch(result, variant, "val_score", rule) - at_epoch(result, variant, "train_score", rule)

    climatology = _climatology(result)
    return {
        "gap_best": {name: gap(name, "best") for name in curves},
        "gap_last": {name: gap(name, "last") for name in curves},
        "rise": {name: rises(one) for name, one in curves.items()},
        "late_slope": {name: late_slopes(one, share=LATE_SHARE) for name, one in curves.items()},
        "memorization": {name: at_epoch(result, name, "train_score", "last") / climatology for name in curves},
        "fluctuation": {name: roughness(one) for name, one in curves.items()},
    }


def _curves(result: "Result", variant: str) -> Floats:
    """Return held-out curves, shape `(seeds, epochs)`; all NaN for a seed that was not trained to the end."""
    if "val_score" not in result.history:
        return np.empty((len(result.seeds), 0))
    curves = result.history["val_score"].sel(variant=variant).transpose("seed", "epoch").to_numpy().astype(np.float64)
    length = int(np.isfinite(curves).sum(axis=1).max(initial=0))
    curves = curves[:, :length]
    return np.where(np.isfinite(curves).all(axis=1, keepdims=True), curves, np.nan)


def _size(result: "Result", variant: str) -> str:
    if "parameters" not in result.runs:
        return "unknown"
    own, other = (int(result.runs["parameters"].sel(variant=name).max()) for name in (variant, result.baseline))
    return "as_many" if own == other else "more" if own > other else "fewer"


def _climatology(result: "Result") -> float:
    """Return the score on the training cases of always predicting their climatology; NaN where it is unknown."""
    data = result.manifest.get("data") or {}
    p = np.asarray(data.get("training_climatology", np.nan), dtype=np.float64)
    if result.score == "squared_error":
        return float(np.mean(data.get("training_variance", np.nan)))
    several = task_of(result) == "multiclass"
    shares = p if several else np.append(p, 1 - p)
    shares = shares[~(shares <= 0)]
    if result.score == "log_loss":
        return float(-(shares * np.log(shares)).sum())
    doubled = 1 if several else 2  # the binary Brier score counts one label, the multiclass one all of them
    return float((1 - np.square(shares).sum()) / doubled) if result.score == "brier_score" else float("nan")


def _skills(result: "Result", rule: EpochRule) -> dict[str, IntervalEstimate]:
    """Score of climatology minus that of each variant, on test where there is one, for new cases and new seeds."""
    held = held_out(result, "test") or held_out(result, "validation")
    if held is None or primary_score(result) not in ("log_loss", "brier_score", "squared_error"):
        return dict.fromkeys(result.variants, NOTHING)
    score = cast("CaseScore", primary_score(result))
    reference = climatology_scores(result, held, score=score)
    family = []
    for variant in result.variants:
        own = held.scores(held.predictions(variant, rule), score=score)
        family.append(_beside(result, held, (variant, rule), own, reference))
    return {name: IntervalEstimate(-one.value, -one.high, -one.low) for name, one in _estimates(family).items()}


def _over_majority(result: "Result") -> dict[str, IntervalEstimate]:
    """Accuracy of each variant at the best epoch minus that of the most frequent class."""
    held = held_out(result, "test") or held_out(result, "validation")
    label = None if held is None else training_majority(result, held)
    if held is None or label is None:
        return dict.fromkeys(result.variants, NOTHING)
    family = []
    for variant in result.variants:
        prediction = held.predictions(variant, "best")
        several = held.task == "multiclass"
        said = prediction.argmax(axis=-1) if several else prediction > 0.5
        known = np.isfinite(prediction).all(axis=-1) if several else np.isfinite(prediction)
        right = np.where(known, said == held.y_true, np.nan)
        family.append(_beside(result, held, (variant, "best"), right, (held.y_true == label).astype(np.float64)))
    return _estimates(family)


def _beside(result: "Result", held: HeldOut, read: tuple[str, EpochRule], own: Floats, reference: Floats) -> Pairs:
    """Pair what every case gives a variant with what it gives a forecast without any skill."""
    treated = to_units(own, weight=held.weight, group=held.group)
    untreated = to_units(np.broadcast_to(reference, own.shape), weight=held.weight, group=held.group)
    return pair(*read, treated, untreated, new_cases=True, rho=_convention(result, held, read))


def _convention(result: "Result", held: HeldOut, read: tuple[str, EpochRule]) -> float | None:
    resampled = resampling_of(result)
    if resampled is None or resampled.kind != "passes":
        return None
    return convention_of(result, held, (read, read), score=primary_score(result))


def _estimates(family: Sequence[Pairs]) -> dict[str, IntervalEstimate]:
    return {
        one.variant: NOTHING if estimate is None else as_estimate(estimate, LEVEL)
        for one, estimate in zip(family, estimates_with_skewness(family), strict=True)
    }


def _of_curves(one: VariantDiagnosis, score: Word | str) -> Iterator[Finding]:
    yield from _of_onset(one.variant, one.onset)
    if one.gap_last.low > 0:
        yield found("GG102", one.variant, "info", score=score, gap=one.gap_last)
    if one.late_slope.low > 0:
        yield found("GG103", one.variant, score=score, slope=one.late_slope)
    if one.late_slope.high < 0:
        slope = IntervalEstimate(-one.late_slope.value, -one.late_slope.high, -one.late_slope.low)
        yield found("GG112", one.variant, "info", score=score, slope=slope)
    if one.memorization.high < MEMORIZED:
        yield found("GG104", one.variant, score=score, share=one.memorization)


def _of_onset(variant: str, seen: Onset | None) -> Iterator[Finding]:
    if seen is None or seen.epoch is None or seen.low is None:
        return
    if seen.high is None:  # the confidence set holds "never"
        yield found("GG101.open", variant, "info", epoch=seen.epoch, low=seen.low, epochs=seen.epochs)
    else:
        yield found("GG101", variant, epoch=seen.epoch, low=seen.low, high=seen.high, epochs=seen.epochs)


def _of_skill(one: VariantDiagnosis, score: Word | str) -> Iterator[Finding]:
    for rule, skill in zip(_RULES, (one.skill_best, one.skill_last), strict=True):
        if skill.high < 0:
            loss = IntervalEstimate(-skill.value, -skill.high, -skill.low)
            yield found("GG111", one.variant, "serious", rule=Word(rule), score=score, loss=loss)
    if one.skill_best.low <= 0 <= one.skill_best.high:
        yield found("GG110", one.variant, score=score, gain=one.skill_best)
    if one.over_majority.low <= 0 and not one.skill_best.low > 0:  # of rare events skill says more
        yield found("GG114", one.variant, gain=one.over_majority)


_OVERFITTING = ("gap_last", "rise", "late_slope")


def _of_difference(one: VariantDiagnosis, baseline: str, score: Word | str) -> Iterator[Finding]:
    """How a variant overfits, and fluctuates, beside the baseline."""
    if one.against is None:
        return
    seen = {name: getattr(one.against, name) for name in _OVERFITTING}
    if any(_sure(by) for by in seen.values()):
        clauses = tuple(_clause(name, by) for name, by in seen.items() if np.isfinite(by.value))
        size = Word(one.against.parameters)
        yield found("GG106", one.variant, "info", baseline=baseline, size=size, score=score, clauses=clauses)
    by = one.against.fluctuation
    if by.low > 0:
        yield found("GG105", one.variant, "info", baseline=baseline, score=score, own=one.fluctuation, by=by)


def _sure(by: IntervalEstimate) -> bool:
    return by.low > 0 or by.high < 0


def _clause(measure: str, by: IntervalEstimate) -> Message:
    key = "larger" if by.low > 0 else "smaller" if by.high < 0 else "open"
    shown = IntervalEstimate(-by.value, -by.high, -by.low) if key == "smaller" else by
    return Message(f"against.{key}", {"measure": Word(measure), "by": shown})


def _underfitting(result: "Result") -> Iterator[Finding]:
    """A variant underfits where one with more parameters does better on held-out and on training cases alike."""
    if "parameters" not in result.runs or "val_score" not in result.history or len(result.variants) < 2:
        return
    sizes = {name: int(result.runs["parameters"].sel(variant=name).max()) for name in result.variants}
    scores = {
        name: {one: at_epoch(result, one, name, "best") for one in result.variants}
        for name in ("val_score", "train_score")
    }
    pairs = sum(a < b for a in sizes.values() for b in sizes.values())
    level = comparison_level(LEVEL, comparisons=2 * pairs)
    for small in result.variants:
        held_out_loss, training_loss = (differences(one, small, level=level) for one in scores.values())
        better = [
            name
            for name in result.variants
            if sizes[name] > sizes[small] and held_out_loss[name].high < 0 and training_loss[name].high < 0
        ]
        if better:
            best, lost = min(((name, held_out_loss[name]) for name in better), key=lambda one: one[1].value)
            loss = IntervalEstimate(-lost.value, -lost.high, -lost.low)
            yield found("GG113", small, bigger=best, score=score_word(result.score), loss=loss)
