"""Does a variant overfit, underfit, memorize, or is it not done? What a reader sees in curves, with error bars."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy import stats

from gengap.analysis.cases import CaseScore, EpochRule, Floats, HeldOut, case_scores, held_out, primary_score
from gengap.analysis.climatology import climatology_scores
from gengap.analysis.codes import Finding, found
from gengap.analysis.components import seeds_only, two_way
from gengap.analysis.onset import Onset, onset
from gengap.analysis.summary import at_epoch
from gengap.analysis.tables import Column, Estimate, Table
from gengap.analysis.wording import Word

if TYPE_CHECKING:
    from gengap.results import Result

LEVEL = 0.95
LATE_SHARE = 1 / 3
"""The late slope is read off the last third of the epochs."""
MEMORIZED = 0.05
"""A training score below this share of climatology's counts as memorized."""
_NOTHING = Estimate(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class VariantDiagnosis:
    """What the curves of one variant say; intervals are 95 %, over new seeds.

    Attributes:
        variant: Name of the variant.
        onset: From which epoch it overfits, with a confidence set; None where epochs or seeds are too few.
        gap_best: Held-out minus training score at the best epoch.
        gap_last: The same at the last epoch.
        late_slope: Change of the held-out score per epoch over the last third of the epochs.
        memorization: Training score at the last epoch as a share of climatology's.
        fluctuation: Standard deviation of the held-out score's steps from epoch to epoch after the first third.
        skill_best: Score of climatology minus that of the variant at the best epoch, for new cases and new seeds.
        skill_last: The same at the last epoch.
    """

    variant: str
    onset: Onset | None
    gap_best: Estimate
    gap_last: Estimate
    late_slope: Estimate
    memorization: Estimate
    fluctuation: Estimate
    skill_best: Estimate
    skill_last: Estimate


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """Diagnoses of all variants, and what follows from them.

    Attributes:
        variants: One diagnosis for each variant, the baseline first.
        findings: What follows, as coded sentences.
    """

    variants: tuple[VariantDiagnosis, ...]
    findings: tuple[Finding, ...]

    def __getitem__(self, variant: str) -> VariantDiagnosis:
        """Return the diagnosis of one variant."""
        return {one.variant: one for one in self.variants}[variant]

    @property
    def table(self) -> Table:
        """The diagnoses as a table, findings below."""
        names = ("gap_best", "gap_last", "late_slope", "memorization", "fluctuation", "skill_best", "skill_last")
        columns = [Column("variant", "variant"), Column("onset", "overfits from")]
        columns += [Column(name, name.replace("_", " "), ".3f" if name != "late_slope" else ".4f") for name in names]
        rows = [
            (one.variant, None if one.onset is None else str(one.onset), *(getattr(one, name) for name in names))
            for one in self.variants
        ]
        return Table(
            "Diagnosis (95 % intervals over seeds)", tuple(columns), tuple(rows), tuple(map(str, self.findings))
        )

    def __str__(self) -> str:
        return str(self.table)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table.to_html()


def diagnose(result: "Result", *, ignore: Sequence[str] = ()) -> Diagnosis:
    """Diagnose every variant of a result.

    Thresholds are in units of seed noise: a rise counts as overfitting once it exceeds the standard deviation between
    seeds at the best epoch, a slope or a gap once its interval excludes zero. Skill over climatology is a claim about
    new cases and new seeds, where held-out predictions are stored.

    Args:
        result: A study's result, or curves of another tool (`Result.from_histories`).
        ignore: Codes of findings to leave out.

    Returns:
        The diagnosis; `gengap.analysis.codes.describe(code)` explains a finding's code.
    """
    variants = tuple(_diagnose_one(result, variant) for variant in result.variants)
    findings = [finding for one in variants for finding in (*_of_curves(one), *_of_skill(one))]
    findings += list(_against_baseline(variants))
    return Diagnosis(variants, tuple(finding for finding in findings if finding.code not in set(ignore)))


def _diagnose_one(result: "Result", variant: str) -> VariantDiagnosis:
    curves = _curves(result, variant)
    gaps = [
        _over_seeds(at_epoch(result, variant, "val_score", rule) - at_epoch(result, variant, "train_score", rule))
        for rule in _RULES
    ]
    skills = [_skill(result, variant, rule) for rule in _RULES]
    return VariantDiagnosis(
        variant,
        onset(curves) if curves.shape[0] > 1 and curves.shape[1] > 1 else None,
        gap_best=gaps[0],
        gap_last=gaps[1],
        late_slope=_over_seeds(_late_slopes(curves)),
        memorization=_over_seeds(at_epoch(result, variant, "train_score", "last") / _climatology(result)),
        fluctuation=_over_seeds(_steps(curves)),
        skill_best=skills[0],
        skill_last=skills[1],
    )


_RULES: tuple[EpochRule, EpochRule] = ("best", "last")


def _curves(result: "Result", variant: str) -> Floats:
    """Return held-out curves of the seeds that were trained to the end, shape `(seeds, epochs)`."""
    if "val_score" not in result.history:
        return np.empty((0, 0))
    curves = result.history["val_score"].sel(variant=variant).transpose("seed", "epoch").to_numpy().astype(np.float64)
    length = int(np.isfinite(curves).sum(axis=1).max(initial=0))
    curves = curves[:, :length]
    return curves[np.isfinite(curves).all(axis=1)]


def _late_slopes(curves: Floats) -> Floats:
    late = curves[:, -max(3, round(LATE_SHARE * curves.shape[1])) :] if curves.size else curves
    if late.shape[1] < 3:
        return np.full(len(curves), np.nan)
    epochs = np.arange(late.shape[1]) - (late.shape[1] - 1) / 2
    return cast("Floats", late @ epochs / np.square(epochs).sum())


def _steps(curves: Floats) -> Floats:
    later = curves[:, curves.shape[1] // 3 :] if curves.size else curves
    return np.diff(later, axis=1).std(axis=1, ddof=1) if later.shape[1] > 3 else np.full(len(curves), np.nan)


def _climatology(result: "Result") -> float:
    """Return the score on the training cases of always forecasting their climatology; NaN where it is unknown."""
    data = result.manifest.get("data") or {}
    p = np.asarray(data.get("training_climatology", np.nan), dtype=np.float64)
    if result.score == "squared_error":
        return float(np.mean(data.get("training_variance", np.nan)))
    shares = np.append(p, 1 - p) if p.ndim == 0 else p
    shares = shares[~(shares <= 0)]
    if result.score == "log_loss":
        return float(-(shares * np.log(shares)).sum())
    doubled = 2 if p.ndim == 0 else 1  # the binary Brier score counts one label, the multiclass one all of them
    return float((1 - np.square(shares).sum()) / doubled) if result.score == "brier_score" else float("nan")


def _skill(result: "Result", variant: str, rule: EpochRule) -> Estimate:
    """Score of climatology minus that of a variant, on test where there is one, for new cases and new seeds."""
    held = held_out(result, "test") or held_out(result, "validation")
    if held is None or primary_score(result) not in ("log_loss", "brier_score", "squared_error"):
        return _NOTHING
    score = cast("CaseScore", primary_score(result))
    own = case_scores(held.y_true, held.predictions(variant, rule), score=score)
    differences = climatology_scores(result, held, score=score) - own
    differences = _by_group(differences[np.isfinite(differences).all(axis=1)], held)
    if len(differences) < 2 or differences.shape[1] < 2:
        return _NOTHING
    estimate = two_way(differences)
    half = float(stats.t.ppf((1 + LEVEL) / 2, estimate.df) * estimate.se)
    return Estimate(float(estimate.mean), float(estimate.mean) - half, float(estimate.mean) + half)


def _by_group(values: Floats, held: HeldOut) -> Floats:
    """Turn values of cases into values of groups whose mean is the mean of the cases."""
    weighted = values if held.weight is None else values * held.weight
    if held.group is None:
        return weighted
    groups = int(held.group.max()) + 1
    sums = (
        np.stack([np.bincount(held.group, weights=row, minlength=groups) for row in weighted])
        if len(values)
        else values
    )
    return cast("Floats", sums * groups / values.shape[1])


def _over_seeds(values: Floats) -> Estimate:
    kept = values[np.isfinite(values)]
    if not len(kept):
        return _NOTHING
    if len(kept) < 2:
        return Estimate(float(kept[0]), float("nan"), float("nan"))
    estimate = seeds_only(kept)
    half = float(stats.t.ppf((1 + LEVEL) / 2, estimate.df) * estimate.se)
    return Estimate(float(estimate.mean), float(estimate.mean) - half, float(estimate.mean) + half)


def _of_curves(one: VariantDiagnosis) -> Iterator[Finding]:
    yield from _of_onset(one.variant, one.onset)
    if one.gap_last.low > 0:
        yield found("GG102", one.variant, "info", gap=one.gap_last)
    if one.late_slope.low > 0:
        yield found("GG103", one.variant, slope=one.late_slope)
    if one.late_slope.high < 0:
        yield found("GG112", one.variant, "info", slope=one.late_slope)
    if one.memorization.high < MEMORIZED:
        yield found("GG104", one.variant, share=one.memorization)


def _of_onset(variant: str, seen: Onset | None) -> Iterator[Finding]:
    if seen is None or seen.epoch is None or seen.low is None:
        return
    if seen.high is None:  # the confidence set holds "never"
        yield found("GG101.open", variant, "info", epoch=seen.epoch, low=seen.low, epochs=seen.epochs)
    else:
        yield found("GG101", variant, epoch=seen.epoch, low=seen.low, high=seen.high, epochs=seen.epochs)


def _of_skill(one: VariantDiagnosis) -> Iterator[Finding]:
    for rule, skill in zip(_RULES, (one.skill_best, one.skill_last), strict=True):
        if skill.high < 0:
            loss = Estimate(-skill.value, -skill.high, -skill.low)
            yield found("GG111", one.variant, "serious", rule=Word(rule), loss=loss)
    if one.skill_best.low <= 0 <= one.skill_best.high:
        yield found("GG110", one.variant, skill=one.skill_best)


def _against_baseline(variants: Sequence[VariantDiagnosis]) -> Iterator[Finding]:
    """Say which variants fluctuate more than the baseline: their intervals lie apart."""
    baseline = variants[0]
    for one in variants[1:]:
        if one.fluctuation.low > baseline.fluctuation.high:
            reference = baseline.fluctuation
            yield found(
                "GG105", one.variant, "info", own=one.fluctuation, baseline=baseline.variant, reference=reference
            )
