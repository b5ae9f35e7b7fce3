"""Skewness of noise: hand-worked values, known laws, and false verdicts where the baseline stands still."""

import numpy as np
import pytest
from scipy import stats

from gengap.analysis.inference.components import seeds_only, two_way, with_skewness
from gengap.analysis.inference.intervals import limits, p_value, students, widening
from gengap.analysis.inference.looks import look_level
from gengap.analysis.inference.simultaneous import comparison_level
from gengap.analysis.inference.skewness import (
    Skewness,
    l_skewness,
    ordinary_skewness,
    pooled_range,
    share_of_variants,
    skewness_of_difference,
    skewness_of_units,
)  # fmt: skip


def test_l_skewness_worked_by_hand():
    # of 1, 2, 6: l2 = (6 - 1)/3, l3 = (1 - 2*2 + 6)/3, their ratio 3/5, times 3/(3 - 1.4)
    assert l_skewness(np.array([2.0, 6.0, 1.0])) == pytest.approx(0.6 * 3 / 1.6)
    assert np.isnan(l_skewness(np.array([1.0, 2.0])))
    assert np.isnan(l_skewness(np.full(5, 0.1)))


@pytest.mark.parametrize(("law", "truth"), [("normal", 0.0), ("gamma(2)", 0.2346), ("lognormal", 0.4625)])
@pytest.mark.parametrize("n", [6, 10, 20])
def test_l_skewness_of_small_samples_is_nearly_unbiased(simulate, law, truth, n):
    """Hosking's values for the three laws; gamma's overshoots a little, to the safe side."""
    got = l_skewness(simulate.draw(np.random.default_rng(0), law, (20_000, n))).mean()
    assert truth - 0.01 <= got <= 1.1 * truth + 0.01


def test_a_lognormal_law_has_the_skewness_that_textbooks_say():
    assert ordinary_skewness(np.asarray(0.4625)) == pytest.approx((np.e + 2) * np.sqrt(np.e - 1), rel=0.02)
    assert ordinary_skewness(np.asarray(-0.4625)) == -ordinary_skewness(np.asarray(0.4625))


def test_where_both_vary_alike_differences_are_symmetric(simulate):
    rng = np.random.default_rng(1)
    allowed = (np.asarray(0.0), np.asarray(6.0))
    one, other = simulate.draw(rng, "lognormal", (2, 100_000))
    alike, steady = skewness_of_difference(one, other, allowed), skewness_of_difference(one, 0 * other, allowed)
    assert max(alike.left, alike.right) < 0.6
    assert (steady.left, steady.right) == pytest.approx((0.0, 6.0))
    turned = skewness_of_difference(0 * other, one, allowed)
    assert (turned.left, turned.right) == pytest.approx((6.0, 0.0))


def test_what_is_common_to_both_cancels():
    rng = np.random.default_rng(2)
    common, own = 5 * rng.standard_normal((2, 100_000))
    found = skewness_of_difference(common + own, common, (np.asarray(0.0), np.asarray(6.0)))
    assert found.right == pytest.approx(6.0, rel=0.05)


def test_groups_without_spread_say_nothing_and_none_at_all_leaves_everything_open():
    rng = np.random.default_rng(3)
    group = rng.standard_normal(8)
    np.testing.assert_allclose(pooled_range([group, np.ones(8)]), pooled_range([group]))
    low, high = pooled_range([np.ones(8)])
    assert low < -11
    assert high > 11


def samples():
    """Every second of the sizes, spreads and levels always, like the black squares of a board."""
    for places in np.ndindex(4, 3, 2):
        n, sigma, level = ([6, 10, 20, 43], [0.3, 0.6, 1.0], [0.04, 0.005])
        given = n[places[0]], sigma[places[1]], level[places[2]]
        yield pytest.param(*given, marks=pytest.mark.slow if sum(places) % 2 else ())


@pytest.mark.parametrize(("n", "sigma", "level"), list(samples()))
def test_the_widening_is_that_of_lognormal_samples(n, sigma, level):
    """The quantile on the dangerous side, against 200,000 simulated samples."""
    values = np.random.default_rng(4).lognormal(sigma=sigma, size=(200_000, n)) - np.exp(sigma**2 / 2)
    t = values.mean(1) / values.std(1, ddof=1) * np.sqrt(n)
    spread = np.exp(sigma**2)
    skewness = np.asarray((spread + 2) * np.sqrt(spread - 1)) / np.sqrt(n)
    expected = float(widening(skewness, level)) * stats.t.isf(level / 2, n - 1)
    assert -np.quantile(t, level / 2) == pytest.approx(expected, rel=0.12)


def test_p_is_the_level_at_which_the_interval_ends_at_zero():
    rng = np.random.default_rng(5)
    table = 0.4 + rng.standard_normal((8, 1)) + rng.standard_normal((1, 30)) + rng.standard_normal((8, 30))
    (units,) = skewness_of_units([l_skewness(table.mean(0))], 30)
    estimate = with_skewness(two_way(table), seeds=Skewness(np.asarray(1.0), np.asarray(3.0)), units=units)
    low, high = limits(estimate, p_value(estimate))
    assert min(abs(float(low)), abs(float(high))) == pytest.approx(0.0, abs=1e-8)


def test_without_skewness_the_interval_lies_between_cochrans_and_satterthwaites():
    rng = np.random.default_rng(6)
    found = two_way(rng.standard_normal((6, 1)) + 3 * rng.standard_normal((1, 12)) + rng.standard_normal((6, 12)))
    parts = np.array([float(found.from_seeds), float(found.from_units - found.from_both)])
    cochran = parts @ stats.t.isf(0.005, [5, 11]) / parts.sum()
    assert float(students(found, 0.01)) == pytest.approx((cochran + stats.t.isf(0.005, found.df)) / 2)


@pytest.mark.parametrize("law", ["normal", "gamma(2)", "lognormal"])
@pytest.mark.parametrize("seeds", [6, 10])
@pytest.mark.parametrize("comparisons", [1, 8])
def test_a_steady_baseline_and_skewed_seeds_give_few_false_verdicts(simulate, law, seeds, comparisons):
    """The worst case of docs/statistics.md; Student's intervals err here in up to half of the families."""
    rng = np.random.default_rng(7)
    scores = simulate.draw(rng, law, (4000, comparisons, seeds))
    groups = [scores[:, k] for k in range(comparisons)]
    allowed = tuple(side[:, None] for side in pooled_range(groups))
    estimate = with_skewness(seeds_only(scores), seeds=skewness_of_difference(scores, 0 * scores, allowed))
    low, high = limits(estimate, comparison_level(look_level((seeds,)), comparisons=comparisons))
    wrong = ((low > 0) | (high < 0)).any(axis=-1).mean()
    assert wrong <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 4000)


@pytest.mark.parametrize("ratio", [0.25, 0.5, 1.0])
def test_a_baseline_that_varies_less_than_the_variants_gives_few_false_verdicts(simulate, ratio):
    """With each difference's own share alone 13 % of families err at a quarter: luck makes a variant look steady."""
    rng = np.random.default_rng(8)
    scores = simulate.draw(rng, "lognormal", (3000, 8, 10))
    baseline = ratio * simulate.draw(rng, "lognormal", (3000, 1, 10))
    families = [(scores[:, k], baseline[:, 0]) for k in range(8)]
    allowed = tuple(side[:, None] for side in pooled_range([baseline[:, 0], *(one for one, _ in families)]))
    usual = share_of_variants(families)[:, None]
    noise = skewness_of_difference(scores, baseline, allowed, typical_share=usual)
    low, high = limits(with_skewness(seeds_only(scores - baseline), seeds=noise), look_level((10,)) / 8)
    assert ((low > 0) | (high < 0)).any(axis=-1).mean() <= 0.05


def test_any_share_between_a_differences_own_and_the_familys_is_thought_of():
    allowed = (np.asarray(2.0), np.asarray(4.0))
    treated, steady = np.array([1.0, 2.0, 6.0]), np.zeros(3)
    assert float(share_of_variants([(treated, steady)])) == 1.0
    assert float(share_of_variants([(steady, steady)])) == 0.5
    found = skewness_of_difference(treated, steady, allowed, typical_share=np.asarray(0.0))
    assert (float(found.left), float(found.right)) == (4.0, 4.0)
    alone = skewness_of_difference(treated, steady, allowed)
    assert (float(alone.left), float(alone.right)) == (0.0, 4.0)


def test_three_seeds_may_look_as_skewed_as_they_like_and_the_interval_stays_of_use():
    lean = Skewness(*(np.abs(one) for one in pooled_range([np.array([0.0, 0.0, 1.0])])))
    assert lean.right == pytest.approx(11.16, abs=0.01)
    assert widening(lean.right / np.sqrt(3), 0.045) < 6
