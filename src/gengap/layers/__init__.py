"""Stacked kernels of Keras layers: one file per family, one table of all."""

import inspect
from typing import Any

from keras import tree

from gengap.layers.base import Fused, plain
from gengap.layers.convolution import FUSED_CONVOLUTIONS
from gengap.layers.dense import FUSED_DENSE, ProjectedDense
from gengap.layers.doors import Door, Place, Projected, Stacked
from gengap.layers.noise import FUSED_NOISE
from gengap.layers.normalization import FUSED_NORMALIZATIONS
from gengap.layers.pooling import FUSED_POOLING
from gengap.layers.recurrent import FUSED_RECURRENT, RecurrentDoor

FUSED: dict[str, type[Fused] | type[RecurrentDoor]] = {
    **FUSED_DENSE,
    **FUSED_CONVOLUTIONS,
    **FUSED_NORMALIZATIONS,
    **FUSED_NOISE,
    **FUSED_POOLING,
    **FUSED_RECURRENT,
}
"""The stacked kernel of each layer class, by the class's name in `keras.layers`."""


def fused_door(place: Place, args: Any, kwargs: Any) -> Door | None:
    """Return the stacked kernel for a step, or None where there is none for this layer as it is configured."""
    if args and isinstance(args[0], Projected):
        return ProjectedDense(place)
    door = FUSED.get(type(place.operation).__name__)
    heeds_masks = door is not None and issubclass(door, RecurrentDoor)
    others = {name: value for name, value in kwargs.items() if not (heeds_masks and name == "mask")}
    one_value = len(args) == 1 and isinstance(args[0], Stacked) and not any(tree.flatten(others))
    if door is None or not one_value or not plain(place) or not door.fits(place):
        return None
    if heeds_masks:
        return door(place)
    if args[0].mask is not None and "mask" in inspect.signature(place.operation.call).parameters:
        return None  # batch statistics of what is not masked
    return door(place)
