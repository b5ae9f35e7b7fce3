"""Tables, curves, decompositions, diagnostics: hand-worked values, parts that add up, degenerate inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

import gengap.verification as gv
from gengap.errors import DataError, StatisticsWarning, UnknownNameError

few = settings(max_examples=25, deadline=None)


@st.composite
def forecasts(draw):
    n = draw(st.integers(2, 40))
    y = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    p = draw(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.75, 0.9, 1.0]), min_size=n, max_size=n))
    return np.array(y), np.array(p)


@given(cases=forecasts(), bins=st.integers(1, 12))
@few
def test_murphys_parts_sum_to_the_exact_brier_score(cases, bins):
    y, p = cases
    parts = gv.murphy_decomposition(y, p, bins=bins)
    total = parts.reliability - parts.resolution + parts.uncertainty
    assert total + parts.within_bin_variance - parts.within_bin_covariance == pytest.approx(parts.score, abs=1e-12)
    assert parts.score == pytest.approx(gv.brier_score(y, p), abs=1e-12)
    assert parts.reliability >= 0 <= parts.resolution


@given(cases=forecasts(), kind=st.sampled_from(["brier_score", "log_loss"]))
@few
def test_corps_parts_sum_and_are_not_negative(cases, kind):
    y, p = cases
    parts = gv.corp_decomposition(y, p, kind=kind)
    assert parts.miscalibration - parts.discrimination + parts.uncertainty == pytest.approx(parts.score, abs=1e-10)
    assert parts.miscalibration >= -1e-12
    assert parts.discrimination >= -1e-12


def test_bins_hide_nothing_when_each_holds_one_value():
    y, p = [0, 0, 1, 1, 1], [0.2, 0.2, 0.2, 0.8, 0.8]
    parts = gv.murphy_decomposition(y, p, bins=[0.0, 0.5, 1.0])
    assert parts.reliability == pytest.approx((3 * (1 / 3 - 0.2) ** 2 + 2 * 0.2**2) / 5)
    assert parts.resolution == pytest.approx((3 * (1 / 3 - 0.6) ** 2 + 2 * 0.4**2) / 5)
    assert parts.within_bin_variance == pytest.approx(0, abs=1e-15)
    assert parts.within_bin_covariance == pytest.approx(0, abs=1e-15)


def test_a_forecast_on_an_edge_belongs_to_the_upper_bin_and_one_to_the_last():
    table = gv.reliability_bins([0, 1, 1], [0.0, 0.5, 1.0], bins=2)
    assert table.weight.tolist() == [1.0, 2.0]
    assert table.frequency.tolist() == [0.0, 1.0]
    with pytest.raises(DataError, match="`bins` must be a positive number, or edges that ascend"):
        gv.reliability_bins([0, 1], [0.1, 0.9], bins=[0.0, 0.5])
    with pytest.raises(DataError, match="`bins` must be a positive number"):
        gv.murphy_decomposition([0, 1], [0.1, 0.9], bins=0)


def test_one_label_only():
    y, p = [1, 1, 1], [0.2, 0.5, 0.9]
    assert np.isnan(gv.roc_auc(y, p))
    assert np.isnan(gv.placements(y, p)).all()
    assert np.isnan(gv.brier_skill_score(y, p))
    assert gv.brier_skill_score(y, p, climatology=0.5) == pytest.approx(1 - (0.64 + 0.25 + 0.01) / 0.75)
    assert np.isnan(gv.roc_curve(y, p).probability_of_false_detection[1:]).all()
    assert np.isnan(gv.contingency(y, p).probability_of_false_detection)
    assert gv.corp_decomposition(y, p).uncertainty == 0
    with pytest.raises(DataError, match="undefined at every threshold"):
        gv.best_threshold(y, p)


def test_all_forecasts_tie():
    y, p = [0, 1, 1, 0], [0.3] * 4
    assert gv.roc_auc(y, p) == 0.5
    assert gv.roc_curve(y, p).probability_of_detection.tolist() == [0.0, 1.0]
    assert gv.corp_decomposition(y, p).discrimination == pytest.approx(0, abs=1e-15)
    assert gv.score_interval(y, p, score="roc_auc").standard_error == 0


def test_a_perfect_area_has_an_honest_lower_limit():
    found = gv.score_interval([0] * 20 + [1] * 5, [0.1] * 20 + [0.9] * 5, score="roc_auc")
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 5))  # Clopper and Pearson, 5 of 5
    worst = gv.score_interval([1] * 20 + [0] * 5, [0.1] * 20 + [0.9] * 5, score="roc_auc")
    assert (worst.low, worst.value) == (0.0, 0.0)
    assert worst.high == pytest.approx(1 - 0.025 ** (1 / 5))


def test_a_single_event_has_an_area_and_the_models_interval_but_no_error_of_its_own():
    found = gv.score_interval([1, 0, 0, 0], [0.5, 0.1, 0.7, 0.2], score="roc_auc")
    assert found.value == pytest.approx(2 / 3)
    assert np.isnan(found.standard_error)
    assert 0 <= found.low < 0.15
    assert 0.95 < found.high < 1
    assert found.caution == "only 1 event and 3 non-events: may cover less than it claims"
    # Hanley and McNeil's variance at each end, with Student's t of 5 degrees of freedom: the ends solve for it
    for end in (found.low, found.high):
        q = 2 * end**2 / (1 + end) if end > 0.5 else end / (2 - end)
        variance = (end * (1 - end) + 2 * (q - end**2)) / 3
        assert (found.value - end) ** 2 == pytest.approx(t.ppf(0.975, 5) ** 2 * variance, rel=1e-6)
    assert gv.score_interval([1, 0, 0], [0.9, 0.1, 0.7], score="roc_auc").low == pytest.approx(0.025)


def test_two_perfect_forecasts_are_not_thereby_equal():
    y = [0, 0, 1, 1]
    found = gv.score_difference(y, [0.1, 0.2, 0.8, 0.9], [0.3, 0.1, 0.6, 0.7], score="roc_auc")
    assert found.value == 0
    assert np.isnan([found.low, found.high]).all()
    constant = gv.score_difference([1.0, 2.0], [2.0, 3.0], [1.0, 2.0], score="squared_error")
    assert (constant.value, constant.low, constant.high) == (1, 1, 1)


@pytest.mark.parametrize("scale", [1e-50, 1e-9, 1.0, 1e6, 1e50])
@pytest.mark.parametrize("score", ["squared_error", "absolute_error"])
def test_a_difference_has_its_interval_in_whatever_units(score, scale):
    rng = np.random.default_rng(0)
    y, day = rng.normal(size=40), np.arange(40) // 2
    one, other = y + 0.1 * rng.normal(size=40), y + rng.normal(size=40)
    power = scale ** (2 if score == "squared_error" else 1)
    plain = gv.score_difference(y, one, other, score=score, groups=day)
    found = gv.score_difference(scale * y, scale * one, scale * other, score=score, groups=day)
    assert np.array([found.low, found.value, found.high]) / power == pytest.approx([plain.low, plain.value, plain.high])


def test_events_of_one_day_do_not_tell_how_days_differ():
    day = np.arange(200) // 10
    event = (day == 3).astype(int)
    forecast = np.where(np.arange(200) % 10 < 7, 0.7 * event, 0.2)
    for score in ("probability_of_detection", "peirce_skill_score"):
        found = gv.score_interval(event, forecast, score=score, groups=day)
        assert found.value == pytest.approx(0.7)
        assert np.isnan([found.low, found.high, found.standard_error]).all()
        assert found.caution == "only 1 group with events: may cover less than it claims"
    assert np.isnan(gv.score_difference(event, forecast, event, score="probability_of_detection", groups=day).low)


def test_minus_zero_and_weights_of_one_rank_as_usual():
    y, p = np.array([0, 1, 0, 1]), np.array([-0.0, 0.0, 0.25, 0.5])
    fast = gv.RankedForecasts.from_predictions(y, p)
    slow = gv.RankedForecasts.from_predictions(y, p, sample_weight=np.ones(4))
    for name in ("values", "events", "non_events", "hits", "false_alarms"):
        assert getattr(fast, name).tolist() == getattr(slow, name).tolist()
    assert fast.values.tolist() == [0.0, 0.25, 0.5]


@given(cases=forecasts())
@few
def test_the_curve_turns_at_kept_points_only_and_loses_nothing(cases):
    y, p = cases
    if len(set(y)) < 2:
        return
    curve = gv.roc_curve(y, p)
    for threshold in np.unique(p):
        table = gv.contingency(y, p, threshold=threshold)
        # every threshold's point lies on the drawn line
        pofd, pod = table.probability_of_false_detection, table.probability_of_detection
        x, z = curve.probability_of_false_detection, curve.probability_of_detection
        cross = (x[1:] - x[:-1]) * (pod - z[:-1]) - (z[1:] - z[:-1]) * (pofd - x[:-1])
        between = (x[:-1] <= pofd) & (pofd <= x[1:]) & (z[:-1] <= pod) & (pod <= z[1:])
        assert (np.abs(cross[between]) < 1e-12).any()


@given(cases=forecasts(), weighted=st.booleans())
@few
def test_the_overview_says_what_the_single_functions_say(cases, weighted):
    y, p = cases
    options = {"sample_weight": np.linspace(0.5, 2, len(y))} if weighted else {}
    found = gv.verify_binary(y, p, climatology=0.3, bins=4, **options)
    same = {"abs": 1e-12, "nan_ok": True}
    assert found.brier_score == pytest.approx(gv.brier_score(y, p, **options), **same)
    assert found.log_loss == pytest.approx(gv.log_loss(y, p, **options), rel=1e-9)
    assert found.roc_auc == pytest.approx(gv.roc_auc(y, p, **options), **same)
    skill = gv.brier_skill_score(y, p, climatology=0.3, **options)
    assert found.brier_skill_score == pytest.approx(skill, **same)
    assert found.murphy == gv.murphy_decomposition(y, p, bins=4, **options)
    assert found.corp == gv.corp_decomposition(y, p, **options)
    table = gv.contingency(y, p, threshold=0.5, **options)
    assert found.contingency.hits[10] == pytest.approx(table.hits, abs=1e-12)


def test_a_threshold_may_be_many():
    y, p = [0, 1, 1, 0], [0.2, 0.4, 0.9, 0.6]
    many = gv.contingency(y, p, threshold=[0.0, 0.5, 1.0])
    for k, threshold in enumerate([0.0, 0.5, 1.0]):
        one = gv.contingency(y, p, threshold=threshold)
        assert many.hits[k] == one.hits
        assert many.correct_negatives[k] == one.correct_negatives
    with pytest.raises(UnknownNameError, match="'csi' is not a contingency score"):
        many.score("csi")


@pytest.mark.parametrize(
    ("score", "threshold"),
    [
        ("peirce_skill_score", 0.8),
        ("critical_success_index", 0.35),
        ("frequency_bias", 0.4),
        ("false_alarm_ratio", 0.8),
        ("probability_of_detection", 0.35),
    ],
)
def test_best_thresholds_by_hand(score, threshold):
    # thresholds .1/.35/.4/.8: hits 2 2 1 1, false alarms 2 1 1 0
    best = gv.best_threshold([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], score=score)
    assert best.threshold == threshold
    assert best.value == best.table.score(score)


def test_never_may_be_the_best_threshold():
    best = gv.best_threshold([1, 0, 0], [0.2, 0.6, 0.9], score="accuracy")
    assert best.threshold > 0.9
    assert best.table.hits == 0


def test_reliability_band_narrows_and_the_simultaneous_one_is_wider():
    rng = np.random.default_rng(0)
    p = rng.random(2000)
    y = rng.random(2000) < p
    narrow = gv.reliability_curve(y, p, seed=1)
    wide = gv.reliability_curve(y, p, seed=1, coverage="simultaneous")
    assert np.mean(wide.high - wide.low) > np.mean(narrow.high - narrow.low)
    assert ((wide.low <= wide.frequency) & (wide.frequency <= wide.high)).all()
    assert np.mean((narrow.low <= narrow.frequency) & (narrow.frequency <= narrow.high)) > 0.8
    small = gv.reliability_curve(y[:200], p[:200], seed=1)
    assert np.mean(small.high - small.low) > 1.5 * np.mean(narrow.high - narrow.low)
    off = gv.reliability_curve(y, p**3, seed=1)
    assert np.mean((off.low <= off.frequency) & (off.frequency <= off.high)) < 0.5
    with pytest.raises(ValueError, match="`level` must lie between 0 and 1"):
        gv.reliability_curve(y, p, level=0)


def test_calibration_error_by_hand_and_its_named_bias():
    y, p = [0, 1, 1, 1], [0.4, 0.4, 0.9, 0.9]
    assert gv.expected_calibration_error(y, p, bins=2) == pytest.approx(0.1)
    assert gv.expected_calibration_error(y, p, bins=2, order=2) == pytest.approx(0.1)
    debiased = gv.expected_calibration_error(y, p, bins=2, order=2, debias=True)
    assert debiased == pytest.approx(-np.sqrt((0.01 - 0.25 + 0.01) / -2))  # noise .5 * .5 / 1 in the first bin
    rng = np.random.default_rng(1)
    plain, corrected = [], []
    for _ in range(200):
        q = rng.random(500)
        o = rng.random(500) < q
        plain.append(gv.expected_calibration_error(o, q))
        e = gv.expected_calibration_error(o, q, order=2, debias=True)
        corrected.append(np.sign(e) * e**2)
    named = np.sqrt(2 * 10 * (1 / 6) / (np.pi * 500))  # the docstring's size of the bias
    assert np.mean(plain) == pytest.approx(named, rel=0.1)
    assert np.mean(corrected) == pytest.approx(0, abs=3 * np.std(corrected) / np.sqrt(200))
    with pytest.raises(ValueError, match="`debias` needs `order=2` and no weights"):
        gv.expected_calibration_error(y, p, debias=True)
    assert np.isnan(gv.expected_calibration_error([1], [0.5], order=2, debias=True))


def test_top_label_and_one_vs_rest():
    top = gv.top_label([0, 1, np.nan], [[0.5, 0.5], [0.9, 0.1], [0.3, 0.7]])
    assert top.correct.tolist() == [1.0, 0.0]
    assert top.confidence.tolist() == [0.5, 0.9]
    assert np.isnan(gv.one_vs_rest([0, np.nan], labels=2)[1]).all()


# --- ensembles ---


def test_rank_histogram_of_a_reliable_ensemble_is_flat_and_of_a_narrow_one_is_not():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 10))
    flat = gv.rank_histogram(x[:, 0], x[:, 1:])
    assert np.mean((flat.low <= flat.counts) & (flat.counts <= flat.high)) >= 0.8
    assert flat.counts.sum() == pytest.approx(4000)
    narrow = gv.rank_histogram(x[:, 0], x[:, 1:] / 3)
    assert narrow.counts[0] > 2 * flat.high < 2 * narrow.counts[-1]


def test_ties_are_shared_between_the_ranks():
    counts = gv.rank_histogram([1.0, 1.0], [[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]], sample_weight=[4.0, 2.0]).counts
    assert counts.tolist() == [1.0, 2.0, 2.0, 1.0]


def test_pit_of_an_ensemble_is_flat_whatever_bins_and_members():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5000, 8))
    for bins in (3, 10, 25):
        found = gv.pit_histogram(gv.ensemble_pit(x[:, 0], x[:, 1:]), bins=bins)
        assert found.deviation < 1.5 * found.expected_deviation
        assert found.frequency.sum() == pytest.approx(1)
    with pytest.raises(DataError, match="`pit` must hold at least one case"):
        gv.pit_histogram([0.5, np.nan])


def test_pit_deviation_by_hand():
    assert gv.pit_histogram([0.0, 0.1, 0.2, 1.0], bins=2).deviation == pytest.approx(0.25)
    assert gv.pit_histogram([[0.25, 0.75]], bins=2).frequency.tolist() == [0.5, 0.5]
    weighted = gv.pit_histogram([0.1, 0.9], bins=2, sample_weight=[3.0, 1.0])
    assert weighted.frequency.tolist() == [0.75, 0.25]


def test_fair_scores_do_not_depend_on_the_number_of_members_and_one_member_has_none():
    rng = np.random.default_rng(4)
    y, x = rng.normal(size=20_000), rng.normal(size=(20_000, 20))
    small, large = gv.crps_ensemble(y, x[:, :3], fair=True), gv.crps_ensemble(y, x, fair=True)
    assert small == pytest.approx(large, abs=0.01)
    assert small == pytest.approx(1 / np.sqrt(np.pi), abs=0.01)  # E |x - y| / 2 of standard normals
    assert gv.crps_ensemble(y, x[:, :3]) > large + 0.1
    assert np.isnan(gv.crps_ensemble(y, x[:, :1], fair=True))


@pytest.mark.parametrize("members", [2, 5, 50])
def test_spread_skill_ratio_of_reliable_ensembles(members):
    rng = np.random.default_rng(5)
    scale = rng.uniform(0.5, 2, (20_000, 1))
    x = scale * rng.normal(size=(20_000, members + 1))
    ratio = gv.spread_skill_ratio(x[:, 0], x[:, 1:], average="root_mean_square")
    assert ratio == pytest.approx(1, abs=0.03)
    assert gv.spread_skill_ratio(x[:, 0], x[:, 1:]) < ratio
    curve = gv.spread_skill_curve(x[:, 0], x[:, 1:])
    assert curve.ratio == pytest.approx(gv.spread_skill_ratio(x[:, 0], x[:, 1:]))
    assert curve.weight.sum() == 20_000


def test_spread_skill_by_hand():
    y, p, s = [0.0, 0.0, 0.0, 5.0], [1.0, 1.0, 3.0, 2.0], [1.0, 1.0, 2.0, 2.0]
    curve = gv.spread_skill_curve(y, p, spread=s, bins=2)
    assert curve.spread.tolist() == [1.0, 2.0]
    assert curve.error == pytest.approx([1.0, 3.0])
    assert curve.reliability == pytest.approx(0.5)
    assert curve.ratio == pytest.approx(1.5 / np.sqrt(5))
    assert gv.spread_skill_ratio(y, y, spread=s) == np.inf
    assert gv.spread_skill_curve(y, p, spread=[1.0] * 4).error == pytest.approx([np.sqrt(5)])


def test_spread_of_probabilities_is_warned_about():
    with pytest.warns(StatisticsWarning, match="All observations are 0 or 1"):
        gv.spread_skill_ratio([0, 1, 1], [0.1, 0.8, 0.9], spread=[0.1, 0.1, 0.1])
    with pytest.raises(DataError, match="at least two members"):
        gv.spread_skill_ratio([0.5], [[1.0]])
    with pytest.raises(DataError, match="`spread` must not be negative"):
        gv.spread_skill_ratio([0.5], [1.0], spread=[-1.0])
    with pytest.raises(DataError, match="`spread` must not be negative"):
        gv.crps_normal([0.5], [1.0], spread=[-1.0])


def test_discard_by_hand_and_with_ties():
    curve = gv.discard_curve([4.0, 0.0, 2.0, 2.0], [4.0, 1.0, 3.0, 2.0], fractions=[0, 0.25, 0.5, 0.75])
    assert curve.loss == pytest.approx([2.0, 4 / 3, 1.0, 0.0])
    assert curve.monotonicity_fraction == 1.0
    assert curve.improvement == pytest.approx(2 / 3)
    useless = gv.discard_curve([4.0, 0.0, 2.0, 2.0], [1.0] * 4)
    assert useless.loss == pytest.approx([2.0] * 10)
    assert useless.improvement == pytest.approx(0)
    wrong = gv.discard_curve([4.0, 0.0], [0.0, 1.0], fractions=[0, 0.5])
    assert (wrong.monotonicity_fraction, wrong.improvement) == (0.0, -2.0)
    for fractions in ([0.1, 0.5], [0, 0.5, 0.5], [0, 1.0], [0]):
        with pytest.raises(DataError, match="`fractions` must ascend from 0"):
            gv.discard_curve([1.0], [1.0], fractions=fractions)


def test_options_of_regression_scores_are_checked():
    with pytest.raises(ValueError, match="`quantile` must lie between 0 and 1"):
        gv.quantile_score([1.0], [1.0], quantile=1)
    with pytest.raises(ValueError, match="`coverage` must lie between 0 and 1"):
        gv.interval_score([1.0], [[0.0, 1.0]], coverage=1)
    with pytest.raises(DataError, match="lower end above its upper end"):
        gv.interval_score([1.0], [[1.0, 0.0]])
    with pytest.raises(DataError, match="lower and upper end"):
        gv.interval_coverage([1.0], [[1.0, 0.0, 3.0]])
    with pytest.raises(DataError, match="must have the same shape"):
        gv.squared_error([[1.0, 2.0]], [[1.0, 2.0, 3.0]])
    with pytest.raises(DataError, match="`climatology` must have shape"):
        gv.brier_skill_score([0, 1], [0.1, 0.9], climatology=[0.1, 0.9])
