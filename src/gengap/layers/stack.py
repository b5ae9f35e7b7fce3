"""The weights of K runs of equal architecture: one buffer for what is trained, one view of it per weight."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]


class Stack:
    """Stacked weights, in the order of `model.weights`.

    All trainable weights of a run lie in one row of one buffer, so that an optimizer is a handful of operations on
    `(K, parameters)` instead of a handful per weight. The tensors that the layers compute with are views of it, and so
    are their gradients.

    Args:
        model: A model of the runs' architecture; it says which weights are trained.
        weights: Per run its weights, in the order of `model.weights`.
        device: Where the stack lives.
        outside: Places of trainable weights that somebody else keeps and updates: the kernel on sparse rows.
        shared: Places of weights that are the same in all runs and that nothing here computes with or changes: those of
            a frozen part that is computed once. They are held once.

    Attributes:
        values: Per weight a tensor `(K, *shape)`; those of trainable weights are leaves that collect gradients.
        trainable: Per weight whether an optimizer changes it.
        names: Per weight its path in the model.
        flat: The trainable weights, `(K, parameters)`.
        gradients: Their gradients, of the same shape.
    """

    def __init__(
        self,
        model: Any,
        weights: Sequence[Sequence[Array]],
        *,
        device: str = "cpu",
        outside: Sequence[int] = (),
        shared: Sequence[int] = (),
    ) -> None:
        trained = {id(weight) for weight in model.trainable_weights}
        self.trainable = [id(weight) in trained for weight in model.weights]
        self.names = [weight.path for weight in model.weights]
        self.outside = frozenset(outside)
        self._shared = {place: np.array(weights[0][place]) for place in shared}
        self._num_runs = len(weights)
        stacked = [
            torch.from_numpy(self._shared[place]).expand(len(weights), *self._shared[place].shape)
            if place in self._shared
            else torch.from_numpy(np.stack([np.array(run[place]) for run in weights])).to(device)
            for place in range(len(self.trainable))
        ]
        self.values = stacked
        inside = [stacked[place].reshape(len(weights), -1) for place in self.trained()]
        empty = torch.zeros(len(weights), 0, device=device)
        self._take_buffer(torch.cat(inside, dim=1) if inside else empty)

    @property
    def num_runs(self) -> int:
        """How many runs are stacked."""
        return self._num_runs

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.flat.device

    def trained(self) -> list[int]:
        """Return the places of the trainable weights in the buffer."""
        return [place for place, trains in enumerate(self.trainable) if trains and place not in self.outside]

    def of_run(self, k: int) -> list[Array]:
        """Return a copy of the weights of the run at position `k`, in the order of `model.weights`.

        Those that all runs share are left out; `whole` puts them in.
        """
        row, start = self.flat[k].detach().cpu().numpy(), 0  # one copy from the device, not one per weight
        weights = []
        trained = set(self.trained())
        for place, value in enumerate(self.values):
            if place in self._shared:
                continue
            if place not in trained:
                weights.append(value[k].detach().cpu().numpy().copy())
                continue
            stop = start + value[k].numel()
            weights.append(row[start:stop].reshape(value.shape[1:]).copy())
            start = stop
        return weights

    def whole(self, own: Sequence[Array]) -> list[Array]:
        """Return what `of_run` gave with the weights that all runs share, the same arrays for every run, in place."""
        remaining = iter(own)
        return [self._shared[p] if p in self._shared else next(remaining) for p in range(len(self.trainable))]

    def leaves(self) -> list[torch.Tensor]:
        """Return the trainable weights in the buffer, which autograd differentiates with respect to."""
        return [self.values[place] for place in self.trained()]

    def collect(self, gradients: Sequence[torch.Tensor]) -> None:
        """Put the gradients of the leaves into the buffer."""
        if gradients:
            torch.cat([one.reshape(self._num_runs, -1) for one in gradients], dim=1, out=self.gradients)

    @contextmanager
    def replaced(self, values: Sequence[torch.Tensor]) -> Iterator[None]:
        """Compute with other tensors in the place of the weights; the trained ones become leaves."""
        own = self.values
        trained = set(self.trained())
        self.values = [v.detach().requires_grad_() if p in trained else v for p, v in enumerate(values)]
        try:
            yield
        finally:
            self.values = own

    def gradient(self, place: int) -> torch.Tensor:
        """Return the gradient of one trainable weight, `(K, *shape)`."""
        return self._gradient_views[place]

    def keep(self, runs: Sequence[int]) -> None:
        """Drop all runs but those at these positions."""
        index = torch.as_tensor(list(runs), device=self.device)
        self._num_runs = len(index)
        for place in self.untrained():
            self.values[place] = self.values[place].detach().index_select(0, index)
        for place, values in self._shared.items():
            self.values[place] = self.values[place][:1].expand(len(index), *values.shape)
        self._take_buffer(self.flat.index_select(0, index))

    def load(self, flat: torch.Tensor, others: Sequence[torch.Tensor]) -> None:
        """Take values over bit by bit: the buffer, and the weights outside it in the order of their places."""
        self.flat.copy_(flat)
        for place, value in zip(self.untrained(), others, strict=True):
            self.values[place].copy_(value)

    def untrained(self) -> list[int]:
        """Return the places of the weights outside the buffer that every run has for itself."""
        inside = {*self.trained(), *self._shared}
        return [place for place in range(len(self.trainable)) if place not in inside]

    def _take_buffer(self, flat: torch.Tensor) -> None:
        self.flat, self.gradients = flat, torch.zeros_like(flat)
        self._gradient_views: dict[int, torch.Tensor] = {}
        start = 0
        for place in self.trained():
            shape = self.values[place].shape[1:]
            stop = start + shape.numel()
            self.values[place] = flat[:, start:stop].view(-1, *shape).requires_grad_()
            self._gradient_views[place] = self.gradients[:, start:stop].view(-1, *shape)
            start = stop
