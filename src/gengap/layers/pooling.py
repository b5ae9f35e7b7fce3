"""Pooling of K runs without the copies that Keras' transposes make, and what else works on each channel by itself."""

import math
from typing import Any

import torch

from gengap.kernels.pooling import average_pool, max_pool
from gengap.layers.base import Fused, Traits
from gengap.layers.doors import PassContext, StackedNode


def is_channels_last(layer: Any) -> bool:
    """Tell whether channels are the last axis of what a layer takes; 1-D cropping and padding know no other way."""
    return getattr(layer, "data_format", "channels_last") in {"channels_last", None}


class FusedPooling(Fused):
    """Pooling over windows of channels-last activations."""

    @classmethod
    def fits(cls, node: StackedNode) -> bool:
        """Channels first is rare enough for Keras' own code."""
        return is_channels_last(node.operation)

    @classmethod
    def traits(cls, layer: Any) -> Traits:
        """Channels are never mixed."""
        known = is_channels_last(layer)
        half = known and type(layer).__name__ != "AveragePooling3D"  # torch has none on a CPU
        return Traits(scales_channels=known, makes_new_values=known, takes_half=half)

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Pool all runs' samples at once."""
        layer = self.node.operation
        pool = max_pool if type(layer).__name__.startswith("Max") else average_pool
        result = pool(x.flatten(0, 1), pool_size=layer.pool_size, strides=layer.strides, padding=layer.padding)
        return result.reshape(*x.shape[:2], *result.shape[1:])


class FusedChannelwise(Fused):
    """Global pooling, upsampling, padding and cropping: Keras' own code on all runs' samples as one batch."""

    @classmethod
    def traits(cls, layer: Any) -> Traits:
        """Channels are never mixed."""
        return Traits(scales_channels=is_channels_last(layer))

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Call the layer past what Keras does around every call."""
        result = self.node.operation.call(x.flatten(0, 1))
        return result.reshape(*x.shape[:2], *result.shape[1:])  # type: ignore[no-any-return]  # Keras' `call`


class FusedFlatten(Fused):
    """All numbers of a sample in one row."""

    @classmethod
    def fits(cls, node: StackedNode) -> bool:
        """Channels first are moved, by Keras' own code."""
        return is_channels_last(node.operation)

    @classmethod
    def traits(cls, layer: Any) -> Traits:
        """Nothing is computed."""
        return Traits(takes_half=is_channels_last(layer))

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return `(K, B, numbers)`."""
        return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


FUSED_POOLING: dict[str, type[Fused]] = {
    "Flatten": FusedFlatten,
    **{f"{kind}Pooling{rank}D": FusedPooling for kind in ("Average", "Max") for rank in (1, 2, 3)},
    **{
        f"{kind}{rank}D": FusedChannelwise
        for kind in ("GlobalAveragePooling", "GlobalMaxPooling", "UpSampling", "ZeroPadding", "Cropping")
        for rank in (1, 2, 3)
    },
}
