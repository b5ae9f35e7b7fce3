"""What stands between the cases and the first operation of the graph, whatever form the cases have."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gengap.engine.runs import Array
from gengap.layers.doors import SparseProduct
from gengap.layers.program import Program

SAMPLES_AT_ONCE = 4096
"""Samples that are predicted together, where layers do not mix them."""


@dataclass(frozen=True, eq=False)
class StepCases:
    """The training cases of one step.

    Attributes:
        step: Step within the epoch, from 1.
        indices: Cases of each seed, `(G, B)`.
        on_device: The same on the device.
        seed_of_run: For each run the position of its seed, `(K,)`, on the device.
    """

    step: int
    indices: NDArray[np.int64]
    on_device: torch.Tensor
    seed_of_run: torch.Tensor


class FrontEnd(ABC):
    """Makes the inputs of all runs, and trains what of the first layer stands outside the stack."""

    @abstractmethod
    def begin_epoch(self, orders: Mapping[int, NDArray[np.int64]]) -> None:
        """Take note of the order of the cases of every seed that still trains."""

    @abstractmethod
    def inputs(self, cases: StepCases) -> Sequence[torch.Tensor | SparseProduct]:
        """Return the flat inputs of a step, each `(K, B, ...)`."""

    @abstractmethod
    def update(self, step: int, gradients: Sequence[torch.Tensor]) -> None:
        """Update the weights outside the stack; called before the updater counts its step.

        Args:
            step: Step within the epoch, from 1.
            gradients: Of what `inputs` returned, as far as they are leaves.
        """

    @abstractmethod
    def penalties(self) -> torch.Tensor | float:
        """Return each run's penalty on the weights outside the stack, `(K,)`; 0 where there are none."""

    @abstractmethod
    def write_back(self) -> None:
        """Copy the weights outside the stack into it, where weights are read."""

    @abstractmethod
    def keep(self, runs: Sequence[int]) -> None:
        """Drop all runs but those at these positions; called after the stack has dropped them."""

    @abstractmethod
    def state(self) -> dict[str, Array]:
        """Return what the next step needs and the stack does not hold, as copies."""

    @abstractmethod
    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned, after `keep`."""

    @abstractmethod
    def predict(self, program: Program, split: str, cases: NDArray[np.int64] | None = None) -> Any:
        """Return the outputs of all runs in inference mode, `(K, n, ...)` in the structure of the model's output.

        Args:
            program: The runs.
            split: `"train"`, `"validation"` or `"test"`.
            cases: Cases of each run, `(K, n)`; None for all cases of the split.
        """
