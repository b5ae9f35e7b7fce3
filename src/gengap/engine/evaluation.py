"""Predictions of all runs of a chunk at the end of an epoch, in inference mode, and what is read off them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from keras import tree
from numpy.typing import NDArray

from gengap.datasets.output_kind import OutputKind
from gengap.engine.front_ends import FrontEnd
from gengap.engine.loader import to_tensor
from gengap.engine.losses import Objective
from gengap.engine.metrics import Metrics
from gengap.engine.runs import Array, TrainingData, TrainingSettings
from gengap.keras_models.outputs import targets, to_predictions
from gengap.layers.program import Program


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What an evaluation leaves.

    Attributes:
        train: Predictions of each run for its own training cases; None where no training score is wanted.
        held_out: Predictions of each run for the held-out splits, by name.
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
        self,
        program: Program,
        front_end: FrontEnd,
        objective: Objective,
        metrics: Metrics,
        *,
        own_cases: NDArray[np.int64] | None = None,
    ) -> Evaluated:
        """Predict everything with the weights as they are now.

        Args:
            program: The runs.
            front_end: Has the inputs of every split.
            objective: The runs' data loss.
            metrics: Their metrics.
            own_cases: Training cases of each run, `(K, n)`; None where all runs see all.
        """
        outputs = {name: front_end.predict(program, name) for name in self._held_out}
        logs: dict[str, NDArray[np.float64]] = {}
        if self._validation is not None:
            logs = self._validate(program, objective, metrics, outputs["validation"])
        train = None
        if self._scores_training:
            train = self._read(front_end.predict(program, "train", own_cases), program)
        return Evaluated(train, {name: self._read(raw, program) for name, raw in outputs.items()}, logs)

    def _validate(
        self, program: Program, objective: Objective, metrics: Metrics, outputs: Any
    ) -> dict[str, NDArray[np.float64]]:
        y, weight = self._validation or (None, None)
        num_runs = program.stack.num_runs
        y_true = tree.map_structure(lambda value: value.expand(num_runs, *value.shape), y)
        weights = None if weight is None else weight.expand(num_runs, -1)
        flat = objective.answers(y_true, outputs)
        parts = objective.in_batches(flat, outputs, weights, self._batch_size)
        logs = {"val_loss": objective.total(parts).double().cpu().numpy()}
        if len(parts) > 1:
            logs |= {f"val_{name}_loss": value.double().cpu().numpy() for name, value in parts.items()}
        return logs | {f"val_{name}": value for name, value in metrics.values(flat, outputs, weights).items()}

    def _read(self, outputs: Any, program: Program) -> list[Array]:
        arrays = tree.map_structure(lambda value: value.float().cpu().numpy(), outputs)
        return [
            to_predictions(tree.map_structure(lambda value, k=k: value[k], arrays), self._kind)
            for k in range(program.stack.num_runs)
        ]
