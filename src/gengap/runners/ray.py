"""The runner of several machines, or of several devices of one: chunks as jobs for the workers of a Ray cluster."""

import signal
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, final

from gengap.datasets.training_data import TrainingData
from gengap.engine.cohorts import cohorts
from gengap.engine.planner import Plan
from gengap.engine.runs import Listener, Run, RunRecord, TrainingSettings
from gengap.engine.state import ChunkState
from gengap.errors import GengapError, MissingExtraError
from gengap.runners import ray_worker
from gengap.runners.base import Engine, Planner, Runner, States
from gengap.runners.ray_pool import Job, Pool
from gengap.runners.serialization import pack
from gengap.runners.spreading import cost, spread

try:
    import ray
except ImportError:  # the extra is optional; RayRunner says so when it is made
    ray = None


@contextmanager
def keeping_sigterm() -> Iterator[None]:
    """Put the handler of SIGTERM back that was there before: Ray's ends the program at once, whatever is unsaved."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)


class RayRunner(Runner):
    """Trains chunks on the workers of a Ray cluster.

    Data and models are sent once. Each place that the cluster has room for takes chunk after chunk, the dearest first;
    their epochs, checkpoints and records come back to this process, so that one process writes the store. A chunk
    whose worker is lost goes on from its last checkpoint on another one. A Ray session that runs already is used; else
    one is started, and ended with the study.

    Args:
        address: `"auto"` or `"host:port"` of a cluster; None takes the Ray that runs on this machine, or starts one.
        num_cpus: Cores of one chunk, which trains with as many threads.
        num_gpus: GPUs of one chunk; 1 gives every chunk a GPU of its own.
        retries: How many times a chunk may lose its worker.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    def __init__(self, address: str | None = None, *, num_cpus: int = 1, num_gpus: float = 0, retries: int = 3) -> None:
        if ray is None:
            raise MissingExtraError("The Ray runner needs Ray: pip install 'gengap[ray]'.")
        self.address, self.num_cpus, self.num_gpus, self.retries = address, num_cpus, num_gpus, retries
        self._pool: Pool | None = None

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep the workers, and what was sent to them, from the plan to the end of the training.

        Raises:
            GengapError: The cluster has no room for a chunk.
        """
        if self._pool is not None:
            yield
            return
        with self._connected(), Pool(self._room(), {"CPU": self.num_cpus, "GPU": self.num_gpus}) as pool:
            self._pool = pool
            try:
                yield
            finally:
                self._pool = None

    def plan(self, planner: Planner, runs: Sequence[Run], data: TrainingData, settings: TrainingSettings) -> Plan:
        """Plan on the workers, for their device, each cohort by itself, and spread the plan over the whole cluster.

        Raises:
            GengapError: The cluster has no room for a chunk.
        """
        with self.session():
            pool = self._running()
            jobs: dict[str, Job] = {}
            for group in cohorts(runs):
                own = [runs[place] for place in group]
                content = (ray_worker.plan_load, _load(pool, own, data, settings), planner)
                jobs[f"the plan of {own[0].variant}"] = partial(tuple, content)
            plans = pool.do(jobs, _Told(runs), retries=self.retries)
            parts: list[Plan] = [plans[name] for name in jobs]
            told = tuple(sentence for part in parts for sentence in part.notes)
            whole = replace(parts[0], chunks=tuple(c for part in parts for c in part.chunks), notes=told)
            return spread(whole, pool.places)

    def execute(
        self,
        engine: Engine,
        runs: Sequence[Run],
        data: TrainingData,
        settings: TrainingSettings,
        listener: Listener,
        *,
        plan: Plan | None = None,
        states: States | None = None,
    ) -> None:
        """Train runs; see `Runner.execute`.

        Raises:
            GengapError: The cluster has no room for a chunk, or a chunk lost its worker too often.
        """
        with self.session():
            pool, told = self._running(), _Told(runs, listener, states)
            jobs: dict[str, Job] = {}
            for name, part, own in _parts(runs, plan):
                load = replace(_load(pool, own, data, settings), plan=part)
                jobs[name] = partial(_training, load, engine, told.states)
            pool.do(jobs, told, retries=self.retries)

    def _running(self) -> Pool:
        assert self._pool is not None  # noqa: S101  the session is open
        return self._pool

    @contextmanager
    def _connected(self) -> Iterator[None]:
        if ray.is_initialized():
            yield
            return
        options: dict[str, Any] = {} if self.address else {"include_dashboard": False}
        with keeping_sigterm():
            ray.init(address=self.address, log_to_driver=False, **options)
        try:
            yield
        finally:
            ray.shutdown()

    def _room(self) -> int:
        """Return how many chunks the cluster trains at once."""
        has = ray.cluster_resources()
        needs = {"CPU": self.num_cpus, "GPU": self.num_gpus}
        for name, number in needs.items():
            if has.get(name, 0) < number:
                raise GengapError(
                    f"A chunk asks for {number} {name} and the whole Ray cluster has {has.get(name, 0):g}: lower "
                    f"`num_{name.lower()}s`, or add nodes."
                )
        return min(int(has[name] // number) for name, number in needs.items() if number)


@final
class _Told:
    """Hands what workers sent to the listener, and remembers the states."""

    def __init__(self, runs: Sequence[Run], listener: Listener | None = None, states: States | None = None) -> None:
        self._listener, self._on_checkpoint = listener, getattr(listener, "on_checkpoint", None)
        self._runs = {(run.variant, run.seed): run for run in runs}
        self.states: dict[str, ChunkState] = dict(states or {})
        self._said: set[str] = set()

    def __call__(self, kind: str, *content: Any) -> None:
        getattr(self, f"_{kind}")(*content)

    def _epoch(self, key: tuple[str, int], epoch: int, logs: Mapping[str, float]) -> None:
        if self._listener is not None:
            self._listener.on_epoch(self._runs[key], epoch, logs)

    def _record(self, record: RunRecord) -> None:
        if self._listener is not None:
            self._listener.on_record(record)

    def _checkpoint(self, chunk_id: str, state: ChunkState) -> None:
        self.states[chunk_id] = state
        if self._on_checkpoint is not None:
            self._on_checkpoint(chunk_id, state)

    def _warning(self, category: type[Warning], message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            warnings.warn(message, category, stacklevel=5)


def _training(load: ray_worker.Load, engine: Engine, states: States) -> tuple[Any, ...]:
    """Return the job of training one chunk from its last state, as it is when the job is offered."""
    state = None if load.plan is None else states.get(load.plan.chunks[0].id)
    return ray_worker.train_load, load, engine, state


def _load(pool: Pool, runs: Sequence[Run], data: TrainingData, settings: TrainingSettings) -> ray_worker.Load:
    models = [pool.reference(run.model, pack) for run in runs]
    return ray_worker.Load([replace(run, model=None) for run in runs], models, pool.reference(data), settings)


def _parts(runs: Sequence[Run], plan: Plan | None) -> Iterator[tuple[str, Plan | None, list[Run]]]:
    """Yield what one job trains: its name, a plan of one chunk, its runs; the dearest first, so that none ends late."""
    if plan is None:
        yield from ((f"{run.variant} seed {run.seed}", None, [run]) for run in runs)
        return
    by_name = {(run.variant, run.seed): run for run in runs}
    for chunk in sorted(plan.chunks, key=cost, reverse=True):
        own = [by_name[name] for name in chunk.runs if name in by_name]
        if own:
            yield chunk.id, replace(plan, chunks=(chunk,)), own
