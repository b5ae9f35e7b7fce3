"""What the study found, in plain sentences: the two that matter most first."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gengap.analysis.comparison.contrasts import FEW_SEEDS, Contrast
from gengap.analysis.comparison.pass_advice import PassAdvice
from gengap.analysis.comparison.verdicts import effort
from gengap.analysis.diagnosis.onset import Onset
from gengap.analysis.inference.resampled import USUAL_PASSES
from gengap.analysis.tables import IntervalEstimate
from gengap.reporting.material import Material
from gengap.reporting.numbers import write_estimate, write_score
from gengap.reporting.section import Section
from gengap.results import EpochRule

Tone = Literal["good", "bad", "unsure", "note"]

_TONES: dict[str, Tone] = {"better": "good", "worse": "bad", "equivalent": "note", "cannot say": "unsure"}
_MOST_UNSURE = 2
"""More open questions than this share one sentence; the table has the numbers of each."""
_SAID_ABOVE = frozenset({"GG111"})
"""Serious findings that the sentences on skill say already."""


@dataclass(frozen=True)
class Sentence:
    """One finding: how it is marked, what it says, and whether it is one of those that a reader in a hurry needs."""

    tone: Tone
    text: str
    main: bool = False


def findings_section(material: Material) -> Section:
    """Say what was found: overfitting, skill, verdicts, and what weakens them."""
    comparison = material.comparison
    confidence = f"{100 * comparison.confidence:.4g} %" if comparison and comparison.contrasts else ""
    said = {"sentences": tuple(sentences(material)), "confidence": confidence}
    return Section("findings", said | {"resampled": _resampled(material, confidence)})


def _resampled(material: Material, confidence: str) -> str:
    """Say how the cases were divided; nothing for single splits."""
    found, text = material.resampled, material.language
    if found is None:
        return ""
    blanks = {
        "folds": found.folds,
        "cases": f"{found.cases:,}",
        "sizes": found.sizes,
        "confidence": confidence or "95 %",
    }
    if found.kind == "crossed":
        return text("lead.findings_crossed", **blanks)
    return text("lead.findings_resampled", passes=text.count("passes", found.passes), **blanks)


def sentences(material: Material) -> Iterator[Sentence]:
    """Yield what was found: the baseline, what helps, what the leading variant does, and what weakens all of it."""
    yield from _baseline(material)
    yield from _verdicts(material)
    yield from _other_rule(material)
    yield from _leader(material)
    yield from _cautions(material)


def _baseline(material: Material) -> Iterator[Sentence]:
    """From when on the baseline overfits, and whether it ends better than a forecast that knows only the base rate."""
    name = material.result.baseline
    parts = _habits(material, name, "last", _named(material, name))
    if parts:
        claim = material.language("list.clause").join(part.text for part in parts)
        yield Sentence(_worst(parts), _said(material, "baseline.says", claim=claim), main=True)


def _leader(material: Material) -> Iterator[Sentence]:
    """Say the same of the variant that looks best where choices are made, read at the declared epoch."""
    name, text = material.leader, material.language
    parts = _habits(material, name, material.rule, text("it"))
    if parts and name != material.result.baseline:
        claim = text("list.clause").join(part.text for part in parts)
        key = "leader.says" if material.has_validation else "leader.without"
        yield Sentence(_worst(parts), _said(material, key, variant=name, claim=claim))


def _habits(material: Material, variant: str, rule: EpochRule, subject: str) -> list[Sentence]:
    """Clauses about one variant: overfitting, skill; the second clause calls it "it"."""
    text = material.language
    first = _onset(material, variant, subject)
    second = _skill(material, variant, rule, subject if first is None else text("it"))
    return [part for part in (first, second) if part is not None]


def _worst(parts: Sequence[Sentence]) -> Tone:
    order: tuple[Tone, ...] = ("bad", "unsure", "note", "good")
    return min((part.tone for part in parts), key=order.index)


def _onset(material: Material, variant: str, subject: str) -> Sentence | None:
    """From when on a variant overfits, as far as the seeds tell."""
    history = material.result.history
    if "val_score" not in history or history.sizes["epoch"] < 2:
        return None
    curves = history["val_score"].sel(variant=variant).transpose("seed", "epoch").to_numpy()
    complete = curves[np.isfinite(curves).all(axis=1)]
    if not len(complete):
        return None
    if len(complete) == 1:
        epoch = int(complete[0].argmin()) + 1
        return Sentence("note", material.language("onset.one_seed", subject=subject, epoch=epoch))
    found = material.diagnosis[variant].onset
    return None if found is None else _onset_clause(material, found, subject)


def _onset_clause(material: Material, found: Onset, subject: str) -> Sentence:
    blanks = {"subject": subject, "epoch": found.epoch, "low": found.low, "high": found.high, "epochs": found.epochs}
    if found.low is None:
        return Sentence("good", material.language("onset.none", **blanks))
    if found.epoch is None:
        return Sentence("unsure", material.language("onset.possible", **blanks))
    if found.high is None:
        return Sentence("unsure", material.language("onset.open", **blanks))
    return Sentence("bad", material.language("onset.found", **blanks))


def _skill(material: Material, variant: str, rule: EpochRule, subject: str) -> Sentence | None:
    """Whether a variant is better than a forecast that knows nothing but the base rate."""
    skill = material.skill(variant, rule)
    if skill is None or not math.isfinite(skill.low):
        return None
    side, tone = _side(skill)
    text, task = material.language, material.result.task
    blanks = {
        "subject": subject,
        "rule": text(f"at.{rule}"),
        "reference": text(f"reference.{task}"),
        "name": text(f"skill_name.{task}"),
        "skill": write_estimate(skill.value, skill.low, skill.high),
    }
    return Sentence(tone, text(f"skill.{side}", **blanks))


def _side(found: IntervalEstimate) -> tuple[str, Tone]:
    if found.low > 0:
        return "positive", "good"
    return ("negative", "bad") if found.high < 0 else ("unclear", "unsure")


def _verdicts(material: Material) -> Iterator[Sentence]:
    found = material.comparison.contrasts if material.comparison else ()
    if not found:
        return
    kinds = [one.verdict.kind for one in found]
    if "better" not in kinds and "cannot say" not in kinds:
        yield Sentence("note", _said(material, "verdict.nothing", rule=_at(material)), main=True)
    order = list(_TONES)
    sure = [one for one in found if one.verdict.kind != "cannot say"]
    for one in sorted(sure, key=lambda one: (order.index(one.verdict.kind), -abs(one.difference))):
        kind = one.verdict.kind
        yield Sentence(_TONES[kind], verdict_sentence(material, one), main=kind == "better")
    yield from _open(material, [one for one in found if one.verdict.kind == "cannot say"], alone="better" not in kinds)


def _open(material: Material, unsure: Sequence[Contrast], *, alone: bool) -> Iterator[Sentence]:
    """Say which comparisons stay open, and what would decide the closest of them."""
    if len(unsure) <= _MOST_UNSURE:
        for one in unsure:
            yield Sentence("unsure", verdict_sentence(material, one), main=alone)
        return
    held, text = material.held_out, material.language
    blanks = {
        "count": len(unsure),
        "score": text.name_of("score", material.score),
        "rule": _at(material),
        "seeds": text.count("seeds", len(material.result.seeds)),
        "cases": f"{len(held):,}" if held else "",
    }
    key = "verdict.none_sure" if alone else "verdict.others_open"
    said = [_said(material, key if held else f"{key}_curves", **blanks)]
    ahead = [one for one in unsure if _ahead(material, one)]
    nearest = min(ahead, key=_effort, default=None)
    if nearest is None:
        said.append(_said(material, "verdict.none_ahead"))
    elif math.isfinite(_effort(nearest)[0]):
        amount = _amount(material, nearest)
        said.append(text("verdict.nearest", variant=nearest.variant, amount=amount, needs=needs(material, nearest)))
    yield Sentence("unsure", text("list.sentence").join(said), main=alone)


def _ahead(material: Material, found: Contrast) -> bool:
    """Whether a variant's mean is better than the baseline's: only then would a verdict be one that helps."""
    comparison = material.comparison
    return comparison is not None and (found.difference > 0 if comparison.larger_is_better else found.difference < 0)


def _effort(found: Contrast) -> tuple[float, float]:
    advice = found.verdict.advice
    if advice is None or math.isinf(effort(advice)):
        return math.inf, math.inf
    return float(advice.cases or 0), effort(advice)


def _other_rule(material: Material) -> Iterator[Sentence]:
    """Describe what the comparison would say at the epoch for which no verdict was declared."""
    comparison, text = material.comparison, material.language
    if comparison is None or not material.has_curves:
        return
    if [one.difference for one in comparison.descriptive] == [one.difference for one in comparison.contrasts]:
        return  # every run was best at its last epoch
    for kind in ("better", "worse"):
        found = [one for one in comparison.descriptive if one.verdict.kind == kind]
        if not found:
            continue
        most = max(found, key=lambda one: abs(one.difference))
        blanks = {
            "rule": text(f"at.{most.rule}"),
            "count": len(found),
            "variant": most.variant,
            "amount": _amount(material, most),
            "score": text.name_of("score", comparison.score),
        }
        yield Sentence("note", _said(material, f"other.{kind}" + "_one" * (len(found) == 1), **blanks))


def verdict_sentence(material: Material, found: Contrast) -> str:
    """Say a verdict with its numbers; an improvement counts upwards, whichever way the score points."""
    comparison, text = material.comparison, material.language
    assert comparison is not None  # noqa: S101  a contrast comes from a comparison
    kind = found.verdict.kind
    if not math.isfinite(found.difference):
        return _said(material, "verdict.lost", variant=found.variant)
    blanks = {
        "variant": found.variant,
        "amount": _amount(material, found),
        "score": text.name_of("score", comparison.score),
        "margin": write_score(found.verdict.margin or float("nan")),
        "claim": text(f"claim.{'these' if comparison.claim == 'this test set' else 'new'}"),
    }
    if kind != "cannot say":
        return _said(material, f"verdict.{kind}", **blanks)
    said = _said(material, "verdict.cannot_say" if _ahead(material, found) else "verdict.cannot_say_behind", **blanks)
    return text("list.sentence").join([said, needs(material, found)])


def _amount(material: Material, found: Contrast) -> str:
    """Write by how much a variant is better, or worse where the mean says so, with its interval."""
    comparison = material.comparison
    assert comparison is not None  # noqa: S101  a contrast comes from a comparison
    signed = found.verdict.kind == "equivalent"  # that sentence gives the gain in any case
    flipped = not comparison.larger_is_better if signed else found.difference < 0
    ends = (-found.difference, -found.high, -found.low) if flipped else (found.difference, found.low, found.high)
    return write_estimate(*ends, sign=signed, scale=found.scale)


def needs(material: Material, found: Contrast, form: Literal["needs", "short"] = "needs") -> str:
    """Say what would settle a comparison that could not be settled: as a sentence, or short for a table."""
    advice, text = found.verdict.advice, material.language
    if advice is None or not math.isfinite(found.difference):
        return ""
    if isinstance(advice, PassAdvice):
        return _needs_of_passes(material, advice, form)
    if advice.seeds is None and advice.cases is None:
        return text(f"{form}.beyond")
    key = "both" if advice.seeds and advice.cases else "seeds" if advice.seeds else "cases"
    return text(f"{form}.{key}", seeds=f"{advice.seeds or 0:,}", cases=f"{advice.cases or 0:,}")


def _cautions(material: Material) -> Iterator[Sentence]:
    """What weakens all of the above: the design, lost runs, and what the audit calls serious."""
    result, text = material.result, material.language
    if "test" not in result.splits and "val_score" in result.history:
        yield Sentence("note", text("caution.no_test"))
    if len(result.seeds) == 1:
        yield Sentence("note", text("caution.one_seed"))
    elif len(result.seeds) < (FEW_SEEDS if material.resampled is None else USUAL_PASSES):
        few, enough = ("seeds", FEW_SEEDS) if material.resampled is None else ("passes", USUAL_PASSES)
        yield Sentence("note", text(f"caution.few_{few}", seeds=len(result.seeds), enough=enough))
    if material.resampled is not None and material.resampled.mixed_times:
        yield Sentence("note", text("caution.mixed_times"))
    if material.resampled is not None and material.resampled.duplicates:
        yield Sentence("bad", text("caution.duplicates", count=f"{material.resampled.duplicates:,}"))
    yield from _lost_runs(material)
    unfinished = [text.write(one.subject) for one in material.findings if one.code == "GG112"]
    if unfinished:
        yield Sentence("note", text("caution.unfinished", variants=text("list.comma").join(unfinished)))
    for one in material.findings:
        if one.severity == "serious" and one.code not in _SAID_ABOVE:
            blanks = {"title": text.codes[one.code].title, "code": one.code}
            said = {"subject": text.write(one.subject), "sentence": text.write(one.message)}
            yield Sentence("bad", text("caution.serious", **blanks, **said))


def _lost_runs(material: Material) -> Iterator[Sentence]:
    result, text = material.result, material.language
    if "status" not in result.runs:
        return
    lost = np.char.startswith(result.runs["status"].to_numpy().astype(str), "diverged")
    if lost.any():
        counts = dict(zip(result.variants, lost.sum(axis=1).tolist(), strict=True))
        where = text("list.comma").join(f"{name} ({count})" for name, count in counts.items() if count)
        yield Sentence("bad", text("caution.diverged", lost=int(lost.sum()), runs=lost.size, where=where))


def _at(material: Material) -> str:
    return material.language(f"at.{material.rule}")


def _said(material: Material, key: str, **blanks: Any) -> str:
    """Fill in a sentence in which the baseline may be named; a sentence begins with a capital letter."""
    text, baseline = material.language, material.result.baseline
    named: Mapping[str, Any] = {"baseline": _named(material, baseline), **blanks}
    if named.get("variant") == baseline:
        named = {**named, "variant": _named(material, baseline)}
    said = text(key, **named).strip()
    ours = said.startswith((text("the.baseline"), text("at.best"), text("at.last")))  # a variant's name stays as it is
    return said[0].upper() + said[1:] if ours else said


def _named(material: Material, name: str) -> str:
    text = material.language
    return text("the.baseline") if name == "baseline" else text("the.other", name=name)


def _needs_of_passes(material: Material, advice: PassAdvice, form: str) -> str:
    text = material.language
    if advice.on_these_cases:
        return text(f"{form}.passes", passes=f"{advice.passes:,}")
    key = "passes_beyond" if advice.cases is None else "passes_both" if advice.passes else "passes_cases"
    return text(f"{form}.{key}", passes=f"{advice.passes or 0:,}", cases=f"{advice.cases or 0:,}")
