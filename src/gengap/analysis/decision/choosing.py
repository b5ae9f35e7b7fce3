"""Which option to take: the best mean, unless something cheaper or more regularized is as good within a tolerance."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from gengap.analysis.decision.options import Option

Reason = Literal["alone", "best", "parameters", "unchanged", "epochs", "gap"]

_COSTS: tuple[tuple[Reason, Callable[[Option, Collection[str]], float | None]], ...] = (
    ("parameters", lambda one, _: one.parameters),
    ("unchanged", lambda one, kept: bool(kept) and one.variant not in kept),
    ("epochs", lambda one, _: None if one.epoch is None else round(one.epoch)),
    ("gap", lambda one, _: one.gap),
)
"""What makes an option preferable to another as good: smaller, then what changes nothing, then sooner trained,
then closer to its training score."""


@dataclass(frozen=True)
class Chosen:
    """What is taken, and why.

    Attributes:
        chosen: Position of the option.
        leader: Position of the option with the best mean.
        reason: Why the chosen one: `"best"` mean, or what it has over the leader.
    """

    chosen: int
    leader: int
    reason: Reason


def choose(
    options: Sequence[Option], *, tolerance: float, larger_is_better: bool, kept: Collection[str] = ()
) -> Chosen:
    """Take the option of the best mean, or the cheapest of those within the tolerance of it.

    Args:
        options: What there is; those whose score is unknown are not taken.
        tolerance: What does not matter, in the score's units, 0 or more.
        larger_is_better: Orientation of the score.
        kept: Names of the variants that change nothing, which no other that is as good replaces; empty for all alike.
    """
    sign = -1.0 if larger_is_better else 1.0
    losses = [sign * one.score if math.isfinite(one.score) else math.inf for one in options]
    leader = losses.index(min(losses))
    if len(options) == 1:
        return Chosen(0, 0, "alone")
    near = [at for at, loss in enumerate(losses) if math.isfinite(loss) and loss <= losses[leader] + tolerance]
    if len(near) < 2:
        return Chosen(leader, leader, "best")
    costs = _comparable([options[at] for at in near], kept)
    best = min(range(len(near)), key=lambda at: ([of[at] for of in costs.values()], losses[near[at]]))
    first = near.index(leader)
    cheaper = (name for name, of in costs.items() if of[best] != of[first])
    return Chosen(near[best], leader, next(cheaper, "best"))


def _comparable(options: Sequence[Option], kept: Collection[str]) -> dict[Reason, list[float]]:
    """Costs of every option, as far as they are known of all."""
    found: dict[Reason, list[float]] = {}
    for name, cost in _COSTS:
        column = [cost(one, kept) for one in options]
        if all(value is not None and math.isfinite(value) for value in column):
            found[name] = [float(value or 0.0) for value in column]
    return found
