"""How much fits into a time: what was measured of first runs, and the trials and seeds that follow from it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor

from gengap.errors import DataError

_FOR_SEARCH = 0.6
"""Share of the time after which no round of trials begins."""
_MOST_TRIALS, _MOST_EPOCHS = 200, 100
_SEEDS_TO_JUDGE = (3, 20)
"""The fewest and the most seeds that finalists are judged with."""
_FULL = 1.5
"""What a run costs that keeps weights and training scores, in runs of a round."""
_FOR_WRITING = 6.0
"""Seconds for the report, its figures and the model, on a machine that is not idle."""


@dataclass(frozen=True)
class Clock:
    """The time that there is.

    Attributes:
        minutes: How long it may take.
        started: When it began, in seconds; None begins now.
        now: What tells seconds.
    """

    minutes: float
    started: float | None = None
    now: Callable[[], float] = time.perf_counter

    def __post_init__(self) -> None:
        if self.started is None:
            object.__setattr__(self, "started", self.now())

    @property
    def seconds(self) -> float:
        """All of it, in seconds."""
        return 60 * self.minutes

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return self.now() - (self.started or 0.0)

    @property
    def left(self) -> float:
        """Seconds that are left; negative when it is over."""
        return self.seconds - self.spent


@dataclass(frozen=True)
class Pace:
    """What a round of trials cost.

    Attributes:
        seconds: Of the round.
        runs: Runs in it.
    """

    seconds: float
    runs: int

    @property
    def a_run(self) -> float:
        """Seconds of a run in company."""
        return self.seconds / self.runs


def epochs_of_pilot(clock: Clock, an_epoch: float, *, runs: int) -> int:
    """Return how long the pilot trains: a tenth of the time, from 5 to 100 epochs.

    Args:
        clock: The time that there is.
        an_epoch: Seconds of an epoch of a run.
        runs: Runs of the pilot.
    """
    return max(5, min(_MOST_EPOCHS, floor(0.1 * clock.left / max(an_epoch * runs, 1e-9))))


def check_time(clock: Clock, an_epoch: float, *, epochs: int, runs: int) -> None:
    """Refuse a time in which not even the least can be done.

    Args:
        clock: The time that there is.
        an_epoch: Seconds of an epoch of a run.
        epochs: Epochs of a run.
        runs: Runs of a trial with one seed.

    Raises:
        DataError: Four trials and the finalists with three seeds each do not fit; the sentence says what would.
    """
    fewest = 5 * runs + _FULL * 2 * _SEEDS_TO_JUDGE[0] * runs
    needed = fewest * epochs * an_epoch + _FOR_WRITING
    if needed > 2 * clock.left:  # runs in company cost less than alone, by how much is not known yet
        raise DataError(
            f"`minutes={clock.minutes:g}` is too short: an epoch takes {an_epoch:.2g} s, so that four trials of "
            f"{epochs} epochs and their judging need about {ceil(needed / 60)} minutes. Give more, a smaller model, or "
            "fewer cases."
        )


def seeds_of_trials(clock: Clock, a_run: float, *, runs: int) -> int:
    """Return how many seeds a trial has: three where 24 such trials fit, else two or one.

    Args:
        clock: The time that there is.
        a_run: Seconds of a run, at most.
        runs: Runs of a trial with one seed.
    """
    fit = _FOR_SEARCH * clock.left / max(a_run * runs, 1e-9)
    return next((seeds for seeds in (3, 2) if fit >= 24 * seeds), 1)


def trials_that_fit(clock: Clock, pace: Pace, *, done: int, each: int, together: int, finalists: int) -> int:
    """Return how many trials the next round has; 0 where it is time to judge.

    Args:
        clock: The time that there is.
        pace: What rounds have cost so far.
        done: Trials so far.
        each: Runs of a trial.
        together: The most trials of a round.
        finalists: Runs of a seed of the judging.
    """
    reserve = _FOR_WRITING + _SEEDS_TO_JUDGE[0] * finalists * _FULL * pace.a_run
    spare = min(_FOR_SEARCH * clock.seconds - clock.spent, clock.left - reserve)
    number = min(together, _MOST_TRIALS - done, floor(spare / (pace.a_run * each)))
    return number if number >= 2 else 0


def seeds_to_judge(clock: Clock, pace: Pace, *, finalists: int) -> int:
    """Return with how many seeds the finalists are judged: as many as fit, from 3 to 20.

    Args:
        clock: The time that there is.
        pace: What rounds have cost.
        finalists: Runs of a seed of the judging.
    """
    fewest, most = _SEEDS_TO_JUDGE
    fit = floor((clock.left - _FOR_WRITING) / (finalists * _FULL * pace.a_run))
    return max(fewest, min(most, fit))
