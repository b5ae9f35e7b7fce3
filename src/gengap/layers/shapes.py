"""Operations that only take apart and put together, of all runs: without the way through Keras' calls.

Keras' own code would do for them (they join), at a few tenths of a millisecond each: as much as a small dense layer.
"""

from typing import Any

import keras
import torch

from gengap.keras_models.private import is_keras_own
from gengap.layers.base import is_plain_in_all, torch_dtype
from gengap.layers.doors import Door, PassContext, StackedNode, StackedTensor


class FusedGetItem(Door):
    """`x[:, ...]`: columns, steps or channels of every case."""

    name = "fuse"

    @classmethod
    def takes(cls, node: StackedNode, args: Any, kwargs: Any) -> bool:
        """Tell whether all cases stay, and the rest of the key is made of whole numbers and slices."""
        return (
            is_keras_own(node.operation)
            and not kwargs
            and len(args) == 2
            and _is_unmasked(args[0])
            and isinstance(args[1], tuple)
            and len(args[1]) > 1
            and args[1][0] == slice(None)
            and all(one is Ellipsis or (isinstance(one, slice | int) and not isinstance(one, bool)) for one in args[1])
        )

    def __call__(self, context: PassContext, *args: Any, **_: Any) -> Any:  # noqa: ARG002  the same in training
        """Return the part of every case."""
        value, key = args
        return StackedTensor(value.value[(slice(None), *key)])


class FusedConcatenate(Door):
    """Values of the same cases side by side."""

    name = "fuse"

    @classmethod
    def takes(cls, node: StackedNode, args: Any, kwargs: Any) -> bool:
        """Tell whether values without masks are put together, along another axis than that of the cases."""
        return (
            isinstance(node.operation, keras.layers.Concatenate)  # an operation of this name has no number format
            and is_plain_in_all(node)
            and not kwargs
            and len(args) == 1
            and isinstance(args[0], list | tuple)
            and all(map(_is_unmasked, args[0]))
            and all(one.value.is_floating_point() for one in args[0])
            and node.operation.axis not in {0, 1 - args[0][0].value.ndim}
        )

    def __call__(self, context: PassContext, *args: Any, **_: Any) -> Any:  # noqa: ARG002  the same in training
        """Return the values in one."""
        layer = self.node.operation
        dtype = torch_dtype(layer.compute_dtype)
        return StackedTensor(
            torch.cat([one.value.to(dtype) for one in args[0]], dim=layer.axis + 1 if layer.axis > 0 else layer.axis)
        )


def _is_unmasked(value: Any) -> bool:
    return isinstance(value, StackedTensor) and value.mask is None


FUSED_SHAPES: dict[str, type[FusedGetItem] | type[FusedConcatenate]] = {
    "GetItem": FusedGetItem,
    "Concatenate": FusedConcatenate,
}
