"""Values worked by hand, published numbers, and other people's code."""

from types import SimpleNamespace

import lazy_loader as lazy
import numpy as np
import pytest
from scipy.stats import norm
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

import gengap.verification as gv
from gengap.errors import UnknownNameError

# only in the worker that asks them: they compile for seconds when they are imported
late = SimpleNamespace(properscoring=lazy.load("properscoring"), scoringrules=lazy.load("scoringrules"))

FINLEY = gv.Contingency(28.0, 72.0, 23.0, 2680.0)


@pytest.fixture(params=["no weights", "weights"])
def weight(request):
    return None if request.param == "no weights" else np.random.default_rng(3).uniform(0.1, 3, 300)


@pytest.fixture(params=["ties", "no ties"])
def binary(request):
    rng = np.random.default_rng(1)
    p = rng.beta(1, 3, 300)
    y = (rng.random(300) < p).astype(int)
    return y, np.round(p, 1) if request.param == "ties" else p


@pytest.fixture
def labels():
    rng = np.random.default_rng(2)
    return rng.integers(0, 4, 300), rng.dirichlet(np.ones(4), 300)


@pytest.fixture
def ensemble():
    rng = np.random.default_rng(4)
    return rng.normal(size=300), rng.normal(size=(300, 7))


# --- published numbers ---


@pytest.mark.parametrize(
    ("score", "published"),
    [
        ("accuracy", 0.966),
        ("critical_success_index", 0.228),
        ("frequency_bias", 1.96),
        ("false_alarm_ratio", 0.720),
        ("probability_of_detection", 0.549),
        ("probability_of_false_detection", 0.0262),
        ("heidke_skill_score", 0.355),
        ("peirce_skill_score", 0.523),
        ("gilbert_skill_score", 0.216),
    ],
)
def test_finleys_tornadoes_as_in_wilks(score, published):
    # Wilks (2019), Statistical Methods in the Atmospheric Sciences, 4th ed., chapter 9, on Table 9.1
    assert FINLEY.score(score) == pytest.approx(published, abs=0.005 if published > 1 else 0.0006)


def test_area_and_error_of_hanley_and_mcneils_radiologist():
    # Hanley & McNeil (1982), Table II: ratings 1 to 5 of 58 normal and 51 abnormal images; area .893, error .032
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    rating = np.repeat(np.tile(np.arange(1, 6), 2), normal + abnormal)
    is_abnormal = np.repeat([0, 1], [58, 51])
    found = gv.score_interval(is_abnormal, rating, score="roc_auc")
    assert found.value == pytest.approx(0.893, abs=0.0005)
    assert found.standard_error == pytest.approx(0.032, abs=0.002)


def test_perfectly_calibrated_uniform_forecasts():
    # E (p - o)^2 = E p (1 - p) = 1/2 - 1/3; binning first, as hagelslag does, gives .1674 and .3306
    p = (np.arange(10_000) + 0.5) / 10_000
    exactly = {"sample_weight": np.concatenate([p, 1 - p])}  # each event and non-event as often as forecast
    y, both = np.repeat([1, 0], 10_000), np.concatenate([p, p])
    assert gv.brier_score(y, both, **exactly) == pytest.approx(1 / 6, abs=1e-8)
    assert gv.brier_skill_score(y, both, **exactly) == pytest.approx(1 / 3, abs=1e-8)
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    y = rng.random(200_000) < p
    for score, expected in (("brier_score", 1 / 6), ("brier_skill_score", 1 / 3), ("roc_auc", 5 / 6)):
        found = gv.score_interval(y, p, score=score)
        assert found.value == pytest.approx(expected, abs=4 * found.standard_error)


def test_standard_normal_forecast_of_its_own_mean():
    # Gneiting et al. (2005), eq. 5, at z = 0: (sqrt 2 - 1) / sqrt pi
    assert gv.crps_normal([0.0], [0.0], spread=1.0) == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi))
    assert gv.crps_normal([3.0], [1.0], spread=0.0) == 2.0


# --- scikit-learn, scoringrules, properscoring, scores ---


def test_binary_scores_agree_with_scikit_learn(binary, weight):
    y, p = binary
    options = {"sample_weight": weight}
    assert gv.brier_score(y, p, **options) == pytest.approx(metrics.brier_score_loss(y, p, **options), abs=1e-14)
    assert gv.roc_auc(y, p, **options) == pytest.approx(metrics.roc_auc_score(y, p, **options), abs=1e-14)
    assert gv.log_loss(y, p, **options) == pytest.approx(metrics.log_loss(y, p, **options), rel=1e-12)
    theirs = metrics.d2_brier_score(y, p, **options) if hasattr(metrics, "d2_brier_score") else None
    if theirs is not None:
        assert gv.brier_skill_score(y, p, **options) == pytest.approx(theirs, abs=1e-12)


def test_log_loss_is_clipped_as_scikit_learn_clips_it():
    p = np.array([0.0, 1.0, 1.0], dtype=np.float32)
    y = [1, 0, 1]
    assert gv.log_loss(y, p) == pytest.approx(metrics.log_loss(y, p), rel=1e-6)
    expected = 2 / 3 * -np.log(np.finfo(np.float32).eps)
    assert gv.log_loss(y, p) == pytest.approx(expected, rel=1e-5)
    assert gv.score_interval(y, p, score="log_loss").value == pytest.approx(expected, rel=1e-5)
    assert gv.verify_binary(y, p).log_loss == pytest.approx(expected, rel=1e-5)
    assert gv.case_log_losses(y, p).mean() == pytest.approx(expected, rel=1e-5)


def test_multiclass_scores_agree_with_scikit_learn(labels, weight):
    y, p = labels
    theirs = metrics.log_loss(y, p, sample_weight=weight)
    assert gv.log_loss(y, p, sample_weight=weight) == pytest.approx(theirs, rel=1e-12)
    columns = [
        metrics.brier_score_loss(gv.one_vs_rest(y, labels=4)[:, k], p[:, k], sample_weight=weight) for k in range(4)
    ]
    assert gv.brier_score(y, p, sample_weight=weight) == pytest.approx(sum(columns), rel=1e-12)
    assert gv.ranked_probability_score(y, p) == pytest.approx(np.mean(late.scoringrules.rps_score(y + 1, p)), rel=1e-6)


def test_curves_agree_with_scikit_learn(binary, weight):
    y, p = binary
    ours, (pofd, pod, threshold) = (
        gv.roc_curve(y, p, sample_weight=weight),
        metrics.roc_curve(y, p, sample_weight=weight, drop_intermediate=False),
    )
    assert set(ours.threshold) <= set(threshold)
    assert np.allclose(np.interp(pofd, ours.probability_of_false_detection, ours.probability_of_detection)[-1], 1)
    at = np.isin(threshold, ours.threshold)
    assert ours.probability_of_detection == pytest.approx(pod[at], abs=1e-12)
    assert ours.probability_of_false_detection == pytest.approx(pofd[at], abs=1e-12)
    area = np.trapezoid(ours.probability_of_detection, ours.probability_of_false_detection)
    assert area == pytest.approx(ours.area, abs=1e-12)
    precision, recall, threshold = metrics.precision_recall_curve(y, p, sample_weight=weight)
    curve = gv.performance_curve(y, p, sample_weight=weight)
    assert curve.threshold == pytest.approx(threshold[::-1])
    assert curve.success_ratio == pytest.approx(precision[:-1][::-1], abs=1e-12)
    assert curve.probability_of_detection == pytest.approx(recall[:-1][::-1], abs=1e-12)


def test_contingency_scores_agree_with_scikit_learn(binary, weight):
    y, p = binary
    yes, options = p >= 0.3, {"sample_weight": weight}
    table = gv.contingency(y, p, threshold=0.3, **options)
    assert table.probability_of_detection == pytest.approx(metrics.recall_score(y, yes, **options))
    assert table.success_ratio == pytest.approx(metrics.precision_score(y, yes, **options))
    assert table.critical_success_index == pytest.approx(metrics.jaccard_score(y, yes, **options))
    assert table.heidke_skill_score == pytest.approx(metrics.cohen_kappa_score(y, yes, **options))
    assert table.accuracy == pytest.approx(metrics.accuracy_score(y, yes, **options))
    balanced = metrics.balanced_accuracy_score(y, yes, **options)
    assert table.peirce_skill_score == pytest.approx(2 * balanced - 1)


def test_contingency_scores_agree_with_scores(binary):
    categorical = pytest.importorskip("scores.categorical")
    xr = pytest.importorskip("xarray")
    y, p = binary
    manager = categorical.BinaryContingencyManager(
        xr.DataArray((p >= 0.3).astype(float), dims="i"), xr.DataArray(y.astype(float), dims="i")
    )
    table = gv.contingency(y, p, threshold=0.3)
    pairs = {
        "gilbert_skill_score": "gilberts_skill_score",
        "heidke_skill_score": "heidke_skill_score",
        "peirce_skill_score": "peirce_skill_score",
        "frequency_bias": "frequency_bias",
        "probability_of_false_detection": "probability_of_false_detection",
        "false_alarm_ratio": "false_alarm_ratio",
    }
    for ours, theirs in pairs.items():
        assert table.score(ours) == pytest.approx(float(getattr(manager, theirs)())), ours


def test_ensemble_scores_agree_with_three_libraries(ensemble, weight):
    y, members = ensemble
    cases = gv.case_crps_ensemble(y, members)
    assert cases == pytest.approx(late.properscoring.crps_ensemble(y, members), abs=1e-12)
    assert cases == pytest.approx(late.scoringrules.crps_ensemble(y, members, estimator="nrg"), abs=1e-6)
    fair = late.scoringrules.crps_ensemble(y, members, estimator="fair")
    assert gv.crps_ensemble(y, members, fair=True, sample_weight=weight) == pytest.approx(
        np.average(fair, weights=weight), abs=1e-6
    )
    assert gv.crps_ensemble(y, members[:, :1]) == pytest.approx(gv.absolute_error(y, members[:, 0]))


def test_closed_forms_and_quantiles_agree_with_scoringrules(ensemble):
    y, members = ensemble
    mean, spread = members.mean(1), members.std(1)
    assert gv.crps_normal(y, mean, spread=spread) == pytest.approx(
        np.mean(late.properscoring.crps_gaussian(y, mean, spread))
    )
    assert gv.quantile_score(y, mean, quantile=0.2) == pytest.approx(metrics.mean_pinball_loss(y, mean, alpha=0.2))
    ends = np.column_stack([mean - spread, mean + spread])
    theirs = late.scoringrules.interval_score(y, ends[:, 0], ends[:, 1], 0.2)
    assert gv.interval_score(y, ends, coverage=0.8) == pytest.approx(np.mean(theirs))


def test_parametric_forecasts_against_the_integral():
    from scipy.integrate import quad
    from scipy.stats import gamma

    y = 1.3
    below, above = quad(lambda x: gamma.cdf(x, 2.0) ** 2, 0, y)[0], quad(lambda x: gamma.sf(x, 2.0) ** 2, y, 50)[0]
    ours = gv.crps_distribution([y, np.nan], family="gamma", shape=2.0, rate=1.0)
    assert ours == pytest.approx(below + above, rel=1e-6)
    with pytest.raises(UnknownNameError, match="'gauss' is not a family of scoringrules; choose from"):
        gv.crps_distribution([y], family="gauss")


def test_errors_agree_with_scikit_learn(ensemble, weight):
    y, members = ensemble
    p, options = members[:, 0], {"sample_weight": weight}
    assert gv.squared_error(y, p, **options) == pytest.approx(metrics.mean_squared_error(y, p, **options))
    assert gv.absolute_error(y, p, **options) == pytest.approx(metrics.mean_absolute_error(y, p, **options))
    assert gv.squared_error_skill_score(y, p, **options) == pytest.approx(metrics.r2_score(y, p, **options))
    two = np.column_stack([y, y + 1])
    assert gv.squared_error(two, members[:, :2]) == pytest.approx(metrics.mean_squared_error(two, members[:, :2]))


def test_corp_agrees_with_scikit_learns_isotonic_regression(binary, weight):
    y, p = binary
    recalibrated = IsotonicRegression().fit_transform(p, y, sample_weight=weight)
    base = np.full(len(y), np.average(y, weights=weight))
    for kind, loss in (("brier_score", metrics.brier_score_loss), ("log_loss", metrics.log_loss)):
        parts = gv.corp_decomposition(y, p, kind=kind, sample_weight=weight)
        own, best, climate = (loss(y, q, sample_weight=weight) for q in (p, recalibrated, base))
        assert parts.miscalibration == pytest.approx(own - best, abs=1e-10)
        assert parts.discrimination == pytest.approx(climate - best, abs=1e-10)
        assert parts.uncertainty == pytest.approx(climate)
    curve = gv.reliability_curve(y, p, sample_weight=weight, resamples=10)
    assert np.interp(p, curve.forecast, curve.frequency) == pytest.approx(recalibrated, abs=1e-12)


def test_delongs_variance_from_all_pairs(binary):
    y, p = binary
    other = np.random.default_rng(9).random(len(y)) + y
    areas, parts = [], []
    for forecast in (p, other):  # the definition: an m x n matrix of comparisons, its row and column means
        wins = np.sign(forecast[y == 1][:, None] - forecast[y == 0][None, :]) / 2 + 0.5
        areas.append(wins.mean())
        parts.append((wins.mean(axis=1), wins.mean(axis=0)))
    m, n = int(y.sum()), int((1 - y).sum())
    variance = np.cov([a for a, _ in parts]) / m + np.cov([b for _, b in parts]) / n
    placed = gv.placements(y, p)
    assert placed[y == 1] == pytest.approx(parts[0][0])
    assert placed[y == 0] == pytest.approx(parts[0][1])
    found = gv.score_interval(y, p, score="roc_auc")
    assert found.value == pytest.approx(areas[0])
    assert found.standard_error == pytest.approx(np.sqrt(variance[0, 0]))
    difference = gv.score_difference(y, p, other, score="roc_auc")
    assert difference.value == pytest.approx(areas[0] - areas[1])
    assert difference.standard_error == pytest.approx(np.sqrt(variance[0, 0] + variance[1, 1] - 2 * variance[0, 1]))


def test_the_error_of_a_mean_and_of_group_means():
    rng = np.random.default_rng(5)
    y, p, day = rng.integers(0, 2, 400), rng.random(400), np.repeat(np.arange(80), 5)
    losses = (p - y) ** 2
    assert gv.score_interval(y, p, score="brier_score").standard_error == pytest.approx(losses.std(ddof=1) / 20)
    grouped = gv.score_interval(y, p, score="brier_score", groups=day)
    assert grouped.standard_error == pytest.approx(losses.reshape(80, 5).mean(axis=1).std(ddof=1) / np.sqrt(80))
    assert grouped.groups == 80


def test_clustered_errors_agree_with_statsmodels():
    api = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(6)
    sizes = rng.integers(1, 9, 60)
    day = np.repeat(np.arange(60), sizes)
    y, p = rng.integers(0, 2, len(day)), rng.random(len(day))
    losses = (p - y) ** 2
    fit = api.OLS(losses, np.ones(len(day))).fit(
        cov_type="cluster", cov_kwds={"groups": day, "use_correction": False, "df_correction": False}
    )
    ours = gv.score_interval(y, p, score="brier_score", groups=day).standard_error
    assert ours == pytest.approx(float(fit.bse[0]) * np.sqrt(60 / 59))


def test_pit_of_normal_forecasts_against_numpys_histogram():
    rng = np.random.default_rng(7)
    pit = norm.cdf(rng.normal(size=500), 0.2, 0.8)
    found = gv.pit_histogram(pit, bins=8)
    assert found.frequency == pytest.approx(np.histogram(pit, bins=8, range=(0, 1))[0] / 500)
    assert found.deviation == pytest.approx(np.sqrt(np.mean((found.frequency - 1 / 8) ** 2)))
