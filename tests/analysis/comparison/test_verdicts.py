import numpy as np
import pytest
from scipy import stats

from gengap.analysis.comparison.advice import MOST_SEEDS, POWER, advise
from gengap.analysis.comparison.verdicts import interval, judge
from gengap.analysis.inference.components import seeds_only, two_way
from gengap.analysis.inference.intervals import p_value

RULES = {"level": 0.05, "next_level": 0.02, "larger_is_better": False, "cases": 60}


def spread_around(mean, sd=1.0, n=10):
    """Values of exactly this mean and standard deviation."""
    values = np.arange(n, dtype=float)
    return seeds_only(mean + sd * (values - values.mean()) / values.std(ddof=1))


@pytest.mark.parametrize(
    ("mean", "margin", "larger_is_better", "kind"),
    [
        (-2.0, None, False, "better"),
        (2.0, None, False, "worse"),
        (-2.0, None, True, "worse"),
        (2.0, None, True, "better"),
        (0.1, None, False, "cannot say"),
        (0.1, 1.0, False, "equivalent"),
        (0.1, 0.5, False, "cannot say"),
        (2.0, 5.0, False, "equivalent"),  # surely worse, and surely by less than matters
    ],
)
def test_kinds(mean, margin, larger_is_better, kind):
    rules = RULES | {"larger_is_better": larger_is_better}
    assert judge(spread_around(mean), margin=margin, **rules).kind == kind


def test_interval_and_p_value_are_students():
    estimate = spread_around(0.7)
    values = np.arange(10.0)
    oracle = stats.ttest_1samp(0.7 + (values - 4.5) / values.std(ddof=1), 0)
    assert p_value(estimate) == pytest.approx(oracle.pvalue)
    assert interval(estimate, 0.1) == pytest.approx(tuple(oracle.confidence_interval(0.9)))


def test_p_value_without_spread():
    assert p_value(seeds_only(np.zeros(4))) == 1.0
    assert p_value(seeds_only(np.ones(4))) == 0.0


def test_advice_is_the_smallest_number_that_suffices():
    """Against SciPy's noncentral-free formula, counted up one by one."""
    needed = advise(spread_around(0.5), target=0.5, level=0.02, cases=1).seeds
    suffices = [
        (stats.t.isf(0.01, n - 1) + stats.t.ppf(POWER, n - 1)) / np.sqrt(n) <= 0.5 for n in (needed - 1, needed)
    ]
    assert suffices == [False, True]


def test_advice_says_cases_where_cases_are_what_is_missing():
    rng = np.random.default_rng(0)
    table = 0.01 * rng.standard_normal((10, 1)) + rng.standard_normal((1, 60)) + 0.2
    found = advise(two_way(table), target=0.2, level=0.05, cases=60)
    assert found.seeds is None
    assert found.cases == pytest.approx(2.8**2 * table.mean(0).var(ddof=1) / 0.2**2, rel=0.1)
    assert str(found) == f"needs {found.cases:,} cases"


def test_advice_says_seeds_where_seeds_are_what_is_missing():
    rng = np.random.default_rng(1)
    table = rng.standard_normal((8, 1)) + 0.01 * rng.standard_normal((1, 60))
    found = advise(two_way(table), target=0.4, level=0.05, cases=60)
    assert found.cases is None
    assert found.seeds > 8


def test_advice_names_both_where_neither_alone_would_do():
    rng = np.random.default_rng(2)
    table = rng.standard_normal((8, 1)) + 8 * rng.standard_normal((1, 60))
    found = advise(two_way(table), target=0.3, level=0.05, cases=60)
    assert found.seeds > 8
    assert found.cases > 60
    assert str(found) == f"needs {found.seeds:,} seeds and {found.cases:,} cases"


def test_nothing_within_reason():
    assert str(advise(spread_around(0.0), target=0.0, level=0.05, cases=1)) == f"needs more than {MOST_SEEDS:,} seeds"
    assert advise(spread_around(0.0), target=1e-3, level=0.05, cases=1).seeds is None


def test_a_margin_can_be_settled_sooner_than_a_small_difference():
    verdict = judge(spread_around(0.05), margin=0.6, **RULES)
    alone = judge(spread_around(0.05), margin=None, **RULES)
    assert verdict.kind == alone.kind == "cannot say"
    assert alone.advice.seeds is None
    assert 10 < verdict.advice.seeds < 100
