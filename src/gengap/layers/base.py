"""What all stacked kernels of layers share: when they apply, number formats, activations."""

from abc import abstractmethod
from typing import Any, final

import keras
import torch

from gengap.keras_models.private import is_keras_own
from gengap.keras_models.separability import is_keras_function, is_keras_made
from gengap.layers.doors import Door, PassContext, StackedNode, StackedTensor
from gengap.layers.probe import PerRun


class Fused(Door):
    """A layer of all runs computed at once by code of ours, equal to Keras' to rounding."""

    name = "fuse"

    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self._makes_masks = bool(getattr(node.operation, "mask_zero", False))

    @classmethod
    def fits(cls, node: StackedNode) -> bool:  # noqa: ARG003  kernels that cannot do every configuration say so here
        """Tell whether the kernel can do this layer as it is configured."""
        return True

    @abstractmethod
    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:
        """Return the layer's output `(K, B, ...)` for its input `(K, B, ...)`."""

    @final
    def __call__(self, context: PassContext, *args: Any, **_: Any) -> Any:
        """Compute the layer on its one input, in its compute dtype, and hand on or make the mask as Keras does."""
        x = args[0]
        result = self.compute(self.cast(x.value), context)
        if x.mask is None and not self._makes_masks:
            return StackedTensor(result)
        layer = self.node.operation
        return StackedTensor(result, layer.compute_mask(x.value, x.mask) if layer.supports_masking else None)

    @final
    def cast(self, x: torch.Tensor) -> torch.Tensor:
        """Convert floating-point values as Keras' layers do: to the compute dtype of the layer's policy."""
        dtype = torch_dtype(self.node.operation.compute_dtype)
        return x.to(dtype) if x.is_floating_point() and x.dtype != dtype else x

    @final
    def weight(self, name: str) -> torch.Tensor:
        """Return a stacked weight by its attribute in the layer, in the compute dtype."""
        return self.cast(self.node.weight(getattr(self.node.operation, name)))

    @final
    def bias(self) -> torch.Tensor | None:
        """Return the stacked bias in the compute dtype; None where the layer has none."""
        return None if self.node.operation.bias is None else self.weight("bias")


class Activation:
    """A layer's activation on all runs, as one batch where it is Keras' own."""

    def __init__(self, layer: keras.Layer) -> None:
        function = layer.activation
        own = is_keras_function(function) or isinstance(function, keras.layers.Layer)
        linear = function in {None, keras.activations.linear}
        self._function = None if linear else PerRun(function, separate=own)

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        """Return the activation of `(K, B, ...)`."""
        return z if self._function is None else self._function(z)


def plain(node: StackedNode) -> bool:
    """Tell whether a layer is nothing but its class: no activity penalty, LoRA or quantization on it."""
    layer = node.operation
    own = is_keras_own(layer)  # a user's subclass of the same name may do anything
    return (
        own
        and all(operation.activity_regularizer is None for operation in node.operations)
        and not getattr(layer, "lora_enabled", False)
        and layer.quantization_mode is None
        and _is_plain_activation(getattr(layer, "activation", None))
    )


def is_bare(layer: keras.Layer) -> bool:
    """Tell whether one layer is Keras' own, without an activity penalty, LoRA or quantization on it."""
    return (
        is_keras_own(layer)
        and layer.activity_regularizer is None
        and not getattr(layer, "lora_enabled", False)
        and layer.quantization_mode is None
    )


def _is_plain_activation(activation: Any) -> bool:
    """Tell whether an activation is a function, or a layer of Keras' without weights or noise of its own."""
    if not isinstance(activation, keras.layers.Layer):
        return True
    return is_keras_made(activation) and not activation.variables and getattr(activation, "axis", -1) == -1


def torch_dtype(name: str) -> torch.dtype:
    """Return torch's number format of Keras' name."""
    return getattr(torch, name)  # type: ignore[no-any-return]
