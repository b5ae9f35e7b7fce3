"""Progress of a study in the terminal: runs, epochs, time left."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gengap.engine.runs import Listener, Run, RunRecord


class Silence:
    """The listener that keeps nothing, where a store does."""

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        """Ignore an epoch."""

    def on_record(self, record: RunRecord) -> None:
        """Ignore a record."""


class ProgressListener:
    """Shows what an engine tells, and passes it on.

    Args:
        inner: The listener that is passed on to.
        progress: Where to show.
        num_runs: Number of runs to train.
        num_epochs: Number of epochs of a run, at most.
    """

    def __init__(self, inner: Listener, progress: Progress, *, num_runs: int, num_epochs: int) -> None:
        self._inner, self._progress, self._num_epochs = inner, progress, num_epochs
        self._epochs: TaskID = progress.add_task("epochs", total=num_runs * num_epochs)
        self._runs: TaskID = progress.add_task("runs", total=num_runs)

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        """Move the bar of the epochs."""
        self._progress.advance(self._epochs)
        self._inner.on_epoch(run, epoch, logs)

    def on_record(self, record: RunRecord) -> None:
        """Move the bar of the runs; epochs that a stopped run spares count as done."""
        self._progress.advance(self._runs)
        self._progress.advance(self._epochs, self._num_epochs - len(record.history["loss"]))
        self._inner.on_record(record)


@contextmanager
def shown(inner: Listener, *, num_runs: int, num_epochs: int, show: bool) -> Iterator[Listener]:
    """Give a listener that shows progress while the block runs; the inner one where nothing is to be shown."""
    if not show:
        yield inner
        return
    columns = (
        TextColumn("{task.description:>7}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        yield ProgressListener(inner, progress, num_runs=num_runs, num_epochs=num_epochs)
