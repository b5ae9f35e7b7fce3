"""What a study trains, how and where."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gengap.datasets.folds import fold_seed
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.resampling import Folds
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Listener, Run, TrainingSettings
from gengap.runners.base import Engine, Planner, Runner, States
from gengap.study.passes import Passes, passes_of

if TYPE_CHECKING:
    from gengap.engine.planner import Plan  # it needs torch, which a declaration does not


@dataclass(frozen=True, eq=False)
class Training:
    """What a study trains, how and where.

    Attributes:
        engine: What trains.
        planner: What plans for that engine; None for an engine that trains run by run.
        runner: Where.
        runs: All runs of the study.
        data: Its data.
        settings: What the runs have in common.
        folds: The folds that the runs are of; None for single splits.
    """

    engine: Engine
    planner: Planner | None
    runner: Runner
    runs: Sequence[Run]
    data: TrainingData
    settings: TrainingSettings
    folds: Folds | None = None

    def held_out(self) -> TrainingData:
        """Return the splits that a result holds predictions for."""
        return self.data if self.folds is None else self.folds.held_out()

    def passes(self, kind: OutputKind) -> Passes | None:
        """Return the divisions with the climatology of each fold's training cases; None for single splits."""
        return None if self.folds is None else passes_of(self.folds, kind)

    def plan(self, runs: Sequence[Run]) -> "Plan | None":
        """Plan the training of some of the runs; None for an engine that needs no plan."""
        return None if self.planner is None else self.runner.plan(self.planner, runs, self.data, self.settings)

    def execute(
        self, runs: Sequence[Run], listener: Listener, *, plan: "Plan | None", states: States | None = None
    ) -> None:
        """Train some of the runs."""
        self.runner.execute(self.engine, runs, self.data, self.settings, listener, plan=plan, states=states)


def runs_of_folds(folds: Folds, runs: Sequence[Run]) -> list[Run]:
    """Return a run for every fold of every seed: all variants of a fold share its cases and its own seed."""
    of_seed: dict[int, list[Run]] = {}
    for run in runs:
        of_seed.setdefault(run.seed, []).append(run)
    return [
        replace(run, seed=fold_seed(seed, place), fold=fold)
        for seed, own in of_seed.items()
        for place in range(len(folds.divisions[seed].folds))
        for fold in [folds.own(seed, place)]
        for run in own
    ]
