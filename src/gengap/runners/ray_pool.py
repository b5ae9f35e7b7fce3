"""The workers of one study in a Ray cluster: kept warm, given jobs, and replaced where they are lost."""

import pickle
import signal
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, final

import keras

from gengap.errors import GengapError, GengapWarning
from gengap.runners.job_queue import JobQueue
from gengap.runners.ray_worker import work

try:
    import ray
    from ray import exceptions as ray_errors
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError:
    ray = None

Job = Callable[[], tuple[Any, ...]]
"""Makes, when the job is offered, the function that a worker calls and its arguments."""

POLL = 0.5
"""Seconds between two looks whether somebody asked for an end."""

PATIENCE = 60.0
"""Seconds that one question for mail stays open."""

GRACE = 30.0
"""Seconds that workers have to finish their step and send their state after Ctrl-C."""

FAREWELL = 5.0
"""Seconds that workers have to go home when all is done."""


@final
class Pool:
    """Workers that take job after job; a context manager.

    There is a worker for each place that the cluster has. Where there are more jobs than places, more workers are
    asked for, which get room when somebody else leaves or a node joins (an autoscaler sees them wait).

    Args:
        places: How many workers have room at once.
        needs: CPUs and GPUs of one worker.
    """

    def __init__(self, places: int, needs: Mapping[str, float]) -> None:
        self.places = places
        # Ray sets the number of threads too, unless the machine has one set already
        variables = {"KERAS_BACKEND": keras.config.backend(), "OMP_NUM_THREADS": str(max(1, int(needs["CPU"])))}
        self._work = ray.remote(
            num_cpus=needs["CPU"], num_gpus=needs["GPU"], max_retries=0, runtime_env={"env_vars": variables}
        )(work)
        # beside this process: were it elsewhere, the loss of that machine would end the study
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self._queue = ray.remote(num_cpus=0, scheduling_strategy=here)(JobQueue).remote()
        self._question = self._queue.take.remote(PATIENCE)
        self._workers: dict[Any, str] = {}
        self._hired = 0
        self._put: dict[int, tuple[Any, Any]] = {}

    def __enter__(self) -> Self:
        self._hire(self.places)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._queue.close.remote()
            self._await_workers(FAREWELL)
        for reference in self._workers:
            with suppress(ray_errors.RayError):
                ray.cancel(reference, force=True)
        ray.kill(self._queue)

    def reference(self, value: Any, form: Callable[[Any], Any] = lambda value: value) -> Any:
        """Put a value into the cluster, once, in the form that travels, and return its reference."""
        if id(value) not in self._put:
            self._put[id(value)] = (value, ray.put(form(value)))  # the value is kept so that its identity stays its own
        return self._put[id(value)][1]

    def do(self, jobs: Mapping[str, Job], deliver: Callable[..., None], *, retries: int) -> dict[str, Any]:
        """Have jobs done.

        Args:
            jobs: What there is to do, by name, in the order in which workers take it.
            deliver: Is called with every item of the workers' mail.
            retries: How many times a job may lose its worker.

        Returns:
            What each job returned.

        Raises:
            GengapError: A job lost its worker too often, or the session ended.
            KeyboardInterrupt: SIGINT or SIGTERM came; the workers have ended and what they sent is delivered.
        """
        done: dict[str, Any] = {}
        losses: Counter[str] = Counter()
        # a signal in the midst of a call of Ray could lose what that call brings, so it waits for the next round
        with saying_lost(), _signals_noted() as asked:
            self._offer(jobs)
            self._hire(len(jobs))
            while len(done) < len(jobs) and not asked:
                ready, _ = ray.wait([self._question, *self._workers], timeout=POLL)
                done |= self._read_mail(deliver)
                for reference in [one for one in ready if one in self._workers]:
                    lost = self._conclude(reference)
                    if lost is not None:
                        self._take_up(lost, losses, retries, jobs)
            if asked:
                self._interrupt(deliver, asked)
        if asked:
            raise KeyboardInterrupt
        return done

    def _offer(self, jobs: Mapping[str, Job]) -> None:
        ray.get(self._queue.offer.remote(*((name, [ray.put(job())]) for name, job in jobs.items())))

    def _hire(self, number: int) -> None:
        """Ask for workers until there are so many."""
        while len(self._workers) < number:
            name = f"worker {self._hired}"
            self._workers[self._work.remote(self._queue, name)] = name
            self._hired += 1

    def _read_mail(self, deliver: Callable[..., None]) -> dict[str, Any]:
        """Deliver what has come, and return what jobs returned."""
        done: dict[str, Any] = {}
        answered, _ = ray.wait([self._question], timeout=0)
        if not answered:
            return done
        parcels = ray.get(self._question)
        self._question = self._queue.take.remote(PATIENCE)
        for kind, *content in (item for parcel in parcels for item in pickle.loads(parcel)):  # noqa: S301  our own workers'
            if kind == "done":
                done[content[0]] = content[1]
            else:
                deliver(kind, *content)
        return done

    def _conclude(self, reference: Any) -> tuple[str, Exception] | None:
        """Take the end of a worker; where it was lost with a job, return the job's name and the reason."""
        worker = self._workers.pop(reference)
        try:
            ray.get(reference)
        except (ray_errors.WorkerCrashedError, ray_errors.NodeDiedError, ray_errors.OutOfMemoryError) as error:
            job = ray.get(self._queue.give_up.remote(worker))
            self._hire(len(self._workers) + 1)
            return None if job is None else (job, error)
        except ray_errors.RayTaskError as error:
            raise error.cause from error
        return None

    def _take_up(
        self, lost: tuple[str, Exception], losses: Counter[str], retries: int, jobs: Mapping[str, Job]
    ) -> None:
        """Offer a job again that was lost with its worker."""
        name, error = lost
        losses[name] += 1
        if losses[name] > retries:
            raise GengapError(
                f"{name} lost its worker {losses[name]} times ({type(error).__name__}). What finished is kept; give "
                "the workers more memory, or train fewer runs at once."
            ) from error
        warnings.warn(
            f"A Ray worker was lost ({type(error).__name__}); {name} goes on from its last checkpoint on another.",
            GengapWarning,
            stacklevel=6,
        )
        self._offer({name: jobs[name]})

    def _interrupt(self, deliver: Callable[..., None], asked: Sequence[int]) -> None:
        """Interrupt the workers, which finish their step and send their state, and deliver that; unless asked again."""
        for reference in self._workers:
            ray.cancel(reference)
        until = time.monotonic() + GRACE
        while self._workers and len(asked) == 1 and time.monotonic() < until:
            self._await_workers(POLL)
        self._queue.close.remote()  # which answers the open question
        ray.wait([self._question], timeout=GRACE if len(asked) == 1 else 0)
        self._read_mail(deliver)

    def _await_workers(self, seconds: float) -> None:
        if not self._workers:
            return
        ended, _ = ray.wait(list(self._workers), num_returns=len(self._workers), timeout=seconds)
        for reference in ended:
            del self._workers[reference]


@contextmanager
def saying_lost() -> Iterator[None]:
    """Turn what Ray raises when its session ends under a study into one sentence."""
    try:
        yield
    except (ray_errors.RayActorError, ray_errors.RaySystemError, ray_errors.GetTimeoutError) as error:
        raise GengapError(
            f"The Ray session ended while the study trained ({type(error).__name__}). What is stored in `storage` is "
            "safe: start Ray again and run the same study to continue."
        ) from error


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
