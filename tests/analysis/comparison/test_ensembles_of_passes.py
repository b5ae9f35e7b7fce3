"""Mean forecasts over the passes of a resampled study: each case from the runs that have not seen it."""

import keras
import numpy as np
import pytest

import gengap as gg
from gengap.analysis.cases import held_out
from gengap.analysis.comparison.ensembles import ensemble_values
from gengap.analysis.comparison.gains import as_training_cases


@pytest.fixture(scope="module")
def folds():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=120) > 0).astype(int)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.03), "binary_crossentropy")
    study = gg.Study(model, remedies=["dropout(0.5)"], seeds=4)
    return study.run(x, y, cv=3, epochs=4, batch_size=16, progress=False)


def test_the_mean_over_passes_with_the_variance_for_new_training_sets(folds):
    y, found = folds.test["y_true"].to_numpy(), gg.ensembles(folds)
    assert found.claim == "new training sets, cases and seeds"
    assert "new training sets of 40 cases" in found.table.title
    assert "has not seen it" in " ".join(str(found).split())  # wrapped as wide as the terminal is
    runs = folds.test["prediction_best"].sel(variant="dropout(0.5)").to_numpy().astype(float)
    losses = -np.log(np.where(y == 1, runs, 1 - runs).clip(1e-7))
    mean = runs.mean(axis=0)
    row = found["dropout(0.5)"]
    assert row.score.value == pytest.approx(-np.log(np.where(y == 1, mean, 1 - mean)).mean())
    assert row.single == pytest.approx(losses.mean())
    assert row.members == 4
    # between cases counts a quarter (or a half) more than where one training set is given
    p = ensemble_values(folds, held_out(folds, "test"), "dropout(0.5)", rule="best", score="log_loss")
    assert p.shape == (4, 120)
    plain = gg.Result(
        folds.history, folds.runs, folds.validation,
        folds.test.drop_vars(["fold", "climatology"]), {**folds.manifest, "resampling": None},
    )  # fmt: skip
    single = gg.ensembles(plain)["dropout(0.5)"]
    assert single.score.value == pytest.approx(row.score.value)
    assert row.score.high - row.score.low > single.score.high - single.score.low


def test_a_gain_varies_with_the_cases_that_were_trained_on_too(folds):
    held, found = held_out(folds, "test"), gg.ensembles(folds, score="brier_score")["baseline"]
    y, runs = held.y_true, held.predictions("baseline", "best").astype(float)
    squares = ((runs - y) ** 2).mean(axis=0)
    role = as_training_cases(folds, held, "baseline", "best")
    np.testing.assert_allclose(role, squares / squares.mean() - 1)
    assert role.mean() == pytest.approx(0, abs=1e-12)
    spread = ((runs - runs.mean(axis=0)) ** 2).mean(axis=0)
    assert found.gain.value == pytest.approx(-spread.mean())  # so the larger residuals, the larger a gain elsewhere
    # both roles of the cases, of which neither alone explains as much: 1.25 times the variance of their sum, at least
    alone, both = (1.25 * np.var(one, ddof=1) / len(one) for one in (-spread, -spread - spread.mean() * role))
    assert both > alone
    assert (found.gain.high - found.gain.low) / 2 > 2 * np.sqrt(both)


def test_they_are_options_and_no_score_ranks_them(folds):
    assert any(one.rule.ensemble for one in gg.recommend(folds, ensembles=True).options)
    for score in ("roc_auc", "brier_skill_score"):
        with pytest.raises(gg.errors.DataError, match="do not rank together"):
            gg.ensembles(folds, score=score)
    assert gg.ensembles(folds, score="brier_score")["baseline"].score.value > 0
    with pytest.raises(gg.errors.DataError, match="none of its claims"):
        gg.ensembles(folds, claim="this test set")
