"""Predictions of all runs of a chunk at the end of an epoch, in inference mode, and what is read off them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from keras import tree
from numpy.typing import NDArray
from scipy import sparse

from gengap.datasets.output_kind import OutputKind
from gengap.engine.loader import Feed, to_tensor
from gengap.engine.losses import Objective
from gengap.engine.metrics import Metrics
from gengap.engine.runs import Array, TrainingData, TrainingSettings
from gengap.keras_models.outputs import targets, to_predictions
from gengap.kernels.first_layer import FirstLayer
from gengap.layers.doors import Pass, Projected
from gengap.layers.program import Program, say_batches

_SAMPLES_AT_ONCE = 4096


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
    """The held-out splits on the device, ready to be predicted.

    Args:
        model: A model of the runs.
        kind: How its output is read.
        data: Validated splits.
        settings: What all runs have in common.
        feed: The training cases; None where sparse rows stay sparse.
        device: Where predictions are computed.
    """

    def __init__(
        self,
        model: Any,
        kind: OutputKind,
        data: TrainingData,
        settings: TrainingSettings,
        *,
        feed: Feed | None,
        device: str,
    ) -> None:
        self._kind, self._batch_size, self._device = kind, settings.batch_size, device
        self._scores_training = settings.training_score
        self._train: Feed | SparseRows = feed or SparseRows(data.train.x, device)
        self._feeds: dict[str, Feed | SparseRows] = {
            name: Feed(model, split.x, device=device) if feed is not None else SparseRows(split.x, device)
            for name, split in data.held_out().items()
        }
        self._validation: tuple[Any, torch.Tensor | None] | None = None
        if data.validation is not None:
            weight = data.validation.sample_weight
            y = tree.map_structure(lambda v: to_tensor(v).to(device), targets(data.validation.y, kind))
            self._validation = (y, None if weight is None else to_tensor(weight).to(device).float())

    @torch.no_grad()
    def __call__(
        self,
        program: Program,
        objective: Objective,
        metrics: Metrics,
        *,
        own_cases: NDArray[np.int64] | None = None,
        sparse_layer: FirstLayer[Any] | None = None,
    ) -> Evaluated:
        """Predict everything with the weights as they are now.

        Args:
            program: The runs.
            objective: Their data loss.
            metrics: Their metrics.
            own_cases: Training cases of each run, `(K, n)`; None where all runs see all.
            sparse_layer: The first layer, where rows are sparse.
        """
        outputs = {name: self._predict(program, feed, sparse_layer) for name, feed in self._feeds.items()}
        logs: dict[str, NDArray[np.float64]] = {}
        if self._validation is not None:
            logs = self._validate(program, objective, metrics, outputs["validation"])
        train = None
        if self._scores_training:
            train = self._read(self._predict(program, self._train, sparse_layer, own_cases), program)
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

    def _predict(
        self,
        program: Program,
        feed: "Feed | SparseRows",
        sparse_layer: FirstLayer[Any] | None,
        cases: NDArray[np.int64] | None = None,
    ) -> Any:
        if isinstance(feed, SparseRows):
            return _predict_sparse(program, feed, sparse_layer, cases, self._batch_size)
        num_runs = program.stack.num_runs
        total = feed.num_cases if cases is None else cases.shape[1]
        at_once = 1 if program.draws_in_inference else num_runs  # then it matters which cases are predicted together
        size = max(self._batch_size, _SAMPLES_AT_ONCE // at_once)
        if program.mixes_samples and min(size, total) > self._batch_size:
            size = self._batch_size
            say_batches(program, size)
        parts = []
        for start in range(0, total, size):
            stop = min(start + size, total)
            if cases is None:
                inputs = [value.expand(num_runs, *value.shape) for value in feed.span(start, stop)]
            else:
                inputs = feed.rows(cases[:, start:stop])
            parts.append(program(inputs, Pass(training=False, step=1 + start // size)))
        return tree.map_structure(lambda *values: torch.cat(values, dim=1), *parts)

    def _read(self, outputs: Any, program: Program) -> list[Array]:
        arrays = tree.map_structure(lambda value: value.float().cpu().numpy(), outputs)
        return [
            to_predictions(tree.map_structure(lambda value, k=k: value[k], arrays), self._kind)
            for k in range(program.stack.num_runs)
        ]


class SparseRows:
    """The rows of one split, sparse, in pieces for prediction.

    Args:
        x: CSR matrix, or a list or mapping that holds one.
        device: Where predictions are computed.
    """

    def __init__(self, x: Any, device: str) -> None:
        self._x = sparse.csr_matrix(tree.flatten(x)[0] if isinstance(x, dict | list | tuple) else x)
        self._device = device
        self._pieces: Sequence[Any] = ()

    def pieces(self, layer: FirstLayer[Any], size: int) -> Sequence[Any]:
        """Return all rows in pieces of so many that the layer takes."""
        if not self._pieces:
            source, order = layer.source(self._x, device=self._device), np.arange(self._x.shape[0])
            self._pieces = source.batches(order, batch_size=size)
        return self._pieces


def _predict_sparse(
    program: Program, rows: SparseRows, layer: FirstLayer[Any] | None, cases: NDArray[np.int64] | None, batch_size: int
) -> Any:
    size = batch_size if program.mixes_samples else _SAMPLES_AT_ONCE
    products = () if layer is None else layer.predict(rows.pieces(layer, size))
    parts = [program([Projected(product)], Pass(training=False)) for product in products]
    outputs = tree.map_structure(lambda *values: torch.cat(values, dim=1), *parts)
    if cases is None:
        return outputs
    device = tree.flatten(outputs)[0].device
    index, each = torch.from_numpy(cases).to(device), torch.arange(len(cases), device=device)[:, None]
    return tree.map_structure(lambda value: value[each, index], outputs)
