"""Successive halving: after a few epochs the better part of the trials that train together goes on."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import ceil

from gengap.analysis.cases import EpochRule
from gengap.engine.runs import Array, Run


def rungs(epochs: int, factor: int) -> tuple[int, ...]:
    """Return the epochs after which trials are halted, ascending.

    Example:
        >>> rungs(27, 3), rungs(20, 3), rungs(2, 3)
        ((3, 9), (3, 7), (1,))
    """
    found: list[int] = []
    at = ceil(epochs / factor)
    while 1 <= at < epochs and len(found) < 2:
        found.append(at)
        at = ceil(at / factor) if at > 1 else 0
    return tuple(sorted(found))


@dataclass(frozen=True)
class Halving:
    """Which trials of those that train together end at an epoch.

    A trial's worth is the mean over its runs, so that all of them go on or none.

    Attributes:
        epochs: Epochs of a trial that goes all the way.
        factor: One in so many goes on at each rung, rounded up.
        rule: Whether runs are judged by their best epoch so far or by the last.
        kept: Variants that are never halted.

    References:
        Jamieson, K. and Talwalkar, A. (2016). Non-stochastic best arm identification and hyperparameter optimization.
        AISTATS. arXiv:1502.07943
    """

    epochs: int
    factor: int
    rule: EpochRule
    kept: frozenset[str]

    def __call__(self, epoch: int, running: Sequence[tuple[Run, Array]]) -> AbstractSet[int]:
        """Return the places of the runs that end here, see `gengap.engine.state.HaltingListener`."""
        if epoch not in rungs(self.epochs, self.factor):
            return frozenset()
        scores: dict[str, list[float]] = {}
        for run, curve in running:
            if run.variant not in self.kept:
                scores.setdefault(run.variant, []).append(float(curve.min() if self.rule == "best" else curve[-1]))
        means = {variant: sum(own) / len(own) for variant, own in scores.items()}
        best = sorted(means, key=lambda variant: (means[variant], variant))
        ended = set(best[ceil(len(best) / self.factor) :])
        return {place for place, (run, _) in enumerate(running) if run.variant in ended}
