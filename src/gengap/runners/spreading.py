"""A plan for one machine, spread over several places."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from gengap.engine.planner import Chunk, Plan

_LIMITS = [0.75**step for step in range(24)]
"""What a chunk may cost at most, as parts of what the dearest one costs: the ways to cut that are tried."""

_AS_GOOD = 1.05
"""A plan that ends so many times later than the best one counts as good as it: chunks cost a little each to begin."""


def spread(plan: Plan, places: int) -> Plan:
    """Cut the dearest chunks of a plan, so that several places together end it early.

    Small chunks let places end at the same time, large ones cost less a run. So several ways to cut are tried, by the
    costs that were measured and where each place takes the dearest chunk that is left; of those that end first, the
    one of fewest chunks is taken. Runs of one seed share their batches, so chunks are cut between seeds first; a single
    run cannot be cut. For one place no chunk is cut.

    Args:
        plan: What trains together on one machine.
        places: How many chunks can train at once.

    Example:
        >>> one = Plan("cpu", "float32", (Chunk("chunk-000", (("a", 0), ("b", 0), ("a", 1), ("b", 1)), "fused", "?"),))
        >>> [chunk.runs for chunk in spread(one, 1).chunks] == [one.chunks[0].runs]
        True
        >>> [chunk.runs for chunk in spread(one, 2).chunks]
        [(('a', 0), ('b', 0)), (('a', 1), ('b', 1))]
    """
    if places == 1 or not plan.chunks:
        return _numbered(plan, plan.chunks)
    sizes = {run: len(chunk.runs) for chunk in plan.chunks for run in chunk.runs}
    unmeasured = max((chunk.step_alone for chunk in plan.chunks if chunk.step_alone), default=1.0)

    def price(chunk: Chunk) -> float:
        return cost(chunk, planned=sizes[chunk.runs[0]], unmeasured=unmeasured)

    dearest = max(map(price, plan.chunks))
    ways = [_cut(plan.chunks, dearest * limit, price) for limit in _LIMITS]
    ends = [duration(map(price, chunks), places) for chunks in ways]
    best = next(chunks for chunks, end in zip(ways, ends, strict=True) if end <= _AS_GOOD * min(ends))
    return _numbered(plan, best)


def _numbered(plan: Plan, chunks: Sequence[Chunk]) -> Plan:
    """Return a plan of some chunks, each under a name of its own: they may come from several plans."""
    return replace(plan, chunks=tuple(replace(chunk, id=f"chunk-{n:03d}") for n, chunk in enumerate(chunks)))


def cost(chunk: Chunk, *, planned: int = 0, unmeasured: float = 1.0) -> float:
    """Return what a step of a chunk costs, in seconds as measured on one machine.

    Args:
        chunk: The chunk.
        planned: Of how many runs it was when it was planned; 0 where it has not been cut. Between one run and these,
            costs are interpolated.
        unmeasured: What a run costs of a chunk that was not measured; such chunks train one run at a time.
    """
    number, whole = len(chunk.runs), max(planned, len(chunk.runs))
    if not chunk.step_alone:
        return number * unmeasured
    return number * float(np.interp(np.log(number), np.log([1, whole]), [chunk.step_alone, chunk.step_together]))


def duration(costs: Iterable[float], places: int) -> float:
    """Return when the last of several places ends, where each takes the dearest chunk that is left."""
    ends = [0.0] * places
    for one in sorted(costs, reverse=True):
        heapq.heapreplace(ends, ends[0] + one)
    return max(ends)


def _cut(chunks: Sequence[Chunk], most: float, price: Callable[[Chunk], float]) -> list[Chunk]:
    """Halve chunks until each costs at most so much, or is a single run."""
    cut: list[Chunk] = []
    for chunk in chunks:
        whole = len(chunk.runs) == 1 or price(chunk) <= most
        cut += [chunk] if whole else _cut(_halves(chunk), most, price)
    return cut


def _halves(chunk: Chunk) -> list[Chunk]:
    middle = len(chunk.runs) // 2
    between_seeds = [i for i in range(1, len(chunk.runs)) if chunk.runs[i][1] != chunk.runs[i - 1][1]]
    at = min(between_seeds, key=lambda i: abs(i - middle), default=middle)
    return [replace(chunk, runs=chunk.runs[:at]), replace(chunk, runs=chunk.runs[at:])]
