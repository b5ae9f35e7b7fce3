"""The bootstrap against a plain loop, groups and blocks, recalibration and the printed block."""

import time

import numpy as np
import pytest
import xarray as xr

import gengap.verification as gv
from gengap.errors import DataError


@pytest.fixture
def cases():
    rng = np.random.default_rng(0)
    p = np.round(rng.beta(2, 3, 200), 2)
    return (rng.random(200) < p).astype(int), p


@pytest.mark.parametrize("score", ["roc_auc", "brier_score", "brier_skill_score", "critical_success_index", "log_loss"])
@pytest.mark.parametrize("how", ["cases", "groups", "blocks", "weights"])
def test_replicates_are_the_score_of_the_drawn_cases(cases, score, how):
    y, p = cases
    groups = np.arange(200) // 7 if how == "groups" else None
    length = 9 if how == "blocks" else None
    weight = np.random.default_rng(1).uniform(0.5, 2, 200) if how == "weights" else None
    found = gv.bootstrap_scores(
        y, p, scores=[score], replicates=6, groups=groups, block_length=length, sample_weight=weight, seed=4
    )[score]
    # the same draws, but gathered and scored one by one by the public function
    order = np.lexsort((p, y == 0)) if how in {"cases", "weights"} else np.arange(200)
    expected = []
    for counts in gv.bootstrap_counts(200, replicates=6, groups=groups, block_length=length, seed=4):
        drawn = np.repeat(order, counts)
        options = {} if weight is None else {"sample_weight": weight[drawn]}
        if score == "critical_success_index":
            expected.append(gv.contingency(y[drawn], p[drawn], **options).critical_success_index)
        else:
            expected.append(getattr(gv, score)(y[drawn], p[drawn], **options))
    assert found.replicates == pytest.approx(expected, abs=1e-12)
    assert found.unit == {"cases": "case", "groups": "group", "blocks": "block", "weights": "case"}[how]


def test_draws_are_multinomial_blocks_are_whole_and_seeds_repeat(cases):
    counts = np.array(list(gv.bootstrap_counts(50, replicates=4000)))
    assert (counts.sum(axis=1) == 50).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.08)
    assert counts.var(axis=0).mean() == pytest.approx(1 - 1 / 50, rel=0.03)
    groups = np.repeat([0, 1, 2], [3, 4, 5])
    for draw in gv.bootstrap_counts(12, replicates=20, groups=groups):
        assert all(len(set(draw[groups == g])) == 1 for g in range(3))
    for draw in gv.bootstrap_counts(10, replicates=20, block_length=5):
        assert draw.sum() == 10
        assert draw.max() <= 2
    y, p = cases
    twice = [gv.bootstrap_scores(y, p, scores=["roc_auc"], replicates=5, seed=8)["roc_auc"] for _ in range(2)]
    assert twice[0].replicates.tolist() == twice[1].replicates.tolist()


def test_bootstrap_and_influence_agree_on_the_standard_error():
    rng = np.random.default_rng(2)
    p = rng.beta(1, 4, 3000)
    y, day = (rng.random(3000) < p).astype(int), np.arange(3000) // 10
    found = gv.bootstrap_scores(y, p, scores=["roc_auc", "brier_skill_score"], groups=day, replicates=600)
    for score, distribution in found.items():
        by_influence = gv.score_interval(y, p, score=score, groups=day)
        assert distribution.value == pytest.approx(by_influence.value)
        assert distribution.standard_error == pytest.approx(by_influence.standard_error, rel=0.1)
        low, high = distribution.interval()
        assert (low, high) == pytest.approx((by_influence.low, by_influence.high), abs=0.3 * (high - low))


def test_bootstrap_of_errors_and_bad_options():
    rng = np.random.default_rng(3)
    y = rng.normal(size=100)
    found = gv.bootstrap_scores(y, y + 1, scores=["squared_error", "squared_error_skill_score"], replicates=20)
    assert found["squared_error"].replicates == pytest.approx(np.ones(20))
    with pytest.raises(ValueError, match="`groups` or `block_length`, not both"):
        gv.bootstrap_scores(y, y, scores=["squared_error"], groups=y, block_length=2)
    with pytest.raises(ValueError, match="`block_length` must lie between 1 and the number of cases"):
        gv.bootstrap_scores(y, y, scores=["squared_error"], block_length=101)
    with pytest.raises(ValueError, match="`level` must lie between 0 and 1"):
        found["squared_error"].interval(level=2)


def test_the_bootstrap_is_fast():
    rng = np.random.default_rng(4)
    p = rng.random(100_000)
    y = rng.random(100_000) < p
    start = time.perf_counter()
    gv.bootstrap_scores(y, p, scores=["roc_auc", "brier_skill_score"], replicates=50)
    assert time.perf_counter() - start < 1.0  # .05 s on an idle core; a loop over scikit-learn takes 2 s


# --- recalibration ---


def overconfident(n, seed):
    rng = np.random.default_rng(seed)
    truth = rng.beta(2, 2, n)
    odds = 2.5 * np.log(truth / (1 - truth)) + 0.7
    return (rng.random(n) < truth).astype(int), 1 / (1 + np.exp(-odds))


@pytest.mark.parametrize("method", [gv.Isotonic, gv.Platt, gv.Temperature])
def test_recalibration_fitted_on_validation_helps_on_test(method):
    fitted = method.fit(*overconfident(4000, 0))
    y, p = overconfident(4000, 1)
    effect = gv.recalibration_effect(fitted, y, p)
    assert effect.brier_score.high < 0
    assert effect.log_loss.high < 0
    assert effect.before == gv.corp_decomposition(y, p)
    assert effect.after == gv.corp_decomposition(y, fitted.apply(p))
    assert effect.after.miscalibration < effect.before.miscalibration / 2
    assert (np.diff(fitted.apply(np.linspace(0, 1, 50))) >= 0).all()


def test_fits_find_the_truth():
    y, p = overconfident(200_000, 2)
    line = gv.Platt.fit(y, p)
    assert (line.slope, line.intercept) == pytest.approx((1 / 2.5, -0.7 / 2.5), abs=0.01)
    rng = np.random.default_rng(5)
    truth = rng.dirichlet(np.ones(3), 50_000)
    codes = (truth.cumsum(axis=1) < rng.random((50_000, 1))).sum(axis=1)
    hot = gv.Temperature.fit(codes, truth**2 / (truth**2).sum(axis=1, keepdims=True))
    assert hot.temperature == pytest.approx(2, rel=0.03)
    assert hot.apply(truth**2 / (truth**2).sum(axis=1, keepdims=True)) == pytest.approx(truth, abs=0.02)


def test_recalibration_of_several_labels_is_judged_by_the_likeliest():
    rng = np.random.default_rng(7)
    truth = rng.dirichlet(np.ones(3), 3000)
    codes = (truth.cumsum(axis=1) < rng.random((3000, 1))).sum(axis=1)
    hot = truth**2 / (truth**2).sum(axis=1, keepdims=True)
    effect = gv.recalibration_effect(gv.Temperature(2.0), codes, hot)
    top = gv.top_label(codes, hot)
    assert effect.before == gv.corp_decomposition(top.correct, top.confidence)
    assert effect.after.miscalibration < effect.before.miscalibration / 4
    assert effect.log_loss.high < 0


def test_platt_agrees_with_logistic_regression_and_stays_finite_for_separable_cases():
    from sklearn.linear_model import LogisticRegression

    y, p = overconfident(5000, 3)
    theirs = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(np.log(p / (1 - p))[:, None], y)
    ours = gv.Platt.fit(y, p)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], abs=2e-3)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=2e-3)
    separable = gv.Platt.fit([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    assert np.isfinite([separable.slope, separable.intercept]).all()
    assert gv.Isotonic.fit([0, 1], [0.0, 1.0]).apply([0.0, 0.5, 1.0]).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("fitted", [gv.Isotonic.fit([0, 1], [0.2, 0.7]), gv.Platt(0.1, 0.5), gv.Temperature(2.0)])
def test_recalibration_keeps_dims_and_missing_values_and_refuses_what_is_no_probability(fitted):
    p = xr.DataArray([[0.1, 0.5, np.nan]], dims=["seed", "sample"])
    found = fitted.apply(p)
    assert found.dims == ("seed", "sample")
    assert found.values == pytest.approx(fitted.apply(p.values), nan_ok=True)
    assert np.isnan(found.values[0, 2])
    with pytest.raises(DataError, match=r"probabilities from 0 to 1, got 0\.5 to 1\.5"):
        fitted.apply([0.5, 1.5])
    with pytest.raises(DataError, match="`y_prob` must hold real numbers in an array of one shape; got 'often'"):
        fitted.apply(["often"])


def test_temperature_finds_the_label_dim_wherever_it_lies():
    p = xr.DataArray(np.random.default_rng(0).dirichlet(np.ones(3), 4).T, dims=["label", "sample"])
    found = gv.Temperature(2.0).apply(p)
    assert found.dims == ("label", "sample")
    assert pytest.approx(gv.Temperature(2.0).apply(p.values.T)) == found.values.T


# --- the block ---


def test_the_block_prints_the_courses_four_lines():
    y, p = overconfident(500, 6)
    block = gv.scores_block(y, p, climatology=0.4, groups=np.arange(500) // 5)
    lines = str(block).splitlines()
    assert [line.split(":")[0] for line in lines[:4]] == [
        "AUC",
        "Brier Score",
        "Brier Score (Climatology)",
        "Brier Skill Score",
    ]
    assert f"{gv.roc_auc(y, p):.3f}" in lines[0]
    assert f"{gv.brier_skill_score(y, p, climatology=0.4):.3f}" in lines[3]
    assert lines[4] == "95% intervals over 500 cases in 100 groups; climatology 0.4000 from the training data"
    climate = gv.brier_score(y, np.full(500, 0.4))
    assert block.brier_score_climatology.value == pytest.approx(climate)
    assert block.brier_skill_score.value == pytest.approx(1 - block.brier_score.value / climate)
    own = gv.scores_block(y, p)
    assert own.climatology == pytest.approx(y.mean())
    assert "500 cases; climatology" in str(own)
