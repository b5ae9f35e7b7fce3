"""The engine's entry: all runs of a study, fused where that is possible, by Keras' own loop where it is not."""

import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from gengap.datasets.training_data import TrainingData
from gengap.engine.examination import examine_run
from gengap.engine.frozen import FrozenParts
from gengap.engine.frozen_cache import FrozenCache, frozen_cache
from gengap.engine.kinds import kind_of
from gengap.engine.memory import keep_freed_memory
from gengap.engine.planner import Device, Plan, choose_device, make_plan, timed
from gengap.engine.reference import train_reference
from gengap.engine.runs import Listener, Run, TrainingSettings
from gengap.engine.state import ChunkState, Interrupted
from gengap.engine.trainer import PreparedRun, Trainer
from gengap.keras_models.clone import clone_compiled
from gengap.keras_models.compile_state import judge_logits_at_zero
from gengap.keras_models.devices import computing_on
from gengap.keras_models.frozen import state_of
from gengap.keras_models.initial_weights import InitialWeights, KnownDraws
from gengap.keras_models.precision import in_precision
from gengap.keras_models.seed_generators import obey_their_state


def train_fused(
    runs: Sequence[Run],
    data: TrainingData,
    settings: TrainingSettings,
    listener: Listener,
    *,
    plan: Plan | None = None,
    device: Device = "auto",
    states: Mapping[str, ChunkState] | None = None,
    checkpoint_seconds: float = 30.0,
) -> Plan:
    """Train every run, those of equal architecture together.

    Args:
        runs: The runs; their models stay as they are.
        data: Validated splits.
        settings: What the runs have in common.
        listener: Is told of every finished epoch and run; a `CheckpointListener` also gets states.
        plan: What trains together; None makes one. Runs that the plan does not name are left out, and the other way
            round: runs of the plan that are not given (finished before) are skipped, chunk by chunk.
        device: Where to train, for a plan that is made here.
        states: States of chunks under way, by chunk, from which they go on.
        checkpoint_seconds: How long to train between two states.

    Returns:
        The plan that was followed.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; the step was finished and its state handed out.
    """
    with frozen_cache() as cache:
        preparation = _RunPreparation(data, settings, cache=cache)
        if plan is None:
            plan = _plan(runs, preparation.without_drawing(), device, cache)
        _train(runs, plan, preparation, cache, listener, states=states, checkpoint_seconds=checkpoint_seconds)
    return plan


def _train(
    runs: Sequence[Run],
    plan: Plan,
    preparation: "_RunPreparation",
    cache: FrozenCache,
    listener: Listener,
    *,
    states: Mapping[str, ChunkState] | None,
    checkpoint_seconds: float,
) -> None:
    data, settings, cores = preparation.data, preparation.settings, torch.get_num_threads()
    by_name = {(run.variant, run.seed): run for run in runs}
    doors: dict[frozenset[int], Mapping[int, str]] = {}  # chunks of the same models need not look for them again
    frozen = preparation.frozen_parts(plan.device, cache)
    with keep_freed_memory(), computing_on(plan.device), _interruptible() as interrupted:
        for chunk in plan.chunks:
            own = [by_name[name] for name in chunk.runs if name in by_name]
            if not own:
                continue
            if chunk.engine == "keras":
                train_reference(own, data, settings, listener)
                continue
            with _threads(chunk.threads):
                ready = [preparation.of(run) for run in own]
                models = frozenset(id(one.model) for one in ready)
                trainer = Trainer(
                    chunk.id,
                    ready,
                    data,
                    settings,
                    device=plan.device,
                    doors=doors.get(models),
                    threads=cores,
                    compile_steps=chunk.compiled_steps,
                    frozen=frozen.compute(own[0], chunk.cut),
                )
                state = (states or {}).get(chunk.id)
                if state is not None:
                    trainer.restore(state)
                trainer.train(listener, checkpoint_seconds=checkpoint_seconds, interrupted=interrupted)
                doors[models] = trainer.doors


def plan_fused(runs: Sequence[Run], data: TrainingData, settings: TrainingSettings, *, device: Device = "auto") -> Plan:
    """Plan a training: group runs, and measure for a moment how many of them to train at once.

    Args:
        runs: The runs.
        data: Validated splits; a few steps are tried on them and thrown away.
        settings: What the runs have in common.
        device: Where to train.
    """
    with frozen_cache() as cache:
        return _plan(runs, _RunPreparation(data, settings, cache=cache).without_drawing(), device, cache)


def _plan(runs: Sequence[Run], preparation: "_RunPreparation", device: Device, cache: FrozenCache) -> Plan:
    data, settings = preparation.data, preparation.settings
    where, cores = choose_device(device), torch.get_num_threads()
    frozen = preparation.frozen_parts(where, cache)

    def measure(positions: Sequence[int], threads: int) -> float:
        with _threads(threads):
            ready = [preparation.of(runs[position]) for position in positions]
            known = frozen.compute(runs[positions[0]], frozen.find(runs[positions[0]]).part.cut)
            trainer = Trainer("probe", ready, data, settings, device=where, threads=cores, frozen=known)
            alone = where == "cpu" and torch.get_num_threads() == 1 and cores == 1

            def step() -> None:
                trainer.rehearse()
                if where == "cuda":
                    torch.cuda.synchronize()  # a step is over when the GPU has done it, not when it has been asked to

            return timed([step] * 7, clock=time.process_time if alone else time.perf_counter)

    with keep_freed_memory(), computing_on(where):
        return make_plan(
            runs,
            settings,
            device=device,
            measure=measure,
            examine=lambda n: examine_run(runs[n], data, settings),
            frozen=frozen,
        )


def prepare_runs(runs: Sequence[Run], data: TrainingData, settings: TrainingSettings) -> list[PreparedRun]:
    """Make runs ready for a trainer: compiled clones, one per variant, and initial weights, per run."""
    preparation = _RunPreparation(data, settings)
    return [preparation.of(run) for run in runs]


class _RunPreparation:
    """Runs made ready: one clone per variant, initial weights per run."""

    def __init__(
        self,
        data: TrainingData,
        settings: TrainingSettings,
        *,
        draw: bool = True,
        clones: dict[int, Any] | None = None,
        cache: FrozenCache | None = None,
    ) -> None:
        self.data, self.settings, self._draw = data, settings, draw
        self._cache = FrozenCache() if cache is None else cache
        self._clones: dict[int, Any] = {} if clones is None else clones
        self._initial: dict[int, InitialWeights] = {}
        self._known_draws = KnownDraws()

    def without_drawing(self) -> "_RunPreparation":
        """Return one that leaves weights as they are, for steps that are only timed; its clones serve both."""
        return _RunPreparation(self.data, self.settings, draw=False, clones=self._clones, cache=self._cache)

    def frozen_parts(self, device: str, cache: FrozenCache) -> FrozenParts:
        """Return what finds and computes the frozen parts of the runs' models, on these clones."""
        return FrozenParts(self.data, self.settings, device=device, cache=cache, clone_of=self.clone)

    def clone(self, run: Run) -> Any:
        """Return the one clone of a run's model."""
        if id(run.model) not in self._clones:
            key = id(run.model), self.settings.precision, state_of(run.model)
            if key in self._cache.clones:  # the plan's serve the training
                self._clones[id(run.model)] = self._cache.clones[key][1]
                return self._clones[id(run.model)]
            # weights that a run starts from are read off the model, so one that keeps them is not to be trained itself
            own = run.own and not run.kept and self.settings.initial_weights == "fresh"
            clone = in_precision(run.model if own else clone_compiled(run.model), self.settings.precision)
            obey_their_state(clone)
            judge_logits_at_zero(clone, kind_of(clone, self.settings))
            self._clones[id(run.model)] = clone
            self._cache.clones[key] = run.model, clone
        return self._clones[id(run.model)]

    def of(self, run: Run) -> PreparedRun:
        model = self.clone(run)
        fresh = self._draw and self.settings.initial_weights == "fresh"
        weights = self._drawn(run) if fresh else run.model.get_weights()
        return PreparedRun(run, model, kind_of(model, self.settings), weights)

    def _drawn(self, run: Run) -> list[Any]:
        if id(run.model) not in self._initial:
            self._initial[id(run.model)] = InitialWeights(run.model, run.kept, known=self._known_draws)
        return self._initial[id(run.model)].draw(run.seed)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let torch's operations use so many threads, 0 for as many as they do, and as many as before afterwards."""
    before = torch.get_num_threads()
    if number:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _interruptible() -> Iterator[Interrupted]:
    """Turn a first SIGINT or SIGTERM into a question that is asked between steps; in the main thread only."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def ask(received: int, _: object) -> None:
        if asked:  # who asks twice does not wait for the end of the step, and gives up what no checkpoint holds
            raise KeyboardInterrupt
        asked.append(received)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, ask) for number in signals}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
