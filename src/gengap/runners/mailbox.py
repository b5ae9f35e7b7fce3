"""Where Ray workers leave what the study's process shall know: an actor, in a module that imports nothing heavy."""

from typing import Any, final


@final
class Mailbox:
    """A list in one process that others append to."""

    def __init__(self) -> None:
        self._items: list[tuple[Any, ...]] = []

    def put(self, *item: Any) -> None:
        """Leave an item."""
        self._items.append(item)

    def take(self) -> list[tuple[Any, ...]]:
        """Return all items since the last call, in the order in which they came."""
        items, self._items = self._items, []
        return items
