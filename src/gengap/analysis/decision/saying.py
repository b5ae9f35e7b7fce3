"""The sentences of a recommendation, as keys with typed values: every language writes its own."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gengap.analysis.decision.options import Option, Reading
from gengap.analysis.decision.purchases import Purchase
from gengap.analysis.findings.wording import Message, Value, Word

if TYPE_CHECKING:
    from gengap.analysis.decision.recommendation import Recommendation

_MOST_NAMED = 4
Blanks = dict[str, Value]


def amount(value: float) -> str:
    """Write a size with two digits, without exponents.

    Example:
        >>> amount(0.02134), amount(1234.5), amount(0.0)
        ('0.021', '1,234', '0')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(1 - math.floor(math.log10(abs(value))), 0)}f}"


def named(option: Option) -> Message:
    """What is shipped, in words: the variant, and when its training ends."""
    if option.rule.ensemble:
        plain = replace(option, rule=replace(option.rule, ensemble=False))
        return Message("option.ensemble", {"option": named(plain)})
    if option.epoch is None:
        return Message("option.plain", {"variant": option.variant})
    key = "patience" if option.rule.patience is not None else option.rule.name
    blanks: Blanks = {"variant": option.variant, "epoch": max(round(option.epoch), 1)}
    if option.rule.patience is not None:
        blanks["patience"] = option.rule.patience
    return Message(f"option.{key}", blanks)


def bottom_line(said: "Recommendation") -> Message:
    """How far the study tells the options apart."""
    count = len(said.options)
    if count == 1:
        return Message("decision.alone")
    if not math.isfinite(said.regret):
        return Message("decision.unknown", {"count": count})
    if len(said.best_set) == 1:
        return Message("decision.one", {"choice": named(said.best_set[0]), "count": count})
    if not said.excluded:
        return Message("decision.all", {"count": count})
    blanks: Blanks = {"left": len(said.best_set), "count": count}
    if len(said.excluded) > _MOST_NAMED:
        return Message("decision.some_of_many", blanks)
    return Message("decision.some", blanks | {"excluded": tuple(map(named, said.excluded))})


def action(said: "Recommendation") -> Message:
    """What to ship, with its score and which way that points."""
    blanks: Blanks = {"choice": named(said.choice), "score": _score(said), "value": f"{said.choice.score:.4f}"}
    return Message("decision.ship", blanks | {"better": _better(said)})


def why(said: "Recommendation") -> Message:
    """Why this option."""
    if said.reason in {"alone", "best"}:
        return Message(f"decision.why.{said.reason}", {"tolerance": amount(said.tolerance)})
    behind = abs(said.choice.score - said.leader.score)
    blanks: Blanks = {"leader": named(said.leader), "behind": amount(behind), "tolerance": amount(said.tolerance)}
    return Message(f"decision.why.{said.reason}", blanks)


def bound(said: "Recommendation") -> Message:
    """How much could be lost by it."""
    if len(said.options) == 1:
        return Message("decision.bound.alone")
    if not math.isfinite(said.regret):
        return Message("decision.bound.unknown", {"claim": _claim(said)})
    blanks: Blanks = {"bound": amount(said.regret), "score": _score(said), "confidence": 100 * said.confidence}
    others: Blanks = {"claim": _claim(said), "count": len(said.options) - 1}
    if said.regret == 0:
        return Message("decision.bound.none", {"confidence": 100 * said.confidence} | others)
    stops = said.choice.rule.name != "last" and said.choice.epoch is not None
    if stops and said.choice.variant == said.options[0].variant:
        return Message("decision.bound.stop", blanks | others | {"epoch": max(round(said.choice.epoch or 1), 1)})
    return Message("decision.bound.most", blanks | others)


def more(said: "Recommendation") -> tuple[Message, ...]:
    """What larger studies would change."""
    found = []
    if len(said.purchases) == 3:
        seeds, cases, both = said.purchases
        blanks: Blanks = {"seeds": seeds.seeds, "cases": cases.cases or 0}
        found.append(Message("decision.more", blanks | _bounds(of_seeds=seeds, of_cases=cases, of_both=both)))
    elif said.purchases:
        seeds = said.purchases[0]
        found.append(Message("decision.more_seeds", {"seeds": seeds.seeds} | _bounds(of_seeds=seeds)))
    if said.enough is not None:
        needed: Blanks = {"seeds": said.enough.seeds, "tolerance": amount(said.tolerance)}
        if said.enough.cases is None:
            found.append(Message("decision.enough_seeds", needed))
        else:
            found.append(Message("decision.enough", needed | {"cases": said.enough.cases}))
    return tuple(found)


def notes(
    reading: Reading, options: Sequence[Option], aside: Sequence[Option], same: Sequence[Option]
) -> tuple[Message, ...]:
    """What weakens it."""
    found = [
        Message("decision.lost", {"option": named(one), "lost": one.lost, "runs": len(reading.result.seeds)})
        for one in aside
    ]
    if not aside and any(one.lost for one in options):
        found.append(Message("decision.all_lost"))
    if same:
        names = tuple(named(one) for one in same[:_MOST_NAMED])
        found.append(Message("decision.same", {"options": names, "count": len(same)}))
    if reading.held is None or reading.held.part == "validation":
        found.append(Message("decision.validation" if reading.held is not None else "decision.curves"))
    return tuple(found)


def _bounds(**offers: Purchase) -> Blanks:
    return {name: amount(one.bound) for name, one in offers.items()}


def _score(said: "Recommendation") -> Word:
    return Word(f"score.{said.score}") if f"score.{said.score}" in SCORE_WORDS else Word("score.other")


def _better(said: "Recommendation") -> Word:
    return Word("larger_is_better" if said.larger_is_better else "smaller_is_better")


def _claim(said: "Recommendation") -> Word:
    return Word("claim.these" if said.claim == "this test set" else "claim.new")


SCORE_WORDS: frozenset[str] = frozenset(
    f"score.{name}"
    for name in (
        "log_loss", "brier_score", "brier_skill_score", "roc_auc", "squared_error", "squared_error_skill_score",
    )
)  # fmt: skip
"""Scores that languages have a name for; any other is "the score"."""
