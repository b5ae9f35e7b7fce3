"""The mean forecast of the seeds is scored as any forecast is, with the jackknife's variance over new ensembles."""

import numpy as np
import pytest

import gengap as gg
from gengap.analysis.cases import held_out
from gengap.analysis.comparison.ensembles import ensemble_values
from gengap.verification import brier_score, brier_skill_score, log_loss, roc_auc


def planted(seeds=6, n=80, *, variants=2, seed=0, **more):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(int)
    runs = {
        f"v{v}": 1 / (1 + np.exp(-(1.5 * (2 * y - 1) + rng.normal(0, 1, n) + rng.normal(0, 1 + v, (seeds, n)))))
        for v in range(variants)
    }
    return y, runs, gg.Result.from_predictions(y, runs, task="binary", score="log_loss", **more)


@pytest.mark.parametrize(
    ("score", "oracle"), [("log_loss", log_loss), ("brier_score", brier_score), ("roc_auc", roc_auc)]
)
def test_a_row_is_the_score_of_the_mean_forecast(score, oracle):
    y, runs, result = planted()
    found = gg.ensembles(result, score=score)
    for name, one in runs.items():
        row = found[name]
        assert row.score.value == pytest.approx(oracle(y, one.mean(axis=0)), abs=1e-12)
        assert row.single == pytest.approx(np.mean([oracle(y, run) for run in one]), abs=1e-12)
        assert row.gain.value == pytest.approx(row.score.value - row.single, abs=1e-12)
        assert row.members == 6
    gap = found["v1"].score.value - found["v0"].score.value
    assert found["v1"].difference.value == pytest.approx(gap, abs=1e-12)
    assert np.isnan(found["v0"].difference.value)
    assert found.larger_is_better == (score == "roc_auc")


def test_skill_is_that_of_the_mean_forecast():
    y, runs, result = planted()
    found = gg.ensembles(result, score="brier_skill_score")["v0"].score.value
    assert found == pytest.approx(brier_skill_score(y, runs["v0"].mean(axis=0)), abs=1e-12)


def test_the_variance_over_seeds_is_the_jackknifes():
    y, runs, result = planted(seeds=5, n=30)
    p = ensemble_values(result, held_out(result, "test"), "v0", rule="best", score="brier_score")
    left_out = [np.mean((np.delete(runs["v0"], j, axis=0).mean(axis=0) - y) ** 2) for j in range(5)]
    jackknife = 4 / 5 * np.sum((np.asarray(left_out) - np.mean(left_out)) ** 2)
    assert p.mean(axis=1).var(ddof=1) / 5 == pytest.approx(jackknife, rel=1e-9)
    np.testing.assert_allclose(p.mean(axis=0), (runs["v0"].mean(axis=0) - y) ** 2, atol=1e-12)


def test_weights_groups_and_lost_runs():
    y, runs, _ = planted(n=60)
    groups = np.repeat(np.arange(20), 3)
    runs["v0"][2, :] = np.nan
    result = gg.Result.from_predictions(y, {"v0": runs["v0"]}, task="binary", score="brier_score", groups=groups)
    row = gg.ensembles(result)["v0"]
    assert row.members == 5
    assert row.score.value == pytest.approx(brier_score(y, np.nanmean(runs["v0"], axis=0)), abs=1e-12)
    weight = np.random.default_rng(1).random(60) + 0.1
    weighed = gg.Result(
        result.history, result.runs, result.validation,
        result.test.assign_coords(sample_weight=("sample", weight)), result.manifest,
    )  # fmt: skip
    wanted = np.average((np.nanmean(runs["v0"], axis=0) - y) ** 2, weights=weight)
    assert gg.ensembles(weighed)["v0"].score.value == pytest.approx(wanted, abs=1e-12)


def test_equal_runs_gain_nothing_and_one_seed_is_no_ensemble():
    y, runs, _ = planted()
    same = {"a": np.repeat(runs["v0"][:1], 4, axis=0), "b": runs["v1"][:4]}
    found = gg.ensembles(gg.Result.from_predictions(y, same, task="binary", score="log_loss"))
    assert found["a"].gain.value == pytest.approx(0, abs=1e-12)
    assert found["a"].score.low < found["a"].score.value < found["a"].score.high
    with pytest.raises(gg.errors.DataError, match="two seeds"):
        gg.ensembles(gg.Result.from_predictions(y, {"a": runs["v0"][:1]}, task="binary", score="log_loss"))
    assert "times the work" in str(found)


def test_labels_and_targets():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, 50)
    p = rng.dirichlet(np.ones(3), size=(4, 50))
    result = gg.Result.from_predictions(y, {"a": p}, task="multiclass", score="log_loss")
    assert gg.ensembles(result)["a"].score.value == pytest.approx(log_loss(y, p.mean(axis=0)), abs=1e-12)
    real, forecast = rng.normal(size=(40, 2)), rng.normal(size=(4, 40, 2))
    result = gg.Result.from_predictions(real, {"a": forecast}, task="regression", score="squared_error")
    wanted = np.mean((forecast.mean(axis=0) - real) ** 2)
    assert gg.ensembles(result)["a"].score.value == pytest.approx(wanted, abs=1e-12)


def test_ensembles_are_options_like_any_other():
    y, runs, result = planted(n=400)
    said = gg.recommend(result, ensembles=True)
    assert said.choice.rule.ensemble
    assert said.choice.score == pytest.approx(log_loss(y, runs["v0"].mean(axis=0)), abs=1e-12)
    assert "mean forecast of all runs of v0" in str(said)
    assert sum(one.rule.ensemble for one in said.options) == 2
    assert not any(one.rule.ensemble for one in gg.recommend(result).options)
    # within a wide tolerance one run is cheaper where parameters are known; here none are, so the best mean stays
    assert gg.recommend(result, ensembles=True, tolerance=10.0).choice.score == said.choice.score
