"""A chunk of runs under way, frozen: everything that its next step depends on."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from gengap.engine.runs import Array, Listener, Run


@dataclass(frozen=True, eq=False)
class ChunkState:
    """What training goes on from, to the bit, under the same plan on the same device.

    Runs that have finished are not part of it: their records were handed out before.

    Attributes:
        arrays: Weights, optimizer slots, logs, best weights, and what the epoch under way has gathered, by path.
        scalars: JSON-able: `epoch` and `step` that come next, `runs` (variant and seed of those still training),
            `doors` taken, scalars of the logs, `seconds` spent.
    """

    arrays: Mapping[str, Array]
    scalars: Mapping[str, Any]


@runtime_checkable
class CheckpointListener(Listener, Protocol):
    """A listener that also wants checkpoints."""

    def on_checkpoint(self, chunk_id: str, state: ChunkState) -> None:
        """Keep the state of a chunk; it replaces the chunk's last one."""


@runtime_checkable
class HaltingListener(Listener, Protocol):
    """A listener that also says which runs are not worth going on with."""

    def on_halt(self, epoch: int, running: Sequence[tuple[Run, Array]]) -> AbstractSet[int]:
        """Choose the runs of a chunk that end here.

        Args:
            epoch: The epoch that has just finished, from 1.
            running: The runs of the chunk that would go on, each with its validation scores so far, shape `(epoch,)`.

        Returns:
            Places in `running`.
        """


def nest(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Put a prefix before every path."""
    return {f"{prefix}/{path}": value for path, value in arrays.items()}


def unnest(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return what stands under a prefix, without it."""
    start = f"{prefix}/"
    return {path[len(start) :]: value for path, value in arrays.items() if path.startswith(start)}


Interrupted = Callable[[], bool]
"""Tells whether somebody asked the training to end after the present step."""
