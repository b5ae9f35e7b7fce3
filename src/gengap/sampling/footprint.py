"""How many rows a pass may have: learned from what earlier passes took, so that a step's values stay in cache."""

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import keras

from gengap.keras_models.graph import Step
from gengap.sampling.values import Deferred, Masked, PerCase, Value

CACHE = 1 << 23
"""Bytes that the input and output of one step may take on a CPU, 8 MiB: beyond, every step waits for the memory. On two
Zen 4 cores with 1 MB and a share of 32 MB of cache, 2 to 16 MiB are equally fast and 64 MiB take 1.8 times as long."""

_FIRST_ROWS = 64
"""Rows of a pass before anything was measured: few enough for large activations, enough for a kernel to be itself."""

_COPIES = 2
"""A kernel may lay out its input anew, and a result is converted: twice what a step reads and writes."""


class Footprint:
    """Bytes that the largest step takes for every row of a pass.

    Args:
        steps: The steps that are computed for every member.
        cached: Whether passes shall fit the processor's cache.
    """

    def __init__(self, steps: Sequence[Step], *, cached: bool) -> None:
        self._steps, self._cached = steps, cached
        self._bytes, self._inside = 0.0, 0.0

    def note(self, values: Iterable[Value], rows: int) -> None:
        """Learn what one step read and wrote in a pass of `rows` rows."""
        self._bytes = max(self._bytes, sum(map(_size, values)) / rows)

    def note_inside(self, numbers: int) -> None:
        """Learn how many numbers a row takes within a step, while it is computed."""
        self._inside = max(self._inside, 4.0 * numbers)

    def rows(self, memory_limit: int) -> int:
        """Return how many rows fit; before the first pass a guess by the shapes that the model declares."""
        if not self._bytes:
            return max(1, min(_FIRST_ROWS, memory_limit // (_COPIES * self._declared)))
        limit = memory_limit // _COPIES
        fit = (min(limit, CACHE) if self._cached else limit) // self._bytes
        return max(1, int(min(fit, memory_limit // self._inside) if self._inside else fit))

    @cached_property
    def _declared(self) -> int:
        """Bytes of a row of the largest step by its symbolic tensors, at least one."""
        return max((4 * sum(map(_width, _tensors_of(step))) for step in self._steps), default=0) or 1


def _size(value: Value) -> int:
    base = value.base if isinstance(value, Masked) else value
    if isinstance(base, PerCase):
        return 0  # once for all members
    if isinstance(base, Deferred) and not base.is_there:
        return 0  # it may never take any: what follows it may be computed in its place
    return base.tensor.numel() * base.tensor.element_size()


def _tensors_of(step: Step) -> list[Any]:
    """Return the symbolic tensors of an operation; none where Keras does not know them."""
    try:
        return [*keras.tree.flatten(step.operation.input), *keras.tree.flatten(step.operation.output)]
    except (AttributeError, ValueError):  # a subclassed model, or a layer that stands in several places
        return []


def _width(tensor: Any) -> int:
    """Return how many numbers one row of a symbolic tensor has; an open axis counts as 1."""
    return math.prod(int(size or 1) for size in tensor.shape[1:])
