"""TimeDistributed of K runs: all steps of all cases as one longer batch, through the kernel of the layer inside."""

import inspect
from collections.abc import Callable
from typing import Any

from gengap.layers.base import Fused, is_plain_in_all
from gengap.layers.doors import Door, PassContext, StackedNode, StackedTensor
from gengap.layers.noise import FusedNoise
from gengap.layers.normalization import FusedBatchNormalization


class FusedTimeDistributed(Door):
    """A layer that treats each step by itself, where its own kernel treats each case by itself.

    Args:
        node: The node of the TimeDistributed layer.
        kind: The kernel of the layer inside.
    """

    name = "fuse"

    def __init__(self, node: StackedNode, kind: type[Fused]) -> None:
        super().__init__(node)
        self._inside = kind(_inside(node))

    @classmethod
    def takes(
        cls, node: StackedNode, args: Any, kwargs: Any, kernel_of: Callable[[str], Any]
    ) -> "FusedTimeDistributed | None":
        """Return the door of a call, or None where there is none.

        Noise is drawn for every step by itself, and batch statistics are of one step: both take the slow door.
        """
        layer, inside = node.operation, _inside(node)
        kind = kernel_of(type(inside.operation).__name__)
        wrapped = (
            is_plain_in_all(node) and len(args) == 1 and isinstance(args[0], StackedTensor) and args[0].value.ndim > 3
        )
        if not wrapped or kind is None or not issubclass(kind, Fused):
            return None
        alone = not issubclass(kind, FusedNoise | FusedBatchNormalization) and kind.fits(inside)
        masked = args[0].mask is not None or kwargs.get("mask") is not None
        heeds = "mask" in inspect.signature(inside.operation.call).parameters
        formats = layer.compute_dtype == inside.operation.compute_dtype
        return cls(node, kind) if alone and formats and not (masked and heeds) else None

    def __call__(self, context: PassContext, *args: Any, **_: Any) -> Any:
        """Compute the layer inside on `(K, B * T, ...)` and hand the mask on."""
        x = args[0]
        result = self._inside(context, StackedTensor(x.value.flatten(1, 2))).value
        return StackedTensor(result.unflatten(1, x.value.shape[1:3]), x.mask)


def _inside(node: StackedNode) -> StackedNode:
    return node.inside(lambda layer: layer.layer)
