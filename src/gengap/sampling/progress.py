"""A bar for long sampling: it appears when the work has taken a while, and never for short work."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress

_PATIENCE = 1.0
"""Seconds of work before a bar appears."""


class RowProgress:
    """Counts computed rows, and shows them once the work has taken more than a moment.

    Args:
        total: Rows to compute.
        shown: Whether a bar may appear at all.
    """

    def __init__(self, total: int, *, shown: bool) -> None:
        self._total, self._shown = total, shown
        self._done = 0
        self._started = time.perf_counter()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, rows: int) -> None:
        """Count rows that are done."""
        self._done += rows
        if self._bar is None:
            if not self._shown or self._done >= self._total or time.perf_counter() - self._started < _PATIENCE:
                return
            self._bar = Progress(transient=True, console=Console(force_jupyter=False))  # no widgets, no empty outputs
            self._bar.add_task("samples", total=self._total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=self._done)
