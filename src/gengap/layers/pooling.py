"""Average and maximum pooling of K runs without the copies that Keras' transposes make."""

import torch

from gengap.kernels.pooling import average_pool, max_pool
from gengap.layers.base import Fused
from gengap.layers.doors import PassContext, StackedNode


class FusedPooling(Fused):
    """Pooling over windows of channels-last activations."""

    @classmethod
    def fits(cls, node: StackedNode) -> bool:
        """Channels first is rare enough for Keras' own code."""
        return bool(node.operation.data_format == "channels_last")

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Pool all runs' samples at once."""
        layer = self.node.operation
        pool = max_pool if type(layer).__name__.startswith("Max") else average_pool
        result = pool(x.flatten(0, 1), pool_size=layer.pool_size, strides=layer.strides, padding=layer.padding)
        return result.reshape(*x.shape[:2], *result.shape[1:])


FUSED_POOLING: dict[str, type[Fused]] = {
    f"{kind}Pooling{rank}D": FusedPooling for kind in ("Average", "Max") for rank in (1, 2, 3)
}
