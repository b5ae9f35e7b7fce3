"""Trains one chunk: runs of equal architecture, epoch by epoch, as one program."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from keras import tree
from numpy.typing import NDArray

from gengap.datasets.cases import count_cases
from gengap.datasets.output_kind import OutputKind
from gengap.engine.batches import epoch_order, subset
from gengap.engine.constraints import Constraints
from gengap.engine.evaluation import Evaluation
from gengap.engine.loader import Feed, per_run, to_tensor
from gengap.engine.log import RunLog
from gengap.engine.losses import Objective
from gengap.engine.metrics import Metrics
from gengap.engine.optimizers import choose_updater
from gengap.engine.optimizers.base import to_numpy
from gengap.engine.optimizers.in_place import InPlace
from gengap.engine.penalties import Penalties
from gengap.engine.recording import CompiledStep
from gengap.engine.reference import case_weights
from gengap.engine.running_means import Gathered
from gengap.engine.runs import Array, Listener, Run, TrainingData, TrainingSettings
from gengap.engine.sparse_first import SparseFirst, sparse_kernel_place
from gengap.engine.state import CheckpointListener, ChunkState, Interrupted, nest, unnest
from gengap.engine.step import Batch, Step
from gengap.keras_models.outputs import targets
from gengap.kernels.transfer import upload
from gengap.layers.doors import Pass, Projected
from gengap.layers.program import Program
from gengap.layers.stack import Stack


@dataclass(frozen=True, eq=False)
class Member:
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
        members: The runs; equal in architecture, losses, metrics and share of the data.
        data: Validated splits.
        settings: What all runs of the study have in common.
        device: Where the chunk trains.
        doors: Doors chosen before, by step of the graph.
        threads: Cores that may share the work on sparse rows.
        compiled: Whether steps are compiled, as long as all runs are there.
    """

    def __init__(
        self,
        chunk_id: str,
        members: Sequence[Member],
        data: TrainingData,
        settings: TrainingSettings,
        *,
        device: str = "cpu",
        doors: Mapping[int, str] | None = None,
        threads: int = 1,
        compiled: bool = False,
    ) -> None:
        self.chunk_id = chunk_id
        self._members = list(members)
        self._settings, self._device = settings, device
        first = self._members[0]
        self._objective, self._metrics = Objective(first.model), Metrics(first.model, settings.batch_size)
        self._num_cases = count_cases(data.train.x)
        models = [member.model for member in self._members]
        place = sparse_kernel_place(models, data.train.x)
        self._feed = None if place is not None else Feed(first.model, data.train.x, device=device)
        self._y = _tensors(targets(data.train.y, first.kind), device)
        weight = case_weights(data, settings)
        self._weight = None if weight is None else to_tensor(weight).to(device)
        self._evaluation = Evaluation(first.model, first.kind, data, settings, feed=self._feed, device=device)
        self._logs = [self._new_log(member, data) for member in self._members]
        weights = [member.weights for member in self._members]
        self.stack = Stack(first.model, weights, device=device, outside=[] if place is None else [place])
        self._updater = choose_updater(models, self.stack)
        self._sparse: SparseFirst | None = None
        if place is not None:
            seeds = [member.run.seed for member in self._members]
            self._sparse = SparseFirst(models, seeds, self.stack, place=place, x=data.train.x, threads=threads)
        self._doors = dict(doors or {})
        self._compiled, self._num_members = compiled, len(self._members)
        self._assemble()
        self.epoch, self.step = 1, 1
        self._begin_epoch()
        self._seconds = [0.0] * len(self._members)

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has."""
        return self._steps_per_epoch

    @property
    def doors(self) -> dict[int, str]:
        """The doors that the program took, by step of the graph."""
        return self._program.doors

    @property
    def optimizer_door(self) -> str:
        """The door that the optimizers took."""
        return self._updater.name

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
        while self._members:
            self.advance()
            if self.step > self._steps_per_epoch:
                self.end_epoch(listener)
            stop = interrupted()
            due = stop or time.perf_counter() - last >= checkpoint_seconds
            if due and self._members and isinstance(listener, CheckpointListener):
                listener.on_checkpoint(self.chunk_id, self.state())
                last = time.perf_counter()
            if stop:
                raise KeyboardInterrupt

    def advance(self) -> None:
        """Take one step: forward, one backward pass of the sum of all objectives, update."""
        started = time.perf_counter()
        size = self._settings.batch_size
        cases = slice((self.step - 1) * size, self.step * size)
        places = self._places[:, cases]
        weight = None if self._weight is None else per_run([_pick(self._weight, places)], self._row)[0]
        batch = Batch(self._inputs(self._orders[:, cases], places), self._answers(places), weight)
        now = Pass(training=True, epoch=self.epoch, step=self.step)
        scales = self._updater.loss_scales()
        found = self._take(batch, now, scales)
        self._update(found.gradients, scales)
        self._constraints.apply()
        self._gathered.add(places.shape[1], found.objective, found.parts, found.outputs, found.added)
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
        self._begin_epoch()

    def _evaluate(self, listener: Listener) -> list[int]:
        """Log the epoch of every run, hand out the records of those that are done, return those that go on."""
        started = time.perf_counter()
        logs = self._gathered.logs()
        logs |= self._training_metrics()
        penalty = self._penalties.values()
        if self._sparse is not None:
            self._sparse.write_back()
            penalty = penalty + self._sparse.layer.penalties()
        logs["penalty"] = logs.get("penalty", 0.0) + penalty.cpu().numpy()  # what layers added while training
        sparse_layer = None if self._sparse is None else self._sparse.layer
        evaluated = self._evaluation(
            self._program, self._objective, self._metrics, own_cases=self._own_cases(), sparse_layer=sparse_layer
        )
        logs |= evaluated.logs
        going_on = []
        for k, log in enumerate(self._logs):
            goes_on = log.end_epoch(
                {name: float(values[k]) for name, values in logs.items()},
                None if evaluated.train is None else evaluated.train[k],
                {name: values[k] for name, values in evaluated.held_out.items()},
                partial(self.stack.of_run, k),
            )
            listener.on_epoch(self._members[k].run, self.epoch, log.latest())
            if goes_on and self.epoch < self._settings.epochs:
                going_on.append(k)
        self._share_out(time.perf_counter() - started)
        for k in sorted(set(range(len(self._members))) - set(going_on)):
            listener.on_record(self._logs[k].record(self.stack.of_run(k), seconds=self._seconds[k]))
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
        if self._sparse is not None:
            self._sparse.write_back()
        arrays = {
            "stack/flat": self.stack.flat.detach().cpu().numpy().copy(),
            **{f"stack/other/{place:05d}": to_numpy(self.stack.values[place]) for place in self.stack.untrained()},
            **nest("optimizer", self._updater.state()),
            **nest("gathered", self._gathered.arrays()),
            **nest("sparse", self._sparse.state() if self._sparse is not None else {}),
        }
        for k, (log_arrays, _) in enumerate(logs):
            arrays |= nest(f"log/{k:05d}", log_arrays)
        scalars = {
            "epoch": self.epoch,
            "step": self.step,
            "runs": [[member.run.variant, member.run.seed] for member in self._members],
            "doors": {str(index): name for index, name in self.doors.items()},
            "logs": [scalars for _, scalars in logs],
            "seconds": list(self._seconds),
        }
        return ChunkState(arrays, scalars)

    def restore(self, state: ChunkState) -> None:
        """Go on from a state; runs that it does not name have finished and leave."""
        still = [tuple(name) for name in state.scalars["runs"]]
        names = [(member.run.variant, member.run.seed) for member in self._members]
        self._doors = {int(index): name for index, name in state.scalars["doors"].items()}
        self._keep([names.index(name) for name in still])
        self.epoch, self.step = state.scalars["epoch"], state.scalars["step"]
        self._begin_epoch()
        others = [torch.from_numpy(np.array(state.arrays[f"stack/other/{p:05d}"])) for p in self.stack.untrained()]
        self.stack.load(torch.from_numpy(np.array(state.arrays["stack/flat"])), others)
        self._updater.restore(unnest("optimizer", state.arrays))
        if self._sparse is not None:
            self._sparse.restore(unnest("sparse", state.arrays))
        self._gathered.restore(unnest("gathered", state.arrays), self._device)
        self._seconds = list(state.scalars["seconds"])
        for k, (log, scalars) in enumerate(zip(self._logs, state.scalars["logs"], strict=True)):
            log.restore(unnest(f"log/{k:05d}", state.arrays), scalars)

    def _inputs(self, cases: NDArray[np.int64], places: torch.Tensor) -> list[Any]:
        if self._sparse is not None:
            return [Projected(self._sparse.forward(self.step))]
        return per_run(self._feed.rows(cases, places), self._row) if self._feed is not None else []

    def _update(self, gradients: Sequence[torch.Tensor], scales: torch.Tensor | None) -> None:
        inside = len(self.stack.trained())
        self.stack.collect(gradients[:inside])
        self._penalties.add_gradients(scales)
        if self._sparse is not None and isinstance(self._updater, InPlace):
            rate, update = self._updater.rates.at(self._updater.iterations), self._updater.iterations + 1
            self._sparse.update(self.step, gradients[inside], update=update, learning_rate=rate)
        self._updater.update()

    def _keep(self, runs: Sequence[int]) -> None:
        if len(runs) == len(self._members):
            return
        self._members = [self._members[k] for k in runs]
        self._logs = [self._logs[k] for k in runs]
        self._seconds = [self._seconds[k] for k in runs]
        if self._members:
            self._doors |= self.doors
            self.stack.keep(runs)
            self._updater.keep(runs)
            if self._sparse is not None:
                self._sparse.keep(runs)
            self._assemble()

    def _assemble(self) -> None:
        """Put together what holds one number per run; again when runs have left."""
        models = [member.model for member in self._members]
        seeds = [member.run.seed for member in self._members]
        self._seeds = list(dict.fromkeys(seeds))
        self._row = torch.tensor([self._seeds.index(seed) for seed in seeds], device=self._device)
        self._program = Program(models, seeds, self.stack, doors=self._doors)
        self._penalties = Penalties(models, self.stack)
        self._constraints = Constraints(models, self.stack)
        step = Step(self._program, self._objective, self._penalties, self.stack)
        whole = len(models) == self._num_members  # a smaller stack is not worth compiling anew
        self._take = CompiledStep(step) if self._compiled and whole else step

    def _begin_epoch(self) -> None:
        share, shuffle = self._members[0].run.share if self._members else 1.0, self._settings.shuffle
        orders = [epoch_order(s, self.epoch, self._num_cases, share=share, shuffle=shuffle) for s in self._seeds]
        self._orders: NDArray[np.int64] = np.stack(orders)
        self._places = upload(torch.from_numpy(self._orders), self._device)
        self._steps_per_epoch: int = -(-self._orders.shape[1] // self._settings.batch_size)
        if self._sparse is not None and self._members:
            self._sparse.begin_epoch(dict(zip(self._seeds, self._orders, strict=True)), self._settings.batch_size)
        self._gathered = Gathered(keep_outputs=self._metrics.wanted)

    def _training_metrics(self) -> dict[str, NDArray[np.float64]]:
        if not self._metrics.wanted:
            return {}
        outputs = self._gathered.outputs()
        y_true = self._objective.answers(self._answers(self._places), outputs)
        weight = None if self._weight is None else per_run([_pick(self._weight, self._places)], self._row)[0]
        return self._metrics.values(y_true, outputs, weight)

    def _answers(self, places: torch.Tensor) -> Any:
        return tree.map_structure(lambda values: per_run([_pick(values, places)], self._row)[0], self._y)

    def _own_cases(self) -> NDArray[np.int64] | None:
        """Return the training cases of each run in their original order, `(K, n)`; None where all runs see all."""
        share = self._members[0].run.share
        if share >= 1:
            return None
        chosen = [subset(member.run.seed, self._num_cases, share=share) for member in self._members]
        return np.stack([np.flatnonzero(mask) for mask in chosen])

    def _share_out(self, seconds: float) -> None:
        self._seconds = [spent + seconds / len(self._seconds) for spent in self._seconds]

    def _new_log(self, member: Member, data: TrainingData) -> RunLog:
        chosen = subset(member.run.seed, self._num_cases, share=member.run.share) if member.run.share < 1 else None
        parameters = sum(int(np.prod(weight.shape)) for weight in member.model.trainable_weights)
        return RunLog(member.run, member.kind, data, self._settings, training_cases=chosen, parameters=parameters)


def _pick(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return rows `(G, B, ...)` of `values` for indices `(G, B)` on the same device."""
    return values.index_select(0, places.flatten()).reshape(*places.shape, *values.shape[1:])


def _tensors(y: Any, device: str) -> Any:
    return tree.map_structure(lambda values: None if values is None else to_tensor(values).to(device), y)
