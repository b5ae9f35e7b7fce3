"""The runner of one machine: chunk after chunk in this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gengap.datasets.training_data import TrainingData
from gengap.engine.frozen_cache import frozen_cache
from gengap.engine.runs import Listener, Run, TrainingSettings
from gengap.runners.base import Engine, Planner, Runner, States

if TYPE_CHECKING:
    from gengap.engine.planner import Plan


class LocalRunner(Runner):
    """Trains one chunk after the other in this process, on all its cores or its one GPU."""

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep what is computed once per case from the plan to the end of the training."""
        with frozen_cache():
            yield

    def plan(self, planner: Planner, runs: Sequence[Run], data: TrainingData, settings: TrainingSettings) -> "Plan":
        """Plan the training for this machine."""
        return planner(runs, data, settings)

    def execute(
        self,
        engine: Engine,
        runs: Sequence[Run],
        data: TrainingData,
        settings: TrainingSettings,
        listener: Listener,
        *,
        plan: "Plan | None" = None,
        states: States | None = None,
    ) -> None:
        """Train runs; see `Runner.execute`."""
        engine(runs, data, settings, listener, plan=plan, states=states)
