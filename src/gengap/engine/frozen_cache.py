"""Where computed frozen parts are kept, from the plan of a training to its end; it knows nothing of what they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class FrozenCache:
    """What was computed once of cases, by the digest of all that it depends on.

    Attributes:
        values: What was computed, by digest of weights, configuration and cases: nothing in it can be stale.
        digests: Digest of cases that were looked at, by `id`, with the cases, so that no other can take their `id`.
        in_memory: Bytes of what is kept in memory.
        clones: The engine's clones of models, by what says that the model is still what it was.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.digests: dict[Any, tuple[Any, str]] = {}
        self.in_memory = 0
        self.clones: dict[Any, tuple[Any, Any]] = {}

    def clear(self) -> None:
        """Forget everything; memory-mapped files go with it."""
        self.values.clear()
        self.digests.clear()
        self.clones.clear()
        self.in_memory = 0


_OPEN: ContextVar[FrozenCache | None] = ContextVar("gengap_frozen_cache", default=None)


@contextmanager
def frozen_cache() -> Iterator[FrozenCache]:
    """Keep what is computed in here until the outermost of such contexts is left."""
    outer = _OPEN.get()
    if outer is not None:
        yield outer
        return
    cache = FrozenCache()
    token = _OPEN.set(cache)
    try:
        yield cache
    finally:
        _OPEN.reset(token)
        cache.clear()
