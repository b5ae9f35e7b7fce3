"""How much fits into a time: what was measured of first runs, and the trials and seeds that follow from it."""

import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite

from gengap.errors import DataError

_FOR_SEARCH = 0.6
"""Share of the time after which no round of trials begins."""
MOST_TRIALS = 200
"""Trials, at most."""
MOST_EPOCHS = 1000
"""Epochs of a run, at most; a model that has not learned after so many learns too slowly to be searched."""
_LEARNED = 0.05
"""Share of what a model learns that may be missing in the least time that is not refused."""
_MOST_NEEDED = 100
"""Epochs beyond which a time is not refused for being too short: runs are then cut, and it is said."""
_FEWEST_SEEDS, MOST_SEEDS = 3, 30
"""The fewest and the most seeds that finalists are judged with."""
_ENOUGH_SEEDS = 20
"""Seeds of the judging for which no more trials are given up."""
_LATER = 0.03
"""Share of the time by which a block of the judging may be late, as far as is known when it begins."""
_GRACE = 0.06
"""Share of the time by which a block of the judging may be late before it is ended."""
_FULL = 1.5
"""What a run costs that keeps weights and training scores, in runs of a round."""
_JUDGED = 2.0
"""The same together with others, with what is computed of them: 90 runs took 29 s where trials would have taken 13."""
_TREATED = 1.45
"""What a trial costs, in runs of the model as it is: five trials of a small Conv1D net took 37 s, it alone 5.2 s."""
_WITH_FEWEST = 1.3
"""What judging with the fewest seeds costs, in seconds of a round of as many runs: .4 to 1.25 on five data sets."""
_FOR_WRITING = 4.5
"""Seconds for what is computed of the judged runs, the report, its figures and the model."""


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
        processor: Seconds that this process computed meanwhile; None where nobody looked.
    """

    seconds: float
    runs: int
    processor: float | None = None

    @property
    def slowness(self) -> float:
        """How many times longer things take than on a machine that does nothing else, 1 or more."""
        return max(1.0, self.seconds / self.processor) if self.processor else 1.0

    def seconds_for(self, runs: int) -> float:
        """Return what so many runs together will cost, at most.

        Half of a round is its steps, which cost the same however few runs share them: 15 runs took 7.4 s where 80 took
        9.8 (569 cases, a net of 16-16). More runs than were measured cost as many times more.
        """
        share = runs / self.runs
        return self.seconds * (share if share > 1 else (1 + share) / 2)

    def runs_in(self, seconds: float) -> int:
        """Return how many runs together fit into a time; the inverse of `seconds_for`."""
        share = seconds / self.seconds
        return floor(self.runs * (share if share > 1 else max(0.0, 2 * share - 1)))


def writing(pace: Pace) -> float:
    """Return the seconds that are needed when nothing is trained any more."""
    return _FOR_WRITING * pace.slowness


def latest(pace: Pace | None, now: Pace) -> Pace:
    """Return the pace to reckon with: that of the last round, but for one that was both smaller and cheaper."""
    return now if pace is None or now.runs >= pace.runs or now.seconds >= pace.seconds else pace


@dataclass(frozen=True)
class Finish:
    """What is left to do when no trial is tried any more.

    Attributes:
        finalists: Runs of a seed of the judging.
        last: Runs of the model that is shipped, where it is trained apart from the judging; 0 where it is not.
        alone: What runs of the model as it is cost, which the last training consists of, or two such; None where nobody
            looked.
    """

    finalists: int
    last: int = 0
    alone: Pace | None = None

    def seconds(self, pace: Pace, seeds: int | None = None) -> float:
        """Return the seconds of all of it, with so many seeds or the fewest."""
        training = _JUDGED * pace.seconds_for(self.last) if self.last else 0.0
        if self.alone is not None:
            training = min(training, 2 * _FULL * self.alone.seconds_for(self.last))
        judging = _WITH_FEWEST * pace.seconds_for((seeds or _FEWEST_SEEDS) * self.finalists)
        return training + judging + writing(pace)

    def epochs(self, clock: Clock, pace: Pace, *, planned: int) -> int:
        """Return how many epochs the finalists have: as planned, or as many as fit into what is left, five at least."""
        needed = self.seconds(pace) - writing(pace)
        return max(min(planned, 5), min(planned, floor(planned * (clock.left - writing(pace)) / max(needed, 1e-9))))


class Deadline:
    """Ends all runs of a round at the end of an epoch where what comes after them would be late.

    Attributes:
        at: Seconds on the clock; infinite while nothing is to be ended.
        met: Whether it ended any.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self.at, self.met = clock, inf, False

    def __call__(self, epoch: int, running: Sequence[object]) -> AbstractSet[int]:
        """Return the places of the runs that end here, see `gengap.engine.state.HaltingListener`."""
        del epoch
        if self._clock.spent <= self.at:
            return frozenset()
        self.met = True
        return frozenset(range(len(running)))


def epochs_of_pilot(clock: Clock, an_epoch: float, *, runs: int) -> int:
    """Return how long the pilot trains: a tenth of the time, from 5 to 1,000 epochs.

    Args:
        clock: The time that there is.
        an_epoch: Seconds of an epoch of a run.
        runs: Runs of the pilot.
    """
    return max(5, min(MOST_EPOCHS, floor(0.1 * clock.left / max(an_epoch * runs, 1e-9))))


def epochs_to_learn(curve: Sequence[float]) -> int:
    """Return after how many epochs a model has learned nearly all that it learns: 19 parts in 20 of its best score.

    Args:
        curve: Held-out score after every epoch; smaller is better.
    """
    best = min((score for score in curve if isfinite(score)), default=inf)
    near = best + _LEARNED * (curve[0] - best)
    return next((epoch for epoch, score in enumerate(curve, start=1) if score <= near), len(curve))


def epochs_that_fit(clock: Clock, an_epoch: float, *, wanted: int, least: int, runs: int, company: float) -> int:
    """Return how many epochs runs have: as many as wanted, or fewer where the least that is done would not fit.

    Args:
        clock: The time that there is.
        an_epoch: Seconds of an epoch of a run.
        wanted: Epochs in which a run surely ends.
        least: Epochs that a run needs.
        runs: Runs of a trial with one seed.
        company: How many times less a run costs where three seeds train together.
    """
    fit = floor((clock.left - _FOR_WRITING) / max(_fewest(runs, company) * an_epoch, 1e-9))
    return min(wanted, max(min(least, _MOST_NEEDED), fit))


def check_time(clock: Clock, an_epoch: float, *, epochs: int, runs: int, company: float) -> None:
    """Refuse a time in which not even the least can be done.

    Args:
        clock: The time that there is.
        an_epoch: Seconds of an epoch of a run.
        epochs: Epochs of a run.
        runs: Runs of a trial with one seed.
        company: How many times less a run costs where three seeds train together.

    Raises:
        DataError: Two trials and the finalists with three seeds each do not fit; the sentence says what would.
    """
    needed = _fewest(runs, company) * epochs * an_epoch + _FOR_WRITING
    if needed > 1.1 * clock.left:
        enough = ceil((clock.spent + needed) / 60)
        raise DataError(
            f"`minutes={clock.minutes:g}` is too short: an epoch takes {an_epoch:.2g} s, so that two trials of "
            f"{epochs} epochs and their judging need about {enough} minute{'' if enough == 1 else 's'}. Give more, a "
            "smaller model, or fewer cases."
        )


def _fewest(runs: int, company: float) -> float:
    """Return the cost of two trials beside the model as it is, all apart, and of their judging, in runs."""
    return runs * (3 * _TREATED + _FULL * 3 * _FEWEST_SEEDS / company)


def seeds_of_trials(clock: Clock, a_run: float, *, runs: int) -> int:
    """Return how many seeds a trial has: three where 24 such trials fit, else two or one.

    Args:
        clock: The time that there is.
        a_run: Seconds of a run, at most.
        runs: Runs of a trial with one seed.
    """
    fit = _FOR_SEARCH * clock.left / max(a_run * runs, 1e-9)
    return next((seeds for seeds in (3, 2) if fit >= 24 * seeds), 1)


def first_trials(clock: Clock, pilot: Pace, *, each: int, finish: Finish) -> int:
    """Return how many trials the first round has: from 2 to 8, as many as fit even if company saved nothing.

    Args:
        clock: The time that there is.
        pilot: What runs of the model as it is cost, alone.
        each: Runs of a trial.
        finish: What comes after the last round.
    """
    spare = min(_FOR_SEARCH * clock.seconds - clock.spent, clock.left - finish.seconds(pilot))
    return max(2, min(8, MOST_TRIALS, floor(pilot.runs * spare / (_TREATED * pilot.seconds) / each) - 1))


def trials_that_fit(clock: Clock, pace: Pace, *, done: int, each: int, together: int, finish: Finish) -> int:
    """Return how many trials the next round has; 0 where it is time to judge.

    Args:
        clock: The time that there is.
        pace: What the last round has cost.
        done: Trials so far.
        each: Runs of a trial.
        together: The most trials of a round.
        finish: What comes after the last round.
    """
    share = max(_FOR_SEARCH * clock.seconds - clock.spent, clock.left - finish.seconds(pace, _ENOUGH_SEEDS))
    spare = min(share, clock.left - finish.seconds(pace))
    number = min(together, MOST_TRIALS - done, pace.runs_in(spare) // each)
    return number if number >= 2 else 0


def first_block(clock: Clock, pace: Pace, *, each: int, most: int) -> int:
    """Return with how many seeds the judging begins: half of those that seem to fit, three at least.

    Args:
        clock: The time that there is.
        pace: What the last round of trials has cost.
        each: Runs of a seed.
        most: The most seeds.
    """
    fit = pace.runs_in((clock.left - writing(pace)) / _JUDGED) // each
    return min(most, max(_FEWEST_SEEDS, fit // 2))


def next_block(clock: Clock, pace: Pace, *, each: int, most: int) -> int:
    """Return how many seeds are judged with besides: as many as surely fit; 0 where it is time to write.

    Args:
        clock: The time that there is.
        pace: What the last block has cost.
        each: Runs of a seed.
        most: The most seeds that may be added.
    """
    return min(most, pace.runs_in(clock.left + _LATER * clock.seconds - writing(pace)) // each)


def is_late(clock: Clock, pace: Pace) -> bool:
    """Tell whether it is so late that a block of the judging is given up."""
    return clock.left + _GRACE * clock.seconds < writing(pace)
