"""The first Dense layer on sparse rows, in vector registers and on all cores: where Numba, the extra `fast`, is there.

Where it is not, `kernels.sparse` does the same with SciPy and torch, three times slower.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from gengap.errors import DataError
from gengap.kernels.compiled_code import LANES, compiled_code
from gengap.kernels.crew import Crew
from gengap.kernels.first_layer import FirstLayer
from gengap.kernels.optimizers import SGD, Adam, RMSprop, Strength, UpdateRule, bias_correction


@dataclass(frozen=True, eq=False)
class RowBatch:
    """Some rows of a sparse matrix, by their positions: nothing is copied.

    Attributes:
        of: The matrix.
        rows: Positions, int32, `(B,)`.
    """

    of: "Rows"
    rows: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Rows:
    """A sparse matrix as the compiled code reads it.

    Attributes:
        offsets: Where each row starts, int32, `(rows + 1,)`.
        indices: Features, uint16 where that suffices (half the memory to read), else uint32, `(nonzeros,)`.
        values: Their values, float32, `(nonzeros,)`; None if all are 1, as in bags of words.
        num_features: Number of features.
    """

    offsets: NDArray[np.int32]
    indices: NDArray[Any]
    values: NDArray[np.float32] | None
    num_features: int

    @classmethod
    def of(cls, x: Any) -> "Rows":
        """Return a CSR matrix in narrow numbers.

        Raises:
            DataError: It names a feature that it does not have; compiled code would read foreign memory.
        """
        if x.nnz and not 0 <= int(x.indices.min()) <= int(x.indices.max()) < x.shape[1]:
            raise DataError(f"A sparse matrix of {x.shape[1]} columns names column {x.indices.max()}: build it anew.")
        narrow = np.uint16 if x.shape[1] <= np.iinfo(np.uint16).max else np.uint32
        values = None if bool((x.data == 1).all()) else x.data.astype(np.float32)
        return cls(x.indptr.astype(np.int32), x.indices.astype(narrow), values, x.shape[1])

    def batches(self, order: NDArray[np.integer[Any]], *, batch_size: int) -> list[RowBatch]:
        """Return the rows `order`, cut every `batch_size`."""
        narrow = order.astype(np.int32)
        return [RowBatch(self, narrow[start : start + batch_size]) for start in range(0, len(narrow), batch_size)]


def vectors_fit(rule: UpdateRule, device: torch.device) -> bool:
    """Tell whether Numba works here and the compiled code knows the rule."""
    return (
        device.type == "cpu" and _compiled_rule(rule, step=1) is not None and compiled_code("vector_code") is not None
    )


@final
class VectorFirstLayer(FirstLayer[RowBatch]):
    """The kernels in panels of sixteen columns, each of one run; cores share the panels out.

    Runs, and panels of a run, never touch each other's numbers, so neither the cores nor the neighbours change a bit.

    Args:
        kernels: Initial kernels, `(K, features, units)`; copied.
        groups: For each run the position of its seed's batch in what `forward` is given, `(K,)`; e.g. (0, 0, 1, 1).
        rule: The optimizer's update, one that `vectors_fit`.
        l1: Strength of the L1 penalty of each run, `(K,)`.
        l2: Strength of the L2 penalty of each run, `(K,)`.
        threads: Cores that share the work.
    """

    def __init__(
        self,
        kernels: torch.Tensor,
        groups: Sequence[int],
        *,
        rule: UpdateRule,
        l1: torch.Tensor,
        l2: torch.Tensor,
        threads: int = 1,
    ) -> None:
        self._code, self._rule = compiled_code("vector_code"), rule
        self.l1, self.l2 = l1.float(), l2.float()
        self._groups = np.array(groups, dtype=np.int64)
        self._units, self._panels_per_run = kernels.shape[2], -(-kernels.shape[2] // LANES)
        self._weights = self._to_panels(kernels)
        self._slots = torch.stack(slots) if (slots := rule.slots(self._weights)) else self._weights.new_empty(0, 0)
        self._crew = Crew(threads)
        size = kernels.shape[1] * LANES
        self._scratch = [np.zeros(size, dtype=np.float32) for _ in range(self._crew.size)]
        self._ahead: tuple[tuple[RowBatch, ...], torch.Tensor] | None = None

    @staticmethod
    def source(x: Any, *, device: torch.device | str = "cpu") -> Rows:  # noqa: ARG004  it is the CPU's
        """Return the matrix in narrow numbers."""
        return Rows.of(x)

    def forward(self, batches: Sequence[RowBatch]) -> torch.Tensor:
        """See `FirstLayer`."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and all(one is other for one, other in zip(ahead[0], batches, strict=True)):
            product = ahead[1]
        else:
            product = self._multiply(batches[0].of, _rows(batches), self._groups)
        return self._without_padding(product).requires_grad_()

    def backward_update(
        self,
        batches: Sequence[RowBatch],
        gradient: torch.Tensor,
        *,
        step: int,
        learning_rate: Strength,
        weight_decay: Strength = 0.0,
        ahead: Sequence[RowBatch] | None = None,
    ) -> None:
        """See `FirstLayer`."""
        known = _compiled_rule(self._rule, step=step)
        if known is None:
            raise TypeError(f"There is no compiled update for {self._rule}.")
        padding = self._panels_per_run * LANES - self._units
        gradient = functional.pad(gradient.detach(), (0, padding)).contiguous()
        strengths = np.stack([self._per_run(one) for one in (learning_rate, self.l1, self.l2, weight_decay)])
        of, rows = batches[0].of, _rows(batches)
        ahead_rows = rows[:, :0] if ahead is None else _rows(ahead)
        product = self._new_product(ahead_rows.shape[1])
        slots = self._slots.flatten(1).numpy()
        before = (rows, of.offsets, of.indices, of.values, self._weights.view(-1).numpy(), gradient.view(-1).numpy())
        after = (slots, *known, strengths, np.ascontiguousarray(ahead_rows), product.view(-1).numpy())

        def work(thread: int, first: int, last: int) -> None:
            scratch = self._scratch[thread]
            self._code.advance(first, last, self._panels_per_run, self._groups, *before, scratch, *after)

        self._share_out(work)
        self._ahead = None if ahead is None else (tuple(ahead), product)

    def predict(self, batches: Iterable[RowBatch]) -> Iterator[torch.Tensor]:
        """See `FirstLayer`."""
        same = np.zeros_like(self._groups)
        for batch in batches:
            yield self._without_padding(self._multiply(batch.of, _rows([batch]), same))

    def kernels(self) -> torch.Tensor:
        """See `FirstLayer`."""
        return self._to_runs(self._weights)

    def slots(self) -> list[torch.Tensor]:
        """See `FirstLayer`."""
        return [self._to_runs(slot) for slot in self._slots]

    def load(self, kernels: torch.Tensor, slots: Sequence[torch.Tensor]) -> None:
        """See `FirstLayer`."""
        self._ahead = None
        # what the padding holds never matters, but an RMSprop divides by its slot: it stays what the rule began with
        for own, given in zip((self._weights, *self._slots), (kernels, *slots), strict=True):
            own.copy_(torch.where(self._padding(), own, self._to_panels(given)))

    def keep(self, runs: Sequence[int]) -> None:
        """See `FirstLayer`."""
        kept = torch.as_tensor(list(runs))
        self._ahead = None
        self._weights = self._weights[kept]
        self._slots = self._slots[:, kept] if len(self._slots) else self._slots
        self._groups = self._groups[kept.numpy()]
        self.l1, self.l2 = self.l1[kept], self.l2[kept]

    def _multiply(self, of: Rows, rows: NDArray[np.int32], groups: NDArray[np.int64]) -> torch.Tensor:
        features = self._weights.shape[2]
        if of.num_features != features:
            raise DataError(f"The model takes {features} features, but these sparse rows have {of.num_features}.")
        product = self._new_product(rows.shape[1])
        weights, out = self._weights.view(-1).numpy(), product.view(-1).numpy()
        data = (groups, rows, of.offsets, of.indices, of.values, weights, out)
        self._share_out(lambda _, first, last: self._code.multiply(first, last, self._panels_per_run, *data))
        return product

    def _share_out(self, work: Callable[[int, int, int], None]) -> None:
        self._crew.share_out(self._weights.shape[0] * self._panels_per_run, work)

    def _new_product(self, num_rows: int) -> torch.Tensor:
        return torch.empty(self._weights.shape[0], num_rows, self._panels_per_run * LANES)

    def _without_padding(self, product: torch.Tensor) -> torch.Tensor:
        whole = product.shape[2] == self._units
        return product if whole else product[:, :, : self._units].contiguous()

    def _per_run(self, strength: Strength) -> NDArray[np.float32]:
        each = torch.as_tensor(strength, dtype=torch.float32).flatten()
        return np.ascontiguousarray(each.expand(self._weights.shape[0]).numpy())

    def _padding(self) -> torch.Tensor:
        columns = torch.arange(self._panels_per_run * LANES).view(self._panels_per_run, 1, LANES)
        return columns >= self._units

    def _to_panels(self, stacked: torch.Tensor) -> torch.Tensor:
        """Return `(K, features, units)` as `(K, panels, features, 16)`."""
        padded = functional.pad(stacked.detach(), (0, self._panels_per_run * LANES - self._units))
        by_panel = padded.view(*padded.shape[:2], self._panels_per_run, LANES)
        return by_panel.transpose(1, 2).contiguous()

    def _to_runs(self, panels: torch.Tensor) -> torch.Tensor:
        return panels.transpose(1, 2).flatten(2)[:, :, : self._units].contiguous()


def _rows(batches: Sequence[RowBatch]) -> NDArray[np.int32]:
    return np.stack([batch.rows for batch in batches])


def _compiled_rule(rule: UpdateRule, *, step: int) -> tuple[int, NDArray[np.float32]] | None:
    """Return number and constants of a rule in the compiled code; None if that has no such rule."""
    # By value: what has momentum and a look-ahead, is centered or AMSGrad has no compiled update, and takes
    # `kernels.sparse`.
    match rule:
        case SGD(momentum, False):
            number, constants = 0, [momentum]
        case RMSprop(rho, 0.0, epsilon, False):
            number, constants = 1, [rho, 1 - rho, epsilon * (1 - rho)]
        case Adam(beta_1, beta_2, epsilon, False):
            number, constants = 2, [1 - beta_1, 1 - beta_2, epsilon, bias_correction(beta_1, beta_2, step)]
        case _:
            return None
    return number, np.array(constants, dtype=np.float32)
