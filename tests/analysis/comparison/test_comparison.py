import numpy as np
import pytest
from scipy import stats

from gengap.analysis.comparison.advice import advise
from gengap.analysis.comparison.comparison import compare
from gengap.analysis.comparison.selection import winner
from gengap.analysis.inference.components import seeds_only, two_way
from gengap.analysis.inference.intervals import limits, widening
from gengap.analysis.inference.looks import look_level
from gengap.analysis.inference.simultaneous import comparison_level
from gengap.analysis.inference.skewness import l_skewness, pooled_range, skewness_of_difference, skewness_of_units
from gengap.errors import DataError, StatisticsWarning, UnknownNameError
from gengap.results import Result

HAND = {"baseline": np.full((3, 4), 4.0), "remedy": np.array([[1.0, 2, 3, 4], [2, 3, 4, 5], [2, 2, 3, 3]])}


def judged(estimate, comparisons):
    """Both ends of the simultaneous intervals of many studies at once."""
    return limits(estimate, comparison_level(look_level((estimate.seeds,)), comparisons=comparisons))


def test_a_comparison_worked_by_hand(simulate):
    found = compare(simulate.result_from_losses(HAND))["remedy"]
    # differences have seed means -1.5, -0.5, -1.5 and case means -7/3, -5/3, -2/3, 0; mean -7/6
    assert found.difference == pytest.approx(-7 / 6)
    seeds, cases = (1 / 3) / 3, np.var([-7 / 3, -5 / 3, -2 / 3, 0], ddof=1) / 4
    residual = HAND["remedy"] - HAND["remedy"].mean(0) - HAND["remedy"].mean(1, keepdims=True) + HAND["remedy"].mean()
    both = (residual**2).sum() / 6 / 12
    assert found.se == pytest.approx(np.sqrt(seeds + cases - both))
    df = found.se**4 / (seeds**2 / 2 + cases**2 / 3 + both**2 / 6)
    assert found.df == pytest.approx(df)
    level = 0.045  # what the first look may spend
    weights = np.array([seeds, cases - both]) / (seeds + cases - both)
    reach = (weights @ stats.t.isf(level / 2, [2, 3]) + stats.t.isf(level / 2, df)) / 2 * found.se
    (of_cases,) = skewness_of_units([l_skewness(np.array([-7 / 3, -5 / 3, -2 / 3, 0]))], 4)
    remedy = np.array([2.5, 3.5, 2.5])
    of_seeds = skewness_of_difference(remedy, np.zeros(3), pooled_range([remedy]))
    mean_of_parts = weights**1.5 / np.sqrt([3, 4])  # the baseline stands still: all skewness is the remedy's
    z = stats.norm.isf(level / 2)
    left, right = (
        1 + mean_of_parts @ np.array(lean) * (2 * z + 1 / z) / 6
        for lean in ((of_seeds.left, of_cases.left), (of_seeds.right, of_cases.right))
    )
    assert (found.low, found.high) == pytest.approx((-7 / 6 - left * reach, -7 / 6 + right * reach))
    assert found.p > level  # the interval holds 0
    assert found.probability_better == 1.0
    assert found.effect_size == pytest.approx(-7 / 6 / np.sqrt(1 / 3) * 4 / 7)


def test_the_narrower_claim_is_the_paired_t_test(simulate):
    rng = np.random.default_rng(0)
    drawn = simulate.losses(rng, {"baseline": 0.0, "remedy": -0.02}, seeds=8, cases=50, seed_sd=0.02, case_sd=0.1)
    found = compare(simulate.result_from_losses(drawn), claim="this test set")
    oracle = stats.ttest_rel(drawn["remedy"].mean(1), drawn["baseline"].mean(1))
    ends = oracle.confidence_interval(found.confidence)
    scores = [drawn[name].mean(1) for name in ("remedy", "baseline")]
    lean = skewness_of_difference(*scores, pooled_range(scores))
    factors = [widening(side / np.sqrt(8), 1 - found.confidence) for side in (lean.left, lean.right)]
    mean, reach = found["remedy"].difference, (ends.high - ends.low) / 2
    assert mean == pytest.approx((ends.low + ends.high) / 2)
    assert (found["remedy"].low, found["remedy"].high) == pytest.approx(
        (mean - factors[0] * reach, mean + factors[1] * reach)
    )
    assert min(factors) >= 1
    assert max(factors) < 1.5  # both vary alike: little to fear from skewness
    assert oracle.pvalue <= found["remedy"].p < 3 * oracle.pvalue
    assert "this test set" in found.table.to_text()


def test_the_narrower_claim_agrees_with_a_sign_flip_test():
    values = np.random.default_rng(4).normal(0.5, 1, 12)
    estimate = seeds_only(values)
    exact = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    t_test = 2 * stats.t.sf(abs(estimate.mean / estimate.se), estimate.df)
    assert t_test == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("law", ["normal", "gamma(2)"])
@pytest.mark.parametrize(("seeds", "sds"), [(6, (0.05, 0.15)), (10, (0.005, 0.15)), (20, (0.05, 0.0))])
def test_families_without_any_difference_hold_few_false_verdicts(simulate, law, seeds, sds):
    """Eight remedies against one baseline, 1,500 studies: seeds and 60 groups of cases drawn anew."""
    rng = np.random.default_rng(11)
    wrong = np.zeros(1500, dtype=bool)
    untreated = sds[0] * simulate.draw(rng, law, (1500, seeds, 1)) + sds[1] * simulate.draw(rng, law, (1500, 1, 60))
    for _ in range(8):
        drawn = sds[0] * simulate.draw(rng, law, (1500, seeds, 1)) + sds[1] * simulate.draw(rng, law, (1500, 1, 60))
        low, high = judged(two_way(drawn - untreated), 8)
        wrong |= (low > 0) | (high < 0)
    assert wrong.mean() <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 1500)


def test_a_family_as_the_whole_tool_judges_it(simulate):
    """`compare` itself, end to end: three remedies that do nothing, 215 cases in groups of five."""
    rng, groups = np.random.default_rng(12), np.arange(215) // 5
    wrong = 0
    for _ in range(150):
        drawn = simulate.losses(
            rng, dict.fromkeys("bcde", 0.0), seeds=10, cases=215, seed_sd=0.005, case_sd=0.15, groups=groups
        )
        wrong += any(
            one.verdict.kind != "cannot say"
            for one in compare(simulate.result_from_losses(drawn, groups=groups)).contrasts
        )
    assert wrong <= stats.binom.isf(0.005, 150, 0.05)


def test_a_difference_of_one_and_a_half_paired_deviations_is_found(simulate):
    rng = np.random.default_rng(13)
    differences = rng.normal(1.5, 1, (4000, 10))
    table = differences[..., None] + 1e-3 * rng.standard_normal((4000, 1, 30))
    low, _ = judged(two_way(table), 1)
    assert (low > 0).mean() >= 0.8


def test_the_whole_tool_finds_it_where_baseline_and_remedy_vary_alike(simulate):
    rng, found = np.random.default_rng(26), 0
    for _ in range(200):
        drawn = simulate.losses(
            rng, {"baseline": 0.0, "remedy": -1.5 * np.sqrt(2)}, seeds=10, cases=30, seed_sd=1.0, case_sd=0.01
        )
        found += compare(simulate.result_from_losses(drawn))["remedy"].verdict.kind == "better"
    assert found >= 0.8 * 200


def test_a_difference_as_large_as_the_margin_is_rarely_equivalent():
    rng = np.random.default_rng(14)
    table = 1 + 0.4 * rng.standard_normal((4000, 10, 1)) + 2 * rng.standard_normal((4000, 1, 60))
    low, high = judged(two_way(table), 1)
    assert ((low > -1) & (high < 1)).mean() <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 4000)


def test_nothing_between_equal_variants_is_equivalent(simulate):
    rng = np.random.default_rng(15)
    drawn = simulate.losses(
        rng, {"baseline": 0.0, "remedy": 0.0}, seeds=10, cases=400, seed_sd=0.005, case_sd=0.02, both_sd=0.02
    )
    found = compare(simulate.result_from_losses(drawn), margin=0.05)["remedy"]
    assert str(found.verdict) == "equivalent within 0.05 (given this training set)"
    assert -0.05 < found.low < found.high < 0.05


def test_no_verdict_contradicts_its_interval(simulate):
    rng = np.random.default_rng(16)
    names = {"baseline": 0.0, "much": -0.5, "little": -0.01, "worse": 0.4}
    for margin in (None, 0.1):
        drawn = simulate.losses(rng, names, seeds=8, cases=100, seed_sd=0.05, case_sd=0.1, both_sd=0.3)
        found = compare(simulate.result_from_losses(drawn), margin=margin)
        assert [found[name].verdict.kind for name in ("much", "worse")] == ["better", "worse"]
        for one in found.contrasts:
            excluded = one.low > 0 or one.high < 0
            assert excluded == (one.verdict.kind in {"better", "worse"})


def test_permuted_labels_leave_nothing_to_say():
    """Forecasts that do not know the labels: no remedy is better than another."""
    rng = np.random.default_rng(17)
    said = 0
    for _ in range(40):
        y_true = rng.permutation(np.arange(300) % 2)
        predictions = {name: rng.uniform(0.3, 0.7, (10, 300)) for name in ("baseline", "l2", "dropout")}
        found = compare(Result.from_predictions(y_true, predictions, task="binary", score="log_loss"))
        said += any(one.verdict.kind != "cannot say" for one in found.contrasts)
    assert said <= stats.binom.isf(0.005, 40, 0.05)


def test_a_result_from_a_file_compares_alike(simulate, tmp_path):
    rng, groups = np.random.default_rng(18), np.arange(60) // 3
    drawn = simulate.losses(
        rng, {"baseline": 0.0, "a": -0.1, "b": 0.1}, seeds=7, cases=60, seed_sd=0.1, case_sd=0.1, groups=groups
    )
    result = simulate.result_from_losses(drawn, groups=groups, looks=(4,))
    result.to_netcdf(tmp_path / "result.nc")
    assert str(compare(Result.from_netcdf(tmp_path / "result.nc"))) == str(compare(result))


def test_another_baseline_turns_the_sign(simulate):
    result = simulate.result_from_losses(HAND)
    there, back = compare(result)["remedy"], compare(result, baseline="remedy")["baseline"]
    assert (there.difference, there.p) == pytest.approx((-back.difference, back.p))


def test_a_diverged_run_leaves_with_its_pair(simulate):
    rng = np.random.default_rng(19)
    drawn = simulate.losses(rng, {"baseline": 0.0, "remedy": -0.1}, seeds=8, cases=40, seed_sd=0.1, case_sd=0.1)
    without = compare(simulate.result_from_losses({name: values[1:] for name, values in drawn.items()}))["remedy"]
    drawn["remedy"][0] = np.nan
    found = compare(simulate.result_from_losses(drawn))["remedy"]
    assert (found.seeds, found.difference, found.se) == pytest.approx((7, without.difference, without.se))
    assert "1 pair left out (diverged or missing)" in found.warnings


def test_one_seed_is_no_verdict(simulate):
    found = compare(simulate.result_from_losses({name: values[:1] for name, values in HAND.items()}))["remedy"]
    assert str(found.verdict) == "cannot say, needs 6 seeds (given this training set)"
    assert found.difference == pytest.approx(-1.5)
    assert np.isnan([found.low, found.high, found.p, found.p_holm]).all()


def test_equal_variants_have_no_difference(simulate):
    found = compare(simulate.result_from_losses({"baseline": HAND["remedy"], "twin": HAND["remedy"]}))["twin"]
    assert (found.difference, found.p, found.effect_size, found.probability_better) == (0.0, 1.0, 0.0, 0.5)
    assert found.verdict.kind == "cannot say"


def test_a_later_look_is_paid_for(simulate):
    rng = np.random.default_rng(20)
    drawn = simulate.losses(rng, {"baseline": 0.0, "remedy": -0.1}, seeds=10, cases=40, seed_sd=0.1, case_sd=0.1)
    first, again = (compare(simulate.result_from_losses(drawn, looks=looks)) for looks in ((), (6,)))
    assert first.confidence == pytest.approx(0.955)
    assert again.confidence == pytest.approx(1 - look_level((6, 10)))
    assert again["remedy"].high - again["remedy"].low > first["remedy"].high - first["remedy"].low
    assert "at look 2 (after 6 seeds at first)" in again.table.to_text()


def test_histories_alone_speak_for_their_cases_only(simulate):
    rng = np.random.default_rng(21)
    curves = {name: mean + 0.01 * rng.standard_normal((8, 3)) for name, mean in (("baseline", 0.5), ("remedy", 0.4))}
    result = simulate.result_from_curves(curves)
    with pytest.warns(StatisticsWarning, match="these held-out cases only"):
        found = compare(result, epoch="last")
    assert found.claim == "this test set"
    assert found["remedy"].verdict.kind == "better"
    oracle = stats.ttest_rel(curves["remedy"][:, -1], curves["baseline"][:, -1])
    assert found["remedy"].difference / found["remedy"].se == pytest.approx(oracle.statistic)
    with pytest.raises(DataError, match=r"curves of log_loss and no predictions: it has no roc_auc"):
        compare(result, score="roc_auc", claim="this test set")


def test_a_curve_to_maximize_is_judged_the_right_way_round():
    """`from_histories` negates it; a score of the name `auc` must not be turned once more."""
    rng = np.random.default_rng(22)
    histories = {
        name: [{"auc": [a], "val_auc": [a]} for a in mean + 0.001 * rng.standard_normal(8)]
        for name, mean in (("baseline", 0.8), ("remedy", 0.9))
    }
    result = Result.from_histories(histories, task="binary", score="auc", larger_is_better=True)
    assert compare(result, claim="this test set")["remedy"].verdict.kind == "better"


def test_what_was_not_declared_is_called_exploratory(simulate):
    result = simulate.result_from_losses(HAND)
    assert "Exploratory: the study declared squared_error at the best epoch" in str(compare(result, epoch="last"))
    assert "Exploratory" not in str(compare(result))


def test_the_winner_is_corrected_for_having_been_chosen():
    rng = np.random.default_rng(23)
    read, corrected = [], []
    for _ in range(400):
        drawn = {str(k): rng.standard_normal(10) for k in range(8)}
        found = winner(drawn, drawn, larger_is_better=True)
        read.append(found.difference)
        corrected.append(found.corrected)
    assert np.mean(read) > 0.3  # luck, where all are alike
    assert abs(np.mean(corrected)) < 4 * np.std(corrected) / 20
    assert winner({"one": np.ones(3)}, {"one": np.ones(3)}, larger_is_better=True) is None


def test_following_the_advice_finds_the_difference():
    """Four studies of five, as promised, where the variances are the true ones."""
    rng = np.random.default_rng(24)
    calibrating = 0.3 + rng.standard_normal(4000)
    needed = advise(seeds_only(calibrating[:8]), target=0.3, level=0.05, cases=1).seeds
    sd = calibrating[:8].std(ddof=1)
    studies = seeds_only(0.3 + sd * rng.standard_normal((4000, needed)))
    found = np.abs(studies.mean / studies.se) > stats.t.isf(0.025, studies.df)
    assert found.mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"margin": 0.0}, DataError, "`margin` must be above 0"),
        ({"alpha": 1.0}, DataError, "`alpha` must lie between 0 and 1"),
        ({"baseline": "nobody"}, UnknownNameError, "no variant 'nobody'"),
        ({"score": "accuracy"}, UnknownNameError, "`score` of a regression task must be one of"),
        ({"score": "roc_auc"}, UnknownNameError, "`score` of a regression task must be one of squared_error"),
    ],
)
def test_refusals(simulate, arguments, error, message):
    with pytest.raises(error, match=message):
        compare(simulate.result_from_losses(HAND), **arguments)


def test_skewed_cases_are_said_to_be(simulate):
    rng = np.random.default_rng(25)
    cases = 100 + simulate.draw(rng, "lognormal", (1, 60)) + 0.01 * rng.standard_normal((8, 60))
    skewed = {"baseline": np.full((8, 60), 100.0), "remedy": cases}
    normal = {"baseline": np.full((8, 60), 100.0), "remedy": 100 + rng.standard_normal((1, 60)) + 0 * cases}
    found, plain = (compare(simulate.result_from_losses(drawn))["remedy"] for drawn in (skewed, normal))
    assert "differences of cases may be skewed: one side of the interval is 1.7 times as long" in found.warnings
    assert found.high - found.difference > 1.6 * (found.difference - found.low)  # the rare case may be missing
    assert not any("skewed" in warning for warning in plain.warnings)
