"""Dropout inside recurrent cells of K runs: what a pass multiplies their inputs and states by, as Keras draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import torch

from gengap.layers.doors import PassContext, StackedNode


@dataclass(frozen=True, eq=False)
class Factors:
    """What one recurrent layer multiplies by at all steps of a pass.

    Attributes:
        inputs: Factors of the inputs, `(K, 1 or gates, B, features)`; None where they are one.
        states: Factors of the state, `(K, 1 or gates, B, units)`; None where they are one.
    """

    inputs: torch.Tensor | None = None
    states: torch.Tensor | None = None


class RecurrentDropout:
    """The masks of the recurrent layers of one operation: one, or the two directions.

    They are drawn run by run from the generators of the cells, as Keras' own loop draws them: some small draws for a
    whole sequence.

    Args:
        node: The operation.
        layers: The recurrent layers of each run's operation.
    """

    def __init__(self, node: StackedNode, layers: Sequence[Sequence[Any]]) -> None:
        self._node = node
        self._cells = [[layer.cell for layer in own] for own in layers]
        of_each = list(zip(*self._cells, strict=True))  # the cells of all runs, direction by direction
        self._gates = [max(getattr(cell, "dropout_mask_count", None) or 1 for cell in cells) for cells in of_each]
        self._rates = [
            tuple(max(getattr(cell, name) for cell in cells) for name in ("dropout", "recurrent_dropout"))
            for cells in of_each
        ]

    def factors(self, x: torch.Tensor, context: PassContext) -> list[Factors]:
        """Return the factors of each layer in this pass, for inputs `(K, B, T, features)`."""
        if not context.training or not any(map(any, self._rates)):
            return [Factors()] * len(self._rates)
        shapes = [
            (gates, x.shape[1], size if rate > 0 else 0)
            for gates, rates, cell in zip(self._gates, self._rates, self._cells[0], strict=True)
            for rate, size in zip(rates, (x.shape[-1], cell.units), strict=True)
        ]

        def draw(moment: PassContext) -> torch.Tensor:
            own = [self._of_run(k, moment, shapes, like=x) for k in range(len(self._cells))]
            return torch.stack(own)

        sizes = [a * b * c for a, b, c in shapes]
        parts = torch.split(context.drawn(draw), sizes, dim=-1)
        known = [part.reshape(-1, *shape) if part.numel() else None for part, shape in zip(parts, shapes, strict=True)]
        return [Factors(*pair) for pair in zip(known[::2], known[1::2], strict=True)]

    def _of_run(
        self, k: int, context: PassContext, shapes: Sequence[tuple[int, int, int]], *, like: torch.Tensor
    ) -> torch.Tensor:
        """Return all masks of one run in one row."""
        states = self._node.noises[k].states(self._node.operations[k], context.moment(k, self._node.seeds[k]))
        asked = [
            (rate, ask)
            for cell in self._cells[k]
            for rate, ask in (
                (cell.dropout, cell.get_dropout_mask),
                (cell.recurrent_dropout, cell.get_recurrent_dropout_mask),
            )
        ]
        with torch.no_grad(), keras.StatelessScope(states):
            rows = []
            for (rate, ask), (gates, cases, size) in zip(asked, shapes, strict=True):
                ones = like.new_ones(cases, size)
                masks = ask(ones) if rate > 0 else ones
                whole = torch.stack(masks) if isinstance(masks, list) else masks.unsqueeze(0)
                rows.append(whole.expand(gates, cases, size).flatten())
        for cell in self._cells[k]:
            cell.reset_dropout_mask()
            cell.reset_recurrent_dropout_mask()
        return torch.cat(rows)
