"""Learning curves that grow while a study trains, in a notebook: one output that is drawn again and again."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from gengap.engine.runs import Listener, Run, RunRecord
from gengap.plots.live_curves import LiveCurvesDisplay, RunCurves
from gengap.study.notebook import Handle

_AT_MOST_EVERY = 0.5
_SHARE_OF_TIME = 0.02
"""Drawing may take this share of the time at most, so that many runs do not slow their own training down."""


class LiveCurves:
    """Draws what an engine tells, and passes it on.

    Args:
        inner: The listener that is passed on to.
        open_display: Opens a changeable output, see `notebook_display`.
        runs: The runs that will be trained.
        num_epochs: Number of epochs of a run, at most.
        score: Name of the common score.
        clock: Time in seconds.
    """

    def __init__(
        self,
        inner: Listener,
        open_display: Callable[[dict[str, str]], Handle],
        *,
        runs: Sequence[Run],
        num_epochs: int,
        score: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        names = list(dict.fromkeys(run.variant for run in runs))
        counts = {name: sum(run.variant == name for run in runs) for name in names}
        self.curves = RunCurves(names, counts, num_epochs, score)
        self._inner, self._clock = inner, clock
        self._begin = self._drawn_at = clock()
        self._wait = _AT_MOST_EVERY
        self._handle = open_display(self._bundle())

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        """Add a point, and draw when it is time."""
        self.curves.add(run.variant, run.seed, epoch, logs)
        if self._clock() - self._drawn_at >= self._wait:
            self.draw()
        self._inner.on_epoch(run, epoch, logs)

    def on_record(self, record: RunRecord) -> None:
        """Count a finished run."""
        self.curves.finished[record.variant] += 1
        self._inner.on_record(record)

    def draw(self) -> None:
        """Draw the present state in place of the last one."""
        begin = self._clock()
        self._handle.update(self._bundle(), raw=True)
        self._drawn_at = self._clock()
        self._wait = max(_AT_MOST_EVERY, (self._drawn_at - begin) / _SHARE_OF_TIME)

    def _bundle(self) -> dict[str, str]:
        return {"text/html": LiveCurvesDisplay(self.curves).to_html(self._status()), "text/plain": self._status()}

    def _status(self) -> str:
        """How far it has come, in one line."""
        total, done = sum(self.curves.num_runs.values()), sum(self.curves.finished.values())
        epochs = sum(len(scores["train_score"] or scores["val_score"]) for scores in self.curves.values.values())
        spent = self._clock() - self._begin
        said = f"{done} of {total} runs finished, {_minutes(spent)}"
        share = epochs / max(total * self.curves.num_epochs, 1)
        return f"{said} gone, at most {_minutes(spent / share - spent)} left" if share > 0 and done < total else said


@contextmanager
def live_curves(
    inner: Listener,
    open_display: Callable[[dict[str, str]], Handle],
    *,
    runs: Sequence[Run],
    num_epochs: int,
    score: str,
) -> Iterator[Listener]:
    """Give a listener that draws while the block runs, and draw the last state when it ends, however it does."""
    curves = LiveCurves(inner, open_display, runs=runs, num_epochs=num_epochs, score=score)
    try:
        yield curves
    finally:
        curves.draw()


def _minutes(seconds: float) -> str:
    return f"{int(max(seconds, 0)) // 60}:{int(max(seconds, 0)) % 60:02d}"
