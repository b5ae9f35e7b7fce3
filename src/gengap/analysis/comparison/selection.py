"""The best of many was chosen for looking best: what remains of its lead when others choose."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gengap.analysis.cases import Floats
from gengap.analysis.numbers import write_score


@dataclass(frozen=True)
class Winner:
    """The variant with the best mean, and its lead over the baseline without the luck of being chosen.

    Attributes:
        variant: Which variant has the best mean where choices are made.
        difference: Its difference from the baseline as read.
        corrected: The same when, for every seed, the other seeds choose the variant and this seed reads it.
        larger_is_better: Orientation of the score.
        chosen_on: The cases that choices are made on, `"validation"` or those that are read.
        ahead: Whether it is ahead of the baseline on them.
    """

    variant: str
    difference: float
    corrected: float
    larger_is_better: bool
    chosen_on: str
    ahead: bool

    def __str__(self) -> str:
        lead = "has the best mean" if self.ahead else "comes closest to the baseline, which none is ahead of,"
        return (
            f"Of the variants, {self.variant} {lead} on {self.chosen_on}; as read it is {self._side(self.difference)} "
            f"the baseline, {self._side(self.corrected)} it when corrected for having been chosen."
        )

    def _side(self, difference: float) -> str:
        if difference == 0:
            return "as good as"
        better = difference > 0 if self.larger_is_better else difference < 0
        return f"{write_score(abs(difference))} {'better' if better else 'worse'} than"


def winner(
    choosing: Mapping[str, Floats],
    reading: Mapping[str, Floats],
    *,
    larger_is_better: bool,
    chosen_on: str = "validation",
) -> Winner | None:
    """Find the best of many variants and correct its lead for having been chosen.

    Choosing and reading with the same numbers favours luck. Here every seed is read once, for the variant that all
    *other* seeds choose; the mean of those readings does not know which variant was lucky with its seed. Where choosing
    is done on the validation cases and reading on the test cases, cases are not shared either.

    Args:
        choosing: Differences from the baseline by variant, shape `(seeds,)`, on the cases that choices are made on.
        reading: The same on the cases that are read.
        larger_is_better: Orientation of the score.
        chosen_on: What the cases are called that choices are made on.

    Returns:
        The winner; None where there are fewer than two variants, or fewer than two seeds without gaps.
    """
    names = list(choosing)
    if len(names) < 2:
        return None
    sign = 1.0 if larger_is_better else -1.0
    leads = sign * np.stack([choosing[name] for name in names])
    read_on = np.stack([reading[name] for name in names])
    kept = np.isfinite(leads).all(axis=0) & np.isfinite(read_on).all(axis=0)
    leads, read_on = leads[:, kept], read_on[:, kept]
    seeds = leads.shape[1]
    if seeds < 2:
        return None
    of_others = (leads.sum(axis=1, keepdims=True) - leads) / (seeds - 1)
    left_out = read_on[of_others.argmax(axis=0), np.arange(seeds)]
    means = leads.mean(axis=1)
    best = int(means.argmax())
    return Winner(
        names[best],
        float(read_on[best].mean()),
        float(left_out.mean()),
        larger_is_better,
        chosen_on,
        bool(means[best] > 0),
    )
