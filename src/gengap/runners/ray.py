"""The runner of several machines, or of several devices of one: chunks as tasks of a Ray cluster."""

import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, final

import keras

from gengap.engine.planner import Chunk, Plan
from gengap.engine.runs import Listener, Run, RunRecord, TrainingData, TrainingSettings
from gengap.engine.state import ChunkState
from gengap.errors import GengapError, GengapWarning, MissingExtraError
from gengap.runners.base import Engine, Planner, Runner, States
from gengap.runners.mailbox import Mailbox
from gengap.runners.spreading import spread
from gengap.runners.travel import pack, unpack

try:
    import ray
    from ray import exceptions as ray_errors
except ImportError:  # the extra is optional; RayRunner says so when it is made
    ray = None

POLL = 0.1
"""Seconds between two looks into the mailbox."""

GRACE = 30.0
"""Seconds that workers have to finish their step and send their state after Ctrl-C."""


class RayRunner(Runner):
    """Trains chunks on the workers of a Ray cluster.

    Data and models are sent once. Each chunk is a task that declares what it needs; its epochs, checkpoints and
    records come back to this process, so that one process writes the store. A chunk whose worker is lost goes on from
    its last checkpoint on another one. A Ray session that runs already is used; else one is started, and ended with
    the study.

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

    def plan(self, planner: Planner, runs: Sequence[Run], data: TrainingData, settings: TrainingSettings) -> Plan:
        """Plan on a worker, for its device, and spread the plan over the whole cluster.

        Raises:
            GengapError: The cluster has no room for a chunk.
        """
        with self._connected():
            places, models = self._room(), _packed(runs)
            task = self._remote(_plan)
            plan = ray.get(task.remote(planner, _without_models(runs), _places(runs), data, settings, *models.values()))
            return spread(plan, places)

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
        with self._connected():
            self._room()
            session = _Session(self._remote(_train), _Post(listener, runs, states or {}), self.retries)
            models, common = _packed(runs), (engine, ray.put(data), settings)
            for part, own in _tasks(runs, plan):
                session.add(part, own, [models[id(run.model)] for run in own], common)
            session.run()

    @contextmanager
    def _connected(self) -> Iterator[None]:
        if ray.is_initialized():
            yield
            return
        options: dict[str, Any] = {} if self.address else {"include_dashboard": False}
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

    def _remote(self, function: Callable[..., Any]) -> Any:
        environment = {"env_vars": {"KERAS_BACKEND": keras.config.backend()}}
        return ray.remote(num_cpus=self.num_cpus, num_gpus=self.num_gpus, max_retries=0, runtime_env=environment)(
            function
        )


@final
class _Post:
    """Hands what workers sent to the listener, and remembers the states."""

    def __init__(self, listener: Listener, runs: Sequence[Run], states: States) -> None:
        self._listener, self._on_checkpoint = listener, getattr(listener, "on_checkpoint", None)
        self._runs = {(run.variant, run.seed): run for run in runs}
        self.states = dict(states)
        self._said: set[str] = set()

    def deliver(self, items: Sequence[tuple[Any, ...]]) -> None:
        for kind, *content in items:
            getattr(self, f"_{kind}")(*content)

    def _epoch(self, key: tuple[str, int], epoch: int, logs: Mapping[str, float]) -> None:
        self._listener.on_epoch(self._runs[key], epoch, logs)

    def _record(self, record: RunRecord) -> None:
        self._listener.on_record(record)

    def _checkpoint(self, chunk_id: str, state: ChunkState) -> None:
        self.states[chunk_id] = state
        if self._on_checkpoint is not None:
            self._on_checkpoint(chunk_id, state)

    def _warning(self, category: type[Warning], message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            warnings.warn(message, category, stacklevel=4)


@final
class _Session:
    """The tasks of one study on their way through a cluster."""

    def __init__(self, task: Any, post: _Post, retries: int) -> None:
        self._task, self._post, self._retries = task, post, retries
        self._mailbox = ray.remote(num_cpus=0)(Mailbox).remote()
        self._arguments: dict[str, tuple[Any, ...]] = {}
        self._losses: dict[str, int] = {}
        self._pending: dict[Any, str] = {}

    def add(self, part: Plan | None, runs: Sequence[Run], models: Sequence[Any], common: tuple[Any, ...]) -> None:
        name = part.chunks[0].id if part is not None else f"{runs[0].variant} seed {runs[0].seed}"
        self._arguments[name] = (
            *common,
            part,
            _without_models(runs),
            _places(runs),
            self._mailbox,
            *dict.fromkeys(models),
        )
        self._losses[name] = 0
        self._submit(name)

    def run(self) -> None:
        try:
            # a signal in the midst of a call of Ray could lose what that call brings, so it waits for the next round
            with _signals_noted() as asked:
                while self._pending and not asked:
                    ready, _ = ray.wait(list(self._pending), timeout=POLL)
                    self._take_mail()
                    for ref in ready:
                        self._conclude(ref, self._pending.pop(ref))
                if asked:
                    self._end_workers()
                self._take_mail()
            if asked:
                raise KeyboardInterrupt
        finally:
            for ref in self._pending:
                ray.cancel(ref, force=True)

    def _submit(self, name: str) -> None:
        self._pending[self._task.remote(self._post.states.get(name), *self._arguments[name])] = name

    def _take_mail(self) -> None:
        self._post.deliver(ray.get(self._mailbox.take.remote()))

    def _end_workers(self) -> None:
        """Interrupt the workers, which finish their step and send their state, and wait for that."""
        for ref in self._pending:
            ray.cancel(ref)
        ray.wait(list(self._pending), num_returns=len(self._pending), timeout=GRACE)

    def _conclude(self, ref: Any, name: str) -> None:
        """Take the end of a task; where its worker was lost, begin it again."""
        try:
            ray.get(ref)
        except (ray_errors.WorkerCrashedError, ray_errors.NodeDiedError, ray_errors.OutOfMemoryError) as error:
            self._losses[name] += 1
            if self._losses[name] > self._retries:
                raise GengapError(
                    f"{name} lost its worker {self._losses[name]} times ({type(error).__name__}). What finished is "
                    "kept; give the workers more memory, or train fewer runs at once."
                ) from error
            warnings.warn(
                f"A Ray worker was lost ({type(error).__name__}); {name} goes on from its last checkpoint on another.",
                GengapWarning,
                stacklevel=4,
            )
            self._submit(name)
        except ray_errors.RayTaskError as error:
            raise error.cause from error


@contextmanager
def _signals_noted() -> Iterator[list[int]]:
    """Note SIGINT and SIGTERM in a list while the block runs; in the main thread, which alone receives them."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda received, _: noted.append(received)) for number in numbers}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@final
class _Sender:
    """The listener of a worker. It waits until records and states have arrived, so that losing it loses none."""

    def __init__(self, mailbox: Any) -> None:
        self._mailbox = mailbox

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        self._mailbox.put.remote("epoch", (run.variant, run.seed), epoch, dict(logs))

    def on_record(self, record: RunRecord) -> None:
        ray.get(self._mailbox.put.remote("record", record))

    def on_checkpoint(self, chunk_id: str, state: ChunkState) -> None:
        ray.get(self._mailbox.put.remote("checkpoint", chunk_id, state))

    def on_warning(self, category: type[Warning], message: str) -> None:
        ray.get(self._mailbox.put.remote("warning", category, message))


def _train(  # noqa: PLR0917  Ray passes references only as arguments of their own
    state: ChunkState | None,
    engine: Engine,
    data: TrainingData,
    settings: TrainingSettings,
    plan: Plan | None,
    runs: Sequence[Run],
    places: Sequence[int],
    mailbox: Any,
    *models: Any,
) -> None:
    """Train one chunk on a worker."""
    sender = _Sender(mailbox)
    states = None if plan is None or state is None else {plan.chunks[0].id: state}
    with warnings.catch_warnings(record=True) as caught, suppress(KeyboardInterrupt):
        warnings.simplefilter("always", GengapWarning)
        engine(_with_models(runs, places, models), data, settings, sender, plan=plan, states=states)
    for warning in caught:
        if issubclass(warning.category, GengapWarning):
            sender.on_warning(warning.category, str(warning.message))


def _plan(
    planner: Planner,
    runs: Sequence[Run],
    places: Sequence[int],
    data: TrainingData,
    settings: TrainingSettings,
    *models: Any,
) -> Plan:
    """Plan on a worker."""
    return planner(_with_models(runs, places, models), data, settings)


def _tasks(runs: Sequence[Run], plan: Plan | None) -> Iterator[tuple[Plan | None, list[Run]]]:
    """Yield what one task trains: a plan of one chunk and its runs; the largest first, so that no worker ends late."""
    if plan is None:
        yield from ((None, [run]) for run in runs)
        return
    by_name = {(run.variant, run.seed): run for run in runs}
    for chunk in sorted(plan.chunks, key=_size, reverse=True):
        own = [by_name[name] for name in chunk.runs if name in by_name]
        if own:
            yield replace(plan, chunks=(chunk,)), own


def _size(chunk: Chunk) -> int:
    return len(chunk.runs)


def _packed(runs: Sequence[Run]) -> dict[int, Any]:
    """Put each different model into the cluster once; return references by the model's identity."""
    return {id(model): ray.put(pack(model)) for model in {id(run.model): run.model for run in runs}.values()}


def _without_models(runs: Sequence[Run]) -> list[Run]:
    return [replace(run, model=None) for run in runs]


def _places(runs: Sequence[Run]) -> list[int]:
    """Return for each run the place of its model among the different ones."""
    order = list(dict.fromkeys(id(run.model) for run in runs))
    return [order.index(id(run.model)) for run in runs]


def _with_models(runs: Sequence[Run], places: Sequence[int], models: Sequence[Any]) -> list[Run]:
    rebuilt = [unpack(model) for model in models]
    return [replace(run, model=rebuilt[place]) for run, place in zip(runs, places, strict=True)]
