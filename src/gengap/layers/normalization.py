"""Batch, layer and group normalization of K runs, in float32 as Keras computes them."""

import torch

from gengap.layers.base import Fused
from gengap.layers.doors import PassContext, StackedNode


class FusedBatchNormalization(Fused):
    """Batch statistics and moving averages of each run."""

    @classmethod
    def fits(cls, node: StackedNode) -> bool:
        """Batch renormalization and several axes take the slow door."""
        return not getattr(node.operation, "renorm", False) and not getattr(node.operation, "synchronized", False)

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:
        """Normalize; in training also move the averages."""
        layer = self.node.operation
        wide = x.float() if x.dtype in {torch.float16, torch.bfloat16} else x
        axis = layer.axis % (x.ndim - 1) + 1
        moving_mean, moving_variance = (self.node.weight(v) for v in (layer.moving_mean, layer.moving_variance))
        if context.training and layer.trainable:
            others = [dim for dim in range(1, x.ndim) if dim != axis]
            variance, mean = torch.var_mean(wide, dim=others, correction=0)
            with torch.no_grad():
                for moving, batch in ((moving_mean, mean), (moving_variance, variance)):
                    moving.mul_(layer.momentum).add_(batch.detach(), alpha=1.0 - layer.momentum)
        else:
            mean, variance = moving_mean, moving_variance
        shape = [x.shape[0], *(x.shape[dim] if dim == axis else 1 for dim in range(1, x.ndim))]
        scale = (variance + layer.epsilon).rsqrt()
        if layer.scale:
            scale = scale * self.node.weight(layer.gamma)
        result = (wide - mean.reshape(shape)) * scale.reshape(shape)
        if layer.center:
            result = result + self.node.weight(layer.beta).reshape(shape)
        return self.cast(result)


class FusedLayerNormalization(Fused):
    """Each sample normalized over the layer's axes, with each run's own scale and offset."""

    @classmethod
    def fits(cls, node: StackedNode) -> bool:
        """The variance-scaled form is not Keras' root mean square; it takes the slow door."""
        return not getattr(node.operation, "rms_scaling", False)

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return the normalized input."""
        layer = self.node.operation
        wide = x.float() if x.dtype in {torch.float16, torch.bfloat16} else x
        axes = [axis % (x.ndim - 1) + 1 for axis in layer.axis]
        shape = [x.shape[0], *(x.shape[dim] if dim in axes else 1 for dim in range(1, x.ndim))]
        variance, mean = torch.var_mean(wide, dim=axes, correction=0, keepdim=True)
        result = (wide - mean) * (variance + layer.epsilon).rsqrt()
        if layer.gamma is not None:
            result = result * self.node.weight(layer.gamma).reshape(shape)
        if layer.beta is not None:
            result = result + self.node.weight(layer.beta).reshape(shape)
        return self.cast(result)


class FusedGroupNormalization(Fused):
    """Each sample normalized over groups of channels, with each run's own scale and offset."""

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return the normalized input."""
        layer = self.node.operation
        wide = x.float() if x.dtype in {torch.float16, torch.bfloat16} else x
        axis = layer.axis % (x.ndim - 1) + 1
        channels_last = wide.movedim(axis, -1)
        num_runs, channels = x.shape[0], channels_last.shape[-1]
        grouped = channels_last.reshape(*channels_last.shape[:-1], layer.groups, channels // layer.groups)
        over = [dim for dim in range(2, grouped.ndim) if dim != grouped.ndim - 2]
        variance, mean = torch.var_mean(grouped, dim=over, correction=0, keepdim=True)
        result = ((grouped - mean) * (variance + layer.epsilon).rsqrt()).flatten(-2)
        shape = [num_runs, *[1] * (x.ndim - 2), channels]
        if layer.scale:
            result = result * self.node.weight(layer.gamma).reshape(shape)
        if layer.center:
            result = result + self.node.weight(layer.beta).reshape(shape)
        return self.cast(result.movedim(-1, axis))


FUSED_NORMALIZATIONS: dict[str, type[Fused]] = {
    "BatchNormalization": FusedBatchNormalization,
    "LayerNormalization": FusedLayerNormalization,
    "GroupNormalization": FusedGroupNormalization,
}
