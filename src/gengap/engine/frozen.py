"""The frozen part of models on the cases of a study: computed once, for all runs whose frozen parts are equal."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import keras
import numpy as np
import torch
from keras import tree

from gengap.datasets.cases import count_cases
from gengap.datasets.training_data import TrainingData
from gengap.engine.frozen_cache import FrozenCache
from gengap.engine.loader import BatchLoader, Column, read_cases
from gengap.engine.memory import free_memory
from gengap.engine.runs import Run, TrainingSettings
from gengap.engine.signatures import describe_step
from gengap.errors import GengapError
from gengap.keras_models.frozen import has_frozen_kernels
from gengap.keras_models.fusable import why_not_fused
from gengap.keras_models.graph import Graph, Slot, Step, input_specs, read_graph
from gengap.keras_models.heads import input_names
from gengap.kernels.transfer import upload
from gengap.layers.frozen_part import PROBED, FrozenPart, Tried, bytes_of, find_frozen, in_bytes
from gengap.layers.lost_masks import as_seen

_AT_ONCE = 32
"""Cases that are computed together, as Keras' `predict` has it."""

_SHARE_OF_MEMORY = 0.25
_SHARE_OF_DISK = 0.5


@dataclass(frozen=True, eq=False)
class Frozen:
    """A frozen part on all cases, in place of the inputs of a model.

    Attributes:
        cut: Indices of the values of the graph that the rest of the model reads.
        loaders: They of the cases of every split, by its name, in this order.
        places: Places of the weights that only the frozen part computes with.
        seconds: What it took to compute them.
    """

    cut: tuple[int, ...]
    loaders: Mapping[str, BatchLoader]
    places: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, eq=False)
class _Found:
    """What is known of the frozen part of a model before it is computed."""

    part: FrozenPart
    digest: str = ""
    where: str = ""


@dataclass(frozen=True, eq=False)
class _Values:
    """Computed values of some cases, as a `Column` takes them: tensors or memory maps; and what they took."""

    parts: Sequence[tuple[Any, None, str]]
    seconds: float


class FrozenParts:
    """Finds the frozen parts of models, and computes them on the cases of a study.

    Args:
        data: Validated splits.
        settings: What the runs have in common.
        device: Where the runs train.
        cache: Where computed values are kept.
        clone_of: Gives the engine's clone of a run's model.
    """

    def __init__(
        self,
        data: TrainingData,
        settings: TrainingSettings,
        *,
        device: str,
        cache: FrozenCache,
        clone_of: Callable[[Run], Any],
    ) -> None:
        self._settings, self._device, self._cache, self._clone_of = settings, device, cache, clone_of
        self._splits = {"train": data.train.x, **{name: split.x for name, split in data.held_out().items()}}
        self._found: dict[int, _Found] = {}
        self._tried: Tried = {}
        self._computed_at: dict[tuple[int, tuple[int, ...]], Frozen] = {}

    def find(self, run: Run) -> _Found:
        """Return the frozen part of a run's model, with the digest of all that its values depend on."""
        if id(run.model) not in self._found:
            self._found[id(run.model)] = self._find(run)
        return self._found[id(run.model)]

    def compute(self, run: Run, cut: Sequence[int]) -> Frozen | None:
        """Return the values at a cut on all cases, computed now or before; None without a cut.

        Raises:
            GengapError: There is no room for them.
        """
        if not cut:
            return None
        key = id(run.model), tuple(cut)
        if key not in self._computed_at:
            self._computed_at[key] = self._at(run, cut)
        return self._computed_at[key]

    def _at(self, run: Run, cut: Sequence[int]) -> Frozen:
        model = self._clone_of(run)
        graph = read_graph(model)
        inputs = {slot.index: place for place, slot in enumerate(graph.inputs)}
        computed = [index for index in cut if index not in inputs]
        digest = _digest_of_part(graph.before(computed))
        values = {name: self._values(model, graph.before(computed), x, digest) for name, x in self._splits.items()}
        loaders = {}
        for name, x in self._splits.items():
            raw = read_cases(model, x, device=self._device).columns if set(cut) & set(inputs) else ()
            parts = iter(values[name].parts)
            columns = [raw[inputs[i]] if i in inputs else Column(*next(parts), self._device) for i in cut]
            loaders[name] = BatchLoader(columns, device=self._device)
        distinct = {id(one): one for one in values.values()}
        return Frozen(tuple(cut), loaders, _places(graph, cut), sum(one.seconds for one in distinct.values()))

    def sentences(self, runs: Sequence[Run], cuts: Sequence[Sequence[int]]) -> tuple[str, ...]:
        """Return what a plan says of the frozen parts of its runs.

        Args:
            runs: The runs.
            cuts: What is computed once for each; nothing for runs that train as they are.
        """
        groups: dict[tuple[str, str], list[Run]] = {}
        for run, cut in zip(runs, cuts, strict=True):
            found = self._found.get(id(run.model))
            if found is not None and (cut or found.part.ended_by):
                groups.setdefault((found.digest if cut else "", found.part.ended_by), []).append(run)
        return tuple(self._sentence(own, bool(digest)) for (digest, _), own in groups.items())

    def _sentence(self, runs: Sequence[Run], once: bool) -> str:
        found, settings = self._found[id(runs[0].model)], self._settings
        names = ", ".join(dict.fromkeys(run.variant for run in runs))
        told = []
        if once:
            part, cases = found.part, sum(count_cases(x) for x in {id(x): x for x in self._splits.values()}.values())
            passes = len(runs) * settings.epochs * (1 + settings.training_score)
            size = f"{cases:,} cases x {in_bytes(part.bytes_per_case)} = {in_bytes(cases * part.bytes_per_case)}"
            told.append(
                f"{part.steps} steps with {part.weights:,} weights are computed once per case and kept {found.where} "
                f"({size}), instead of {passes:,} times for the training cases"
            )
        if found.part.ended_by:
            told.append(f"what is frozen behind this is computed at every step: {found.part.ended_by}")
        return f"frozen part of {names}: {'; '.join(told)}"

    def _find(self, run: Run) -> _Found:
        if self._settings.frozen != "once" or not has_frozen_kernels(run.model) or why_not_fused(run.model):
            return _Found(FrozenPart())
        model = self._clone_of(run)
        loader = read_cases(model, self._splits["train"], device="cpu")
        cases = [upload(one, self._device) for one in loader.span(0, min(PROBED, loader.num_cases))]
        part = find_frozen(model, cases, tried=self._tried, digest_of=_digest_of_step)
        if not part.cut:
            return _Found(part)
        graph = read_graph(model)
        computed = [index for index in part.cut if Slot(index) not in graph.inputs]
        size = part.bytes_per_case * sum(count_cases(x) for x in {id(x): x for x in self._splits.values()}.values())
        where, lacks = self._room(size)
        if lacks:
            return _Found(replace(part, cut=(), ended_by=lacks))
        return _Found(part, _digest_of_part(graph.before(computed)), where)

    def _room(self, size: int) -> tuple[str, str]:
        """Return where so many bytes are kept, or why nowhere."""
        if size <= self._limit():
            return "in memory", ""
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if size <= _SHARE_OF_DISK * free:
            return f"memory-mapped in {tempfile.gettempdir()}", ""
        return "", (
            f"its values would take {in_bytes(size)}, and {tempfile.gettempdir()} has {in_bytes(free)} free "
            "(set TMPDIR to a larger disk)"
        )

    def _limit(self) -> int:
        given = self._settings.frozen_memory
        return int(_SHARE_OF_MEMORY * free_memory(self._device)) if given is None else given

    def _values(self, model: keras.Model, graph: Graph, x: Any, digest: str) -> _Values:
        key = f"{digest}/{self._digest_of_cases(model, x)}"
        if key not in self._cache.values:
            self._cache.values[key] = self._computed(graph, read_cases(model, x, device="cpu"))
        values: _Values = self._cache.values[key]
        return values

    def _computed(self, graph: Graph, loader: BatchLoader) -> _Values:
        started = time.perf_counter()
        example = _forward(graph, [upload(one, self._device) for one in loader.span(0, 1)])
        size = loader.num_cases * sum(one.element_size() * one.numel() for one in example)
        in_memory = self._cache.in_memory + size <= self._limit()
        keep = _in_memory if in_memory else _in_files
        self._cache.in_memory += size if in_memory else 0
        blocks = (
            _forward(graph, [upload(one, self._device) for one in loader.span(start, start + _AT_ONCE)])
            for start in range(0, loader.num_cases, _AT_ONCE)
        )
        parts = keep(blocks, [(one.shape[1:], one.dtype) for one in example], loader.num_cases, self._device)
        return _Values(parts, time.perf_counter() - started)

    def _digest_of_cases(self, model: keras.Model, x: Any) -> str:
        key = id(x), repr((input_specs(model), input_names(model)))
        if key not in self._cache.digests:
            digest, loader = blake2b(digest_size=16), read_cases(model, x, device="cpu")
            for start in range(0, loader.num_cases, 4096):
                for one in loader.span(start, start + 4096):
                    digest.update(f"{one.dtype}{tuple(one.shape)}".encode())
                    digest.update(bytes_of(one))
            self._cache.digests[key] = x, digest.hexdigest()
        return self._cache.digests[key][1]


def _forward(graph: Graph, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return the values that a part of a graph ends in, in inference; those in between are forgotten once read."""
    last = {slot.index: place for place, step in enumerate(graph.steps) for slot in step.input_slots()}
    wanted = [slot.index for slot in graph.output_slots()]
    values = {slot.index: value for slot, value in zip(graph.inputs, inputs, strict=True)}
    with torch.no_grad():
        for place, step in enumerate(graph.steps):
            args, kwargs = step.arguments(as_seen(step, values))
            mode = {"training": False} if step.takes_training else {}
            results = tree.flatten(step.operation(*args, **kwargs, **mode))
            values.update((slot.index, result) for slot, result in zip(step.outputs, results, strict=True))
            for slot in step.input_slots():
                if last[slot.index] == place and slot.index not in wanted:
                    values.pop(slot.index, None)
    return [values[index].detach() for index in wanted]


Form = tuple[Sequence[int], torch.dtype]


def _in_memory(
    blocks: Iterator[list[torch.Tensor]], forms: Sequence[Form], num_cases: int, device: str
) -> list[tuple[Any, None, str]]:
    wholes = [torch.empty((num_cases, *shape), dtype=dtype, device=device) for shape, dtype in forms]
    start = 0
    for block in blocks:
        for whole, part in zip(wholes, block, strict=True):
            whole[start : start + len(part)] = part
        start += len(block[0])
    return [(whole, None, _name(whole.dtype)) for whole in wholes]


def _in_files(
    blocks: Iterator[list[torch.Tensor]],
    forms: Sequence[Form],
    num_cases: int,
    device: str,  # noqa: ARG001
) -> list[tuple[Any, None, str]]:
    """Keep values in files without a name, which go with the maps that read them, however the process ends.

    They are written, not mapped while they grow: a full disk is then an error and no signal that ends the process.
    """
    with ExitStack() as opened:
        files = [opened.enter_context(tempfile.TemporaryFile(prefix="gengap-frozen-")) for _ in forms]
        try:
            for block in blocks:
                for file, part in zip(files, block, strict=True):
                    file.write(bytes_of(part))
            for file in files:
                file.flush()
        except OSError as error:
            raise GengapError(
                f"The values of the frozen part do not fit into {tempfile.gettempdir()} ({error}): set TMPDIR to a "
                "larger disk, or compute them at every step, `computation=gg.Computation(frozen='every_step')`."
            ) from error
        return [
            (np.memmap(file, _numpy(dtype), mode="r", shape=(num_cases, *shape)), None, _name(dtype))
            for file, (shape, dtype) in zip(files, forms, strict=True)
        ]


def _digest_of_step(step: Step) -> bytes:
    """Return a digest of what one step computes, whatever the values are called that it reads."""
    digest = blake2b(digest_size=16)
    _take_in(digest, step, _numbering())
    return digest.digest()


def _numbering() -> Callable[[Any], Any]:
    """Return what numbers slots in the order in which they are met, and turns tensors into their bytes."""
    numbers: dict[int, int] = {}

    def numbered(leaf: Any) -> Any:
        if isinstance(leaf, Slot):
            return Slot(numbers.setdefault(leaf.index, len(numbers)))
        return np.frombuffer(bytes_of(leaf), np.uint8) if torch.is_tensor(leaf) else leaf

    return numbered


def _take_in(digest: Any, step: Step, numbered: Callable[[Any], Any]) -> None:
    """Add a step to a digest: operation, configuration, number format, weights, and what it reads and gives."""
    args, kwargs, outputs = tree.map_structure(numbered, (step.args, step.kwargs, step.outputs))
    own = replace(step, args=args, kwargs=kwargs, outputs=outputs)
    policies = getattr(step.operation, "dtype_policy", None)
    lost = [slot in step.lost for slot in step.input_slots()]
    digest.update(repr((describe_step(own), getattr(policies, "name", None), lost)).encode())
    for weight in getattr(step.operation, "weights", ()):
        digest.update(bytes_of(keras.ops.convert_to_tensor(weight)))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _numpy(dtype: torch.dtype) -> Any:
    return np.dtype("int16") if dtype == torch.bfloat16 else torch.empty(0, dtype=dtype).numpy().dtype


def _places(graph: Graph, cut: Sequence[int]) -> tuple[int, ...]:
    """Return the places of the weights that nothing behind a cut computes with."""
    model = graph.model
    later = {id(w) for step in graph.after(cut).steps for w in getattr(step.operation, "weights", ())}
    before = {id(w) for step in graph.before(cut).steps for w in getattr(step.operation, "weights", ())}
    trained = {id(weight) for weight in model.trainable_weights}
    return tuple(place for place, w in enumerate(model.weights) if id(w) in before - later - trained)


def _digest_of_part(graph: Graph) -> str:
    """Return a digest of what a part of a graph computes: operations, configuration, weights, number formats."""
    numbered = _numbering()
    digest = blake2b(repr((keras.config.floatx(), keras.config.image_data_format())).encode(), digest_size=16)
    tree.map_structure(numbered, list(graph.inputs))
    for step in graph.steps:
        _take_in(digest, step, numbered)
    digest.update(repr([numbered(slot).index for slot in graph.output_slots()]).encode())
    return digest.hexdigest()
