"""A plan for one machine, spread over several places."""

from dataclasses import replace

from gengap.engine.planner import Chunk, Plan


def spread(plan: Plan, places: int) -> Plan:
    """Cut the largest chunks of a plan until all places can be kept busy to the end.

    That is when no chunk holds more than half of a place's share of the runs: chunks are handed out largest first, and
    the last ones fill the gaps. Runs of one seed share their batches, so chunks are cut between seeds first; a single
    run cannot be cut. For one place the plan stays as it is.

    Args:
        plan: What trains together on one machine.
        places: How many chunks can train at once.

    Example:
        >>> one = Plan("cpu", "float32", (Chunk("chunk-000", (("a", 0), ("b", 0), ("a", 1), ("b", 1)), "fused", "?"),))
        >>> [chunk.runs for chunk in spread(one, 1).chunks] == [one.chunks[0].runs]
        True
        >>> [chunk.runs for chunk in spread(one, 2).chunks]
        [(('a', 0),), (('b', 0),), (('a', 1),), (('b', 1),)]
    """
    chunks = list(plan.chunks)
    total = sum(len(chunk.runs) for chunk in chunks)
    most = total if places == 1 else max(1, total // (2 * places))
    while chunks and len(max(chunks, key=_size).runs) > most:
        largest = chunks.index(max(chunks, key=_size))
        chunks[largest : largest + 1] = _halves(chunks[largest])
    return replace(plan, chunks=tuple(replace(chunk, id=f"chunk-{n:03d}") for n, chunk in enumerate(chunks)))


def _size(chunk: Chunk) -> int:
    return len(chunk.runs)


def _halves(chunk: Chunk) -> list[Chunk]:
    middle = len(chunk.runs) // 2
    between_seeds = [i for i in range(1, len(chunk.runs)) if chunk.runs[i][1] != chunk.runs[i - 1][1]]
    at = min(between_seeds, key=lambda i: abs(i - middle), default=middle)
    return [replace(chunk, runs=chunk.runs[:at]), replace(chunk, runs=chunk.runs[at:])]
