"""The fast sampler: once per case what precedes the noise, channel masks by linearity, members in one batch."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import scipy.sparse as sp
import torch

from gengap.engine.computation import Precision
from gengap.keras_models.graph import Graph, Step, read_graph
from gengap.kernels.small_planes import TiledConvolution
from gengap.layers import traits_of
from gengap.layers.activations import Activation
from gengap.layers.base import is_plain
from gengap.layers.convolution import channel_parts
from gengap.layers.doors import Door
from gengap.layers.recurrent import RecurrentDoor
from gengap.layers.single import rows_door
from gengap.sampling.footprint import Footprint
from gengap.sampling.found_noise import ModelNoise, treats_rows_alone
from gengap.sampling.masks import Block
from gengap.sampling.noise_layers import NoiseLayer, NoiseStrength
from gengap.sampling.sampler import Sampler, dense, no_gradients, noise_of, plain
from gengap.sampling.spectral import SpectralConvolution, spectral_convolution
from gengap.sampling.step_values import (
    as_rows,
    call_door_of,
    call_step,
    contains,
    has_parts,
    in_dtype_of,
    is_as_called,
    is_unmasked,
    on_device,
    part_of,
    plain_value,
    sparse_dense,
    take_door,
    to_device,
)
from gengap.sampling.switch import NoiseSource, NoiseSwitch
from gengap.sampling.tiled import (
    can_sum_planes,
    convolve_tiles,
    sum_parts_of_planes,
    take_in,
    tiled_convolution,
)
from gengap.sampling.values import (
    Deferred,
    Masked,
    PerCase,
    PerMember,
    Value,
    add_noise,
    is_masked,
    per_member,
    row_shape,
)


class GraphSampler(Sampler):
    """Samples a model on Keras' torch backend, step by step of its graph.

    Args:
        model: A built model; a subclassed one is a graph of a single step.
        source: Where the noise comes from.
        noise: What makes noise in it; None finds out when cases are loaded.
        precision: Number format of the activations of convolutions and pooling after the noise; all else is float32.
    """

    def __init__(
        self,
        model: keras.Model,
        source: NoiseSource,
        noise: ModelNoise | None = None,
        *,
        precision: Precision = "float32",
    ) -> None:
        self._graph: Graph = read_graph(model)
        self._source, self._precision = source, precision
        self._device = keras.ops.convert_to_tensor(0.0).device
        self._is_prepared = noise is not None
        if noise is not None:
            self._prepare(noise)

    def _prepare(self, noise: ModelNoise) -> None:
        """Decide how every step is computed, now that it is known where the noise is."""
        self._switch = NoiseSwitch(noise, self._source)
        self._noise = {id(one.layer): one for one in noise.own}
        noisy = {*self._noise, *(id(one.layer) for one in noise.foreign)}
        self._reads = {step.index: [slot.index for slot in step.input_slots()] for step in self._graph.steps}
        self._last_reader = {index: step.index for step in self._graph.steps for index in self._reads[step.index]}
        self._results = {slot.index for slot in keras.tree.flatten(self._graph.outputs)}
        self._noisy = {step.index for step in self._graph.steps if contains(step.operation, noisy)}
        self._opaque = any(
            id(step.operation) not in self._noise for step in self._graph.steps if step.index in self._noisy
        )
        self._before, self._after = self._split()
        self._layers = {step.index: rows_door(step) for step in self._graph.steps if step.index not in self._noisy}
        self._traits = {step.index: traits_of(step.operation) for step in self._graph.steps}
        self._tiled = self._tiled_convolutions()
        self._dtype = torch.bfloat16 if self._precision == "bfloat16" and self._half_pays() else torch.float32
        self._spectral = self._spectral_convolutions()
        self._calls: dict[int, Door | None] = {}
        self._owned = {step.index for step in self._owners()}
        self._bare = self._without_checks()
        self._alone = {step.index for step in self._after if self._treats_rows_alone(step)}
        self._summable = {step.index for step in self._after if has_parts(step.operation)}
        self._footprint = Footprint(self._after, cached=self._device.type == "cpu")
        self._loaded: dict[int, Value] = {}
        self._first_case, self._focus = 0, (0, 0)
        self._kept: dict[int, Value] = {}
        self._once: dict[int, list[Value]] = {}
        self._parts: dict[int, torch.Tensor] = {}

    def load(self, inputs: Sequence[Any], first_case: int = 0) -> None:
        """Compute everything up to the first noise of every path through the graph, in inference mode."""
        if not self._is_prepared:
            self._prepare(noise_of(self._graph.model, inputs))
            self._is_prepared = True
        values: dict[int, Value] = {
            slot.index: PerCase(as_rows(x, self._device)) for slot, x in zip(self._graph.inputs, inputs, strict=True)
        }
        needed = {index for step in self._after for index in self._reads[step.index]} | self._results
        self._first_case, self._focus = first_case, (0, 0)
        self._cases = int(inputs[0].shape[0])
        with self._switch.off(first_case, self._cases), no_gradients():
            for step in self._before:
                self._store(step, values, self._infer(step, values))
                self._forget(step, values, needed)
        self._loaded = {index: value for index, value in values.items() if index in needed}

    def infer(self) -> Any:
        """Compute the rest of the graph in inference mode."""
        values = dict(self._loaded)
        with self._switch.off(self._first_case, self._cases), no_gradients():
            for step in self._after:
                self._store(step, values, self._infer(step, values))
                self._forget(step, values, self._results)
            return keras.tree.map_structure(lambda slot: plain(plain_value(values[slot.index])), self._graph.outputs)

    def draw(self, block: Block, strength: NoiseStrength) -> Any:
        """Compute the rest of the graph for the members of `block`, some or all of the loaded cases."""
        self._turn_to(block)
        values, calls = dict(self._kept), Counter[int]()
        with self._switch.on(block, strength, calls), no_gradients():
            for step in self._after:
                given = [values[index] for index in self._reads[step.index]]
                results = self._compute(step, values, block, strength, calls)
                self._footprint.note([*given, *results], block.rows)
                self._store(step, values, results)
                self._forget(step, values, self._results)
            return keras.tree.map_structure(
                lambda slot: per_member(values[slot.index], block.cases, block.members, torch.float32).cpu().numpy(),
                self._graph.outputs,
            )

    def rows(self, memory_limit: int) -> int:
        """Return how many rows the largest step after the noise allows."""
        fit = self._footprint.rows(memory_limit)
        return min(fit, _OPAQUE_ROWS) if self._opaque else fit

    @property
    def is_proven(self) -> bool:
        """Whether every step that noise reaches is known to treat rows alone."""
        return len(self._alone) == len(self._after)

    @property
    def tolerance(self) -> float:
        """As everywhere in full precision; in half, what the last bit of a number may be."""
        return 2e-2 if self._dtype == torch.bfloat16 else super().tolerance

    def _turn_to(self, block: Block) -> None:
        """Make the cases of a block the current ones; what was computed for others is dropped."""
        if self._focus == (block.first_case, block.cases):
            return
        first = block.first_case - self._first_case
        part = slice(first, first + block.cases)
        self._kept = {index: PerCase(part_of(plain_value(value), part)) for index, value in self._loaded.items()}
        self._focus, self._once, self._parts = (block.first_case, block.cases), {}, {}

    def _spectral_convolutions(self) -> dict[int, SpectralConvolution]:
        """Return the convolutions of small planes that are done by frequencies, by step."""
        # In half precision torch copies the matrices of a batch, and a direct convolution is as fast and more exact.
        if self._device.type != "cpu" or self._dtype != torch.float32:
            return {}
        found = {
            step.index: spectral_convolution(step.operation) for step in self._after if step.index not in self._tiled
        }
        return {index: one for index, one in found.items() if one is not None}

    def _tiled_convolutions(self) -> dict[int, TiledConvolution]:
        """Return the convolutions of small planes that compiled code computes, by step."""
        if self._device.type != "cpu":
            return {}
        found = {step.index: tiled_convolution(step.operation) for step in self._after}
        return {index: one for index, one in found.items() if one is not None}

    def _half_pays(self) -> bool:
        """Tell whether a convolution is left that half precision makes faster: compiled ones are faster without."""
        return any(self._traits[step.index].sums_channels and step.index not in self._tiled for step in self._after)

    def _without_checks(self) -> set[int]:
        """Return the steps whose Keras layer may be called without what Keras checks and converts around every call.

        These are the layers of one value that have a kernel, of plain float32. The inputs' readers are not among them:
        what a user hands in is to be checked.
        """
        inputs = {slot.index for slot in self._graph.inputs}
        return {
            step.index
            for step in self._graph.steps
            if self._layers.get(step.index) is not None
            and step.operation.dtype_policy.name == "float32"
            and not inputs & set(self._reads[step.index])
        }

    def _treats_rows_alone(self, step: Step) -> bool:
        return id(step.operation) in self._noise or treats_rows_alone(step.operation)

    def _owners(self) -> list[Step]:
        """Return the steps that alone read a value which shares its memory with no other: they may overwrite it."""
        readers = Counter(index for step in self._graph.steps for index in self._reads[step.index])
        makers = [step for step in self._after if self._traits[step.index].makes_new_values]
        new = {slot.index for step in makers for slot in step.outputs}
        alone = {index for index in new - self._results if readers[index] == 1}
        return [step for step in self._after if self._reads[step.index] and set(self._reads[step.index]) <= alone]

    def _split(self) -> tuple[list[Step], list[Step]]:
        """Return the steps that no noise reaches, and the others."""
        noisy: set[int] = set()
        before: list[Step] = []
        after: list[Step] = []
        for step in self._graph.steps:
            if step.index in self._noisy or any(index in noisy for index in self._reads[step.index]):
                noisy.update(slot.index for slot in step.outputs)
                after.append(step)
            else:
                before.append(step)
        return before, after

    def _store(self, step: Step, values: dict[int, Value], results: list[Value]) -> None:
        for slot, value in zip(step.outputs, results, strict=True):
            values[slot.index] = value

    def _forget(self, step: Step, values: dict[int, Value], needed: set[int]) -> None:
        """Drop what the step was the last to read."""
        for index in self._reads[step.index]:
            if self._last_reader[index] == step.index and index not in needed:
                values.pop(index, None)

    def _compute(
        self, step: Step, values: dict[int, Value], block: Block, strength: NoiseStrength, calls: Counter[int]
    ) -> list[Value]:
        """Compute one step by the cheapest way that is right for what flows into it."""
        noise = self._noise.get(id(step.operation))
        given = [values[index] for index in self._reads[step.index]]
        if noise is not None:
            return [self._add_noise(noise, in_dtype_of(given[0], step.operation), block, strength.of(noise), calls)]
        if step.index in self._noisy:
            return self._fold(step, values, block)
        if all(isinstance(value, PerCase) for value in given):
            return self._infer_once(step, values)
        if len(given) == 1 and step.index in self._alone and not is_masked(given[0]):
            result = self._on_planes(step, given[0], block)
            if result is not None:
                return [result]
        return self._fold(step, values, block)

    def _on_planes(self, step: Step, value: Value, block: Block) -> Value | None:
        """Compute a step on channels-last planes, their mask kept apart or used on the way; None where it is none."""
        if isinstance(value, Deferred) and (taken := take_in(step.operation, value)) is not None:
            return taken
        if isinstance(value, Masked) and self._traits[step.index].scales_channels:
            return self._behind_mask(step, value)
        untouched = isinstance(value, Masked) and isinstance(value.base, PerCase)
        if isinstance(value, Masked) and untouched and step.index in self._summable and block.members > 1:
            return self._sum_parts(step, value, block)
        if step.index in self._tiled and not untouched:
            return convolve_tiles(step.operation, self._tiled[step.index], value, block)
        return None

    def _add_noise(self, noise: NoiseLayer, value: Value, block: Block, strength: float, calls: Counter[int]) -> Value:
        call = calls[noise.index]
        calls[noise.index] += 1
        if strength == 0:
            return value
        if isinstance(value, PerCase) and sp.issparse(value.tensor):
            value = PerCase(to_device(dense(value.tensor), self._device))
        shape = noise.mask_shape(row_shape(value))
        drawn = self._source.draw(noise, call, block, shape, strength)
        factor, summand = (None if part is None else torch.from_numpy(part).to(self._device) for part in drawn)
        on_channels = len(shape) > 1 and math.prod(shape) == shape[-1] > 1
        if factor is None or summand is not None or not on_channels or noise.kind not in {"dropout", "spatial"}:
            return add_noise(value, factor, summand, cases=block.cases, members=block.members)
        if is_masked(value):
            return add_noise(value, factor, summand, cases=block.cases, members=block.members)
        mask = factor.reshape(*factor.shape[:2], -1)
        if isinstance(value, Masked):
            return Masked(value.base, value.mask * mask)
        return Masked(value, mask)

    def _infer_once(self, step: Step, values: dict[int, Value]) -> list[Value]:
        """Compute a step in inference mode once for all members, passes and strengths."""
        if step.index not in self._once:
            self._once[step.index] = self._infer(step, values)
        return self._once[step.index]

    def _infer(self, step: Step, values: dict[int, Value]) -> list[Value]:
        if id(step.operation) in self._noise:
            return [in_dtype_of(values[self._reads[step.index][0]], step.operation)]
        given = {index: plain_value(values[index]) for index in self._reads[step.index]}
        if step.index in self._bare and all(map(is_as_called, given.values())):
            return [PerCase(step.operation.call(*given.values()))]
        sparse = next((tensor for tensor in given.values() if sp.issparse(tensor)), None)
        dense_layer = type(step.operation) is keras.layers.Dense and is_plain(step.operation)
        if sparse is not None and dense_layer and len(given) == 1:
            return [PerCase(sparse_dense(step, sparse, self._device))]
        given = {index: to_device(dense(t), self._device) if sp.issparse(t) else t for index, t in given.items()}
        return [PerCase(tensor) for tensor in call_step(step, given)]

    def _behind_mask(self, step: Step, value: Masked) -> Masked:
        """Apply a step that commutes with the mask to what stands before it."""
        if isinstance(value.base, PerCase):
            if step.index not in self._once:
                self._once[step.index] = [PerCase(self._on_base(step, value.base.tensor))]
            return Masked(PerCase(plain_value(self._once[step.index][0])), value.mask)
        taken = take_in(step.operation, value.base) if isinstance(value.base, Deferred) else None
        return Masked(taken or PerMember(self._on_base(step, value.base.tensor)), value.mask)

    def _on_base(self, step: Step, tensor: torch.Tensor) -> torch.Tensor:
        """Compute a step on the values before a mask, which others may read too."""
        door = self._layers.get(step.index)
        x = tensor if self._traits[step.index].takes_half else tensor.float()
        result: torch.Tensor = call_step(step, {self._reads[step.index][0]: x})[0] if door is None else door.rows(x)
        return result

    def _sum_parts(self, step: Step, value: Masked, block: Block) -> PerMember | Deferred:
        layer = step.operation
        if step.index not in self._parts:
            parts = channel_parts(layer, value.base.tensor).to(self._dtype)
            bias = layer.bias.value.to(self._dtype) if layer.use_bias else parts.new_zeros(parts.shape[-1])
            constant = bias.expand(parts.shape[0], 1, *parts.shape[2:])
            self._parts[step.index] = torch.cat([parts, constant], dim=1)
        parts = self._parts[step.index]
        mask = value.mask.to(self._dtype).expand(block.cases, block.members, -1)
        weights = torch.cat([mask, mask.new_ones(*mask.shape[:2], 1)], dim=-1)
        if can_sum_planes(parts, block):
            return sum_parts_of_planes(layer, parts, weights)
        # MKL shares the matrices of a batch out among threads, so that a single one would be left to one of them.
        alone = block.cases == 1
        summed = torch.mm(weights[0], parts[0].flatten(1)) if alone else torch.bmm(weights, parts.flatten(2))
        summed = summed.view(block.rows, *parts.shape[2:])
        return PerMember(Activation(layer).on_rows(summed))

    def _fold(self, step: Step, values: dict[int, Value], block: Block) -> list[Value]:
        """Call a step on all cases and members as one batch."""
        dtype = self._dtype if self._traits[step.index].takes_half else torch.float32
        given = {
            index: per_member(on_device(values[index], self._device), block.cases, block.members, dtype)
            for index in self._reads[step.index]
        }
        door = self._layers.get(step.index)
        if door is not None and len(given) == 1 and all(map(is_unmasked, given.values())):
            x, spectral = next(iter(given.values())), self._spectral.get(step.index)
            owned = step.index in self._owned
            return [PerMember(door.rows(x, owned=owned) if spectral is None else spectral(x))]
        called = self._called(step, given)
        if called is None:
            return [PerMember(tensor) for tensor in call_step(step, given)]
        self._footprint.note(map(PerMember, given.values()), block.rows)
        if isinstance(called, RecurrentDoor):
            self._footprint.note_inside(called.width * max(x.shape[1] for x in given.values()))
        return [PerMember(tensor) for tensor in take_door(called, step, given)]

    def _called(self, step: Step, given: dict[int, Any]) -> Door | None:
        """Return the kernel that computes a step of several values, or of one that carries a mask; None for Keras."""
        if step.index in self._noisy:
            return None
        if step.index not in self._calls:
            door = call_door_of(step, given)
            recurrent = isinstance(door, RecurrentDoor)
            pays = not recurrent or all(map(RecurrentDoor.pays_alone, given.values()))
            self._calls[step.index] = door if pays else None
        return self._calls[step.index]


_OPAQUE_ROWS = 1024
"""Rows of a pass through a step that makes noise inside, and whose activations cannot be seen."""
