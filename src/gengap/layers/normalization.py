"""Batch, layer and group normalization of K runs, in float32 as Keras computes them."""

import torch
from torch.nn import functional

from gengap.kernels.batch_normalization import normalize_batch
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
        moving = [self.node.weight(one) for one in (layer.moving_mean, layer.moving_variance)]
        gamma = self.node.weight(layer.gamma) if layer.scale else None
        beta = self.node.weight(layer.beta) if layer.center else None
        if context.training and layer.trainable:
            last = wide.movedim(axis, -1)
            result, *batch = normalize_batch(last.flatten(1, -2), gamma, beta, layer.epsilon)
            with torch.no_grad():
                for average, new in zip(moving, batch, strict=True):
                    average.mul_(layer.momentum).add_(new, alpha=1.0 - layer.momentum)
            return self.cast(result.view(last.shape).movedim(-1, axis))
        shape = [x.shape[0], *(x.shape[dim] if dim == axis else 1 for dim in range(1, x.ndim))]
        scale = (moving[1] + layer.epsilon).rsqrt()
        scale = scale if gamma is None else scale * gamma
        result = (wide - moving[0].reshape(shape)) * scale.reshape(shape)
        return self.cast(result if beta is None else result + beta.reshape(shape))


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
        if axes == list(range(x.ndim - len(axes), x.ndim)):  # the last ones, for which torch has a kernel
            result = functional.layer_norm(wide, x.shape[-len(axes) :], eps=layer.epsilon)
        else:
            variance, mean = torch.var_mean(wide, dim=axes, correction=0, keepdim=True)
            result = (wide - mean) * (variance + layer.epsilon).rsqrt()
        if layer.gamma is not None:
            result = result * self.node.weight(layer.gamma).reshape(shape)
        if layer.beta is not None:
            result = result + self.node.weight(layer.beta).reshape(shape)
        return self.cast(result)

    def rows(self, x: torch.Tensor, *, owned: bool = False) -> torch.Tensor:
        """Return the normalized rows; the scale and offset of a single run are part of torch's kernel."""
        layer = self.node.operation
        count = len(layer.axis)
        if [axis % x.ndim for axis in layer.axis] != list(range(x.ndim - count, x.ndim)):
            return super().rows(x, owned=owned)
        gamma, beta = (None if one is None else self.node.weight(one)[0] for one in (layer.gamma, layer.beta))
        return functional.layer_norm(x, x.shape[-count:], gamma, beta, layer.epsilon)


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

    def rows(self, x: torch.Tensor, *, owned: bool = False) -> torch.Tensor:
        """Return the normalized rows by Keras' own code, which is faster for a single run."""
        del owned
        return self.node.operation.call(x)  # type: ignore[no-any-return]  # Keras' `call`


FUSED_NORMALIZATIONS: dict[str, type[Fused]] = {
    "BatchNormalization": FusedBatchNormalization,
    "LayerNormalization": FusedLayerNormalization,
    "GroupNormalization": FusedGroupNormalization,
}
