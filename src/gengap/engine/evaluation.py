"""Predictions of all runs of a chunk at the end of an epoch, in inference mode, and what is read off them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from keras import tree
from numpy.typing import NDArray

from gengap.datasets.output_kind import OutputKind
from gengap.datasets.training_data import TrainingData
from gengap.engine.batches import training_cases
from gengap.engine.front_ends import FrontEnd
from gengap.engine.loader import to_tensor
from gengap.engine.losses import Objective
from gengap.engine.metrics import Metrics
from gengap.engine.runs import Array, Run, TrainingSettings
from gengap.keras_models.outputs import targets, to_predictions
from gengap.layers.program import Program

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class OwnCases:
    """Which cases of each split belong to which run.

    Attributes:
        train: Training cases of each run, in their original order; None where all runs have all.
        held_out: Cases of each run by held-out split; None where all runs have all.
    """

    train: Sequence[Rows] | None
    held_out: Mapping[str, Sequence[Rows]] | None

    @classmethod
    def of(cls, runs: Sequence[Run], num_cases: int) -> "OwnCases":
        """Return the cases of some runs, which all have folds or all have none."""
        partial = any(run.share < 1 or run.fold is not None for run in runs)
        train = [training_cases(run, num_cases) for run in runs] if partial else None
        folds = [run.fold for run in runs if run.fold is not None]
        names = ("validation", "test")
        held_out = {name: [fold.rows(name) for fold in folds] for name in names} if folds else None
        return cls(train, held_out)


@dataclass(frozen=True, eq=False)
class _Own:
    """Positions of some runs, `(R,)`, and the cases of each, `(R, n)`."""

    runs: list[int]
    rows: Rows


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What an evaluation leaves.

    Attributes:
        train: Predictions of each run for its own training cases; None where no training score is wanted.
        held_out: Predictions of each run for (its own cases of) the held-out splits, by name.
        logs: `val_loss`, validation metrics, `(K,)` each.
    """

    train: Sequence[Array] | None
    held_out: Mapping[str, Sequence[Array]]
    logs: Mapping[str, NDArray[np.float64]]


class Evaluation:
    """What is predicted at the end of every epoch, and the answers that it is compared with.

    Args:
        kind: How the models' output is read.
        data: Validated splits.
        settings: What all runs have in common.
        device: Where predictions are computed.
    """

    def __init__(self, kind: OutputKind, data: TrainingData, settings: TrainingSettings, *, device: str) -> None:
        self._kind, self._batch_size = kind, settings.batch_size
        self._scores_training = settings.training_score
        self._held_out = tuple(data.held_out())
        self._validation: tuple[Any, torch.Tensor | None] | None = None
        if data.validation is not None:
            weight = data.validation.sample_weight
            y = tree.map_structure(lambda v: to_tensor(v).to(device), targets(data.validation.y, kind))
            self._validation = (y, None if weight is None else to_tensor(weight).to(device).float())

    @torch.no_grad()
    def __call__(
        self, program: Program, front_end: FrontEnd, objective: Objective, metrics: Metrics, *, own: OwnCases
    ) -> Evaluated:
        """Predict everything with the weights as they are now.

        Args:
            program: The runs.
            front_end: Has the inputs of every split.
            objective: The runs' data loss.
            metrics: Their metrics.
            own: Which cases are whose.
        """
        whose = own.held_out or {}
        outputs = {name: _predict(program, front_end, name, whose.get(name)) for name in self._held_out}
        logs: dict[str, NDArray[np.float64]] = {}
        if self._validation is not None:
            logs = self._validate(program, objective, metrics, outputs["validation"], whose.get("validation"))
        train = None
        if self._scores_training:
            train = self._read(_predict(program, front_end, "train", own.train), program, own.train)
        held_out = {name: self._read(raw, program, whose.get(name)) for name, raw in outputs.items()}
        return Evaluated(train, held_out, logs)

    def _validate(
        self, program: Program, objective: Objective, metrics: Metrics, outputs: Any, rows: Sequence[Rows] | None
    ) -> dict[str, NDArray[np.float64]]:
        if rows is None:
            y, weight = self._validation or (None, None)
            num_runs = program.stack.num_runs
            y_true = tree.map_structure(lambda value: value.expand(num_runs, *value.shape), y)
            weights = None if weight is None else weight.expand(num_runs, -1)
            return self._logs(objective, metrics, y_true, outputs, weights)
        logs: dict[str, NDArray[np.float64]] = {}
        for runs in _by_length(rows).values():  # only runs with as many cases are one batch
            own = _Own(runs, np.stack([rows[k] for k in runs]))
            found = self._logs_of(objective, metrics, outputs, own)
            for name, values in found.items():
                logs.setdefault(name, np.full(len(rows), np.nan))[runs] = values
        return logs

    def _logs_of(
        self, objective: Objective, metrics: Metrics, outputs: Any, mine: "_Own"
    ) -> dict[str, NDArray[np.float64]]:
        """Score some runs on their own cases, of which all have the same number."""
        y, weight = self._validation or (None, None)
        device, number = tree.flatten(outputs)[0].device, mine.rows.shape[1]
        cases, chosen = torch.from_numpy(mine.rows).to(device), torch.as_tensor(mine.runs, device=device)

        def picked(values: torch.Tensor) -> torch.Tensor:
            return values.index_select(0, cases.flatten()).reshape(*cases.shape, *values.shape[1:])

        own = tree.map_structure(lambda value: value.index_select(0, chosen)[:, :number], outputs)
        return self._logs(
            objective, metrics, tree.map_structure(picked, y), own, None if weight is None else picked(weight)
        )

    def _logs(
        self, objective: Objective, metrics: Metrics, y_true: Any, outputs: Any, weights: torch.Tensor | None
    ) -> dict[str, NDArray[np.float64]]:
        flat = objective.answers(y_true, outputs)
        parts = objective.in_batches(flat, outputs, weights, self._batch_size)
        logs = {"val_loss": objective.total(parts).double().cpu().numpy()}
        if len(parts) > 1:
            logs |= {f"val_{name}_loss": value.double().cpu().numpy() for name, value in parts.items()}
        return logs | {f"val_{name}": value for name, value in metrics.values(flat, outputs, weights).items()}

    def _read(self, outputs: Any, program: Program, rows: Sequence[Rows] | None) -> list[Array]:
        arrays = tree.map_structure(lambda value: value.float().cpu().numpy(), outputs)
        numbers = [None if rows is None else len(rows[k]) for k in range(program.stack.num_runs)]
        return [
            to_predictions(tree.map_structure(lambda value, k=k, n=n: value[k][:n], arrays), self._kind)
            for k, n in enumerate(numbers)
        ]


def _predict(program: Program, front_end: FrontEnd, split: str, rows: Sequence[Rows] | None) -> Any:
    """Return the outputs of all runs for their own cases, `(K, most cases, ...)`; beyond its own a run has others'."""
    if rows is None:
        return front_end.predict(program, split)
    lengths = _by_length(rows)
    if len(lengths) == 1 or not (program.mixes_samples or program.draws_in_inference):
        return front_end.predict(program, split, _padded(rows, max(lengths)))
    # here it matters which cases are predicted together: those of runs with as many cases, and nothing beside them
    found: Any = None
    for number, runs in lengths.items():
        one = front_end.predict(program, split, _padded([r[:number] for r in rows], number))
        if found is None:
            found = tree.map_structure(lambda v: v.new_zeros(len(rows), max(lengths), *v.shape[2:]), one)
        for whole, part in zip(tree.flatten(found), tree.flatten(one), strict=True):
            whole[runs, :number] = part[runs]
    return found


def _padded(rows: Sequence[Rows], number: int) -> Rows:
    """Return the rows of each run as `(K, number)`; where a run has fewer, its first is said again."""
    return np.stack([np.concatenate([one, np.full(number - len(one), one[0])]) for one in rows])


def _by_length(rows: Sequence[Rows]) -> dict[int, list[int]]:
    """Return positions of runs by how many rows they have."""
    found: dict[int, list[int]] = {}
    for position, one in enumerate(rows):
        found.setdefault(len(one), []).append(position)
    return found
