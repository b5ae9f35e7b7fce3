"""The part of a model that gives the same numbers for a case at every step: what to compute once, and why no more.

A step belongs to it if all that it reads does, if it is Keras' own code, none of its weights is trained, and if calling
it, in training and in inference, at two moments, shows that it draws nothing, keeps no state, adds nothing to the
objective, does the same in both modes, and treats cases one by one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

import keras
import torch
from keras import tree

from gengap.keras_models.frozen import is_frozen_kernel
from gengap.keras_models.graph import Graph, Slot, Step, read_graph
from gengap.keras_models.noise_kinds import strength_of
from gengap.keras_models.private import mask_of
from gengap.keras_models.separability import is_keras_made, is_known_separate
from gengap.layers.least_cut import least_cut
from gengap.layers.lost_masks import as_seen
from gengap.layers.moment import INFERENCE, Moment
from gengap.layers.noise import FUSED_NOISE
from gengap.layers.noise_keys import NoiseKeys
from gengap.layers.probe import INSISTS_ON_ITS_BATCH, separates, unlike

PROBED = 4
"""Cases on which a model is looked at."""


@dataclass(frozen=True)
class FrozenPart:
    """What is computed once per case, and what is said of it.

    Attributes:
        cut: Indices of the values that the rest of the model reads: inputs that it still needs, and computed ones; none
            where nothing is worth computing once.
        steps: How many steps lead to them.
        weights: How many numbers the layers of these steps hold.
        bytes_per_case: What the computed values of a case take.
        ended_by: Why a frozen layer with a kernel is not part of it, a clause with the name of the step that is the
            reason; empty where all frozen layers are.
    """

    cut: tuple[int, ...] = ()
    steps: int = 0
    weights: int = 0
    bytes_per_case: int = 0
    ended_by: str = ""


Tried = dict[bytes, tuple[str, Any]]
"""Why a step is not fixed, empty where it is, and its result, by a digest of the step and of what led to it."""


def find_frozen(
    model: keras.Model,
    inputs: Sequence[Any],
    *,
    tried: Tried | None = None,
    digest_of: Callable[[Step], bytes] | None = None,
) -> FrozenPart:
    """Return the part of a model that is worth computing once per case.

    Everything that can be is, up to the last frozen layer that multiplies by weights; what follows belongs to it where
    the values that have to be kept become no larger by it. So a pooling behind a frozen convolution is computed once,
    and an embedding, whose vectors take more room than its tokens, is not, unless something behind it shrinks them.

    Args:
        model: A built model; the engine's clone, since its generators are keyed. No weight or state of it changes.
        inputs: Flat inputs of a few real cases, tensors `(n, ...)`.
        tried: What was found of steps of other models on the same cases; what is found of this one's is added. Variants
            mostly share their frozen part, which is then looked at once.
        digest_of: Tells what a step computes, weights included, whatever it reads; wanted with `tried`.
    """
    trained = {id(weight) for weight in model.trainable_weights}
    graph, search = read_graph(model), _Search(model, trained)
    search.walk(graph, inputs, _Memory({} if tried is None else tried, digest_of))
    search.drop_what_cannot_end(graph, trained)
    frozen = {step.index for step in graph.steps if is_frozen_kernel(step, trained)}
    ended_by = search.reason_for(graph, frozen)
    work = {step.index for step in graph.steps if step.index in search.fixed and _multiplies(step, trained)}
    kept = least_cut(graph, search.sizes, _ancestors(graph, work), search.fixed) if search.fixed else set()
    if not kept & frozen:
        return FrozenPart(ended_by=ended_by)
    made = {slot for step in graph.steps if step.index in kept for slot in step.outputs}
    later = [slot for step in graph.steps if step.index not in kept for slot in step.input_slots()]
    read = dict.fromkeys(slot for slot in (*later, *graph.output_slots()) if slot in made or slot in graph.inputs)
    cut = tuple(sorted(slot.index for slot in read))
    weights = {id(w): w for step in graph.before(cut).steps for w in getattr(step.operation, "weights", ())}
    return FrozenPart(
        cut=cut,
        steps=len(graph.before(cut).steps),
        weights=sum(_count(weight) for weight in weights.values()),
        bytes_per_case=sum(search.sizes[slot] for slot in read if slot in made),
        ended_by=ended_by,
    )


class _Search:
    """A walk through the steps that only frozen ones lead to, each tried on a few cases."""

    def __init__(self, model: keras.Model, trained: set[int]) -> None:
        self._keys, self._trained = NoiseKeys(model), trained
        self.fixed: set[int] = set()
        self.sizes: dict[Slot, int] = {}
        self.reasons: dict[int, str] = {}

    def walk(self, graph: Graph, inputs: Sequence[Any], memory: "_Memory") -> None:
        """Find the steps that are fixed, and the bytes of a case of each value that may be kept."""
        values: list[Any] = [None] * graph.size
        cases = len(inputs[0])
        for slot, value in zip(graph.inputs, inputs, strict=True):
            values[slot.index] = value
            self._measure(slot, value, cases)
            memory.begin(slot, value)
        for step in graph.steps:
            if any(values[slot.index] is None for slot in step.input_slots()):
                continue
            reason = self._excluded(step)
            reason, result = (reason, None) if reason else memory.recall(step, partial(self._try, step, values))
            if reason:
                self.reasons[step.index] = reason
                continue
            self.fixed.add(step.index)
            for slot, value in zip(step.outputs, tree.flatten(result), strict=True):
                values[slot.index] = value
                self._measure(slot, value, cases)

    def drop_what_cannot_end(self, graph: Graph, trained: set[int]) -> None:
        """Leave out the steps whose values later steps read but cannot be kept, and then what only led to these."""
        read = set(graph.output_slots())
        for step in reversed(graph.steps):
            if step.index in self.fixed and any(slot in read and slot not in self.sizes for slot in step.outputs):
                self.fixed.discard(step.index)
                if _multiplies(step, trained):
                    self.reasons[step.index] = (
                        "gives values with a mask or without an axis of cases, which are not kept"
                    )
            if step.index not in self.fixed:
                read.update(step.input_slots())

    def reason_for(self, graph: Graph, frozen: set[int]) -> str:
        """Return why frozen layers are not fixed: the first step on the way to one that is not, other than training."""
        beyond = frozen - self.fixed
        ways = _ancestors(graph, beyond)
        found = [(step, self.reasons[step.index]) for step in graph.steps if step.index in ways & set(self.reasons)]
        named = [f"{getattr(step.operation, 'name', type(step.operation).__name__)!r} {why}" for step, why in found]
        return named[0] if named else ""

    def _measure(self, slot: Slot, value: Any, cases: int) -> None:
        if mask_of(value) is None and len(value) == cases:  # a mask would have to be kept as well
            self.sizes[slot] = value.element_size() * value[:1].numel()

    def _excluded(self, step: Step) -> str:
        """Return why a step needs no trial to be left out; empty where it does."""
        operation = step.operation
        if isinstance(operation, keras.Model) or not is_keras_made(operation):
            return "is not a layer or operation of Keras' own"
        trained = any(id(weight) in self._trained for weight in getattr(operation, "weights", ()))
        return "is trained" if trained else ""

    def _try(self, step: Step, values: Sequence[Any]) -> tuple[str, Any]:
        """Return why a step is not fixed, empty where it is, and its result in inference."""
        if _is_silent(step.operation):
            return "", values[step.input_slots()[0].index]
        moments = [Moment(0, INFERENCE, 1), *([Moment(0, 1, 1), Moment(0, 2, 2)] if step.takes_training else [])]
        results = []
        for moment in moments:
            result, reason = self._call(step, values, moment)
            if reason:
                return reason, None
            results.append(result)
        reason = "" if _is_separate(step, values) else "may look at several cases at once"
        if not all(_same(results[0], one) for one in results):
            reason = "computes something else in training than in inference"
        return reason, results[0]

    def _call(self, step: Step, values: Sequence[Any], moment: Moment) -> tuple[Any, str]:
        operation, (args, kwargs) = step.operation, step.arguments(as_seen(step, values))
        mode = {"training": moment.epoch != INFERENCE} if step.takes_training else {}
        states = self._keys.states(operation, moment)
        scope = keras.StatelessScope(states, collect_losses=True)
        with torch.no_grad(), self._keys.keyed(operation, moment), scope:
            try:
                result = operation(*args, **kwargs, **mode)
            except INSISTS_ON_ITS_BATCH:
                return None, f"cannot be tried on {PROBED} cases"
            drew = self._keys.has_drawn(operation, moment, states, scope)
            known = {id(variable) for variable, _ in states}
            changed = [
                variable
                for variable in getattr(operation, "variables", ())
                if id(variable) not in known and scope.get_current_value(variable) is not None
            ]
        if drew:
            return None, "draws random numbers in training" if mode.get("training") else "draws random numbers"
        if changed:
            return None, f"changes its state {changed[0].name!r}"
        return result, "adds to the objective" if scope.losses else ""


class _Memory:
    """What was found of the steps of several models, each known by itself and by what leads to it."""

    def __init__(self, tried: Tried, digest_of: Callable[[Step], bytes] | None) -> None:
        self._tried, self._digest_of = tried, digest_of
        self._ways: dict[Slot, bytes] = {}

    def begin(self, slot: Slot, value: torch.Tensor) -> None:
        """Take in what an input holds."""
        digest = blake2b(repr((value.dtype, value.shape)).encode(), digest_size=16)
        digest.update(bytes_of(value))
        self._ways[slot] = digest.digest()

    def recall(self, step: Step, attempt: Callable[[], tuple[str, Any]]) -> tuple[str, Any]:
        """Return what is known of a step, or what the attempt finds."""
        if self._digest_of is None:
            return attempt()
        digest = blake2b(self._digest_of(step), digest_size=16)
        digest.update(repr(_is_silent(step.operation)).encode())  # digests of steps leave strengths of noise out
        for slot in step.input_slots():
            digest.update(self._ways[slot])
        key = digest.digest()
        self._ways |= {slot: key + str(place).encode() for place, slot in enumerate(step.outputs)}
        if key not in self._tried:
            self._tried[key] = attempt()
        return self._tried[key]


def _multiplies(step: Step, trained: set[int]) -> bool:
    return is_frozen_kernel(step, trained) and not isinstance(step.operation, keras.layers.Embedding)


def _is_silent(operation: keras.Operation) -> bool:
    return type(operation).__name__ in FUSED_NOISE and strength_of(operation) == 0


def _is_separate(step: Step, values: Sequence[Any]) -> bool:
    if is_known_separate(step.operation):
        return True
    slots = step.input_slots()
    given = tuple(values[slot.index] for slot in slots)
    if any(mask_of(one) is not None for one in given):
        return False
    mode = {"training": False} if step.takes_training else {}

    def call(*tensors: torch.Tensor) -> Any:
        own = dict(zip(slots, tensors, strict=True))
        args, kwargs = step.arguments({slot.index: value for slot, value in own.items()})
        return step.operation(*args, **kwargs, **mode)

    return separates(call, given, tuple(map(unlike, given)))


def _same(one: Any, other: Any) -> bool:
    pairs = zip(tree.flatten(one), tree.flatten(other), strict=True)
    return all(a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all()) for a, b in pairs)  # noqa: PLR0124


def _ancestors(graph: Graph, steps: set[int]) -> set[int]:
    """Return some steps and all that lead to them."""
    found, wanted = set(steps), set[Slot]()
    for step in reversed(graph.steps):
        if step.index in found or wanted & set(step.outputs):
            found.add(step.index)
            wanted |= set(step.input_slots())
    return found


def bytes_of(tensor: torch.Tensor) -> Any:
    """Return the bytes of a tensor, as an array that shares them; NumPy has no bfloat16."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


def _count(weight: Any) -> int:
    size = 1
    for length in weight.shape:
        size *= length
    return size


def in_bytes(size: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"
