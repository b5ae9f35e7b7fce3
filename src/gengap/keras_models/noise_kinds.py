"""Keras' noise layers in one vocabulary: what noise each makes, how strong, and which values share a number.

Training and sampling both read it. Their generators are two, on purpose: training draws what a step needs in one go
under a key of (seed, layer, epoch, step); sampling finds the numbers of a member by counting, whatever is computed
beside it. One in the place of the other would change every mask that a seed has meant so far.
"""

from collections.abc import Sequence
from typing import Any, Literal

import keras

NoiseKind = Literal["dropout", "spatial", "gaussian_dropout", "gaussian_noise", "alpha"]

_CLASSES: dict[NoiseKind, tuple[Any, ...]] = {
    "spatial": (keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D, keras.layers.SpatialDropout3D),
    "dropout": (keras.layers.Dropout,),
    "gaussian_dropout": (keras.layers.GaussianDropout,),
    "gaussian_noise": (keras.layers.GaussianNoise,),
    "alpha": (keras.layers.AlphaDropout,),
}


def noise_kind(layer: Any) -> NoiseKind | None:
    """Return which noise a layer makes; None for other layers and for subclasses that compute something else."""
    for kind, classes in _CLASSES.items():
        if any(isinstance(layer, cls) and type(layer).call is cls.call for cls in classes):
            return kind
    return None


def strength_of(layer: Any) -> float:
    """Return a noise layer's rate, or the standard deviation of additive noise."""
    return float(layer.stddev if isinstance(layer, keras.layers.GaussianNoise) else layer.rate)


def mask_shape(layer: Any, of_row: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of one row's noise for one row's input of a shape: 1 along axes whose values share a number."""
    if isinstance(layer, _CLASSES["spatial"]):
        channels_first = getattr(layer, "data_format", "channels_last") == "channels_first"
        channel = 0 if channels_first else len(of_row) - 1
        return tuple(size if axis == channel else 1 for axis, size in enumerate(of_row))
    declared = getattr(layer, "noise_shape", None)
    if declared is None:
        return tuple(of_row)
    return tuple(size if wanted is None else wanted for wanted, size in zip(declared[1:], of_row, strict=True))


def shares_rows(layer: Any) -> bool:
    """Tell whether all rows of a batch share one mask: a `noise_shape` with a batch axis of 1."""
    declared = getattr(layer, "noise_shape", None)
    return declared is not None and declared[0] == 1
