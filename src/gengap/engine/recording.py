"""Steps recorded and compiled: the tensor operations of forward and backward, without the walk that led to them.

Every step of a training does the same operations on other numbers. Finding them anew costs a walk through Keras' graph
and a graph of autograd each time, and each operation writes its result to memory. A step is therefore traced, forward
and backward, down to its tensor operations, with its weights, its batch and its noise as arguments, and torch compiles
what was traced. Before a recording is used, it is checked on this batch and on other numbers: the bare one must equal
the step to the bit, the compiled one to rounding.
"""

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from keras import tree
from torch.fx.experimental.proxy_tensor import make_fx

from gengap.engine.step import Batch, Differentiated, TrainingStep
from gengap.errors import GengapWarning
from gengap.layers.doors import NoiseDraw, PassContext, SparseProduct

_TOLERANCE = 1e-4
"""Relative difference that is taken for rounding, where operations are compiled or a GPU sums in any order."""


@dataclass(eq=False)
class _Notes:
    """The noise of a pass: what was drawn, and how to draw it again at another moment."""

    draws: list[NoiseDraw] = field(default_factory=list)
    drawn: list[torch.Tensor] = field(default_factory=list)

    def __call__(self, draw: NoiseDraw, context: PassContext) -> torch.Tensor:
        self.draws.append(draw)
        self.drawn.append(draw(context))
        return self.drawn[-1]


class CompiledStep:
    """A step that is recorded and compiled once for every size of batch.

    Where it cannot be recorded (layers that are called run by run, operations that look at numbers), it is taken as it
    is; where it cannot be compiled, it is played back as it was recorded; a warning says so. Either is decided before
    a step is taken, so that an interrupted training goes on to the same numbers.

    Args:
        step: The step.
    """

    def __init__(self, step: TrainingStep) -> None:
        self._step = step
        self._tapes: dict[Any, _Tape | None] = {}
        self._said = False

    def __call__(self, batch: Batch, context: PassContext, scales: torch.Tensor | None = None) -> Differentiated:
        """Take a step; see `TrainingStep`. One that scales its objectives before differentiation is not recorded."""
        if scales is not None:
            self._say("the optimizer scales its loss")
            return self._step(batch, context, scales)
        sizes = tuple(tuple(one.shape) for one in _tensors(batch))
        if sizes not in self._tapes:
            self._tapes[sizes] = self._record(batch, context)
        tape = self._tapes[sizes]
        return self._step(batch, context) if tape is None else tape.play(batch, context)

    def _record(self, batch: Batch, context: PassContext) -> "_Tape | None":
        """Return a recording that gives what the step gives; None if there is none."""
        notes, moment = _Notes(), _again(context)
        moment.noise = notes
        with _unmoved(self._step):
            example = self._step(batch, moment)
        if not self._step.program.is_recordable:  # every door is chosen now
            self._say("some layers are called run by run")
            return None
        try:
            tape = _Tape(self._step, batch, notes, example)
        except RuntimeError:
            self._say("what an operation does depends on the numbers that it sees")
            return None
        exactly = all(tensor.device.type == "cpu" for tensor in _tensors(batch))
        if not self._is_right(tape, batch, context, exactly=exactly):
            self._say("a step recorded does not give the numbers of the step itself")
            return None
        return self._compile(tape, batch, context)

    def _compile(self, tape: "_Tape", batch: Batch, context: PassContext) -> "_Tape":
        """Return a recording compiled; as it is where that fails or gives other numbers."""
        compiled = tape.compile()
        try:
            with _unheard():
                right = self._is_right(compiled, batch, context, exactly=False)
            if right:
                return compiled
            self._say("the compiled step gave other numbers")
        except Exception as error:  # noqa: BLE001  compilers fail in many ways, and training can do without
            self._say(_first_line(error))
        return tape

    def _say(self, reason: str) -> None:
        if not self._said:
            warnings.warn(f"Training goes on without compiling: {reason}.", GengapWarning, stacklevel=3)
        self._said = True

    def _is_right(self, tape: "_Tape", batch: Batch, context: PassContext, *, exactly: bool) -> bool:
        later = PassContext(training=True, epoch=context.epoch + 1, step=context.step + 1)
        for seen, moment in ((batch, context), (_other_numbers(batch), later)):
            with _unmoved(self._step):
                wanted = self._step(seen, _again(moment))
            with _unmoved(self._step):
                played = tape.play(seen, _again(moment))
            pairs = zip(_results(wanted), _results(played), strict=True)
            if not all(_same(one, other, exactly=exactly) for one, other in pairs):
                return False
        return True


class _Tape:
    """The tensor operations of one step, forward and backward.

    Args:
        step: The step.
        batch: A batch of the size that is to be played.
        notes: The noise of the step on that batch.
        example: What the step gave.

    Raises:
        RuntimeError: An operation looks at numbers.
    """

    def __init__(self, step: TrainingStep, batch: Batch, notes: _Notes, example: Differentiated) -> None:
        self._stack = step.stack
        self._draws = notes.draws
        self._names = tuple(example.parts)
        self._outputs = tree.map_structure(lambda _: None, example.outputs)
        self._num_outputs = len(tree.flatten(example.outputs))
        values = [value.detach() for value in self._stack.values]
        with _unmoved(step):
            # the tracer is told nothing about gradients: it sees the operations that autograd makes of them
            self._play: Callable[..., Any] = make_fx(_on_tensors(step, batch))(values, _tensors(batch), notes.drawn)

    def compile(self) -> "_Tape":
        """Return the recording, to be compiled when it is first played."""
        other = copy.copy(self)
        other._play = torch.compile(self._play, dynamic=False)  # noqa: SLF001  its own copy
        return other

    def play(self, batch: Batch, context: PassContext) -> Differentiated:
        """Take the step."""
        with torch.no_grad():
            drawn = [draw(context) for draw in self._draws]
            values = [value.detach() for value in self._stack.values]
            flat = self._play(values, [one.detach() for one in _tensors(batch)], drawn)
        count = 1 + len(self._names)
        outputs = flat[count : count + self._num_outputs]
        return Differentiated(
            flat[0],
            dict(zip(self._names, flat[1:count], strict=True)),
            tree.pack_sequence_as(self._outputs, outputs) if tree.is_nested(self._outputs) else outputs[0],
            list(flat[count + self._num_outputs :]),
        )


def _on_tensors(step: TrainingStep, batch: Batch) -> Callable[..., list[torch.Tensor]]:
    """Return a step as a function of its weights, batch and noise."""

    def compute(
        values: Sequence[torch.Tensor], tensors: Sequence[torch.Tensor], drawn: Sequence[torch.Tensor]
    ) -> list[torch.Tensor]:
        remaining = iter(drawn)
        moment = PassContext(training=True, noise=lambda *_: next(remaining))
        with torch.enable_grad(), step.stack.replaced(values):
            return _results(step(_with_tensors(batch, tensors), moment))

    return compute


@contextmanager
def _unheard() -> Iterator[None]:
    """Let nothing that a compiler warns of decide, where warnings are errors: it compiles all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@cache
def why_not_compiled(device: str = "cpu") -> str | None:
    """Return why torch cannot compile for a device, in a sentence; None where it can. It takes some seconds, once."""
    try:
        with _unheard():
            torch.compile(lambda x: x.sin() + 1, dynamic=False)(torch.zeros(8, device=device))
    except Exception as error:  # noqa: BLE001  compilers, their absence and their versions fail in many ways
        return f"torch.compile does not work here ({_first_line(error)})"
    return None


@contextmanager
def _unmoved(step: TrainingStep) -> Iterator[None]:
    """Put back what a pass moves besides gradients: statistics that layers keep."""
    stack = step.stack
    places = [place for place in stack.untrained() if place not in stack.outside]
    before = [stack.values[place].detach().clone() for place in places]
    try:
        yield
    finally:
        with torch.no_grad():
            for place, value in zip(places, before, strict=True):
                stack.values[place].copy_(value)


def _again(context: PassContext) -> PassContext:
    """Return the same moment, for another pass."""
    return PassContext(training=context.training, epoch=context.epoch, step=context.step)


def _tensors(batch: Batch) -> list[torch.Tensor]:
    """Return the tensors of a batch, flat."""
    inputs = [one.product if isinstance(one, SparseProduct) else one for one in batch.inputs]
    return [*inputs, *tree.flatten(batch.y_true), *([] if batch.weight is None else [batch.weight])]


def _with_tensors(batch: Batch, tensors: Sequence[torch.Tensor]) -> Batch:
    """Return a batch of the same structure with other tensors; what a first layer made is a leaf."""
    remaining = iter(tensors)
    inputs = [
        SparseProduct(next(remaining).detach().requires_grad_()) if isinstance(one, SparseProduct) else next(remaining)
        for one in batch.inputs
    ]
    y_true = tree.map_structure(lambda _: next(remaining), batch.y_true)
    return Batch(inputs, y_true, None if batch.weight is None else next(remaining))


def _other_numbers(batch: Batch) -> Batch:
    """Return a batch of the same size with its cases in the other direction, and its real inputs halved."""
    flipped = [one.detach().flip(1) for one in _tensors(batch)]
    halved = [
        0.5 * one if position < len(batch.inputs) and one.is_floating_point() else one
        for position, one in enumerate(flipped)
    ]
    return _with_tensors(batch, halved)


def _results(found: Differentiated) -> list[torch.Tensor]:
    flat = [found.objective, *found.parts.values(), *tree.flatten(found.outputs), *found.gradients]
    return [one.detach() for one in flat]


def _same(one: torch.Tensor, other: torch.Tensor, *, exactly: bool) -> bool:
    if exactly:
        return bool(((one == other) | (one.isnan() & other.isnan())).all())
    scale = float(one.nan_to_num().abs().max()) if one.numel() else 0.0
    return torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE * scale, equal_nan=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
