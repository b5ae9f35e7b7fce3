"""Plans a training: cohorts cut into chunks that fit into memory, of the size that a moment's measurement prefers."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import keras
import numpy as np
import torch

from gengap.engine.cohorts import cohorts, noisiest
from gengap.engine.frozen import FrozenParts
from gengap.engine.measured_ways import known_or
from gengap.engine.memory import free_memory
from gengap.engine.recording import why_not_compiled
from gengap.engine.runs import Run, TrainingSettings
from gengap.engine.signatures import signature
from gengap.errors import UnknownNameError
from gengap.keras_models.fusable import why_not_fused
from gengap.keras_models.graph import read_graph
from gengap.keras_models.layer_names import learning
from gengap.keras_models.private import all_layers, outputs_of_calls

Device = Literal["auto", "cpu", "cuda"]
_NO_GAIN = 0.95  # of a step's cost alone
_AS_GOOD = 1.15  # times the least cost: what a few steps cannot tell apart, and what a heavy chunk must gain
_LIGHT = 1 << 28  # bytes of a chunk that nobody misses
_LONG_ENOUGH = 0.15  # seconds of trial steps after which no more are needed

_SHARE_OF_MEMORY = 0.4
_NAMED = 8  # layers that a note names


@dataclass(frozen=True)
class Chunk:
    """Runs that train as one program.

    Attributes:
        id: Name of the chunk, for checkpoints.
        runs: Variant and seed of each run, in the order of the stack.
        engine: `"fused"`, or `"keras"` for runs that take Keras' own loop one after another.
        reason: Why this size, or why Keras' loop.
        threads: Threads of torch's operations on a CPU; 0 for as many as there are.
        step_alone: Seconds of a step of one run by itself, as the planner measured it; 0 where it had no choice.
        step_together: Seconds of a step divided by the runs, all together.
        compiled_steps: Whether steps are compiled; they were measured as they are.
        cut: Indices of the values of the models' graph that are computed once per case, see `layers.frozen_part`; none
            where nothing is.
    """

    id: str
    runs: tuple[tuple[str, int], ...]
    engine: Literal["fused", "keras"]
    reason: str
    threads: int = 0
    step_alone: float = 0.0
    step_together: float = 0.0
    compiled_steps: bool = False
    cut: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What trains together, and where. The same plan on the same device gives the same numbers to the bit.

    Attributes:
        device: `"cpu"` or `"cuda"`.
        precision: Number format of the activations.
        chunks: What trains together, in order.
        notes: What is computed once per case because no run trains it, and why no more; which layers start from the
            weights that they hold. A sentence each.
    """

    device: str
    precision: str
    chunks: tuple[Chunk, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Plan":
        """Return the plan that `to_json` wrote, in this version or an older one (`compiled` for `compiled_steps`)."""
        chunks = tuple(
            Chunk(
                one["id"],
                tuple((str(v), int(s)) for v, s in one["runs"]),
                one["engine"],
                one["reason"],
                int(one.get("threads", 0)),
                float(one.get("step_alone", 0.0)),
                float(one.get("step_together", 0.0)),
                bool(one.get("compiled_steps", one.get("compiled", False))),
                tuple(int(index) for index in one.get("cut", ())),
            )
            for one in values["chunks"]
        )
        return cls(values["device"], values["precision"], chunks, tuple(values.get("notes", ())))

    @property
    def speed_up(self) -> float | None:
        """How many times less the steps of all runs cost than one run after the other; None if nothing was measured."""
        measured = [chunk for chunk in self.chunks if chunk.step_together]
        together = sum(len(chunk.runs) * chunk.step_together for chunk in measured)
        alone = sum(len(chunk.runs) * chunk.step_alone for chunk in measured)
        return alone / together if together else None

    def __str__(self) -> str:
        gain = "" if self.speed_up is None else f", {self.speed_up:.1f} times faster than one after the other"
        runs = sum(len(chunk.runs) for chunk in self.chunks)
        lines = [f"{runs} runs in {len(self.chunks)} chunks on {self.device}{gain}"]
        for chunk in self.chunks:
            variants = ", ".join(dict.fromkeys(variant for variant, _ in chunk.runs))
            seeds = len({seed for _, seed in chunk.runs})
            lines.append(f"{chunk.id}: {len(chunk.runs):3} runs together ({seeds} seeds of {variants}); {chunk.reason}")
        return "\n".join([*lines, *self.notes])


Measure = Callable[[Sequence[int], int], float]
"""Takes positions of runs and a number of threads (0 for all), and returns the seconds of one step of them together."""

Examine = Callable[[int], str | None]
"""Takes the position of a run, and returns why the runs of its model have to take Keras' own loop, or None."""


def make_plan(
    runs: Sequence[Run],
    settings: TrainingSettings,
    *,
    device: Device = "auto",
    measure: Measure,
    examine: Examine = lambda _: None,
    frozen: FrozenParts | None = None,
) -> Plan:
    """Plan the training of runs.

    Args:
        runs: The runs.
        settings: What they have in common.
        device: Where to train; `"auto"` takes CUDA where there is one.
        measure: Times a step of some runs together, on the real data.
        examine: Looks at a model of each cohort whose like the fused engine can train.
        frozen: Finds what is computed once per case; None computes everything at every step.
    """
    where = choose_device(device)
    chunks: list[Chunk] = []
    found = [None if frozen is None else frozen.find(run) for run in runs]
    for group in cohorts(runs, ["" if one is None else one.digest for one in found]):
        model = noisiest([runs[place].model for place in group])
        reason = why_not_fused(model) or examine(group[0])
        if reason is not None:
            chunks.append(_chunk(len(chunks), runs, group, "keras", f"Keras' own loop: {reason}"))
            continue
        first = found[group[0]]
        cut = () if first is None else first.part.cut
        way = _known_way(runs[group[0]], model, group, settings, where, cut=cut, measure=measure)
        pieces = np.array_split(np.array(group), -(-len(group) // way.size))
        reason, compiled_steps = str(way), False
        if settings.compile:
            against = why_not_compiled(where)
            compiled_steps = against is None
            reason += ", then compiled" if compiled_steps else f", not compiled: {against}"
        chunks += [
            _chunk(
                len(chunks) + number,
                runs,
                [int(p) for p in piece],
                "fused",
                reason,
                way=way,
                compiled_steps=compiled_steps,
                cut=cut,
            )
            for number, piece in enumerate(pieces)
        ]
    cuts = {name: chunk.cut for chunk in chunks for name in chunk.runs}
    told = () if frozen is None else frozen.sentences(runs, [cuts[run.variant, run.seed] for run in runs])
    return Plan(where, settings.precision, tuple(chunks), (*told, *_kept(runs, settings)))


def _kept(runs: Sequence[Run], settings: TrainingSettings) -> list[str]:
    """Say of each variant which of its layers are trained from the weights that they hold."""
    if settings.initial_weights == "keep":
        return []
    models = {run.variant: run.model for run in runs if run.kept}
    given = {run.variant: run.kept for run in runs if run.kept}
    kept = {name: own for name, model in models.items() if (own := learning(model, given[name]))}
    return [
        f"initial weights of {variant}: {', '.join(names[:_NAMED])}{' ...' if len(names) > _NAMED else ''} "
        f"({len(names)} layers) start from what they hold, as do frozen ones; all else is drawn for each seed"
        for variant, names in kept.items()
    ]


def choose_device(device: Device) -> str:
    """Return `"cpu"` or `"cuda"`.

    Raises:
        UnknownNameError: CUDA is asked for where there is none.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UnknownNameError("`device='cuda'` was asked for, but torch sees no CUDA device; use 'auto' or 'cpu'.")
    return device


def bytes_per_run(model: keras.Model, batch_size: int, cut: Sequence[int] = ()) -> int:
    """Estimate what one more run in a chunk takes: weights, gradients, slots, and activations there and back.

    Args:
        model: The model.
        batch_size: Cases a step.
        cut: Indices of values that are known: what leads to them counts nothing.
    """
    weights, layers = model.weights, all_layers(model, include_self=False)
    if cut:
        operations = {id(step.operation): step.operation for step in read_graph(model).after(cut).steps}.values()
        layers = [layer for one in operations if isinstance(one, keras.layers.Layer) for layer in all_layers(one)]
        weights = [weight for one in operations for weight in getattr(one, "weights", ())]
    parameters = sum(int(np.prod(weight.shape)) for weight in weights)
    outputs = [tensor.shape[1:] for layer in layers for tensor in outputs_of_calls(layer)]
    activations = sum(int(np.prod([size or 1 for size in shape])) for shape in outputs)
    return 4 * (6 * parameters + 3 * batch_size * activations)


@dataclass(frozen=True)
class _Way:
    """How the runs of a cohort train: how many at once, in how many threads of torch's, and what a step then costs."""

    size: int
    threads: int = 0
    alone: float = 0.0
    together: float = 0.0

    def __str__(self) -> str:
        if not self.together:
            return "one at a time"
        how = " in one thread" if self.threads else ""
        gain = self.alone / self.together
        return f"a step costs {1e3 * self.together:.2f} ms a run{how}, {gain:.1f} times less than alone"


def _known_way(
    run: Run,
    model: keras.Model,
    group: Sequence[int],
    settings: TrainingSettings,
    where: str,
    *,
    cut: tuple[int, ...],
    measure: Measure,
) -> _Way:
    """Return the way of a cohort, measured unless one like it has been."""
    each = bytes_per_run(model, settings.batch_size, cut)
    key = (signature(model), run.share, None if run.fold is None else len(run.fold.train), settings.batch_size,
           settings.precision, where, cut, torch.get_num_threads())  # fmt: skip
    way: _Way = known_or(key, len(group), lambda: _way(group, each, where, measure))
    return way


def _way(group: Sequence[int], each: int, device: str, measure: Measure) -> _Way:
    """Return the way in which a step costs least per run, each of which takes so many bytes.

    One thread, if others would gain less than a tenth: short operations spend their time waiting for the other
    threads, and on a machine that somebody else uses too, they wait for milliseconds. One run, if company would gain
    less than a twentieth: convolutions on a CPU keep it busy alone, in a fraction of the memory. Of equally good sizes
    the largest that is light, as chunks have costs of their own, and of heavy ones the smallest.
    """
    fits = max(1, int(_SHARE_OF_MEMORY * free_memory(device) // each))
    largest = min(len(group), fits)
    if largest == 1:
        return _Way(1)
    several = device == "cpu" and torch.get_num_threads() > 1
    measure(group[:1], 0)  # touches the memory and wakes the cores; the first to be measured would look slow
    tried: dict[int, tuple[float, int]] = {}  # seconds a run, and threads
    for size in sorted({1, min(4, largest), min(16, largest), largest}):
        tried[size] = measure(group[:size], 0) / size, 0
        if several:
            with_one = measure(group[:size], 1) / size
            if with_one < 1.1 * tried[size][0]:
                tried[size] = with_one, 1
            several = with_one < 1.3 * tried[size][0]  # threads that paid clearly pay for larger ones too
        if size > 1 and tried[size][0] > _NO_GAIN * tried[1][0]:
            break  # larger ones gain nothing either
    least, _ = min(tried.values())
    if least > _NO_GAIN * tried[1][0]:
        return _Way(1, tried[1][1], alone=tried[1][0], together=tried[1][0])
    good = [size for size in tried if tried[size][0] < _AS_GOOD * least]
    best = max((size for size in good if size * each <= _LIGHT), default=min(good))
    return _Way(best, tried[best][1], alone=tried[1][0], together=tried[best][0])


def _chunk(
    number: int,
    runs: Sequence[Run],
    positions: Sequence[int],
    engine: Literal["fused", "keras"],
    reason: str,
    *,
    way: _Way | None = None,
    compiled_steps: bool = False,
    cut: tuple[int, ...] = (),
) -> Chunk:
    names = tuple((runs[position].variant, runs[position].seed) for position in positions)
    chosen = way or _Way(1)
    measured = chosen.threads, chosen.alone, chosen.together
    return Chunk(f"chunk-{number:03d}", names, engine, reason, *measured, compiled_steps, cut)


def timed(steps: Sequence[Callable[[], None]], *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the least seconds of some steps, the first of which only warms up; long ones are timed once.

    Whatever else the machine does makes a step longer, never shorter.

    Args:
        steps: What to time.
        clock: `time.process_time` for work in one thread: what others do on the machine then lengthens no step. By the
            wall, long steps look worse than short ones there, which fit between two turns of the others.
    """
    seconds: list[float] = []
    for step in steps:
        if len(seconds) > 1 and sum(seconds) > _LONG_ENOUGH:
            break
        started = clock()
        step()
        seconds.append(clock() - started)
    return min(seconds[1:])
