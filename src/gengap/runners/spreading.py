"""A plan for one machine, spread over several places."""

from dataclasses import replace

from gengap.engine.planner import Chunk, Plan


def spread(plan: Plan, places: int) -> Plan:
    """Cut the largest chunks of a plan until there is one for every place.

    Runs of one seed share their batches, so chunks are cut between seeds first; what cannot be cut further, a single
    run, is left alone.

    Args:
        plan: What trains together on one machine.
        places: How many chunks can train at once.

    Example:
        >>> one = Plan("cpu", "float32", (Chunk("chunk-000", (("a", 0), ("b", 0), ("a", 1), ("b", 1)), "fused", "?"),))
        >>> [chunk.runs for chunk in spread(one, 2).chunks]
        [(('a', 0), ('b', 0)), (('a', 1), ('b', 1))]
    """
    chunks = list(plan.chunks)
    while len(chunks) < places:
        largest = max(range(len(chunks)), key=lambda place: len(chunks[place].runs), default=None)
        if largest is None or len(chunks[largest].runs) == 1:
            break
        chunks[largest : largest + 1] = _halves(chunks[largest])
    return replace(plan, chunks=tuple(replace(chunk, id=f"chunk-{n:03d}") for n, chunk in enumerate(chunks)))


def _halves(chunk: Chunk) -> list[Chunk]:
    middle = len(chunk.runs) // 2
    between_seeds = [i for i in range(1, len(chunk.runs)) if chunk.runs[i][1] != chunk.runs[i - 1][1]]
    at = min(between_seeds, key=lambda i: abs(i - middle), default=middle)
    return [replace(chunk, runs=chunk.runs[:at]), replace(chunk, runs=chunk.runs[at:])]
