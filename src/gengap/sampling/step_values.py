"""What flows from step to step of a sampled graph: on its device, in its dtype, as Keras' own call wants it."""

import math
from typing import Any

import keras
import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from gengap.keras_models.graph import Step
from gengap.keras_models.private import mask_of
from gengap.sampling.doors import (
    activate,
    is_linear_in_channels,
)
from gengap.sampling.noise_layers import all_layers
from gengap.sampling.sampler import dense
from gengap.sampling.values import (
    PerCase,
    PerMember,
    Value,
    carry_mask,
)


def contains(operation: keras.Operation, wanted: set[int]) -> bool:
    """Tell whether an operation is one of the layers of these ids, or holds one inside."""
    return any(id(layer) in wanted for layer in all_layers(operation))


def has_parts(operation: keras.Operation) -> bool:
    """Tell whether summing parts of channels pays: a window of more than one cell costs more than a product."""
    return is_linear_in_channels(operation) and math.prod(operation.kernel_size) > 1


def part_of(tensor: Any, part: slice) -> Any:
    """Return some cases of a value, with their part of its mask."""
    taken = tensor[part]
    mask = mask_of(tensor)
    return taken if mask is None else carry_mask(mask[part], taken)


def in_dtype_of(value: Value, layer: keras.Layer) -> Value:
    """Return a value in the number format that a noise layer computes in, as Keras casts what it is called with."""
    dtype = getattr(torch, layer.compute_dtype)
    if not isinstance(value, PerCase | PerMember) or sp.issparse(value.tensor) or value.tensor.dtype == dtype:
        return value
    if not torch.is_floating_point(value.tensor):
        return value
    cast = carry_mask(mask_of(value.tensor), value.tensor.to(dtype))
    return PerCase(cast) if isinstance(value, PerCase) else PerMember(cast)


def plain_value(value: Value) -> Any:
    """Return a value that no noise has touched."""
    assert isinstance(value, PerCase)  # noqa: S101  the split of the graph promises it
    return value.tensor


def is_unmasked(tensor: Any) -> bool:
    """Tell whether something is a tensor that carries no mask of Keras'."""
    return isinstance(tensor, torch.Tensor) and mask_of(tensor) is None


def call_step(step: Step, given: dict[int, Any]) -> list[Any]:
    """Call a step as Keras wrote it, in inference mode; returns its flat results."""
    by_index: list[Any] = [None] * (max(given, default=-1) + 1)
    for index, value in given.items():
        by_index[index] = value
    args, kwargs = step.arguments(by_index)
    if step.takes_training:
        kwargs = {**kwargs, "training": False}
    return list(keras.tree.flatten(step.operation(*args, **kwargs)))


def as_rows(x: Any, device: torch.device) -> Any:
    """Return inputs as sparse rows where they are sparse, else as a tensor."""
    return sp.csr_matrix(x) if sp.issparse(x) else to_device(np.asarray(x), device)


def to_device(values: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Return an array as a tensor, real numbers of double precision in single."""
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)


def on_device(value: Value, device: torch.device) -> Value:
    """Return a value whose sparse rows are written out."""
    if isinstance(value, PerCase) and sp.issparse(value.tensor):
        return PerCase(to_device(dense(value.tensor), device))
    return value


def sparse_dense(layer: keras.Layer, rows: Any, device: torch.device) -> torch.Tensor:
    """Return a Dense layer's output for CSR rows, which are never written out."""
    product = rows.astype(np.float32) @ keras.ops.convert_to_numpy(layer.kernel)
    result = to_device(np.asarray(product), device)
    if layer.use_bias:
        result = result + layer.bias.value
    return activate(layer, result)
