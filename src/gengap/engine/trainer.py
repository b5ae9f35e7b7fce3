"""Trains one chunk: runs of equal architecture, epoch by epoch, as one program."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from keras import tree
from numpy.typing import NDArray

from gengap.datasets.cases import count_cases
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.training_data import TrainingData
from gengap.engine.batches import subset, training_order
from gengap.engine.constraints import Constraints
from gengap.engine.evaluation import Evaluation, OwnCases
from gengap.engine.front_ends import StepCases, make_front_end
from gengap.engine.frozen import Frozen
from gengap.engine.loader import per_run, to_tensor
from gengap.engine.log import RunLog
from gengap.engine.losses import Objective
from gengap.engine.metrics import Metrics
from gengap.engine.optimizers.base import to_numpy
from gengap.engine.penalties import Penalties
from gengap.engine.rates import LEARNING_RATE, RunRates, differ_by_run, rate_of
from gengap.engine.recording import CompiledStep
from gengap.engine.reference import case_weights
from gengap.engine.running_means import RunningMeans
from gengap.engine.runs import Array, Listener, Run, TrainingSettings
from gengap.engine.silent_noise import graphs_together
from gengap.engine.state import CheckpointListener, ChunkState, HaltingListener, Interrupted, nest, unnest
from gengap.engine.step import Batch, TrainingStep
from gengap.keras_models.frozen import num_trained
from gengap.keras_models.outputs import targets
from gengap.kernels.transfer import upload
from gengap.layers.doors import PassContext
from gengap.layers.of_each import of_each
from gengap.layers.program import Program


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """A run as the trainer takes it.

    Attributes:
        run: The run.
        model: A compiled clone of its model, shared by the runs of its variant.
        kind: How its output is read.
        weights: What it starts from, in the order of `model.weights`.
    """

    run: Run
    model: Any
    kind: OutputKind
    weights: Sequence[Array]


class Trainer:
    """The training of one chunk, from its first step or from a state.

    Args:
        chunk_id: What checkpoints are kept under.
        runs: The runs; equal in architecture, losses, metrics and share of the data.
        data: Validated splits.
        settings: What all runs of the study have in common.
        device: Where the chunk trains.
        doors: Doors chosen before, by step of the graph.
        threads: Cores that may share the work on sparse rows.
        compile_steps: Whether steps are compiled, as long as all runs are there.
        frozen: What was computed once of the cases, in place of the models' inputs; None for whole models.
    """

    def __init__(
        self,
        chunk_id: str,
        runs: Sequence[PreparedRun],
        data: TrainingData,
        settings: TrainingSettings,
        *,
        device: str = "cpu",
        doors: Mapping[int, str] | None = None,
        threads: int = 1,
        compile_steps: bool = False,
        frozen: Frozen | None = None,
    ) -> None:
        self.chunk_id = chunk_id
        self._runs = list(runs)
        self._settings, self._device = settings, device
        first = self._runs[0]
        self._objective, self._metrics = Objective(first.model), Metrics(first.model, settings.batch_size)
        self._num_cases = count_cases(data.train.x)
        models = [prepared.model for prepared in self._runs]
        self._y = _tensors(targets(data.train.y, first.kind), device)
        answers = data.of(None, inputs=False)  # the front end alone is handed inputs
        weight = case_weights(answers, settings)
        self._weight = None if weight is None else to_tensor(weight).to(device)
        self._evaluation = Evaluation(first.kind, answers, settings, device=device)
        numbers = of_each(models, num_trained)
        self._logs = [self._new_log(prepared, answers, own) for prepared, own in zip(self._runs, numbers, strict=True)]
        self._front_end, self.stack, self._updater = make_front_end(
            models,
            [prepared.weights for prepared in self._runs],
            {"train": data.train.x, **{name: split.x for name, split in data.held_out().items()}},
            seeds=[prepared.run.seed for prepared in self._runs],
            batch_size=settings.batch_size,
            device=device,
            threads=threads,
            frozen=frozen,
            rates_differ=differ_by_run(settings.rates),
        )
        self._rates = [RunRates(settings.rates, rate_of(model.optimizer)) for model in models] if settings.rates else []
        self._cut = () if frozen is None else frozen.cut
        self._graphs = graphs_together(models, [prepared.run.model for prepared in self._runs])
        self._doors = dict(doors or {})
        self._compile_steps, self._num_runs = compile_steps, len(self._runs)
        self._assemble()
        self.epoch, self.step = 1, 1
        self._begin_epoch()
        self._set_rates([one.begin(1) for one in self._rates])
        self._seconds = [0.0] * len(self._runs)

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has."""
        return self._steps_per_epoch

    @property
    def _num_steps(self) -> int:
        return len(self._graphs[0].steps)

    @property
    def doors(self) -> dict[int, str]:
        """The doors that the program took, by step of the graph."""
        return self._program.doors

    def train(
        self,
        listener: Listener,
        *,
        checkpoint_seconds: float = 30.0,
        interrupted: Interrupted = lambda: False,
    ) -> None:
        """Train to the end, handing out records as runs finish.

        Args:
            listener: Is told of every finished epoch and run; a `CheckpointListener` also gets states.
            checkpoint_seconds: How long to train between two states.
            interrupted: Asked after every step; when it says yes, the state is handed out and training ends.

        Raises:
            KeyboardInterrupt: `interrupted` said yes.
        """
        last = time.perf_counter()
        while self._runs:
            self.advance()
            if self.step > self._steps_per_epoch:
                self.end_epoch(listener)
            stop = interrupted()
            due = stop or time.perf_counter() - last >= checkpoint_seconds
            if due and self._runs and isinstance(listener, CheckpointListener):
                listener.on_checkpoint(self.chunk_id, self.state())
                last = time.perf_counter()
            if stop:
                raise KeyboardInterrupt

    def advance(self) -> None:
        """Take one step: forward, one backward pass of the sum of all objectives, update."""
        started = time.perf_counter()
        size = self._settings.batch_size
        taken = slice((self.step - 1) * size, self.step * size)
        on_device = self._orders_on_device[:, taken]
        cases = StepCases(self.step, self._orders[:, taken], on_device, self._seed_of_run)
        batch = Batch(self._front_end.inputs(cases), self._answers(on_device), self._case_weights(on_device))
        context = PassContext(training=True, epoch=self.epoch, step=self.step)
        scales = self._updater.loss_scales()
        found = self._take(batch, context, scales)
        self._update(found.gradients, scales)
        self._constraints.apply()
        self._means.add(on_device.shape[1], found.objective, found.parts, found.outputs, found.added)
        self.step += 1
        self._share_out(time.perf_counter() - started)

    def rehearse(self) -> None:
        """Take the next step of the first epoch, round and round, to measure it; what is trained is thrown away."""
        if self.step > self._steps_per_epoch:
            self.step = 1
        self.advance()

    def end_epoch(self, listener: Listener) -> None:
        """Evaluate every run, hand out those that are done, begin the next epoch with the others."""
        with self._averaged():
            going_on = self._evaluate(listener)
        self._keep(going_on)
        self.epoch, self.step = self.epoch + 1, 1
        if self._runs:
            self._begin_epoch()
            self._set_rates([one.begin(self.epoch) for one in self._rates])

    def _evaluate(self, listener: Listener) -> list[int]:
        """Log the epoch of every run, hand out the records of those that are done, return those that go on."""
        started = time.perf_counter()
        logs = self._means.logs()
        logs |= self._training_metrics()
        self._front_end.write_back()
        penalty = self._penalties.values() + self._front_end.penalties()
        logs["penalty"] = logs.get("penalty", 0.0) + penalty.cpu().numpy()  # what layers added while training
        own = OwnCases.of([prepared.run for prepared in self._runs], self._num_cases)
        evaluated = self._evaluation(self._program, self._front_end, self._objective, self._metrics, own=own)
        logs |= evaluated.logs
        if self._rates:
            logs[LEARNING_RATE] = np.array([one.rate for one in self._rates])
        going_on = []
        for k, log in enumerate(self._logs):
            goes_on = log.end_epoch(
                {name: float(values[k]) for name, values in logs.items()},
                None if evaluated.train is None else evaluated.train[k],
                {name: values[k] for name, values in evaluated.held_out.items()},
                partial(self.stack.of_run, k),
            )
            if self._rates:
                self._rates[k].end(log.latest())
            listener.on_epoch(self._runs[k].run, self.epoch, log.latest())
            if goes_on and self.epoch < self._settings.epochs:
                going_on.append(k)
        if going_on and isinstance(listener, HaltingListener):
            ended = listener.on_halt(self.epoch, [(self._runs[k].run, self._logs[k].validation()) for k in going_on])
            for place in ended:
                self._logs[going_on[place]].halt()
            going_on = [k for place, k in enumerate(going_on) if place not in ended]
        self._share_out(time.perf_counter() - started)
        for k in sorted(set(range(len(self._runs))) - set(going_on)):
            record = self._logs[k].record(self.stack.of_run(k), seconds=self._seconds[k])
            last, best = self.stack.whole(record.weights_last), self.stack.whole(record.weights_best)
            listener.on_record(replace(record, weights_last=last, weights_best=best))
        return going_on

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the moving averages of the weights, where the optimizer keeps them, in the place of the weights."""
        averages = self._updater.averages()
        if averages is None:
            yield
            return
        with torch.no_grad():
            trained = self.stack.flat.detach().clone()
            for place, average in zip(self.stack.trained(), averages, strict=True):
                self.stack.values[place].detach().copy_(average)
        yield
        with torch.no_grad():
            self.stack.flat.detach().copy_(trained)

    def state(self) -> ChunkState:
        """Return the state from which `restore` goes on to the same numbers."""
        logs = [log.state() for log in self._logs]
        self._front_end.write_back()
        arrays = {
            "stack/flat": self.stack.flat.detach().cpu().numpy().copy(),
            **{f"stack/other/{place:05d}": to_numpy(self.stack.values[place]) for place in self.stack.untrained()},
            **nest("optimizer", self._updater.state()),
            **nest("gathered", self._means.arrays()),  # its name in checkpoints since the first version
            **nest("sparse", self._front_end.state()),
        }
        for k, (log_arrays, _) in enumerate(logs):
            arrays |= nest(f"log/{k:05d}", log_arrays)
        scalars = {
            "epoch": self.epoch,
            "step": self.step,
            "runs": [[prepared.run.variant, prepared.run.seed] for prepared in self._runs],
            "doors": {str(index): name for index, name in self.doors.items()},
            "steps": self._num_steps,
            "logs": [scalars for _, scalars in logs],
            "seconds": list(self._seconds),
            "rates": [one.state() for one in self._rates],
        }
        return ChunkState(arrays, scalars)

    def restore(self, state: ChunkState) -> None:
        """Go on from a state; runs that it does not name have finished and leave."""
        still = [tuple(name) for name in state.scalars["runs"]]
        names = [(prepared.run.variant, prepared.run.seed) for prepared in self._runs]
        if state.scalars.get("steps", self._num_steps) == self._num_steps:  # else runs with more noise have finished
            self._doors = {int(index): name for index, name in state.scalars["doors"].items()}
        self._keep([names.index(name) for name in still])
        self.epoch, self.step = state.scalars["epoch"], state.scalars["step"]
        self._begin_epoch()
        others = [torch.from_numpy(np.array(state.arrays[f"stack/other/{p:05d}"])) for p in self.stack.untrained()]
        self.stack.load(torch.from_numpy(np.array(state.arrays["stack/flat"])), others)
        self._updater.restore(unnest("optimizer", state.arrays))
        self._front_end.restore(unnest("sparse", state.arrays))
        self._means.restore(unnest("gathered", state.arrays), self._device)
        self._seconds = list(state.scalars["seconds"])
        for one, known in zip(self._rates, state.scalars.get("rates", ()), strict=True):
            one.restore(known)
        self._set_rates([one.rate for one in self._rates])
        for k, (log, scalars) in enumerate(zip(self._logs, state.scalars["logs"], strict=True)):
            log.restore(unnest(f"log/{k:05d}", state.arrays), scalars)

    def _update(self, gradients: Sequence[torch.Tensor], scales: torch.Tensor | None) -> None:
        inside = len(self.stack.trained())
        self.stack.collect(gradients[:inside])
        self._penalties.add_gradients(scales)
        self._front_end.update(self.step, gradients[inside:])
        self._updater.update()

    def _set_rates(self, rates: Sequence[float]) -> None:
        if rates:
            self._updater.set_rates(rates, differ=differ_by_run(self._settings.rates))

    def _keep(self, runs: Sequence[int]) -> None:
        if len(runs) == len(self._runs):
            return
        self._runs = [self._runs[k] for k in runs]
        self._logs = [self._logs[k] for k in runs]
        self._graphs = [self._graphs[k] for k in runs]
        self._seconds = [self._seconds[k] for k in runs]
        self._rates = [self._rates[k] for k in runs] if self._rates else []
        if self._runs:
            self._doors |= self.doors
            self.stack.keep(runs)
            self._updater.keep(runs)
            self._front_end.keep(runs)
            self._assemble()

    def _assemble(self) -> None:
        """Put together what holds one number per run; again when runs have left."""
        models = [prepared.model for prepared in self._runs]
        seeds = [prepared.run.seed for prepared in self._runs]
        self._seeds = list(dict.fromkeys(seeds))
        self._seed_of_run = torch.tensor([self._seeds.index(seed) for seed in seeds], device=self._device)
        self._program = Program(models, seeds, self.stack, doors=self._doors, graphs=self._graphs, cut=self._cut)
        self._penalties = Penalties(models, self.stack)
        self._constraints = Constraints(models, self.stack)
        step = TrainingStep(self._program, self._objective, self._penalties, self.stack)
        whole = len(models) == self._num_runs  # a smaller stack is not worth compiling anew
        self._take = CompiledStep(step) if self._compile_steps and whole else step

    def _begin_epoch(self) -> None:
        of_seed = {prepared.run.seed: prepared.run for prepared in reversed(self._runs)}
        orders = [
            training_order(of_seed[seed], self.epoch, self._num_cases, shuffle=self._settings.shuffle)
            for seed in self._seeds
        ]
        self._orders: NDArray[np.int64] = np.stack(orders)
        self._orders_on_device = upload(torch.from_numpy(self._orders), self._device)
        self._steps_per_epoch: int = -(-self._orders.shape[1] // self._settings.batch_size)
        self._front_end.begin_epoch(dict(zip(self._seeds, self._orders, strict=True)))
        self._means = RunningMeans(keep_outputs=self._metrics.wanted)

    def _training_metrics(self) -> dict[str, NDArray[np.float64]]:
        if not self._metrics.wanted:
            return {}
        outputs = self._means.outputs()
        y_true = self._objective.answers(self._answers(self._orders_on_device), outputs)
        return self._metrics.values(y_true, outputs, self._case_weights(self._orders_on_device))

    def _answers(self, cases: torch.Tensor) -> Any:
        return tree.map_structure(lambda values: per_run([_pick(values, cases)], self._seed_of_run)[0], self._y)

    def _case_weights(self, cases: torch.Tensor) -> torch.Tensor | None:
        return None if self._weight is None else per_run([_pick(self._weight, cases)], self._seed_of_run)[0]

    def _share_out(self, seconds: float) -> None:
        self._seconds = [spent + seconds / len(self._seconds) for spent in self._seconds]

    def _new_log(self, prepared: PreparedRun, data: TrainingData, parameters: int) -> RunLog:
        run = prepared.run
        number = self._num_cases if run.fold is None else len(run.fold.train)
        chosen = subset(run.seed, number, share=run.share) if run.share < 1 else None
        return RunLog(prepared.run, prepared.kind, data, self._settings, training_cases=chosen, parameters=parameters)


def _pick(values: torch.Tensor, cases: torch.Tensor) -> torch.Tensor:
    """Return rows `(G, B, ...)` of `values` for indices `(G, B)` on the same device."""
    return values.index_select(0, cases.flatten()).reshape(*cases.shape, *values.shape[1:])


def _tensors(y: Any, device: str) -> Any:
    return tree.map_structure(lambda values: None if values is None else to_tensor(values).to(device), y)
