"""The sentences of a recommendation, as keys with typed values: every language writes its own."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gengap.analysis.decision.options import Option, Reading
from gengap.analysis.decision.purchases import Purchase
from gengap.analysis.findings.wording import Message, Value, Word
from gengap.analysis.numbers import write_number, write_score

if TYPE_CHECKING:
    from gengap.analysis.decision.recommendation import Recommendation

_MOST_NAMED = 4
_WORTH = 0.97
"""A purchase that leaves more than this share of the bound lowers nothing that anyone would notice."""
Blanks = dict[str, Value]


def amount(value: float) -> str:
    """Write a size with two digits.

    Example:
        >>> amount(0.02134), amount(1234.5), amount(0.0), amount(8.6e-14)
        ('0.021', '1,234', '0', '8.6e-14')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return write_number(value, max(1 - math.floor(math.log10(abs(value))), 0))


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
    blanks: Blanks = {"choice": named(said.choice), "score": _score(said), "value": write_score(said.choice.score)}
    return Message("decision.ship", blanks | {"better": _better(said)})


def why(said: "Recommendation") -> Message:
    """Why this option."""
    if said.reason in {"alone", "best"}:
        return Message(f"decision.why.{said.reason}", {"tolerance": amount(said.tolerance)})
    behind = abs(said.choice.score - said.leader.score)
    blanks: Blanks = {"leader": named(said.leader), "behind": amount(behind), "tolerance": amount(said.tolerance)}
    return Message(f"decision.why.{said.reason}", blanks)


def bound(said: "Recommendation", *, alone: bool = True) -> Message:
    """How much could be lost by it.

    Args:
        said: The recommendation.
        alone: Whether the sentence stands alone; beside a line on the claim it need not repeat that.
    """
    if len(said.options) == 1:
        return Message("decision.bound.alone")
    if not math.isfinite(said.regret):
        return Message("decision.bound.unknown", {"claim": _claim(said)})
    blanks: Blanks = {"bound": amount(said.regret), "score": _score(said)}
    key, stops = "most", said.choice.rule.name != "last" and said.choice.epoch is not None
    if said.regret == 0:
        key = "none"
    elif stops and said.choice.variant == said.options[0].variant:
        key, blanks = "stop", blanks | {"epoch": max(round(said.choice.epoch or 1), 1)}
    if not alone:
        return Message(f"decision.bound.{key}.short", blanks)
    return Message(f"decision.bound.{key}", blanks | {"claim": _claim(said), "confidence": 100 * said.confidence})


def more(said: "Recommendation") -> tuple[Message, ...]:
    """What larger studies would change: only what lowers the bound is named as worth buying."""
    if not said.purchases:
        return ()
    if said.regret <= said.tolerance:
        return (Message("decision.more.needless", {"tolerance": amount(said.tolerance)}),)
    return (*_offers(said), *_enough(said))


def _offers(said: "Recommendation") -> list[Message]:
    """What twice as much would do to the bound, and what would do nothing to it."""
    seeds, *others = said.purchases
    alone = {"seeds": seeds} | ({"cases": others[0]} if others else {})
    helping = {name: one for name, one in alone.items() if _lowers(one, said.regret)}
    sizes: Blanks = {"seeds": seeds.seeds, "units": _units(said), "cases": (others[0].cases or 0) if others else 0}
    if not helping:
        found = [Message("decision.more.neither" if others else "decision.more.not_seeds", sizes)]
    else:
        found = [
            Message(f"decision.more.{name}", sizes | {"bound": amount(one.bound)}) for name, one in helping.items()
        ]
    if others and _lowers(others[1], min([said.regret, *(one.bound for one in helping.values())])):
        found.append(Message("decision.more.both", sizes | {"bound": amount(others[1].bound)}))
    if helping:
        found += [Message(f"decision.more.not_{name}", sizes) for name in alone if name not in helping]
    return found


def _lowers(one: Purchase, bound: float) -> bool:
    """Whether a purchase brings a bound down by more than its rounding."""
    return one.bound <= _WORTH * bound


def _enough(said: "Recommendation") -> list[Message]:
    needed: Blanks = {"tolerance": amount(said.tolerance), "units": _units(said)}
    if said.enough is None:
        # a resampled study's cases are its training sets too, and what larger ones bring nobody knows beforehand
        if said.given.key != "given":
            return [Message("decision.enough.more_cases", needed)]
        return [Message("decision.enough.never", needed)] if said.tolerance > 0 else []
    if said.enough.cases is None:
        return [Message("decision.enough_seeds", needed | {"seeds": said.enough.seeds})]
    return [Message("decision.enough", needed | {"seeds": said.enough.seeds, "cases": said.enough.cases})]


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


def _units(said: "Recommendation") -> Word:
    return Word("unit.passes" if said.claim == "new training sets, cases and seeds" else "unit.seeds")


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
