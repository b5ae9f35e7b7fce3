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
from gengap.kernels.sparse import multiply, sparse_batches
from gengap.layers import traits_of
from gengap.layers.dense import SparseInputDense
from gengap.layers.doors import Door, PassContext, SparseProduct, StackedTensor
from gengap.layers.lost_masks import as_seen, without_lost
from gengap.layers.single import call_door, single_node
from gengap.sampling.noise_layers import all_layers
from gengap.sampling.sampler import dense
from gengap.sampling.values import (
    PerCase,
    PerMember,
    Value,
    carry_mask,
)


def contains(operation: Any, wanted: set[int]) -> bool:
    """Tell whether an operation is one of the layers of these ids, or holds one inside."""
    return any(id(layer) in wanted for layer in all_layers(operation))


def has_parts(operation: Any) -> bool:
    """Tell whether summing parts of channels pays: a window of more than one cell costs more than a product."""
    return traits_of(operation).sums_channels and math.prod(operation.kernel_size) > 1


def part_of(tensor: Any, part: slice) -> Any:
    """Return some cases of a value, with their part of its mask."""
    taken = tensor[part]
    mask = mask_of(tensor)
    return taken if mask is None else carry_mask(mask[part], taken)


def in_dtype_of(value: Value, layer: Any) -> Value:
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


def is_as_called(tensor: Any) -> bool:
    """Tell whether Keras hands a tensor to a layer of plain float32 as it is: without a mask, and without a cast."""
    return is_unmasked(tensor) and (not tensor.is_floating_point() or tensor.dtype == torch.float32)


def call_step(step: Step, given: dict[int, Any]) -> list[Any]:
    """Call a step as Keras wrote it, in inference mode; returns its flat results."""
    args, kwargs = _arguments(step, as_seen(step, given))
    if step.takes_training:
        kwargs = {**kwargs, "training": False}
    return list(keras.tree.flatten(step.operation(*args, **kwargs)))


def call_door_of(step: Step, given: dict[int, Any]) -> Door | None:
    """Return the kernel that computes a step of such values, as training has it for K runs: here for one."""
    return call_door(step, *without_lost(step, *_arguments(step, _stacked(given))))


def take_door(door: Door, step: Step, given: dict[int, Any]) -> list[Any]:
    """Return the flat results of a step by its kernel, in inference mode, with their masks on them."""
    args, kwargs = without_lost(step, *_arguments(step, _stacked(given)))
    results = keras.tree.flatten(door(PassContext(training=False), *args, **kwargs))
    return [carry_mask(None if one.mask is None else one.mask.squeeze(0), one.value.squeeze(0)) for one in results]


def _arguments(step: Step, given: dict[int, Any]) -> tuple[Any, Any]:
    by_index: list[Any] = [None] * (max(given, default=-1) + 1)
    for index, value in given.items():
        by_index[index] = value
    return step.arguments(by_index)


def _stacked(given: dict[int, Any]) -> dict[int, StackedTensor]:
    """Return values as those of a single run."""
    return {index: StackedTensor(value.unsqueeze(0), _of_one(mask_of(value))) for index, value in given.items()}


def _of_one(mask: Any) -> Any:
    return None if mask is None else mask.unsqueeze(0)


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


def sparse_dense(step: Step, rows: Any, device: torch.device) -> torch.Tensor:
    """Return a plain Dense layer's output for CSR rows, which are never written out: as training's first layer does."""
    (batch,) = sparse_batches(rows, np.arange(rows.shape[0]), batch_size=rows.shape[0], device=device)
    product = multiply(batch, step.operation.kernel.value)
    result = SparseInputDense(single_node(step))(PassContext(training=False), SparseProduct(product.unsqueeze(0)))
    return result.value.squeeze(0)  # type: ignore[no-any-return]  # a door's result
