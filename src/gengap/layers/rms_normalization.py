"""Normalization by the root mean square of K runs, in float32 as Keras computes it."""

import torch
from torch.nn import functional

from gengap.layers.base import Fused
from gengap.layers.doors import PassContext, StackedNode


class FusedRMSNormalization(Fused):
    """Each vector along the last axis divided by its root mean square, with each run's own scale."""

    @classmethod
    def fits(cls, node: StackedNode) -> bool:
        """Other axes take the slow door."""
        return all(layer.axis in (-1, [-1], (-1,)) for layer in node.different)

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return the normalized input."""
        wide = x.float() if x.dtype in {torch.float16, torch.bfloat16} else x
        result = functional.rms_norm(wide, wide.shape[-1:], eps=self.node.operation.epsilon)
        scale = self.node.weight(self.node.operation.scale)
        return self.cast(result * scale.reshape(len(scale), *[1] * (x.ndim - 2), -1))

    def rows(self, x: torch.Tensor, *, owned: bool = False) -> torch.Tensor:
        """Return the normalized rows by Keras' own code, which is torch's for a single run."""
        del owned
        return self.node.operation.call(x)  # type: ignore[no-any-return]  # Keras' `call`
