"""What all stacked kernels of layers share: when they apply, what a sampler may do with them, number formats."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, final

import keras
import torch

from gengap.keras_models.private import all_layers, is_keras_own
from gengap.keras_models.separability import is_keras_made
from gengap.layers.doors import Door, PassContext, StackedNode, StackedTensor


@dataclass(frozen=True)
class Traits:
    """What is true of what a layer computes in inference, and lets a sampler save work.

    Attributes:
        sums_channels: Before bias and activation its result is the sum of what each channel of its input gives, the
            last axis: the parts may be computed once, and summed under the masks of every member.
        scales_channels: It commutes with factors >= 0 on the last axis of its input, as pooling, padding and rectifiers
            do: a mask of channels may be multiplied afterwards, on fewer values.
        makes_new_values: Its result shares no memory with its input: who alone reads it may overwrite it.
        takes_half: It may compute in half precision. A head may not: of 8 bits its probabilities are steps.
    """

    sums_channels: bool = False
    scales_channels: bool = False
    makes_new_values: bool = False
    takes_half: bool = False


class Fused(Door):
    """A layer of all runs computed at once by code of ours, equal to Keras' to rounding."""

    name = "fuse"

    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self.makes_masks = bool(getattr(node.operation, "mask_zero", False))

    @classmethod
    def fits(cls, node: StackedNode) -> bool:  # noqa: ARG003  kernels that cannot do every configuration say so here
        """Tell whether the kernel can do this layer as it is configured."""
        return True

    @classmethod
    def traits(cls, layer: keras.Layer) -> Traits:  # noqa: ARG003  most families have none
        """Return what is true of a plain layer of this family."""
        return Traits()

    @abstractmethod
    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:
        """Return the layer's output `(K, B, ...)` for its input `(K, B, ...)`."""

    def rows(self, x: torch.Tensor, *, owned: bool = False) -> torch.Tensor:
        """Return the output `(rows, ...)` of a single run for rows of any number of members, in inference.

        Args:
            x: Its input, in the number format to compute in.
            owned: Whether nobody else reads the input, so that it may be overwritten.
        """
        del owned
        return self.compute(x.unsqueeze(0), PassContext(training=False)).squeeze(0)

    @final
    def __call__(self, context: PassContext, *args: Any, **_: Any) -> Any:
        """Compute the layer on its one input, in its compute dtype, and hand on or make the mask as Keras does."""
        x = args[0]
        result = self.compute(self.cast(x.value), context)
        if x.mask is None and not self.makes_masks:
            return StackedTensor(result)
        layer = self.node.operation
        return StackedTensor(result, layer.compute_mask(x.value, x.mask) if layer.supports_masking else None)

    @final
    def cast(self, x: torch.Tensor) -> torch.Tensor:
        """Convert floating-point values as Keras' layers do: to the compute dtype of the layer's policy."""
        dtype = torch_dtype(self.node.operation.compute_dtype)
        return x.to(dtype) if x.is_floating_point() and x.dtype != dtype else x

    @final
    def weight(self, name: str, *, like: torch.Tensor | None = None) -> torch.Tensor:
        """Return a stacked weight by its attribute in the layer, in the compute dtype, or in that of a tensor."""
        value = self.node.weight(getattr(self.node.operation, name))
        return self.cast(value) if like is None else value.to(like.dtype)

    @final
    def bias(self, *, like: torch.Tensor | None = None) -> torch.Tensor | None:
        """Return the stacked bias in the compute dtype, or that of a tensor; None where the layer has none."""
        return None if self.node.operation.bias is None else self.weight("bias", like=like)


def is_plain(layer: keras.Layer) -> bool:
    """Tell whether a layer computes what its class says: Keras' own, without LoRA or quantization on it.

    An activation that it carries is a function, or a layer of Keras' without weights or noise of its own. There is no
    other answer to this question; what training asks besides is `is_plain_in_all`.
    """
    return (
        isinstance(layer, keras.layers.Layer)
        and is_keras_own(layer)  # a user's subclass of the same name may do anything
        and not getattr(layer, "lora_enabled", False)
        and getattr(layer, "quantization_mode", None) is None
        and _is_plain_activation(getattr(layer, "activation", None))
    )


def is_plain_in_all(node: StackedNode) -> bool:
    """Tell whether a layer is plain, its parts too, and in no run adds a penalty on its activations."""
    if not isinstance(node.operation, keras.layers.Layer) or not all(map(is_plain, all_layers(node.operation))):
        return False
    return all(part.activity_regularizer is None for layer in node.different for part in all_layers(layer))


def _is_plain_activation(activation: Any) -> bool:
    if not isinstance(activation, keras.layers.Layer):
        return True
    return is_keras_made(activation) and not activation.variables and getattr(activation, "axis", -1) == -1


def torch_dtype(name: str) -> torch.dtype:
    """Return torch's number format of Keras' name."""
    return getattr(torch, name)  # type: ignore[no-any-return]
