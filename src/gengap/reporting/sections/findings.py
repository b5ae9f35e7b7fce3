"""What the study found, in plain sentences, the most useful first."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from gengap.analysis.contrasts import FEW_SEEDS, Contrast
from gengap.analysis.onset import Onset, onset
from gengap.analysis.tables import Spread
from gengap.reporting.material import Material
from gengap.reporting.numbers import write_estimate, write_number
from gengap.reporting.section import Section

Tone = Literal["good", "bad", "unsure", "note"]

_TONES: dict[str, Tone] = {"better": "good", "worse": "bad", "equivalent": "note", "cannot say": "unsure"}
_MOST_UNSURE = 2
"""More open questions than this share one sentence; the table has the numbers of each."""


@dataclass(frozen=True)
class Sentence:
    """One finding: how it is marked, and what it says."""

    tone: Tone
    text: str


def findings_section(material: Material) -> Section:
    """Say what was found: overfitting, skill, verdicts, and what weakens them."""
    said = (*_onsets(material), *_skill(material), *_verdicts(material), *_cautions(material))
    return Section("findings", {"sentences": said})


def _onsets(material: Material) -> Iterator[Sentence]:
    """From when on the baseline and the leader overfit, as far as the seeds tell."""
    history = material.result.history
    if "val_score" not in history or history.sizes["epoch"] < 2:
        return
    for variant in dict.fromkeys((material.result.baseline, material.leader)):
        curves = history["val_score"].sel(variant=variant).transpose("seed", "epoch").to_numpy()
        complete = curves[np.isfinite(curves).all(axis=1)]
        if len(complete) > 1:
            yield _onset_sentence(material, variant, onset(complete))


def _onset_sentence(material: Material, variant: str, found: Onset) -> Sentence:
    blanks = {"variant": variant, "epoch": found.epoch, "low": found.low, "high": found.high, "epochs": found.epochs}
    if found.low is None:
        return Sentence("good", material.language("onset.none", **blanks))
    if found.epoch is None:
        return Sentence("unsure", material.language("onset.possible", **blanks))
    if found.high is None:
        return Sentence("unsure", material.language("onset.open", **blanks))
    return Sentence("bad", material.language("onset.found", **blanks))


def _skill(material: Material) -> Iterator[Sentence]:
    """Whether the baseline ends better than a forecast that knows nothing but the base rate."""
    table, baseline = material.summary, material.result.baseline
    names = [column.name for column in table.columns]
    column = next((name for name in ("test_skill", "validation_skill") if name in names), None)
    for row in (dict(zip(names, cells, strict=True)) for cells in table.rows):
        skill = row[column] if column else None
        if row["variant"] != baseline or row["rule"] != "last" or not isinstance(skill, Spread):
            continue
        low, high = mean_interval(skill, len(material.result.seeds))
        side, tone = _side(low, high)
        text, task = material.language, material.result.task
        blanks = {
            "variant": baseline,
            "reference": text(f"reference.{task}"),
            "name": text(f"skill_name.{task}"),
            "skill": write_estimate(skill.mean, low, high, sign=True),
        }
        yield Sentence(tone, text(f"skill.{side}", **blanks))


def mean_interval(spread: Spread, seeds: int) -> tuple[float, float]:
    """95 % t interval of a mean over seeds; NaN for a single one."""
    if seeds < 2 or math.isnan(spread.sd):
        return math.nan, math.nan
    half = float(stats.t.ppf(0.975, seeds - 1)) * spread.sd / math.sqrt(seeds)
    return spread.mean - half, spread.mean + half


def _side(low: float, high: float) -> tuple[str, Tone]:
    if low > 0:
        return "positive", "good"
    return ("negative", "bad") if high < 0 else ("unclear", "unsure")


def _verdicts(material: Material) -> Iterator[Sentence]:
    found = material.comparison.contrasts if material.comparison else ()
    order = list(_TONES)
    said = [one for one in found if one.verdict.kind != "cannot say"]
    for one in sorted(said, key=lambda one: order.index(one.verdict.kind)):
        yield Sentence(_TONES[one.verdict.kind], verdict_sentence(material, one))
    unsure = [one for one in found if one.verdict.kind == "cannot say"]
    if len(unsure) <= _MOST_UNSURE:
        for one in unsure:
            yield Sentence("unsure", verdict_sentence(material, one))
        return
    names = material.language("list.comma").join(one.variant for one in unsure)
    baseline = material.result.baseline
    yield Sentence("unsure", material.language("verdict.cannot_say_many", baseline=baseline, variants=names))
    nearest = min(unsure, key=_effort)
    if nearest.verdict.advice and (nearest.verdict.advice.seeds or nearest.verdict.advice.cases):
        blanks = {"variant": nearest.variant, "needs": needs(material, nearest)}
        yield Sentence("unsure", material.language("verdict.nearest", **blanks))


def _effort(found: Contrast) -> tuple[float, float]:
    advice = found.verdict.advice
    if advice is None or (advice.seeds is None and advice.cases is None):
        return math.inf, math.inf
    return float(advice.cases or 0), float(advice.seeds or 0)


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
    if len(result.seeds) == 1:
        yield Sentence("note", text("caution.one_seed"))
    elif len(result.seeds) < FEW_SEEDS:
        yield Sentence("note", text("caution.few_seeds", seeds=len(result.seeds), enough=FEW_SEEDS))
    if "status" in result.runs:
        status = result.runs["status"].to_numpy().astype(str)
        lost = int(np.char.startswith(status, "diverged").sum())
        if lost:
            yield Sentence("bad", text("caution.diverged", lost=lost, runs=status.size))
