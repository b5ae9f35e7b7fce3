"""What the first Dense layer on sparse rows does for K runs, whoever multiplies."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar, final

import numpy as np
import torch
from numpy.typing import NDArray

from gengap.kernels.optimizers import Strength
from gengap.kernels.penalties import penalty_values

Batch = TypeVar("Batch")
Cut_co = TypeVar("Cut_co", covariant=True)


class Source(Protocol[Cut_co]):
    """A sparse matrix, made ready for one kind of first layer."""

    def batches(self, order: NDArray[np.integer[Any]], *, batch_size: int) -> Sequence[Cut_co]:
        """Return the rows `order`, cut every `batch_size`."""


class FirstLayer(ABC, Generic[Batch]):
    """The kernels `(K, features, units)` of the first Dense layer of K runs, with their own update.

    It stands outside autograd: `forward` gives a leaf that the rest of the graph differentiates, `backward_update`
    takes that leaf's gradient and updates the kernels, so that their gradient, which is dense, never exists in full.

    Attributes:
        l1: Strength of the L1 penalty of each run, `(K,)`.
        l2: Strength of the L2 penalty of each run, `(K,)`.
    """

    l1: torch.Tensor
    l2: torch.Tensor

    @staticmethod
    @abstractmethod
    def source(x: Any, *, device: torch.device | str = "cpu") -> Source[Batch]:
        """Make a CSR matrix ready to be cut into the batches that this layer takes."""

    @abstractmethod
    def forward(self, batches: Sequence[Batch]) -> torch.Tensor:
        """Return `x @ kernel` of each run on its seed's batch: `(K, B, units)`, a leaf that requires its gradient."""

    @abstractmethod
    def backward_update(
        self,
        batches: Sequence[Batch],
        gradient: torch.Tensor,
        *,
        step: int,
        learning_rate: Strength,
        weight_decay: Strength = 0.0,
        ahead: Sequence[Batch] | None = None,
    ) -> None:
        """Update the kernels from the gradient `(K, B, units)` of what `forward` returned.

        Args:
            batches: What `forward` was given.
            gradient: Gradient of each run's own objective.
            step: Update number, from 1.
            learning_rate: One number or `(K,)`.
            weight_decay: Decoupled decay (AdamW): one number or `(K,)`.
            ahead: What `forward` will be given next, if that is known: kernels are multiplied with it while they are
                still in the cache from their update.
        """

    @abstractmethod
    def predict(self, batches: Iterable[Batch]) -> Iterator[torch.Tensor]:
        """Yield `rows @ kernel` of all runs for each batch of rows that all runs see: `(K, B, units)`."""

    @abstractmethod
    def kernels(self) -> torch.Tensor:
        """Return a copy of the kernels, `(K, features, units)`."""

    @abstractmethod
    def slots(self) -> list[torch.Tensor]:
        """Return a copy of the optimizer's slots, `(K, features, units)` each."""

    @abstractmethod
    def load(self, kernels: torch.Tensor, slots: Sequence[torch.Tensor]) -> None:
        """Take over, bit by bit, what `kernels` and `slots` returned."""

    @abstractmethod
    def keep(self, runs: Sequence[int]) -> None:
        """Drop all runs but these (positions in the present stack), with their state: others stopped or diverged.

        Positions of the batches stay what they were.
        """

    @final
    def penalties(self) -> torch.Tensor:
        """Return each run's penalty now, `(K,)`."""
        return penalty_values(self.kernels(), l1=self.l1, l2=self.l2)
