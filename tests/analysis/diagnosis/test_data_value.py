"""Power laws of known truth: what is foretold for twice the data is covered, and what cannot be known is not said."""

import numpy as np
import pytest

from gengap.analysis.diagnosis.data_value import fit_power_law, judge_data
from gengap.errors import DataError

N = 1024
SHARES = np.array([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1])
CASES = (SHARES * N).astype(int)


def linear_world(random, *, b=0.1, a=0.3, v=0.3, seeds=10, units=60, floor_at=None):
    """A score that is a power law plus the mean influence of the cases drawn; 2N cases exist, N are ours.

    Returns the values, and the gain that the other N cases would really bring.
    """
    influence = random.normal(0, np.sqrt(v), 2 * N)
    case = random.normal(0, 0.15, units)

    def mean(n):
        share = n / N if floor_at is None else min(n / N, floor_at)
        return a + b * share**-0.5

    values = np.empty((len(CASES), seeds, units))
    for seed in range(seeds):
        order = random.permutation(N)
        for at, n in enumerate(CASES):
            level = mean(n) + influence[order[:n]].mean() + random.normal(0, 0.005)
            values[at, seed] = level + case + random.normal(0, 0.02, units)
    return values, mean(N) + influence[:N].mean() - mean(2 * N) - influence.mean()


def test_an_exact_power_law_is_found():
    law = fit_power_law(SHARES, 0.3 + 0.1 * SHARES**-0.5)
    assert law(2) == pytest.approx(0.3 + 0.1 * 2**-0.5, abs=1e-3)
    assert (law.a, law.b, law.c) == pytest.approx((0.3, 0.1, 0.5), rel=0.1)


def test_a_rising_curve_gets_a_flat_law_and_none_falls_below_zero():
    assert fit_power_law(SHARES, 0.3 + 0.1 * SHARES).b == 0
    steep = fit_power_law(SHARES, 0.02 * SHARES**-2.5)
    assert steep.a == 0


def test_the_interval_covers_what_twice_the_data_really_brings():
    random = np.random.default_rng(0)
    covered = []
    for _ in range(150):
        values, gain = linear_world(random)
        found = judge_data(CASES, values).gain
        covered.append(found.low <= gain <= found.high)
    assert np.mean(covered) >= 0.95 - 2.5 * np.sqrt(0.05 * 0.95 / 150)


def test_that_there_is_only_one_full_data_set_is_paid_for():
    """Seeds cannot see it: what twice the data brings depends on cases that nobody has drawn yet."""
    random = np.random.default_rng(1)
    alone, paid = [], []
    for _ in range(150):
        values, gain = linear_world(random, v=2.0, seeds=40)
        found = judge_data(CASES, values).gain
        paid.append(found.low <= gain <= found.high)
        alone.append(abs(gain - found.value) <= 2.02 * np.std(seed_gains(values), ddof=1) / np.sqrt(40))
    assert np.mean(alone) < 0.8
    assert np.mean(paid) >= 0.95 - 2.5 * np.sqrt(0.05 * 0.95 / 150)


def world_of_folds(random, *, v=2.0, passes=20, folds=5, units=60):
    """The same in passes: the mean over the folds of every pass, each of which draws from its own three fifths."""
    own = N * (folds - 2) // folds
    influence, case = random.normal(0, np.sqrt(v), 2 * N), random.normal(0, 0.15, units)
    cases = (SHARES * own).astype(int)
    values = np.empty((len(cases), passes, units))
    for one in range(passes):
        parts = np.array_split(random.permutation(N), folds)
        drawn = np.zeros(len(cases))
        for fold in range(folds):
            pool = random.permutation(np.concatenate([parts[(fold + step) % folds] for step in range(2, folds)]))
            drawn += [influence[pool[:n]].mean() + random.normal(0, 0.005) for n in cases]
        level = 0.3 + 0.1 * SHARES**-0.5 + drawn / folds
        values[:, one] = level[:, None] + case + random.normal(0, 0.02, (len(cases), units))
    return cases, values, 0.1 * (1 - 2**-0.5) + influence[:N].mean() - influence.mean()


def test_folds_hide_more_of_it_and_that_is_paid_for_too():
    """A pass is a mean over folds, which between them learn from all cases: passes hardly differ, data sets do."""
    random = np.random.default_rng(6)
    covered = []
    for _ in range(70):
        cases, values, gain = world_of_folds(random)
        found = [judge_data(cases, values, folds=given).gain for given in (None, (5, N))]
        covered.append([one.low <= gain <= one.high for one in found])
    as_one_set, as_folds = np.mean(covered, axis=0)
    assert as_one_set < 0.9
    assert as_folds >= 0.95 - 2.5 * np.sqrt(0.05 * 0.95 / 70)


def seed_gains(values):
    """What every seed by itself foretells."""
    laws = [fit_power_law(SHARES, of_seed) for of_seed in values.mean(axis=-1).T]
    return [law(1) - law(2) for law in laws]


def test_steep_curves_say_yes_flat_ones_hardly_and_one_seed_cannot_know():
    random = np.random.default_rng(2)
    steep = judge_data(CASES, linear_world(random, b=0.3, v=0.01)[0])
    assert steep.answer == "yes"
    assert steep.sentence.startswith("Yes: twice the data would lower the score by")
    assert "beyond the data" in steep.sentence
    flat = judge_data(CASES, linear_world(random, b=0.0, v=0.01)[0], margin=0.05)
    assert flat.answer == "hardly"
    few = judge_data(CASES, linear_world(random, b=0.3, v=0.01, seeds=2)[0])
    assert few.answer == "cannot know"
    assert "5 seeds" in few.sentence


def test_flat_curves_are_rarely_said_to_gain():
    random = np.random.default_rng(3)
    said = [judge_data(CASES, linear_world(random, b=0.0)[0]).answer for _ in range(80)]
    assert np.mean([answer == "yes" for answer in said]) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 80)


def test_a_curve_that_stops_falling_fails_its_backtest():
    values, _ = linear_world(np.random.default_rng(4), b=0.3, v=0.001, floor_at=0.25)
    found = judge_data(CASES, values)
    assert found.backtest.high < 0
    assert found.answer == "cannot know"
    assert "missed the score on all of them" in found.sentence


def test_nothing_is_foretold_beyond_twice_the_data():
    found = judge_data(CASES, linear_world(np.random.default_rng(5), b=0.3, v=0.01)[0])
    with pytest.raises(DataError, match="beyond the data"):
        found.predict(2.5)
    assert found.predict(2.0) == pytest.approx(found.law(2.0))
    assert found.cases_for(0.0) is None
    assert CASES[-1] <= found.cases_for(found.predict(1.5)) == pytest.approx(1.5 * N, rel=0.01)


@pytest.mark.parametrize(
    ("cases", "values", "sentence"),
    [
        (CASES, np.zeros((5, 3)), "must have the shape"),
        (CASES[::-1], np.zeros((5, 3, 2)), "positive and ascending"),
        (CASES, np.full((5, 3, 2), np.nan), "must be finite"),
    ],
)
def test_bad_input_is_refused(cases, values, sentence):
    with pytest.raises(DataError, match=sentence):
        judge_data(cases, values)
