"""What a runner is: it decides where runs are trained, never what is trained."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Listener, Run, TrainingSettings
from gengap.engine.state import ChunkState

if TYPE_CHECKING:
    from gengap.engine.planner import Plan  # it needs torch, which a runner does not

States = Mapping[str, ChunkState]
"""States of chunks under way, by chunk."""


class Engine(Protocol):
    """Trains runs and tells a listener. A function of a module, so that other processes can import it by its name."""

    def __call__(
        self,
        runs: Sequence[Run],
        data: TrainingData,
        settings: TrainingSettings,
        listener: Listener,
        *,
        plan: "Plan | None",
        states: States | None,
    ) -> Any:
        """Train the runs, in the chunks of the plan, from the states that there are."""


class Planner(Protocol):
    """Plans the training of runs. A function of a module, like an engine."""

    def __call__(self, runs: Sequence[Run], data: TrainingData, settings: TrainingSettings) -> "Plan":
        """Return a plan for the machine that this is called on."""


class Runner(ABC):
    """Where the runs of a study are trained."""

    @abstractmethod
    def session(self) -> AbstractContextManager[None]:
        """Keep what `plan` and `execute` both need for as long as the context is open.

        Either works without; then each gets for itself what it needs. Within one session nothing is got twice.
        """

    @abstractmethod
    def plan(self, planner: Planner, runs: Sequence[Run], data: TrainingData, settings: TrainingSettings) -> "Plan":
        """Plan the training where it will happen.

        Args:
            planner: What plans for one machine.
            runs: What will be trained.
            data: The study's data.
            settings: What the runs have in common.

        Returns:
            A plan with work for every place that this runner has.
        """

    @abstractmethod
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
        """Train runs.

        Args:
            engine: What trains.
            runs: What to train.
            data: The study's data.
            settings: What the runs have in common.
            listener: Is told everything, in this process; what one chunk tells stays in its order.
            plan: What trains together; None trains every run by itself. Its chunks depend on nothing of each other.
            states: States of chunks under way, from which they go on.

        Raises:
            KeyboardInterrupt: Somebody asked for an end; states of chunks under way were handed out as far as the
                engine has any.
        """
