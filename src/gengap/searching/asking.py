"""Optuna's own pruners, asked after every epoch about all trials that train together."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from gengap.engine.runs import Array, Run
from gengap.searching.ranges import need_optuna


def is_pruner(given: Any) -> bool:
    """Tell whether something is a pruner of Optuna."""
    return type(given).__module__.split(".")[0] != "builtins" and isinstance(given, need_optuna().pruners.BasePruner)


@dataclass(frozen=True, eq=False)
class Asking:
    """Reports the mean over its seeds of every trial's validation score, and asks whether the trial ends.

    Attributes:
        running: Optuna's trials that train now, by the names of their variants.
        kept: Variants that are never halted.
    """

    running: Mapping[str, Any]
    kept: frozenset[str]

    def __call__(self, epoch: int, running: Sequence[tuple[Run, Array]]) -> AbstractSet[int]:
        """Return the places of the runs that end here, see `gengap.engine.state.HaltingListener`."""
        scores: dict[str, list[float]] = {}
        for run, curve in running:
            if run.variant not in self.kept and run.variant in self.running:
                scores.setdefault(run.variant, []).append(float(curve[-1]))
        for variant, own in scores.items():  # all report before one is judged: they are equally far
            self.running[variant].report(sum(own) / len(own), epoch)
        ended = {variant for variant in scores if self.running[variant].should_prune()}
        return {place for place, (run, _) in enumerate(running) if run.variant in ended}
