"""What fits into a time, worked by hand on a clock that stands still."""

import pytest

from gengap.errors import DataError
from gengap.improving import planning
from gengap.improving.planning import Clock, Pace


@pytest.fixture
def clock():
    """A clock of five minutes, and what puts it to so many seconds after its start."""
    now = [1000.0]
    return Clock(5.0, now=lambda: now[0]), lambda seconds: now.__setitem__(0, 1000.0 + seconds)


def test_the_pilot_takes_a_tenth(clock):
    assert planning.epochs_of_pilot(clock[0], 0.5, runs=1) == 60
    assert planning.epochs_of_pilot(clock[0], 0.5, runs=5) == 12
    assert planning.epochs_of_pilot(clock[0], 1e-4, runs=1) == 100


def test_rounds_end_early_enough_to_judge(clock):
    clock, at = clock
    pace = Pace(seconds=48.0, runs=48)  # a second a run
    trials = {"done": 16, "each": 3, "together": 16, "finalists": 3}
    at(60)
    assert planning.trials_that_fit(clock, pace, **trials) == 16
    at(168)  # 12 seconds until 60 % are over: four trials of three seconds
    assert planning.trials_that_fit(clock, pace, **trials) == 4
    at(178)
    assert planning.trials_that_fit(clock, pace, **trials) == 0
    assert planning.trials_that_fit(clock, pace, **{**trials, "done": 200}) == 0


def test_the_time_that_is_left_goes_into_seeds_of_the_finalists(clock):
    clock, at = clock
    at(180)
    assert planning.seeds_to_judge(clock, Pace(48.0, 48), finalists=3) == 20
    at(249)  # 45 s to judge in, 4.5 s a seed
    assert planning.seeds_to_judge(clock, Pace(48.0, 48), finalists=3) == 10
    at(299)
    assert planning.seeds_to_judge(clock, Pace(48.0, 48), finalists=3) == 3


def test_a_time_in_which_nothing_can_be_done_is_refused_with_one_that_would_do(clock):
    with pytest.raises(DataError, match=r"is too short: an epoch takes 10 s.* need about 117 minutes"):
        planning.check_time(clock[0], 10.0, epochs=50, runs=1)
    planning.check_time(clock[0], 0.1, epochs=50, runs=1)


def test_trials_have_fewer_seeds_where_runs_are_dear(clock):
    assert [planning.seeds_of_trials(clock[0], one, runs=1) for one in (1.0, 3.0, 10.0)] == [3, 2, 1]
