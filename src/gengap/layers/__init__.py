"""Stacked kernels of Keras layers: one file per family, which says how it is recognised, computed and sampled."""

import inspect
from typing import Any

from keras import tree

from gengap.layers.activations import FUSED_ACTIVATIONS
from gengap.layers.attention import FUSED_ATTENTION
from gengap.layers.base import Fused, Traits, is_plain, is_plain_in_all
from gengap.layers.convolution import FUSED_CONVOLUTIONS
from gengap.layers.dense import FUSED_DENSE, SparseInputDense
from gengap.layers.doors import Door, SparseProduct, StackedNode, StackedTensor
from gengap.layers.noise import FUSED_NOISE
from gengap.layers.normalization import FUSED_NORMALIZATIONS
from gengap.layers.pooling import FUSED_POOLING
from gengap.layers.recurrent import FUSED_RECURRENT, RecurrentDoor
from gengap.layers.shapes import FUSED_SHAPES
from gengap.layers.time_distributed import FusedTimeDistributed

OF_ONE_VALUE: dict[str, type[Fused]] = {
    **FUSED_ACTIVATIONS,
    **FUSED_DENSE,
    **FUSED_CONVOLUTIONS,
    **FUSED_NORMALIZATIONS,
    **FUSED_NOISE,
    **FUSED_POOLING,
}
"""Families of layers that make one value of one, by the name of the class in `keras.layers`."""

FUSED: dict[str, type[Fused] | type[RecurrentDoor]] = {**OF_ONE_VALUE, **FUSED_RECURRENT}
"""The stacked kernel of each layer class, by the class's name in `keras.layers`."""

_OF_CALLS = FUSED_ATTENTION | FUSED_SHAPES
"""Kernels that judge a call by all its arguments."""


def traits_of(operation: Any) -> Traits:
    """Return what is true of what a layer computes; nothing special of what is not plain or has no family."""
    family = OF_ONE_VALUE.get(type(operation).__name__)
    return Traits() if family is None or not is_plain(operation) else family.traits(operation)


def fused_door(node: StackedNode, args: Any, kwargs: Any) -> Door | None:
    """Return the stacked kernel for a step, or None where there is none for this layer as it is configured."""
    if args and isinstance(args[0], SparseProduct):
        return SparseInputDense(node)
    name = type(node.operation).__name__
    if name == "TimeDistributed":
        return FusedTimeDistributed.takes(node, args, kwargs, FUSED.get)
    judging = _OF_CALLS.get(name)
    if judging is not None:
        return judging(node) if judging.takes(node, args, kwargs) else None
    return _one_value_door(node, args, kwargs)


def _one_value_door(node: StackedNode, args: Any, kwargs: Any) -> Door | None:
    """Return the kernel of a layer that makes one value of one, if it can do this call."""
    door = FUSED.get(type(node.operation).__name__)
    heeds_masks = door is not None and issubclass(door, RecurrentDoor)
    heeded = heeds_masks and isinstance(kwargs.get("mask"), StackedTensor)
    others = tree.flatten({name: value for name, value in kwargs.items() if not (heeded and name == "mask")})
    bare = all(one is None or one is False for one in others)  # a constant has no truth, or one that misleads
    one_value = len(args) == 1 and isinstance(args[0], StackedTensor) and bare
    if door is None or not one_value or not is_plain_in_all(node) or not door.fits(node):
        return None
    if heeds_masks:
        return door(node)
    if args[0].mask is not None and "mask" in inspect.signature(node.operation.call).parameters:
        return None  # batch statistics of what is not masked
    return door(node)
