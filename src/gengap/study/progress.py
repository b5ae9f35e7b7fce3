"""Progress of a study: runs, epochs and time left in a terminal, growing curves in a notebook."""

from collections.abc import Iterator, Mapping, Sequence
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
from gengap.study.live_curves import live_curves
from gengap.study.notebook import notebook_display


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
def shown(inner: Listener, *, runs: Sequence[Run], num_epochs: int, score: str, show: bool) -> Iterator[Listener]:
    """Give a listener that shows progress while the block runs; the inner one where nothing is to be shown.

    Args:
        inner: The listener that is passed on to.
        runs: The runs that will be trained.
        num_epochs: Number of epochs of a run, at most.
        score: Name of the common score.
        show: Whether to show anything.
    """
    open_display = notebook_display()
    if not show:
        yield inner
    elif open_display is not None:
        with live_curves(inner, open_display, runs=runs, num_epochs=num_epochs, score=score) as listener:
            yield listener
    else:
        columns = (
            TextColumn("{task.description:>7}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns) as progress:
            yield ProgressListener(inner, progress, num_runs=len(runs), num_epochs=num_epochs)
