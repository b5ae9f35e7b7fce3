"""One step of a chunk: forward, objective, and one backward pass of the sum of all runs' objectives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gengap.engine.losses import Objective
from gengap.engine.penalties import Penalties
from gengap.layers.doors import PassContext, SparseProduct
from gengap.layers.program import Program
from gengap.layers.stack import Stack


@dataclass(frozen=True, eq=False)
class Batch:
    """What a step sees.

    Attributes:
        inputs: Flat inputs, each `(K, B, ...)`, or what a first layer made of sparse ones.
        y_true: Answers in the structure of the data, `(K, B, ...)` each.
        weight: What each case counts, `(K, B)`, or None.
    """

    inputs: Sequence[torch.Tensor | SparseProduct]
    y_true: Any
    weight: torch.Tensor | None


@dataclass(frozen=True, eq=False)
class Differentiated:
    """What a step gives.

    Attributes:
        objective: Objective of each run without any penalty, `(K,)`.
        parts: The losses that it consists of, by Keras' names, `(K,)` each.
        outputs: Outputs of all runs, `(K, B, ...)`, in the structure of the model's output.
        gradients: With respect to the stack's leaves, then to what a first layer made of sparse inputs.
        added: What layers add to the objective: penalties on activities and `add_loss`, `(K,)`; None where none does.
    """

    objective: torch.Tensor
    parts: Mapping[str, torch.Tensor]
    outputs: Any
    gradients: list[torch.Tensor]
    added: torch.Tensor | None = None


class TrainingStep:
    """The differentiable part of a step.

    Args:
        program: The runs' graph.
        objective: Their data loss.
        penalties: Their penalties on weights; those that autograd has to see are part of the gradient.
        stack: Their weights.
    """

    def __init__(self, program: Program, objective: Objective, penalties: Penalties, stack: Stack) -> None:
        self.program, self.stack = program, stack
        self._objective, self._penalties = objective, penalties

    def __call__(self, batch: Batch, context: PassContext, scales: torch.Tensor | None = None) -> Differentiated:
        """Compute outputs, objectives and gradients.

        Args:
            batch: What the runs see.
            context: Mode and moment of the pass, for noise.
            scales: What the optimizers want each run's objective multiplied by before it is differentiated, `(K,)`.
        """
        outputs = self.program(batch.inputs, context)
        parts = self._objective.parts(self._objective.answers(batch.y_true, outputs), outputs, batch.weight)
        objective = self._objective.total(parts)
        added = torch.stack(context.extra_losses).sum(dim=0) if context.extra_losses else None
        unusual = self._penalties.differentiable()
        total = sum((one for one in (added, unusual) if one is not None), objective)
        leaves = [*self.stack.leaves(), *(one.product for one in batch.inputs if isinstance(one, SparseProduct))]
        found = torch.autograd.grad((total if scales is None else total * scales).sum(), leaves, allow_unused=True)
        gradients = [torch.zeros_like(leaf) if one is None else one for leaf, one in zip(leaves, found, strict=True)]
        return Differentiated(objective, parts, outputs, gradients, added)
