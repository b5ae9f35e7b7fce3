"""What the study found, in plain sentences, the most useful first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gengap.analysis.contrasts import FEW_SEEDS, Contrast
from gengap.analysis.tables import Spread
from gengap.report.material import Material
from gengap.report.numbers import write_estimate, write_number, write_spread
from gengap.report.section import Section

Tone = Literal["good", "bad", "unsure", "note"]

_TONES: dict[str, Tone] = {"better": "good", "worse": "bad", "equivalent": "note", "cannot say": "unsure"}


@dataclass(frozen=True)
class Sentence:
    """One finding: how it is marked, and what it says."""

    tone: Tone
    text: str


def findings_section(material: Material) -> Section:
    """Say what was found: skill, verdicts, and what weakens them."""
    said = (*_skill(material), *_verdicts(material), *_cautions(material))
    return Section("findings", {"sentences": said})


def _skill(material: Material) -> Iterator[Sentence]:
    """Whether the baseline ends better than a forecast that knows nothing but the base rate."""
    table, baseline = material.summary, material.result.baseline
    known = [column.name for column in table.columns]
    columns = [name for name in ("test_skill", "validation_skill") if name in known]
    rows = [dict(zip(known, row, strict=True)) for row in table.rows]
    for row in rows:
        skill = row[columns[0]] if columns else None
        if row["variant"] == baseline and row["rule"] == "last" and isinstance(skill, Spread):
            tone: Tone = "good" if skill.mean > 0 else "bad"
            key = f"skill.{material.result.task}.{'positive' if skill.mean > 0 else 'negative'}"
            yield Sentence(tone, material.language(key, variant=baseline, skill=write_spread(skill.mean, skill.sd)))


def _verdicts(material: Material) -> Iterator[Sentence]:
    if material.comparison is None:
        return
    order = list(_TONES)
    for found in sorted(material.comparison.contrasts, key=lambda one: order.index(one.verdict.kind)):
        yield Sentence(_TONES[found.verdict.kind], verdict_sentence(material, found))


def verdict_sentence(material: Material, found: Contrast) -> str:
    """Say a verdict with its numbers; an improvement counts upwards, whichever way the score points."""
    comparison, text = material.comparison, material.language
    assert comparison is not None  # noqa: S101  a contrast comes from a comparison
    better = found.difference if comparison.larger_is_better else -found.difference
    reach = (found.high - found.low) / 2
    kind = found.verdict.kind
    amount = -better if kind == "worse" else better
    blanks = {
        "variant": found.variant,
        "baseline": comparison.baseline,
        "amount": write_estimate(amount, amount - reach, amount + reach, sign=kind in {"cannot say", "equivalent"}),
        "score": text.name_of("score", comparison.score),
        "margin": write_number(found.verdict.margin or float("nan"), 4),
    }
    key = {"cannot say": "cannot_say"}.get(kind, kind)
    if kind == "cannot say":
        return f"{text('verdict.cannot_say', **blanks)} {needs(material, found)}".strip()
    claim = text(f"claim.{'new' if comparison.claim == 'new cases and seeds' else 'these'}")
    return text(f"verdict.{key}", claim=claim, **blanks)


def needs(material: Material, found: Contrast) -> str:
    """Say what would settle a comparison that could not be settled."""
    advice, text = found.verdict.advice, material.language
    if advice is None:
        return ""
    if advice.seeds is None and advice.cases is None:
        return text("needs.beyond")
    key = "both" if advice.seeds and advice.cases else "seeds" if advice.seeds else "cases"
    return text(f"needs.{key}", seeds=f"{advice.seeds or 0:,}", cases=f"{advice.cases or 0:,}")


def _cautions(material: Material) -> Iterator[Sentence]:
    result, text = material.result, material.language
    if "test" not in result.splits:
        yield Sentence("note", text("caution.no_test"))
    if len(result.seeds) < FEW_SEEDS:
        yield Sentence("note", text("caution.few_seeds", seeds=len(result.seeds), enough=FEW_SEEDS))
    if "status" in result.runs:
        status = result.runs["status"].to_numpy().astype(str)
        lost = int(np.char.startswith(status, "diverged").sum())
        if lost:
            yield Sentence("bad", text("caution.diverged", lost=lost, runs=status.size))
