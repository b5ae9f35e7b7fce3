"""What every door of optimizers can do: update the stack, keep its state, let runs leave."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]


class Updater(ABC):
    """Changes the weights of all runs by their gradients, each run as its own Keras optimizer would."""

    name: str

    @abstractmethod
    def update(self) -> None:
        """Apply one step of the gradients in the stack."""

    @abstractmethod
    def keep(self, runs: Sequence[int]) -> None:
        """Drop the state of all runs but those at these positions; called after the stack has dropped them."""

    @abstractmethod
    def state(self) -> dict[str, Array]:
        """Return what the next step needs, as copies."""

    @abstractmethod
    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a state that `state` returned."""

    @abstractmethod
    def set_rates(self, rates: Sequence[float], *, differ: bool) -> None:
        """Let each run go on with another learning rate; the optimizers have no schedules then.

        Args:
            rates: One number a run.
            differ: Whether runs of equal optimizers may come to differ; then they are one number each from the start,
                so that no bit of a run depends on whether others happen to agree with it.
        """

    def loss_scales(self) -> torch.Tensor | None:
        """Return what each run's objective is multiplied by before differentiation, `(K,)`; None for nothing."""
        return None

    def averages(self) -> list[torch.Tensor] | None:
        """Return the moving averages of the trained weights, each `(K, ...)`; None where none are kept."""
        return None


def config(optimizer: Any) -> dict[str, Any]:
    """Return an optimizer's configuration without its name."""
    return {name: value for name, value in optimizer.get_config().items() if name != "name"}


def to_numpy(value: torch.Tensor) -> Array:
    """Copy a tensor to a NumPy array."""
    return np.array(value.detach().cpu().numpy())
