"""The race of searches: when a search has come to a loss, and whether what it chose is worse."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("optuna")
sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(scope="module")
def race():
    return importlib.import_module("benchmarks.search")


def test_the_loss_of_a_search_is_the_mean_of_what_leads_its_repeats(race):
    curves = [[(1.0, 0.8), (5.0, 0.4)], [(2.0, 0.6), (3.0, 0.7), (9.0, 0.2)]]  # a lead may turn out worse
    assert race.mean_at(curves, 2.0) == pytest.approx(0.7)
    assert race.mean_at(curves, 4.0) == pytest.approx(0.75)
    assert race.end(curves) == pytest.approx(0.3)
    assert race.time_to(curves, 0.75) == 2.0  # not before every repeat has one
    assert race.time_to(curves, 0.55) == 5.0
    assert race.time_to(curves, 0.3) == 9.0
    assert race.time_to(curves, 0.29) == np.inf


def test_both_are_timed_to_the_higher_of_the_losses_that_they_end_at(race):
    own, rival = [[(2.0, 0.5)]], [[(10.0, 0.9), (40.0, 0.6), (80.0, 0.55)]]
    assert race.to_the_same_loss(own, rival) == (40.0, 40.0, 40.0)  # .55 after 80 s, and .5 after 2
    better = [[(10.0, 0.9), (40.0, 0.45), (80.0, 0.4)]]
    assert race.to_the_same_loss(own, better) == (20.0, 20.0, 20.0)  # .5 after 40 s
    varied = [[(2.0, 0.5)], [(4.0, 0.5)]]
    ratio, low, high = race.to_the_same_loss(varied, rival)
    assert ratio == 20.0  # both repeats have come to it after 4 s
    assert (low, high) == (20.0, 40.0)


def test_a_difference_on_test_knows_cases_and_repeats(race):
    own = [{"test_losses": [0.5, 0.7, 0.9]}, {"test_losses": [0.7, 0.9, 1.1]}]
    rival = [{"test_losses": [0.4, 0.6, 0.9]}]
    mean, half = race.difference(own, rival)
    cases = np.array([0.6, 0.8, 1.0]) - np.array([0.4, 0.6, 0.9])
    assert mean == pytest.approx(cases.mean())
    of_repeats = np.var([0.7, 0.9], ddof=1) / 2
    assert half == pytest.approx(1.96 * np.sqrt(cases.var(ddof=1) / 3 + of_repeats))


def test_the_leaders_are_trials_that_were_better_than_all_before(race):
    contestants = importlib.import_module("benchmarks.search_contestants")
    one, two, three, four = ((rate, 0.0, 1e-3) for rate in (0.1, 0.2, 0.3, 0.4))
    ends = [(1.0, 0.5, one), (2.0, 0.6, two), (3.0, 0.45, three), (3.01, 0.4, four)]
    found = contestants.Searched(4.0, 4.0, ends, four)
    assert found.leaders == [(1.0, one), (3.01, four)]  # the third and the fourth end in one moment


def test_searches_are_kept_once_and_rows_are_made_of_them(race, tmp_path):
    path = tmp_path / "kept.json"
    one = {"task": "digits", "repeat": 0, "processor": 10.0, "losses": [(5.0, 0.3)], "test_losses": [0.3, 0.5]}
    race.keep(path, [{**one, "who": "gengap"}])
    race.keep(path, [{**one, "who": "gengap", "processor": 20.0}, {**one, "who": "optuna, TPE", "processor": 100.0}])
    found = race.read(path)
    assert [search["processor"] for search in found] == [20.0, 100.0]
    (row,) = race.compared(found)
    assert (row["whole"], row["same_loss"][0], row["repeats"]) == (5.0, 1.0, [1, 1])
    assert "| digits | optuna, TPE (1) | 100 | all epochs (1) | 20.0 | 5.0 |  | 0.3000, 0.3000 |" in race.section(
        {"digits": [row]}
    )
