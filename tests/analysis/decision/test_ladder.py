"""Ladders whose true best rung is known: the rule stops there, and is not stopped by noise alone."""

import numpy as np
import pytest

from gengap.analysis.decision.ladder import Rung, gain, smallest_sufficient
from gengap.errors import DataError


def rungs(random, truth, *, seeds=10, cases=500, noise=0.02):
    """Rungs of known mean score: cases and seeds in common, noise of their own."""
    common = random.normal(0, 0.3, cases) + random.normal(0, 0.01, (seeds, 1))
    return [
        Rung(f"r{at}", str(2**at), 10 * 2**at, mean + common + random.normal(0, noise, (seeds, cases)))
        for at, mean in enumerate(truth)
    ]


def test_the_gain_is_the_paired_mean_by_hand():
    lower = Rung("a", "1", 1, np.array([[1.0, 2.0], [2.0, 5.0]]))
    upper = Rung("b", "2", 2, np.array([[0.5, 1.0], [2.0, 4.0]]))
    step = gain(lower, upper)
    assert step.gain.value == pytest.approx(0.625)
    assert step.gain.low < 0.625 < step.gain.high


def test_a_true_improvement_is_climbed_and_a_worse_rung_is_not():
    random = np.random.default_rng(0)
    for _ in range(50):
        low, high, worse = rungs(random, [0.5, 0.48, 0.49])
        assert gain(low, high).improves
        assert not gain(high, worse).improves


def test_equal_rungs_are_climbed_as_rarely_as_one_standard_error_allows():
    random = np.random.default_rng(1)
    climbed = np.mean([gain(*rungs(random, [0.5, 0.5])).improves for _ in range(400)])
    assert 0.10 < climbed < 0.22  # normal law: .159


def test_the_smallest_of_equals_is_kept():
    random = np.random.default_rng(2)
    kept = [smallest_sufficient(rungs(random, [0.6, 0.5, 0.5, 0.52])).name for _ in range(200)]
    assert kept.count("r0") == kept.count("r3") == 0
    assert kept.count("r1") / len(kept) > 0.8


def test_with_a_margin_an_unclear_step_is_climbed_and_a_negligible_one_is_not():
    random = np.random.default_rng(3)
    unclear = rungs(random, [0.5, 0.5], seeds=3, cases=4, noise=0.3)
    assert gain(*unclear, margin=0.01).improves  # nothing shows that the gain is below .01
    negligible = rungs(random, [0.5, 0.499], seeds=10, cases=5_000)
    assert not gain(*negligible, margin=0.01).improves
    assert smallest_sufficient(negligible, margin=0.01).name == "r0"


def test_a_step_as_large_as_the_margin_is_given_up_in_at_most_one_of_twenty():
    random = np.random.default_rng(4)
    given_up = np.mean([not gain(*rungs(random, [0.5, 0.499]), margin=0.001).improves for _ in range(400)])
    assert given_up <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 400)


def test_diverged_runs_leave_their_pair_out_and_a_diverged_rung_is_not_kept():
    low, high = rungs(np.random.default_rng(5), [0.5, 0.4])
    high.values[3] = np.nan
    assert gain(low, high).improves
    dead = Rung("dead", "9", 1, np.full_like(low.values, np.nan))
    assert not gain(low, dead).improves
    assert np.isnan(gain(low, dead).gain.value)
    assert smallest_sufficient([dead, low, high]).name == "r1"


def test_bad_input_is_refused():
    low, high = rungs(np.random.default_rng(6), [0.5, 0.4])
    with pytest.raises(DataError, match="`margin` must be above 0"):
        gain(low, high, margin=0)
    with pytest.raises(DataError, match="must share seeds and cases"):
        gain(low, Rung("x", "1", 1, high.values[:, :10]))
    with pytest.raises(DataError, match="every run diverged"):
        smallest_sufficient([Rung("dead", "9", 1, np.full((2, 2), np.nan))])
