"""Doors to the compiled convolutions of small planes: planes of all members that wait for what follows them."""

from dataclasses import replace

import keras
import torch

from gengap.kernels.compiled_code import HIGH, LANES
from gengap.kernels.small_planes import (
    Ending,
    TiledConvolution,
    is_available,
    sum_planes,
    tiles_are_worth_while,
)
from gengap.layers.activations import Activation, is_rectifier
from gengap.layers.pooling import is_channels_last
from gengap.sampling.masks import Block
from gengap.sampling.spectral import plane_of
from gengap.sampling.values import Deferred, Masked, PerMember, Value


def tiled_convolution(layer: keras.Layer) -> TiledConvolution | None:
    """Return a layer's convolution by tiles where it is worth while: a `Conv2D` on small planes of known size."""
    plane = plane_of(layer)
    if plane is None or not tiles_are_worth_while(plane, tuple(layer.kernel.shape)):
        return None
    return TiledConvolution(layer.kernel.value, layer.bias.value if layer.use_bias else None)


def convolve_tiles(
    layer: keras.Layer, convolution: TiledConvolution, value: Value, block: Block
) -> Deferred | PerMember:
    """Return a layer's planes to come, for a value that every member has its own of."""
    base, mask = (value.base, value.mask) if isinstance(value, Masked) else (value, None)
    x = base.tensor.float()
    rows = None if mask is None else mask.expand(block.cases, block.members, -1).flatten(0, 1)
    return _own_activation(
        layer, Deferred(lambda ending: convolution(x, rows, ending=ending), tuple(x.shape[1:3]), layer.filters)
    )


def can_sum_planes(parts: torch.Tensor, block: Block) -> bool:
    """Tell whether `sum_parts_of_planes` takes these parts, `(cases, parts, *space, filters)`."""
    if parts.ndim != 5 or parts.dtype != torch.float32 or parts.device.type != "cpu":
        return False
    return block.members >= HIGH and parts.shape[-1] % LANES == 0 and is_available()


def sum_parts_of_planes(layer: keras.Layer, parts: torch.Tensor, weights: torch.Tensor) -> Deferred | PerMember:
    """Return a layer's planes to come, summed of what every channel adds: the constant part carries the bias.

    Args:
        layer: A `Conv2D`.
        parts: `(cases, parts, height, width, filters)`.
        weights: `(cases, members, parts)`.
    """

    def compute(ending: Ending) -> torch.Tensor:
        return sum_planes(weights, parts, None, ending=ending).flatten(0, 1)

    return _own_activation(layer, Deferred(compute, (parts.shape[2], parts.shape[3]), parts.shape[4]))


def take_in(operation: keras.Operation, value: Deferred) -> Deferred | None:
    """Return planes to come that an operation has become part of; None where it cannot."""
    ending = value.ending
    if ending.pool != (1, 1):
        return None
    if is_rectifier(operation):
        return replace(value, ending=replace(ending, rectify=True))
    pool = _pool_of(operation, value.plane)
    if pool is None:
        return None
    largest = type(operation) is keras.layers.MaxPooling2D
    return replace(value, ending=replace(ending, pool=pool, largest=largest))


def _own_activation(layer: keras.Layer, value: Deferred) -> Deferred | PerMember:
    """Apply the activation that a layer carries: a rectifier on the way, any other afterwards."""
    activation = Activation(layer)
    if activation.name == "relu":
        return replace(value, ending=Ending(rectify=True))
    return value if activation.name == "linear" else PerMember(activation.on_rows(value.tensor))


def _pool_of(operation: keras.Operation, plane: tuple[int, int]) -> tuple[int, int] | None:
    """Return the window of a pooling that steps by its own size; None for all else."""
    if type(operation) not in (keras.layers.AveragePooling2D, keras.layers.MaxPooling2D):
        return None
    pool = tuple(operation.pool_size)
    fills = all(n % size == 0 for n, size in zip(plane, pool, strict=True))
    plain = tuple(operation.strides) == pool and is_channels_last(operation)
    return pool if plain and (fills or operation.padding == "valid") else None
