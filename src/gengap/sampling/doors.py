"""Torch computations of the layers that members spend their time in, equal to the Keras layers in inference mode."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import torch

from gengap.kernels.convolution import convolve
from gengap.kernels.pooling import average_pool, max_pool

Door = Callable[[torch.Tensor], torch.Tensor]

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_POOLS: Mapping[type, Callable[..., torch.Tensor]] = {
    keras.layers.AveragePooling1D: average_pool,
    keras.layers.AveragePooling2D: average_pool,
    keras.layers.AveragePooling3D: average_pool,
    keras.layers.MaxPooling1D: max_pool,
    keras.layers.MaxPooling2D: max_pool,
    keras.layers.MaxPooling3D: max_pool,
}
_CHANNELWISE = (
    *_POOLS,
    *(
        getattr(keras.layers, f"{name}{rank}D")
        for name in ("GlobalAveragePooling", "GlobalMaxPooling", "UpSampling", "ZeroPadding", "Cropping")
        for rank in (1, 2, 3)
    ),
)
_ACTIVATIONS: Mapping[str, Door] = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "linear": lambda x: x,
}


_IN_PLACE: Mapping[str, Door] = {"relu": torch.relu_, "sigmoid": torch.sigmoid_, "tanh": torch.tanh_}


def find_door(operation: keras.Operation) -> Door | None:
    """Return the torch computation of a layer on activations of any real dtype, or None: call the Keras layer then."""
    if is_linear_in_channels(operation):
        return lambda x: activate_own(operation, convolve_rows(operation, x))
    if type(operation) in _POOLS and is_channels_last(operation):
        return lambda x: _pool(operation, x)
    if _is_activation(operation):
        return _ACTIVATIONS.get(activation_name(operation))
    if type(operation) is keras.layers.Dense and _is_plain(operation):
        return lambda x: _multiply(operation, x)
    if type(operation) is keras.layers.Flatten and is_channels_last(operation):
        return lambda x: x.reshape(x.shape[0], -1)
    return None


def find_door_in_place(operation: keras.Operation) -> Door | None:
    """Return the computation of an activation that overwrites its input, or None where there is none."""
    return _IN_PLACE.get(activation_name(operation)) if _is_activation(operation) else None


def makes_new_values(operation: keras.Operation) -> bool:
    """Tell whether a door's result shares no memory with its input, so that what reads it alone may overwrite it."""
    return (
        is_linear_in_channels(operation) or type(operation) in _POOLS or type(operation) is keras.layers.Dense
    ) and find_door(operation) is not None


def needs_full_precision(operation: keras.Operation) -> bool:
    """Tell whether a door computes in float32 whatever the precision: with 8 bits a head's probabilities are steps."""
    return type(operation) is keras.layers.Dense


def scales_channels(operation: keras.Operation) -> bool:
    """Tell whether an operation on channels-last values commutes with factors >= 0 on its channels.

    So do pooling, padding, cropping and upsampling, which never mix channels, and rectifiers, which are positively
    homogeneous. A mask of channels may then be multiplied after the operation, on fewer values.
    """
    if type(operation) in _CHANNELWISE:
        return is_channels_last(operation)
    if type(operation) is keras.layers.Activation:
        return activation_name(operation) in {"relu", "leaky_relu", "linear"}
    if type(operation) is keras.layers.ReLU:
        return operation.max_value is None and not operation.threshold
    return type(operation) is keras.layers.LeakyReLU


def is_linear_in_channels(operation: keras.Operation) -> bool:
    """Tell whether an operation is a convolution of which the parts of each input channel can be summed."""
    return type(operation) in _CONVOLUTIONS and is_channels_last(operation) and _is_plain(operation)


def is_channels_last(operation: keras.Operation) -> bool:
    """Tell whether channels are the last axis of what a layer takes; 1-D cropping and padding know no other way."""
    return getattr(operation, "data_format", "channels_last") in {"channels_last", None}


def convolve_rows(layer: keras.Layer, x: torch.Tensor, *, bias: bool = True) -> torch.Tensor:
    """Return a convolution layer's `(rows, *space, filters)` before its activation."""
    kernel = layer.kernel.value.to(x.dtype).unsqueeze(0)
    offset = layer.bias.value.to(x.dtype).unsqueeze(0) if bias and layer.use_bias else None
    return convolve(x.unsqueeze(0), kernel, offset, **_geometry(layer)).squeeze(0)


def channel_parts(layer: keras.Layer, x: torch.Tensor) -> torch.Tensor:
    """Return what each input channel adds to a convolution, `(cases, channels, *space, filters)`, without the bias.

    A masked convolution is the sum of these parts times the mask: one matrix product instead of a convolution for
    every member. The channels stand where the kernel stacks runs.
    """
    kernels = layer.kernel.value.movedim(-2, 0).unsqueeze(-2)
    return convolve(x.movedim(-1, 0).unsqueeze(-1), kernels, **_geometry(layer)).movedim(0, 1)


def activate(layer: keras.Layer, x: torch.Tensor) -> torch.Tensor:
    """Apply the activation that a layer carries."""
    name = activation_name(layer)
    return _ACTIVATIONS[name](x) if name in _ACTIVATIONS else layer.activation(x)


def activate_own(layer: keras.Layer, x: torch.Tensor) -> torch.Tensor:
    """Apply the activation that a layer carries to values that nobody else reads: they may be overwritten."""
    door = _IN_PLACE.get(activation_name(layer))
    return activate(layer, x) if door is None else door(x)


def activation_name(layer: keras.Layer) -> str:
    """Return which of Keras' activations a layer applies; nothing for others, one of a user's called `relu` too."""
    if type(layer) is keras.layers.ReLU:
        return "relu"
    known = (getattr(keras.activations, name) for name in (*_ACTIVATIONS, "leaky_relu"))
    return next((f.__name__ for f in known if f is layer.activation), "")


def is_rectifier(operation: keras.Operation) -> bool:
    """Tell whether an operation is a rectifier and nothing else."""
    return _is_activation(operation) and activation_name(operation) == "relu"


def _geometry(layer: keras.Layer) -> dict[str, Any]:
    return {"strides": layer.strides, "padding": layer.padding, "dilation": layer.dilation_rate}


def _pool(layer: keras.Layer, x: torch.Tensor) -> torch.Tensor:
    return _POOLS[type(layer)](x, pool_size=layer.pool_size, strides=layer.strides, padding=layer.padding)


def _multiply(layer: keras.Layer, x: torch.Tensor) -> torch.Tensor:
    product = torch.matmul(x, layer.kernel.value)
    return activate_own(layer, product.add_(layer.bias.value) if layer.use_bias else product)


def _is_activation(operation: keras.Operation) -> bool:
    if type(operation) is keras.layers.ReLU:
        return operation.max_value is None and not operation.negative_slope and not operation.threshold
    return type(operation) is keras.layers.Activation


def _is_plain(layer: keras.Layer) -> bool:
    """Tell whether a layer is nothing but its kernel and bias: no groups, adapters, quantization, mixed dtype."""
    return (
        getattr(layer, "groups", 1) == 1
        and not getattr(layer, "lora_enabled", False)
        and getattr(layer, "quantization_mode", None) is None
        and layer.dtype_policy.name == "float32"
    )
