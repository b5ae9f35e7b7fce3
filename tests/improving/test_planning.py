"""What fits into a time, worked by hand on a clock that stands still."""

import numpy as np
import pytest

from gengap.errors import DataError
from gengap.improving import planning
from gengap.improving.planning import Clock, Finish, Pace


@pytest.fixture
def clock():
    """A clock of five minutes, and what puts it to so many seconds after its start."""
    now = [1000.0]
    return Clock(5.0, now=lambda: now[0]), lambda seconds: now.__setitem__(0, 1000.0 + seconds)


def test_the_pilot_takes_a_tenth(clock):
    assert planning.epochs_of_pilot(clock[0], 0.5, runs=1) == 60
    assert planning.epochs_of_pilot(clock[0], 0.5, runs=5) == 12
    assert planning.epochs_of_pilot(clock[0], 1e-4, runs=1) == 1000


def test_half_of_a_round_costs_the_same_however_few_runs_share_it():
    pace = Pace(seconds=48.0, runs=48)
    assert [pace.seconds_for(runs) for runs in (0, 24, 48, 96)] == [24.0, 36.0, 48.0, 96.0]
    assert [pace.runs_in(seconds) for seconds in (-5.0, 20.0, 36.0, 48.0, 96.0)] == [0, 0, 24, 48, 96]
    assert pace.slowness == 1.0, "nobody looked"
    assert Pace(48.0, 48, processor=16.0).slowness == 3.0
    assert Pace(48.0, 48, processor=90.0).slowness == 1.0, "two cores"


def test_a_round_that_was_smaller_and_cheaper_says_nothing_of_larger_ones():
    whole = Pace(48.0, 48)
    assert planning.latest(None, whole) is whole
    assert planning.latest(whole, Pace(0.1, 3)) is whole
    assert planning.latest(whole, Pace(60.0, 3)).seconds == 60, "the machine became slower"


def test_rounds_end_early_enough_to_judge(clock):
    clock, at = clock
    pace = Pace(seconds=48.0, runs=48)
    trials = {"done": 16, "each": 3, "together": 16, "finish": Finish(10)}
    at(60)
    assert planning.trials_that_fit(clock, pace, **trials) == 16
    at(140)  # 40 seconds until 60 % are over: 24 are the steps, so 32 runs, ten trials of three
    assert planning.trials_that_fit(clock, pace, **trials) == 10
    at(168)
    assert planning.trials_that_fit(clock, pace, **trials) == 0
    at(60)
    assert planning.trials_that_fit(clock, pace, **{**trials, "done": 200}) == 0
    late = Pace(48.0, 48, processor=1.2)  # 40 times slower than an idle machine: 240 s for the report alone
    assert planning.trials_that_fit(clock, late, **trials) == 0


def test_the_first_round_is_small_where_runs_are_dear(clock):
    clock, at = clock
    at(30)
    assert planning.first_trials(clock, Pace(1.0, 5), each=5, finish=Finish(10)) == 8
    # 150 s until 60 % are over, 14.5 s a trial: the model as it is and nine trials; 84 s for the judging
    assert planning.first_trials(clock, Pace(10.0, 5), each=5, finish=Finish(10)) == 8
    assert planning.first_trials(clock, Pace(20.0, 5), each=5, finish=Finish(10)) == 2, "108 s: judging takes 162"
    assert planning.first_trials(clock, Pace(300.0, 5), each=5, finish=Finish(10)) == 2


def test_finalists_are_trained_for_as_long_as_fits(clock):
    clock, at = clock
    at(230)  # nine runs of 30 take 30 x 39 / 60 = 19.5 s, in judging 25.4: all of it fits into 64
    assert Finish(3).epochs(clock, Pace(30.0, 30), planned=40) == 40
    at(280)  # 15.5 s are left beside the writing
    assert Finish(3).epochs(clock, Pace(30.0, 30), planned=40) == 24
    at(299)
    assert Finish(3).epochs(clock, Pace(30.0, 30), planned=40) == 5
    assert Finish(3).epochs(clock, Pace(30.0, 30), planned=3) == 3


def test_trials_go_on_where_judging_with_enough_seeds_is_cheap(clock):
    clock, at = clock
    pace = Pace(seconds=4.8, runs=48)
    at(200)  # 20 seeds of 3 take 7.8 s, writing 4.5: 87 s are left beside them, though 60 % of the time are over
    trials = {"done": 16, "each": 3, "together": 16}
    assert planning.trials_that_fit(clock, pace, finish=Finish(3), **trials) == 16
    at(286)
    assert planning.trials_that_fit(clock, pace, finish=Finish(3), **trials) == 0


def test_the_time_that_is_left_goes_into_seeds_of_the_finalists(clock):
    clock, at = clock
    judging = {"each": 3, "most": 30}
    at(170)  # 130 s are left, 4.5 for the writing: 62.75 at the price of trials, in which 62 runs fit, twenty seeds
    assert planning.first_block(clock, Pace(48.0, 48), **judging) == 10, "half of them, as their price is not known"
    assert planning.first_block(clock, Pace(48.0, 48), each=3, most=8) == 8
    at(285)
    assert planning.first_block(clock, Pace(48.0, 48), **judging) == 3, "the fewest"
    at(220)  # 75.5 s beside the writing, and 9 that it may be late: 2.8 times what ten seeds have taken
    assert planning.next_block(clock, Pace(30.0, 30), **judging) == 28
    assert planning.next_block(clock, Pace(30.0, 30), each=3, most=20) == 20
    at(284)  # 20.5 s: 15 of them are steps
    assert planning.next_block(clock, Pace(30.0, 30), **judging) == 3
    at(290)
    assert planning.next_block(clock, Pace(30.0, 30), **judging) == 0


def test_a_block_is_given_up_where_it_would_be_late(clock):
    clock, at = clock
    pace = Pace(30.0, 30, processor=15.0)  # the writing takes 9 s, and it may be late by 18
    at(308)
    assert not planning.is_late(clock, pace)
    at(310)
    assert planning.is_late(clock, pace)


@pytest.mark.parametrize(
    ("curve", "epochs"),
    [([10.0, 5.0, 1.4, 1.0, 2.0], 3), ([1.0, 2.0], 1), ([np.nan, 3.0], 2), ([np.nan, np.nan], 2)],
)
def test_a_model_has_learned_when_a_twentieth_is_missing(curve, epochs):
    assert planning.epochs_to_learn(curve) == epochs


def test_a_round_that_would_make_the_judging_late_is_ended(clock):
    clock, at = clock
    deadline = planning.Deadline(clock)
    at(280)
    assert deadline(1, ["a", "b"]) == frozenset(), "the first round is never ended"
    deadline.at = 270.0
    assert deadline(2, ["a", "b"]) == {0, 1}
    assert deadline.met


def test_runs_are_shorter_where_the_least_would_not_fit(clock):
    epochs = {"wanted": 50, "least": 30, "runs": 1, "company": 3.0}  # then it costs 3 x 1.45 + 9 x 1.5 / 3 = 8.85 runs
    assert planning.epochs_that_fit(clock[0], 0.1, **epochs) == 50
    assert planning.epochs_that_fit(clock[0], 1.0, **epochs) == 33, "295 s beside the writing"
    assert planning.epochs_that_fit(clock[0], 10.0, **epochs) == 30, "which the check of the time refuses"
    folds = {"wanted": 90, "least": 9, "runs": 5, "company": 1.0}
    assert planning.epochs_that_fit(clock[0], 0.2, **folds) == 16, "17.85 times five runs"
    long = {"wanted": 603, "least": 400, "runs": 1, "company": 3.0}
    assert planning.epochs_that_fit(clock[0], 1.0, **long) == 100, "no time is refused for the last of many epochs"
    assert planning.epochs_that_fit(clock[0], 0.1, **long) == 333


def test_a_time_in_which_nothing_can_be_done_is_refused_with_one_that_would_do(clock):
    with pytest.raises(DataError, match=r"is too short: an epoch takes 10 s.* need about 74 minutes"):
        planning.check_time(clock[0], 10.0, epochs=50, runs=1, company=3.0)
    planning.check_time(clock[0], 0.1, epochs=50, runs=1, company=1.0)


def test_trials_have_fewer_seeds_where_runs_are_dear(clock):
    assert [planning.seeds_of_trials(clock[0], one, runs=1) for one in (1.0, 3.0, 10.0)] == [3, 2, 1]


def test_a_time_that_would_do_counts_what_is_spent_already(clock):
    clock, at = clock
    at(290)
    with pytest.raises(DataError, match=r"need about 6 minutes"):  # 290 s are over, and 36 more are needed
        planning.check_time(clock, 0.25, epochs=14, runs=1, company=3.0)
