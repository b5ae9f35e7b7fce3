"""The inputs of a study on the device, whatever the user brought: batches of many runs at once."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from gengap.datasets.cases import take
from gengap.errors import DataError
from gengap.keras_models.graph import input_specs
from gengap.keras_models.heads import flat_inputs
from gengap.kernels.transfer import upload

Indices = NDArray[np.int64]


class BatchLoader:
    """All cases of one split, as flat inputs.

    Arrays in memory live on the device once, as tensors. Memory-mapped arrays and sparse matrices stay where they are;
    only the rows of a batch are read.

    Args:
        columns: The inputs, or what was computed of them.
        device: Where batches are wanted.
    """

    def __init__(self, columns: "Sequence[Column]", *, device: str = "cpu") -> None:
        self.columns, self._device = columns, device
        self.num_cases = columns[0].num_cases

    def rows(self, indices: Indices, on_device: torch.Tensor | None = None) -> list[torch.Tensor]:
        """Return the cases at `indices` `(G, B)`: one tensor `(G, B, ...)` per input.

        Args:
            indices: Which cases.
            on_device: The same on the device, where they are there already.
        """
        flat = indices.reshape(-1)
        there = upload(torch.from_numpy(flat), self._device) if on_device is None else on_device.flatten()
        return [column.take(flat, there).reshape(*indices.shape, *column.shape) for column in self.columns]

    def span(self, start: int, stop: int) -> list[torch.Tensor]:
        """Return consecutive cases, one tensor `(stop - start, ...)` per input."""
        return [column.span(start, stop) for column in self.columns]


def read_cases(model: Any, x: Any, *, device: str) -> BatchLoader:
    """Return what reads cases as a model takes them.

    Args:
        model: The model: it says the order, rank and dtype of its inputs.
        x: NumPy arrays, memory maps, tensors, data frames, CSR matrices; lists or mappings of these.
        device: Where batches are wanted: where the model lies that is called on them.
    """
    parts = flat_inputs(model, x)
    specs: Sequence[tuple[Any, Any]] = input_specs(model) or [(None, None)] * len(parts)
    if len(specs) != len(parts):
        raise DataError(f"The model has {len(specs)} inputs, but `x` holds {len(parts)}.")
    columns = [Column(part, shape, dtype, device) for part, (shape, dtype) in zip(parts, specs, strict=True)]
    return BatchLoader(columns, device=device)


def read_splits(model: Any, splits: Mapping[str, Any], *, device: str) -> dict[str, BatchLoader]:
    """Return what reads the inputs of every split; splits of the same cases share it.

    Args:
        model: A model of the runs.
        splits: Inputs of every split, by name.
        device: Where batches are wanted.
    """
    loaders = {id(x): read_cases(model, x, device=device) for x in splits.values()}
    return {name: loaders[id(x)] for name, x in splits.items()}  # folds are parts of the same cases


class Column:
    """One input: a tensor in memory, or something from which rows are taken.

    Args:
        values: The cases.
        shape: Shape of a case, as the model has it; None takes what comes.
        dtype: Their number format; None makes real numbers float32. What is in memory-mapped bytes is read as it.
        device: Where they are wanted.
    """

    def __init__(self, values: Any, shape: tuple[int | None, ...] | None, dtype: str | None, device: str) -> None:
        self._device, self._rank = device, None if shape is None else len(shape) + 1
        self._last = shape[-1] if shape else None
        self._dtype = dtype
        lazy = isinstance(values, np.memmap) or sparse.issparse(values)
        self._lazy = values if lazy else None
        self._tensor = None if lazy else self._shaped(values).to(device)
        self.num_cases = int(values.shape[0] if lazy else self._tensor.shape[0])  # type: ignore[union-attr]
        example = self.span(0, 1)
        self.shape = tuple(example.shape[1:])

    def take(self, flat: Indices, on_device: torch.Tensor) -> torch.Tensor:
        """Return some cases, whose indices are on the device, too."""
        if self._tensor is None:
            return upload(self._shaped(take(self._lazy, flat)), self._device)
        return self._tensor.index_select(0, on_device)

    def span(self, start: int, stop: int) -> torch.Tensor:
        """Return consecutive cases."""
        if self._tensor is None:
            return upload(self._shaped(take(self._lazy, slice(start, stop))), self._device)
        return self._tensor[start:stop]

    def _shaped(self, values: Any) -> torch.Tensor:
        tensor = to_tensor(values)
        if self._dtype == "bfloat16" and tensor.dtype == torch.int16:
            tensor = tensor.view(torch.bfloat16)  # NumPy's memory maps have no such numbers
        if self._dtype is not None:
            tensor = tensor.to(getattr(torch, self._dtype))
        elif tensor.is_floating_point():
            tensor = tensor.float()
        if self._rank is not None and tensor.ndim == self._rank - 1 and self._last == 1:
            tensor = tensor.unsqueeze(-1)
        elif self._rank is not None and tensor.ndim == self._rank + 1 and tensor.shape[-1] == 1:
            tensor = tensor.squeeze(-1)
        return tensor


def to_tensor(values: Any) -> torch.Tensor:
    """Return anything array-like as a tensor, sharing memory where it can."""
    if isinstance(values, torch.Tensor):
        return values.detach()
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise DataError(f"Inputs and answers must be numbers; received an array of dtype {array.dtype}.")
    if array.dtype in {np.dtype(np.uint16), np.dtype(np.uint32)}:
        array = array.astype(np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # it is only read
        return torch.from_numpy(np.ascontiguousarray(array))


def per_run(values: Sequence[torch.Tensor], row: torch.Tensor) -> list[torch.Tensor]:
    """Turn batches of the seeds `(G, B, ...)` into batches of the runs `(K, B, ...)`; views where one seed is all.

    Args:
        values: One tensor per input.
        row: For each run the position of its seed, `(K,)`.
    """
    num_seeds = values[0].shape[0]
    if num_seeds == 1:
        return [value.expand(len(row), *value.shape[1:]) for value in values]
    if num_seeds == len(row):
        return list(values)
    return [value.index_select(0, row) for value in values]
