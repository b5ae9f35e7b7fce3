"""Batches of arrays as they are: all weights are in the stack."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
from keras import tree
from numpy.typing import NDArray

from gengap.engine.front_ends.base import SAMPLES_AT_ONCE, FrontEnd, StepCases
from gengap.engine.loader import BatchLoader, per_run
from gengap.engine.runs import Array
from gengap.layers.doors import PassContext, SparseProduct
from gengap.layers.program import Program, say_batches


@final
class DenseFrontEnd(FrontEnd):
    """Reads batches and hands them on.

    Args:
        loaders: What reads the inputs of every split, by name: see `read_splits`.
        batch_size: Cases a step.
    """

    def __init__(self, loaders: Mapping[str, BatchLoader], *, batch_size: int) -> None:
        self._loaders, self._train, self._batch_size = loaders, loaders["train"], batch_size

    def begin_epoch(self, orders: Mapping[int, NDArray[np.int64]]) -> None:
        """Do nothing: every step says which cases it wants."""

    def inputs(self, cases: StepCases) -> Sequence[torch.Tensor | SparseProduct]:
        """Read the cases of every seed, and let the runs of a seed share them."""
        return per_run(self._train.rows(cases.indices, cases.on_device), cases.seed_of_run)

    def update(self, step: int, gradients: Sequence[torch.Tensor]) -> None:
        """Do nothing: the updater has all weights."""

    def penalties(self) -> float:
        """Return 0."""
        return 0.0

    def write_back(self) -> None:
        """Do nothing: weights are read where they are."""

    def keep(self, runs: Sequence[int]) -> None:
        """Do nothing: nothing here is one run's."""

    def state(self) -> dict[str, Array]:
        """Return nothing."""
        return {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Do nothing."""

    def predict(self, program: Program, split: str, cases: NDArray[np.int64] | None = None) -> Any:
        """Predict many samples at once, or in the batches of the training where a layer mixes samples."""
        loader, num_runs = self._loaders[split], program.stack.num_runs
        total = loader.num_cases if cases is None else cases.shape[1]
        at_once = 1 if program.draws_in_inference else num_runs  # then it matters which cases are predicted together
        size = max(self._batch_size, SAMPLES_AT_ONCE // at_once)
        if program.mixes_samples and min(size, total) > self._batch_size:
            size = self._batch_size
            say_batches(program, size)
        parts = []
        for start in range(0, total, size):
            stop = min(start + size, total)
            if cases is None:
                inputs = [value.expand(num_runs, *value.shape) for value in loader.span(start, stop)]
            else:
                inputs = loader.rows(cases[:, start:stop])
            parts.append(program(inputs, PassContext(training=False, step=1 + start // size)))
        return tree.map_structure(lambda *values: torch.cat(values, dim=1), *parts)
