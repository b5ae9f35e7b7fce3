"""The first Dense layer on sparse rows, all runs side by side, its dense gradient never there in full."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast, final, overload

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import _sparsetools  # public `batch.T @ gradient` costs .1 ms more a step; a test guards the import
from torch.nn import functional

from gengap.kernels.first_layer import FirstLayer
from gengap.kernels.optimizers import Strength, UpdateRule, decay_weights
from gengap.kernels.penalties import add_penalty_gradient
from gengap.kernels.transfer import upload

_PANEL = 64
"""Columns that are multiplied together: with 10,000 features a panel of gradient (2.5 MB) stays in the caches."""


@dataclass(frozen=True, eq=False)
class SparseBatch:
    """Some rows of a sparse matrix, in the three arrays of CSR.

    Attributes:
        offsets: Where each row starts in the other two, int32, `(B + 1,)`.
        indices: Features, int32, `(nonzeros,)`.
        values: Their values, float32, `(nonzeros,)`.
        num_features: Number of features.
    """

    offsets: torch.Tensor
    indices: torch.Tensor
    values: torch.Tensor
    num_features: int

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.offsets) - 1


class SparseBatches(Sequence[SparseBatch]):
    """The batches of one epoch of one seed: the rows `order` of `x`, cut every `batch_size`.

    A batch is gathered when it is asked for, so that an epoch never lies in memory twice: gathering all of it at once
    cost ten times more for the pages that had to be mapped than for the copy. The latest batch is remembered, since
    training asks once on the way there and once on the way back.

    Args:
        x: SciPy CSR matrix or array.
        order: Rows, in the order in which they are seen.
        batch_size: Rows of a batch; the last may have fewer.
        device: Where the batches shall lie.
    """

    def __init__(
        self, x: Any, order: NDArray[np.integer[Any]], *, batch_size: int, device: torch.device | str = "cpu"
    ) -> None:
        self._x, self._order, self._batch_size, self._device = x, order, batch_size, device
        self._latest: tuple[int, SparseBatch] | None = None

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(len(self._order) / self._batch_size)

    @overload
    def __getitem__(self, position: int) -> SparseBatch: ...

    @overload
    def __getitem__(self, position: slice) -> list[SparseBatch]: ...

    def __getitem__(self, position: int | slice) -> SparseBatch | list[SparseBatch]:
        """Return the batch at a position from 0, or several."""
        if isinstance(position, slice):
            return [self[one] for one in range(*position.indices(len(self)))]
        position = range(len(self))[position]
        if self._latest is None or self._latest[0] != position:
            self._latest = position, self._gather(position)
        return self._latest[1]

    def _gather(self, position: int) -> SparseBatch:
        rows = self._order[position * self._batch_size : (position + 1) * self._batch_size].astype(np.int32)
        starts = self._x.indptr
        offsets = np.zeros(len(rows) + 1, dtype=np.int32)
        np.cumsum(starts[rows + 1] - starts[rows], out=offsets[1:])
        indices, values = np.empty(offsets[-1], dtype=np.int32), np.empty(offsets[-1], dtype=np.float32)
        _sparsetools.csr_row_index(
            len(rows), rows, starts, self._x.indices, self._x.data, indices, values
        )  # fmt: skip
        starts_at, columns, entries = (
            upload(torch.from_numpy(one), self._device) for one in (offsets, indices, values)
        )
        return SparseBatch(starts_at, columns, entries, num_features=self._x.shape[1])


def sparse_batches(
    x: Any, order: NDArray[np.integer[Any]], *, batch_size: int, device: torch.device | str = "cpu"
) -> SparseBatches:
    """Return the batches of one epoch of one seed, see `SparseBatches`; converts `x` to 32 bits if it is not."""
    if x.data.dtype != np.float32 or x.indices.dtype != np.int32 or x.indptr.dtype != np.int32:
        narrow = (x.data.astype(np.float32), x.indices.astype(np.int32), x.indptr.astype(np.int32))
        x = sparse.csr_matrix(narrow, shape=x.shape)
    return SparseBatches(x, order, batch_size=batch_size, device=device)


def multiply(batch: SparseBatch, weights: torch.Tensor) -> torch.Tensor:
    """Return `rows @ weights`, `(B, columns)`, for weights `(features, columns)`.

    A row of sparse data is a bag of features, and torch's bags have the fastest kernel that was measured: 2-3 times
    MKL's or SciPy's product of a sparse and a dense matrix.
    """
    return functional.embedding_bag(
        batch.indices, weights, batch.offsets, mode="sum", per_sample_weights=batch.values, include_last_offset=True
    )


def multiply_transposed(batch: SparseBatch, gradient: torch.Tensor, *, out: torch.Tensor | None = None) -> torch.Tensor:
    """Return `rows.T @ gradient`, `(features, columns)`, for a gradient `(B, columns)`.

    On the CPU SciPy reads the batch's arrays as CSC of the transpose, so that nothing needs to be sorted; the bags'
    own backward pass is 10 times slower there.

    Args:
        batch: The rows.
        gradient: Gradient of the product, contiguous.
        out: Zeros to add into, on the CPU; None allocates.
    """
    columns = gradient.shape[1]
    if gradient.device.type != "cpu":
        with torch.enable_grad():
            weights = gradient.new_zeros(batch.num_features, columns).requires_grad_()
            return torch.autograd.grad(multiply(batch, weights), weights, gradient)[0]
    out = gradient.new_zeros(batch.num_features, columns) if out is None else out
    _sparsetools.csc_matvecs(
        batch.num_features, len(batch), columns, batch.offsets.numpy(), batch.indices.numpy(), batch.values.numpy(),
        gradient.numpy().ravel(), out.numpy().ravel(),
    )  # fmt: skip
    return out


class _SparseProduct(torch.autograd.Function):
    """`rows @ weights`, differentiable in the weights."""

    @staticmethod
    def forward(ctx: Any, weights: torch.Tensor, batch: SparseBatch) -> torch.Tensor:
        ctx.batch = batch
        return multiply(batch, weights)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return multiply_transposed(ctx.batch, gradients[0].contiguous()), None


def sparse_matmul(batches: Sequence[SparseBatch], kernels: torch.Tensor, groups: Sequence[int]) -> torch.Tensor:
    """Return `x @ kernel` of each run, differentiable in the kernels: the plain door, for every optimizer.

    Args:
        batches: One batch per seed, of equal size.
        kernels: Stacked kernels, `(K, features, units)`.
        groups: For each run the position of its seed's batch, `(K,)`.

    Returns:
        `(K, B, units)`.
    """
    product = cast("Callable[..., torch.Tensor]", _SparseProduct.apply)
    products = [product(kernel, batches[group]) for kernel, group in zip(kernels, groups, strict=True)]
    return torch.stack(products)


@dataclass(frozen=True, eq=False)
class SparseSource:
    """A CSR matrix that is cut into `SparseBatch`es for a device."""

    x: Any
    device: torch.device | str

    def batches(self, order: NDArray[np.integer[Any]], *, batch_size: int) -> SparseBatches:
        """Return the rows `order`, cut every `batch_size`."""
        return sparse_batches(self.x, order, batch_size=batch_size, device=self.device)


@final
class SparseFirstLayer(FirstLayer[SparseBatch]):
    """The first layer by SciPy and torch, on every device and for every rule.

    Kernels are updated panel by panel, so that no more than 64 columns of the gradient exist at a time. Runs of one
    seed share batches, hence panels. For an optimizer without a kernel use `sparse_matmul`, whose gradient is an
    ordinary dense tensor.

    Args:
        kernels: Initial kernels, `(K, features, units)`; copied.
        groups: For each run the position of its seed's batch in what `forward` is given, `(K,)`; e.g. (0, 0, 1, 1).
        rule: The optimizer's update.
        l1: Strength of the L1 penalty of each run, `(K,)`.
        l2: Strength of the L2 penalty of each run, `(K,)`.
    """

    def __init__(
        self, kernels: torch.Tensor, groups: Sequence[int], *, rule: UpdateRule, l1: torch.Tensor, l2: torch.Tensor
    ) -> None:
        self.rule = rule
        self.groups = tuple(int(group) for group in groups)
        self._shape = tuple(kernels.shape)
        self.l1, self.l2 = l1.to(kernels), l2.to(kernels)
        self._layout()
        self._weights = self._to_panels(kernels.detach())
        self._slots = [rule.slots(weights) for weights in self._weights]
        self._ahead: tuple[tuple[SparseBatch, ...], list[torch.Tensor]] | None = None

    @staticmethod
    def source(x: Any, *, device: torch.device | str = "cpu") -> SparseSource:
        """See `FirstLayer`."""
        return SparseSource(x, device)

    def forward(self, batches: Sequence[SparseBatch]) -> torch.Tensor:
        """See `FirstLayer`."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and all(one is other for one, other in zip(ahead[0], batches, strict=True)):
            products = ahead[1]
        else:
            owned = zip(self._owners, self._weights, strict=True)
            products = [multiply(batches[group], weights) for group, weights in owned]
        return self._to_runs(products).requires_grad_()

    def backward_update(
        self,
        batches: Sequence[SparseBatch],
        gradient: torch.Tensor,
        *,
        step: int,
        learning_rate: Strength,
        weight_decay: Strength = 0.0,
        ahead: Sequence[SparseBatch] | None = None,
    ) -> None:
        """See `FirstLayer`."""
        products = []
        by_column = gradient.detach().movedim(0, 1).flatten(1)
        for panel, (columns, weights) in enumerate(zip(self._columns, self._weights, strict=True)):
            part = by_column[:, columns].contiguous()
            dense = multiply_transposed(batches[self._owners[panel]], part)
            if self._penalized[panel]:
                add_penalty_gradient(
                    dense, weights, l1=self._per_column(self.l1, columns), l2=self._per_column(self.l2, columns)
                )
            rate, decay = (self._per_column(strength, columns) for strength in (learning_rate, weight_decay))
            if isinstance(decay, torch.Tensor) or decay:
                decay_weights(weights, learning_rate=rate, weight_decay=decay)
            self.rule.update(weights, dense, self._slots[panel], step=step, learning_rate=rate)
            if ahead is not None:
                # The panel was written a moment ago and lies in cache: the next step need not fetch it again.
                products.append(multiply(ahead[self._owners[panel]], weights))
        self._ahead = None if ahead is None else (tuple(ahead), products)

    def predict(self, batches: Iterable[SparseBatch]) -> Iterator[torch.Tensor]:
        """Yield `rows @ kernel` of all runs for each batch of rows that all runs see: `(K, B, units)`.

        Here runs of all seeds stand side by side, which makes the product up to three times as fast.
        """
        side_by_side = self.kernels().movedim(0, 1).flatten(1)
        panels = [panel.contiguous() for panel in torch.split(side_by_side, _PANEL, dim=1)]
        num_runs, _, units = self._shape
        for batch in batches:
            with torch.no_grad():
                by_column = torch.cat([multiply(batch, panel) for panel in panels], dim=1)
            yield torch.unflatten(by_column, 1, (num_runs, units)).movedim(1, 0).contiguous()

    def kernels(self) -> torch.Tensor:
        """See `FirstLayer`."""
        return self._to_runs(self._weights)

    def slots(self) -> list[torch.Tensor]:
        """See `FirstLayer`."""
        return [self._to_runs(list(slots)) for slots in zip(*self._slots, strict=True)]

    def load(self, kernels: torch.Tensor, slots: Sequence[torch.Tensor]) -> None:
        """See `FirstLayer`."""
        self._ahead = None
        self._weights, *own = [self._to_panels(stacked) for stacked in (kernels, *slots)]
        self._slots = list(zip(*own, strict=True)) if own else [() for _ in self._weights]

    def keep(self, runs: Sequence[int]) -> None:
        """See `FirstLayer`."""
        kept = torch.as_tensor(list(runs), device=self.l1.device)
        kernels, slots = self.kernels()[kept], [slot[kept] for slot in self.slots()]
        self.groups = tuple(self.groups[run] for run in runs)
        self._shape = (len(self.groups), *self._shape[1:])
        self.l1, self.l2 = self.l1[kept], self.l2[kept]
        self._layout()
        self.load(kernels, slots)

    def _layout(self) -> None:
        """Decide which columns (run x unit) lie in which panel: those of one batch, at most `_PANEL` of them."""
        num_runs, _, units = self._shape
        owner_of_column = np.repeat(self.groups, units)
        panels = []
        for group in sorted(set(self.groups)):
            columns = np.flatnonzero(owner_of_column == group)
            panels += np.array_split(columns, -(-len(columns) // _PANEL))
        self._owners = [int(owner_of_column[columns[0]]) for columns in panels]
        device = self.l1.device
        self._columns = [torch.from_numpy(columns).to(device) for columns in panels]
        # Columns of one seed's batch only, since a product reads one batch: seeds never share a panel.
        order = np.concatenate(panels)
        straight = bool((order == np.arange(num_runs * units)).all())
        self._inverse = None if straight else torch.from_numpy(np.argsort(order)).to(device)
        penalized = ((self.l1 != 0) | (self.l2 != 0)).cpu().numpy()
        self._penalized = [bool(penalized[columns // units].any()) for columns in panels]

    def _to_panels(self, stacked: torch.Tensor) -> list[torch.Tensor]:
        by_column = stacked.movedim(0, 1).flatten(1)
        return [by_column[:, columns].contiguous() for columns in self._columns]

    def _to_runs(self, panels: Sequence[torch.Tensor]) -> torch.Tensor:
        by_column = torch.cat(list(panels), dim=1)
        if self._inverse is not None:
            by_column = by_column[:, self._inverse]
        num_runs, _, units = self._shape
        return torch.unflatten(by_column, 1, (num_runs, units)).movedim(1, 0).contiguous()

    def _per_column(self, strength: Strength, columns: torch.Tensor) -> Strength:
        """Spread a strength per run over columns; one number, where all runs of the panel agree, is faster."""
        if not isinstance(strength, torch.Tensor) or strength.ndim == 0:
            return float(strength)
        return strength.to(self.l1.device)[columns // self._shape[2]]
