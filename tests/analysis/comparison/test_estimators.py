import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from gengap import verification as gv
from gengap.analysis.cases import held_out
from gengap.analysis.comparison.comparison import compare
from gengap.analysis.comparison.estimators import case_values, to_units
from gengap.analysis.inference.components import two_way
from gengap.errors import DataError, UnknownNameError
from gengap.results import Result
from gengap.verification.discrimination import linear_roc_auc
from gengap.verification.inputs import label_cases


@pytest.fixture
def forecasts():
    rng = np.random.default_rng(3)
    y = (rng.random(120) < 0.3).astype(int)
    p = np.clip(rng.beta(2, 4, (4, 120)) + 0.2 * y, 0.01, 0.99).astype(np.float32).astype(float)
    return y, p


def result_of(y, p, **options):
    return Result.from_predictions(y, {"baseline": p}, task="binary", score="log_loss", **options)


def values_of(result, score):
    return case_values(result, held_out(result, "test"), "baseline", rule="last", score=score)


def placed(y, p):
    """Case values of the AUC of every run: their mean is the AUC, their variance over n is DeLong's."""
    linear = [linear_roc_auc(label_cases(y, one)) for one in p]
    return np.stack([one.value + one.influence for one in linear])


def test_an_auc_worked_by_hand():
    """Positives .8 and .35 against negatives .1 and .4: three of four pairs are in order."""
    found = placed(np.array([0, 0, 1, 1]), np.array([[0.1, 0.4, 0.35, 0.8]]))
    assert found.mean() == pytest.approx(0.75)
    # placements of positives 1, 1/2 and of negatives 1, 1/2: variance 1/8 each, over two cases each
    assert found.var(ddof=1) / 4 == pytest.approx((1 / 8) / 2 + (1 / 8) / 2)


def test_delongs_covariance_from_all_pairs(forecasts):
    y, p = forecasts
    first, second = placed(y, p[:2])
    kernel = [(q[y == 1][:, None] > q[y == 0]) + 0.5 * (q[y == 1][:, None] == q[y == 0]) for q in p[:2]]
    of_positives, of_negatives = (np.stack([k.mean(axis=axis) for k in kernel]) for axis in (1, 0))
    delong = np.cov(of_positives) / (y == 1).sum() + np.cov(of_negatives) / (y == 0).sum()
    ours = np.cov(np.stack([first, second])) / len(y)
    np.testing.assert_allclose(ours, delong, rtol=1e-9)
    difference = gv.score_difference(y, p[0], p[1], score="roc_auc")
    assert (first - second).std(ddof=1) / np.sqrt(len(y)) == pytest.approx(difference.standard_error, rel=1e-6)


def test_means_of_case_values_are_the_scores(forecasts):
    y, p = forecasts
    result = result_of(y, p)
    for score, oracle in (("log_loss", log_loss), ("brier_score", brier_score_loss), ("roc_auc", roc_auc_score)):
        np.testing.assert_allclose(values_of(result, score).mean(-1), [oracle(y, q) for q in p], rtol=1e-6)
    skill = [1 - brier_score_loss(y, q) / np.mean((y - y.mean()) ** 2) for q in p]
    np.testing.assert_allclose(values_of(result, "brier_skill_score").mean(-1), skill, rtol=1e-6)


def test_ties_count_half():
    y, p = np.array([0, 1, 0, 1, 1]), np.array([[0.5, 0.5, 0.2, 0.5, 0.2]])
    assert placed(y, p).mean() == pytest.approx(roc_auc_score(y, p[0]))


def test_the_skill_scores_error_is_a_jackknifes(forecasts):
    """The delta method against leaving one case out."""
    y, p = forecasts
    known = {"training_climatology": 0.25}
    result = result_of(y, p)
    result.manifest["data"].update(known)
    error = values_of(result, "brier_skill_score")[0].std(ddof=1) / np.sqrt(len(y))
    kept = ~np.eye(len(y), dtype=bool)
    left = [1 - np.mean((p[0][k] - y[k]) ** 2) / np.mean((0.25 - y[k]) ** 2) for k in kept]
    jackknife = np.sqrt((len(y) - 1) ** 2 / len(y) * np.var(left, ddof=1))
    assert error == pytest.approx(jackknife, rel=0.03)


def test_groups_of_one_change_nothing(forecasts):
    y, p = forecasts
    plain, singles = (
        values_of(result_of(y, p), "log_loss"),
        values_of(result_of(y, p, groups=np.arange(120)), "log_loss"),
    )
    np.testing.assert_array_equal(plain, singles)


def test_groups_keep_the_mean_and_widen_what_is_doubled(forecasts):
    """Every case twice: as independent cases the error would shrink by sqrt(2), as groups it must not."""
    y, p = forecasts
    single = values_of(result_of(y, p), "log_loss")
    doubled = result_of(np.repeat(y, 2), np.repeat(p, 2, axis=1), groups=np.repeat(np.arange(120), 2))
    np.testing.assert_allclose(values_of(doubled, "log_loss"), single)


def test_unequal_groups_count_for_what_they_hold():
    values = np.array([[1.0, 2.0, 3.0, 10.0]])
    found = to_units(values, weight=None, group=np.array([0, 0, 0, 1]))
    # mean 4; sums of deviations -6 and 6, times two units over four cases
    np.testing.assert_allclose(found, [[1.0, 7.0]])


def test_a_weight_of_two_is_the_mean_of_a_case_counted_twice():
    values, weight = np.array([[1.0, 2.0, 6.0]]), np.array([2.0, 1.0, 1.0])
    found = to_units(values, weight=weight / weight.mean(), group=None)
    assert found.mean() == pytest.approx(np.mean([1, 1, 2, 6]))
    grouped = to_units(values, weight=weight / weight.mean(), group=np.array([0, 0, 1]))
    assert grouped.mean() == pytest.approx(2.5)


def test_a_run_without_predictions_is_a_row_of_nan(forecasts):
    y, p = forecasts
    p[2] = np.nan
    for score in ("log_loss", "roc_auc", "brier_skill_score"):
        found = values_of(result_of(y, p), score)
        assert np.isnan(found[2]).all()
        assert np.isfinite(found[[0, 1, 3]]).all()


def test_auc_and_skill_can_carry_a_comparison(forecasts):
    y, p = forecasts
    better = np.clip(p + np.where(y == 1, 0.3, -0.3), 0.01, 0.99)
    result = Result.from_predictions(y, {"baseline": p, "remedy": better}, task="binary", score="log_loss")
    for score in ("roc_auc", "brier_skill_score"):
        found = compare(result, score=score)
        assert found.larger_is_better
        assert found["remedy"].difference > 0
        assert found["remedy"].verdict.kind == "better"


def test_the_interval_of_an_auc_difference_covers():
    """Equally good forecasts of other noise, 300 studies of 6 seeds and 80 cases: nominal 95 %."""
    rng = np.random.default_rng(8)
    inside = 0
    for _ in range(300):
        y = np.arange(80) % 2
        shared = rng.standard_normal((2, 1, 80))
        signal = y + shared + 0.5 * rng.standard_normal((2, 6, 80))
        first, second = placed(y, signal[0]), placed(y, signal[1])
        estimate = two_way(first - second)
        inside += abs(estimate.mean) <= 1.99 * estimate.se
    assert 0.92 <= inside / 300 <= 0.985


def test_refusals(forecasts):
    y, p = forecasts
    with pytest.raises(UnknownNameError, match="`score` of a binary task must be one of"):
        values_of(result_of(y, p), "accuracy")
    one_class = result_of(np.zeros(120), p)
    one_class.manifest["data"]["training_climatology"] = 0.0
    with pytest.raises(DataError, match="no skill score"):
        values_of(one_class, "brier_skill_score")
