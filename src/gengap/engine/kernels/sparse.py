"""The first Dense layer on sparse rows, all runs side by side, its dense gradient never there in full."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gengap.engine.kernels.optimizers import Strength, UpdateRule


@dataclass(frozen=True, eq=False)
class SparseBatch:
    """Some rows of a sparse matrix, as both directions of training want them.

    Attributes:
        rows: The rows, `(B, features)` CSR, for the forward pass.
        columns: Their transpose in blocks of features, each `(block, B)` CSR, for the backward pass; empty if not asked.
    """

    rows: torch.Tensor
    columns: tuple[torch.Tensor, ...]


def sparse_batches(
    x: Any, order: NDArray[np.intp], *, batch_size: int, block: int = 2_000, transposed: bool = True
) -> list[SparseBatch]:
    """Return the batches of one epoch of one seed: rows `order` of the CSR matrix `x`, cut every `batch_size`.

    The cost is about 20 ms for the 25,000 reviews. With `transposed=False` for batches that are only predicted.
    """


class SparseFirstLayer:
    """The kernels `(K, features, units)` of the first Dense layer of K runs, with their own update.

    It stands outside autograd: `forward` gives a leaf that the rest of the graph differentiates, `backward_update` takes
    that leaf's gradient and updates the kernels block by block of features. Runs of one seed share batches and stand
    side by side. For an optimizer without a kernel use `sparse_matmul`, whose gradient is an ordinary dense tensor.

    Args:
        kernels: Initial kernels, `(K, features, units)`; copied.
        groups: For each run the position of its seed's batch in what `forward` is given, `(K,)`; e.g. (0, 0, 1, 1).
        rule: The optimizer's update.
        l1: Strength of the L1 penalty of each run, `(K,)`.
        l2: Strength of the L2 penalty of each run, `(K,)`.
    """

    def __init__(
        self, kernels: torch.Tensor, groups: Sequence[int], *, rule: UpdateRule, l1: torch.Tensor, l2: torch.Tensor
    ) -> None: ...

    def forward(self, batches: Sequence[SparseBatch]) -> torch.Tensor:
        """Return `x @ kernel` of each run on its seed's batch: `(K, B, units)`, a leaf that requires its gradient."""

    def backward_update(
        self,
        batches: Sequence[SparseBatch],
        gradient: torch.Tensor,
        *,
        step: int,
        learning_rate: Strength,
        weight_decay: Strength = 0.0,
    ) -> None:
        """Update the kernels from the gradient `(K, B, units)` of what `forward` returned.

        Args:
            batches: What `forward` was given.
            gradient: Gradient of each run's own objective.
            step: Update number, from 1.
            learning_rate: One number or `(K,)`.
            weight_decay: Decoupled decay (AdamW): one number or `(K,)`.
        """

    def predict(self, rows: torch.Tensor) -> torch.Tensor:
        """Return `rows @ kernel` of all runs on the same rows `(B, features)` CSR: `(K, B, units)`."""

    def kernels(self) -> torch.Tensor:
        """Return a copy of the kernels, `(K, features, units)`."""

    def penalties(self) -> torch.Tensor:
        """Return each run's penalty now, `(K,)`."""

    def keep(self, runs: Sequence[int]) -> None:
        """Drop all runs but these (positions in the present stack), with their state: one stopped or diverged."""


def sparse_matmul(batches: Sequence[SparseBatch], kernels: torch.Tensor, groups: Sequence[int]) -> torch.Tensor:
    """Return `x @ kernel` of each run, `(K, B, units)`, differentiable in `kernels` `(K, features, units)`: the plain door."""
