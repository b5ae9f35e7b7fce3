"""What a Ray worker does: it takes job after job, and sends home what the engine tells."""

import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from gengap.engine.frozen_cache import frozen_cache
from gengap.engine.runs import Run, RunRecord, TrainingSettings
from gengap.engine.state import ChunkState
from gengap.errors import GengapWarning
from gengap.runners.base import Engine, Planner
from gengap.runners.serialization import unpack

if TYPE_CHECKING:
    from gengap.engine.planner import Plan

SEND_EVERY = 1.0
"""Seconds between two messages about finished epochs and runs."""


@dataclass(frozen=True, eq=False)
class Load:
    """What a job is about, as references into the cluster.

    Attributes:
        runs: The runs, without their models.
        models: For each run the reference of its packed model.
        data: Reference of the study's data.
        settings: What the runs have in common.
        plan: The chunk that they are; None where they are still to be planned, or need no plan.
    """

    runs: Sequence[Run]
    models: Sequence[Any]
    data: Any
    settings: TrainingSettings
    plan: "Plan | None" = None


@final
class Sender:
    """The listener of a worker.

    Epochs and records go together, every second at most. A state waits until it and all before it have arrived: what
    is lost with a worker is what its last state trains again.
    """

    def __init__(self, queue: Any, worker: str) -> None:
        self._queue, self._worker = queue, worker
        self._items: list[tuple[Any, ...]] = []
        self._last: Any = None
        self._sent = time.monotonic()

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        """Note a finished epoch."""
        self._items.append(("epoch", (run.variant, run.seed), epoch, dict(logs)))
        if time.monotonic() - self._sent >= SEND_EVERY:
            self._send()

    def on_record(self, record: RunRecord) -> None:
        """Note a finished run."""
        self._items.append(("record", record))

    def on_checkpoint(self, chunk_id: str, state: ChunkState) -> None:
        """Send a state, and wait until it is there."""
        self._items.append(("checkpoint", chunk_id, state))
        self._send()
        wait_for(self._last)

    def on_warning(self, category: type[Warning], message: str) -> None:
        """Note a warning."""
        self._items.append(("warning", category, message))

    def done(self, job: str, value: Any) -> None:
        """Say that a job is done, and wait until all about it is there."""
        self._items.append(("done", job, value))
        self._send(done=True)
        wait_for(self._last)

    def _send(self, *, done: bool = False) -> None:
        from ray import cloudpickle  # this module is imported without the extra, too

        if self._last is not None:
            wait_for(self._last)  # an actor of this kind may take two messages under way in any order
        self._last = self._queue.put.remote(self._worker, cloudpickle.dumps(self._items), done=done)
        self._items, self._sent = [], time.monotonic()


def wait_for(reference: Any) -> Any:
    """Return the value of a reference.

    Unlike `ray.get` this does not give the worker's cores back for as long as it waits: Ray would begin another task
    on them, which then competes with this one.
    """
    return reference.future().result()


def work(queue: Any, worker: str) -> None:
    """Do jobs until none is left, or somebody interrupts."""
    sender, models = Sender(queue, worker), _Models()
    with suppress(KeyboardInterrupt), frozen_cache():
        while (job := wait_for(queue.next.remote(worker))) is not None:
            name, (content,) = job
            function, *arguments = wait_for(content)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", GengapWarning)
                value = function(sender, models, *arguments)
            for warning in caught:
                if issubclass(warning.category, GengapWarning):
                    sender.on_warning(warning.category, str(warning.message))
            sender.done(name, value)


def plan_load(sender: Sender, models: "_Models", load: Load, planner: Planner) -> "Plan":  # noqa: ARG001
    """Plan runs on this worker, a job of `work`."""
    return planner(models.given_to(load), wait_for(load.data), load.settings)


def train_load(sender: Sender, models: "_Models", load: Load, engine: Engine, state: ChunkState | None) -> None:
    """Train one chunk on this worker, a job of `work`."""
    states = None if load.plan is None or state is None else {load.plan.chunks[0].id: state}
    engine(models.given_to(load), wait_for(load.data), load.settings, sender, plan=load.plan, states=states)


@final
class _Models:
    """Models that this worker has put together, each once."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def given_to(self, load: Load) -> list[Run]:
        """Return the runs of a load with their models."""
        for reference in load.models:
            if reference not in self._known:
                self._known[reference] = unpack(wait_for(reference))
        return [replace(run, model=self._known[ref]) for run, ref in zip(load.runs, load.models, strict=True)]
