"""The best of many was chosen for looking best: what remains of its lead when others choose."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gengap.analysis.cases import Floats


@dataclass(frozen=True)
class Winner:
    """The variant with the best mean, and its lead over the baseline without the luck of being chosen.

    Attributes:
        variant: Which variant looks best where choices are made.
        difference: Its difference from the baseline as read.
        corrected: The same when, for every seed, the other seeds choose the variant and this seed reads it.
    """

    variant: str
    difference: float
    corrected: float

    def __str__(self) -> str:
        return f"{self.variant}, {self.difference:+.4f} as read, {self.corrected:+.4f} corrected for being chosen."


def winner(choosing: Mapping[str, Floats], reading: Mapping[str, Floats], *, larger_is_better: bool) -> Winner | None:
    """Find the best of many variants and correct its lead for having been chosen.

    Choosing and reading with the same numbers favours luck. Here every seed is read once, for the variant that all
    *other* seeds choose; the mean of those readings does not know which variant was lucky with its seed. Where choosing
    is done on the validation cases and reading on the test cases, cases are not shared either.

    Args:
        choosing: Differences from the baseline by variant, shape `(seeds,)`, on the cases that choices are made on.
        reading: The same on the cases that are read.
        larger_is_better: Orientation of the score.

    Returns:
        The winner; None where there are fewer than two variants, or fewer than two seeds without gaps.
    """
    names = list(choosing)
    if len(names) < 2:
        return None
    sign = 1.0 if larger_is_better else -1.0
    chosen_on = sign * np.stack([choosing[name] for name in names])
    read_on = np.stack([reading[name] for name in names])
    kept = np.isfinite(chosen_on).all(axis=0) & np.isfinite(read_on).all(axis=0)
    chosen_on, read_on = chosen_on[:, kept], read_on[:, kept]
    seeds = chosen_on.shape[1]
    if seeds < 2:
        return None
    of_others = (chosen_on.sum(axis=1, keepdims=True) - chosen_on) / (seeds - 1)
    left_out = read_on[of_others.argmax(axis=0), np.arange(seeds)]
    best = int(chosen_on.mean(axis=1).argmax())
    return Winner(names[best], float(read_on[best].mean()), float(left_out.mean()))
