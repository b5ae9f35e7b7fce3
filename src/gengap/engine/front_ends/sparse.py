"""Sparse rows under a first Dense layer, whose kernels live outside the stack and bring their own update."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import keras
import numpy as np
import torch
from keras import tree
from numpy.typing import NDArray
from scipy import sparse

from gengap.engine.front_ends.base import SAMPLES_AT_ONCE, FrontEnd, StepCases
from gengap.engine.optimizers.base import Array, to_numpy
from gengap.engine.optimizers.in_place import InPlace, decays_at, factors_at
from gengap.engine.penalties import read_strengths
from gengap.keras_models.graph import read_graph
from gengap.kernels.first_layer import FirstLayer
from gengap.kernels.optimizers import UpdateRule, rule_from_keras
from gengap.kernels.sparse import SparseFirstLayer
from gengap.kernels.vectors import VectorFirstLayer, vectors_fit
from gengap.layers.doors import PassContext, SparseProduct
from gengap.layers.program import Program
from gengap.layers.stack import Stack

_CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")


def sparse_kernel_place(models: Sequence[Any], x: Any) -> int | None:
    """Return the stack index of the kernel that can work on sparse rows; None where the rows have to become dense.

    That is where the one sparse input goes into one plain Dense layer and nowhere else, and all runs share an
    optimizer with a kernel that needs no norm of this gradient.

    Args:
        models: The model of each run.
        x: The training inputs.
    """
    if not sparse.issparse(_single(x)):
        return None
    graph = read_graph(models[0])
    readers = [step for step in graph.steps if set(step.input_slots()) & set(graph.inputs)]
    uses = [step for step in graph.steps if readers and step.operation is readers[0].operation]
    if (
        len(graph.inputs) != 1
        or len(readers) != 1
        or len(uses) != 1
        or type(readers[0].operation) is not keras.layers.Dense
    ):
        return None
    place = next(p for p, weight in enumerate(models[0].weights) if weight is readers[0].operation.kernel)
    weights = [model.weights[place] for model in models]
    simple = all(
        weight.constraint is None and weight.trainable and read_strengths(weight.regularizer) is not None
        for weight in weights
    )
    layer = readers[0].operation
    plain = layer.compute_dtype == "float32" and layer.activity_regularizer is None
    clipped = any(getattr(model.optimizer, clip, None) for model in models for clip in _CLIPS)
    return place if simple and plain and not clipped and InPlace.shares_rule(models) else None


@final
class SparseFrontEnd(FrontEnd):
    """Multiplies sparse rows with the kernels of the first Dense layer of all runs, which it keeps and updates.

    Args:
        models: The model of each run.
        seeds: Seed of each run.
        stack: The weights of all runs; the kernels in it are copied out here and written back on demand.
        updater: Updates the other weights, and knows the learning rates.
        place: Index of the kernel in the stack.
        splits: Inputs of every split, by name; the training rows are CSR.
        batch_size: Cases a step.
        threads: Cores that may share the work.
    """

    def __init__(
        self,
        models: Sequence[Any],
        seeds: Sequence[int],
        stack: Stack,
        updater: InPlace,
        *,
        place: int,
        splits: Mapping[str, Any],
        batch_size: int,
        threads: int = 1,
    ) -> None:
        self._place, self._batch_size = place, batch_size
        self._stack, self._updater = stack, updater
        self._seeds = list(dict.fromkeys(seeds))
        rule = rule_from_keras(models[0].optimizer)
        strengths = [read_strengths(model.weights[place].regularizer) or (0.0, 0.0) for model in models]
        l1, l2 = torch.tensor(strengths, dtype=torch.float32, device=stack.device).unbind(1)
        groups = [self._seeds.index(seed) for seed in seeds]
        if rule is None:
            raise TypeError("Sparse rows need an optimizer with a kernel.")
        self._layer = _first_layer(stack.values[place], groups, rule, (l1, l2), threads)
        self._rows = {name: sparse.csr_matrix(_single(x)) for name, x in splits.items()}
        self._source = self._layer.source(self._rows["train"], device=stack.device)
        self._decay = decays_at(models, place, stack.device)
        factors = factors_at(models, place)
        self._factor = factors[0] if len(set(factors)) == 1 else torch.tensor(factors, device=stack.device)
        self._batches: list[Sequence[Any]] = []
        self._pieces: dict[str, Sequence[Any]] = {}

    def begin_epoch(self, orders: Mapping[int, NDArray[np.int64]]) -> None:
        """Cut the rows of every seed that still trains into batches, by its order."""
        self._batches = [
            self._source.batches(orders[seed], batch_size=self._batch_size) if seed in orders else []
            for seed in self._seeds
        ]

    def inputs(self, cases: StepCases) -> Sequence[torch.Tensor | SparseProduct]:
        """Return `x @ kernel` of each run, a leaf."""
        return [SparseProduct(self._layer.forward(self._at(cases.step)))]

    def update(self, step: int, gradients: Sequence[torch.Tensor]) -> None:
        """Update the kernels by the gradient of what `inputs` returned."""
        learning_rate = self._updater.rates.at(self._updater.iterations)
        rate = (learning_rate.flatten() if isinstance(learning_rate, torch.Tensor) else learning_rate) * self._factor
        decay: float | torch.Tensor = 0.0 if self._decay is None else self._decay
        batches, ahead = self._at(step), self._at(step + 1) if step < max(map(len, self._batches)) else None
        (gradient,) = gradients
        number = self._updater.iterations + 1  # the updater counts this step only when it has taken it
        self._layer.backward_update(batches, gradient, step=number, learning_rate=rate, weight_decay=decay, ahead=ahead)

    def penalties(self) -> torch.Tensor:
        """Return each run's penalty on its kernel, `(K,)`."""
        return self._layer.penalties()

    def write_back(self) -> None:
        """Copy the kernels into the stack, where weights are read."""
        self._stack.values[self._place] = self._layer.kernels()

    def keep(self, runs: Sequence[int]) -> None:
        """Drop all runs but those at these positions."""
        self._layer.keep(runs)
        index = torch.as_tensor(list(runs), device=self._stack.device)
        self._decay = None if self._decay is None else self._decay[index]
        self._factor = self._factor[index] if isinstance(self._factor, torch.Tensor) else self._factor

    def state(self) -> dict[str, Array]:
        """Return kernels and optimizer slots, `(K, features, units)` each."""
        slots = {f"slots/{number}": to_numpy(slot) for number, slot in enumerate(self._layer.slots())}
        return {"kernels": to_numpy(self._layer.kernels()), **slots}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned, after `keep`."""
        kernels, *slots = [
            torch.from_numpy(np.array(state[path])).to(self._stack.device)
            for path in ("kernels", *sorted(set(state) - {"kernels"}))
        ]
        self._layer.load(kernels, slots)

    def predict(self, program: Program, split: str, cases: NDArray[np.int64] | None = None) -> Any:
        """Predict all rows of the split with each run, and pick each run's own cases from them."""
        size = self._batch_size if program.mixes_samples else SAMPLES_AT_ONCE
        products = self._layer.predict(self._cut(split, size))
        parts = [program([SparseProduct(product)], PassContext(training=False)) for product in products]
        outputs = tree.map_structure(lambda *values: torch.cat(values, dim=1), *parts)
        if cases is None:
            return outputs
        device = tree.flatten(outputs)[0].device
        index, each = torch.from_numpy(cases).to(device), torch.arange(len(cases), device=device)[:, None]
        return tree.map_structure(lambda value: value[each, index], outputs)

    def _cut(self, split: str, size: int) -> Sequence[Any]:
        """Return all rows of a split in pieces of so many; they are cut once."""
        if split not in self._pieces:
            rows = self._rows[split]
            source = self._layer.source(rows, device=self._stack.device)
            self._pieces[split] = source.batches(np.arange(rows.shape[0]), batch_size=size)
        return self._pieces[split]

    def _at(self, step: int) -> list[Any]:
        # any batch stands in for seeds whose runs have all left: nobody reads it
        some = next(own for own in self._batches if own)
        return [(own or some)[step - 1] for own in self._batches]


def _first_layer(
    kernels: torch.Tensor,
    groups: Sequence[int],
    rule: UpdateRule,
    penalties: tuple[torch.Tensor, torch.Tensor],
    threads: int,
) -> FirstLayer[Any]:
    """Return the fastest layer there is for such kernels."""
    l1, l2 = penalties
    if vectors_fit(rule, kernels.device):
        return VectorFirstLayer(kernels, groups, rule=rule, l1=l1, l2=l2, threads=threads)
    return SparseFirstLayer(kernels, groups, rule=rule, l1=l1, l2=l2)


def _single(x: Any) -> Any:
    """Return the one input of a list or mapping that holds one; anything else as it is."""
    parts = tree.flatten(x) if isinstance(x, dict | list | tuple) else [x]
    return parts[0] if len(parts) == 1 else x
