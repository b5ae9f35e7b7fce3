"""Batch, layer, group and root-mean-square normalization of K runs, in float32 as Keras computes them."""

import torch
from torch.nn import functional

from gengap.kernels.batch_normalization import normalize_batch, normalize_by
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
        last = wide.movedim(axis, -1)
        if context.training and layer.trainable:
            result, *batch = normalize_batch(last.flatten(1, -2), gamma, beta, layer.epsilon)
            with torch.no_grad():
                for average, new in zip(moving, batch, strict=True):
                    average.mul_(layer.momentum).add_(new, alpha=1.0 - layer.momentum)
            return self.cast(result.view(last.shape).movedim(-1, axis))
        scale = (moving[1] + layer.epsilon).rsqrt()
        result = normalize_by(last.flatten(1, -2), moving[0], scale if gamma is None else scale * gamma, beta)
        return self.cast(result.view(last.shape).movedim(-1, axis))


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
        last = wide.movedim(layer.axis % (x.ndim - 1) + 1, -1)
        result = self._normalize(last.flatten(0, 1)).view(last.shape)
        shape = [x.shape[0], *[1] * (x.ndim - 2), last.shape[-1]]
        if layer.scale:
            result = result * self.node.weight(layer.gamma).reshape(shape)
        if layer.center:
            result = result + self.node.weight(layer.beta).reshape(shape)
        return self.cast(result.movedim(-1, layer.axis % (x.ndim - 1) + 1))

    def rows(self, x: torch.Tensor, *, owned: bool = False) -> torch.Tensor:
        """Return the normalized rows; the scale and offset of a single run are part of torch's kernel."""
        del owned
        layer = self.node.operation
        gamma, beta = (None if one is None else self.node.weight(one)[0] for one in (layer.gamma, layer.beta))
        return self._normalize(x.movedim(layer.axis, -1), gamma, beta).movedim(-1, layer.axis)

    def _normalize(
        self, x: torch.Tensor, gamma: torch.Tensor | None = None, beta: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Normalize `(cases, *space, channels)`.

        As a copy with channels first: of channels-last tensors torch 2.13 takes variances as the difference of two sums
        of squares, which loses the digits of inputs whose mean is large.
        """
        layer = self.node.operation
        first = x.movedim(-1, 1).contiguous()
        return functional.group_norm(first, layer.groups, gamma, beta, layer.epsilon).movedim(1, -1)


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


FUSED_NORMALIZATIONS: dict[str, type[Fused]] = {
    "BatchNormalization": FusedBatchNormalization,
    "LayerNormalization": FusedLayerNormalization,
    "GroupNormalization": FusedGroupNormalization,
    "RMSNormalization": FusedRMSNormalization,
}
