"""Where to cut a graph in two so that the fewest bytes go across: the least cut between what must be on either side."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from gengap.keras_models.graph import Graph, Slot

_NEVER = 2**31 - 1
_MOST = 2**30  # the capacities of SciPy's flow are 32-bit integers


def least_cut(graph: Graph, sizes: Mapping[Slot, int], before: Iterable[int], possible: Iterable[int]) -> set[int]:
    """Return the steps to compute before the cut, so that what later steps read of them is smallest.

    That is a minimum cut of the graph in which a value costs its bytes once, however many steps read it, and no step
    stands before the cut whose inputs do not. Of equal cuts the latest is taken.

    Args:
        graph: The graph.
        sizes: Bytes of a case of each value that may cross.
        before: Steps that must stand before the cut, by place.
        possible: Steps that may.
    """
    possible = set(possible)
    slots = [*graph.inputs, *(slot for step in graph.steps if step.index in possible for slot in step.outputs)]
    edges = _Edges({slot: 2 + place for place, slot in enumerate(slots)}, 2 + len(slots))
    scale = max(1, sum(sizes[slot] for slot in slots if slot in sizes) // _MOST + 1)
    made_by = {slot: step.index for step in graph.steps for slot in step.outputs}
    for slot in slots:
        cost = _NEVER if slot not in sizes else max(1, sizes[slot] // scale)
        edges.add(edges.step(made_by[slot]) if slot in made_by else edges.SOURCE, edges.slots[slot], cost)
    for step in graph.steps:
        read = [slot for slot in step.input_slots() if slot in edges.slots]
        later = step.index not in possible
        for slot in read:
            edges.add(edges.slots[slot], edges.SINK if later else edges.step(step.index), _NEVER)
            if not later and slot in made_by:
                edges.add(edges.step(step.index), edges.step(made_by[slot]), _NEVER)
    for slot in graph.output_slots():
        if slot in edges.slots:
            edges.add(edges.slots[slot], edges.SINK, _NEVER)
    for index in before:
        edges.add(edges.SOURCE, edges.step(index), _NEVER)
    later_side = edges.reaching_the_sink()
    return {index for index in possible if edges.steps.get(index) not in later_side and index in edges.steps}


class _Edges:
    """A network under construction: node 0 is the source, node 1 the sink, then values, then steps."""

    SOURCE, SINK = 0, 1

    def __init__(self, slots: Mapping[Slot, int], size: int) -> None:
        self.slots, self.steps = slots, dict[int, int]()
        self._size = size
        self._capacity: dict[tuple[int, int], int] = {}

    def step(self, index: int) -> int:
        """Return the node of a step."""
        if index not in self.steps:
            self.steps[index] = self._size
            self._size += 1
        return self.steps[index]

    def add(self, start: int, end: int, capacity: int) -> None:
        self._capacity[start, end] = max(capacity, self._capacity.get((start, end), 0))

    def reaching_the_sink(self) -> set[int]:
        """Return the nodes from which the sink is reached when the flow is greatest: those after the latest cut."""
        starts, ends = np.array(list(self._capacity), np.int32).T
        capacities: Sequence[int] = list(self._capacity.values())
        shape = (self._size, self._size)
        network = sparse.csr_matrix((np.array(capacities, np.int32), (starts, ends)), shape)
        flow = maximum_flow(network, self.SOURCE, self.SINK).flow
        left = network.astype(np.int64) - flow.astype(np.int64)
        left.data = np.maximum(left.data, 0)
        left.eliminate_zeros()
        found: Sequence[int] = breadth_first_order(left.T.tocsr(), self.SINK, return_predecessors=False).tolist()
        return set(found)
