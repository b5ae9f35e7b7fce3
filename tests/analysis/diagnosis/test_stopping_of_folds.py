"""Early stopping in a resampled study: every fold's run stops on its own inner validation."""

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss

import gengap as gg
from gengap.analysis.curves import stopping_epochs
from gengap.analysis.decision.options import Rule, best_epochs, stopped_at
from gengap.analysis.decision.recommendation import reading_of
from gengap.reporting import render_report


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 4)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=90) > 0).astype(int)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    return gg.Study(model, remedies=["dropout(0.5)"], seeds=3).run(x, y, cv=3, epochs=12, batch_size=8, progress=False)


def by_hand(result, variant, patience):
    """Epochs kept and the test forecasts there, fold by fold, with scikit-learn's log loss."""
    y, fold, inner = result.test["y_true"].to_numpy(), result.test["fold"].to_numpy(), result.validation["fold"]
    every = {part: getattr(result, part)["prediction_epochs"].sel(variant=variant) for part in ("validation", "test")}
    kept, forecasts = np.zeros((3, 3), int), np.zeros((3, 90))
    for seed in range(3):
        for place in range(3):
            mine = inner.to_numpy()[seed] == place
            curve = [log_loss(y[mine], every["validation"][seed, e].to_numpy()[mine]) for e in range(12)]
            kept[seed, place] = stopping_epochs(np.array([curve]), patience=patience)[1][0]
            tested = fold[seed] == place
            forecasts[seed, tested] = every["test"][seed, kept[seed, place] - 1].to_numpy()[tested]
    return kept, forecasts


@pytest.mark.parametrize("patience", [1, 2])
def test_every_fold_stops_by_itself_and_is_read_on_cases_it_has_not_seen(result, patience):
    y = result.test["y_true"].to_numpy()
    for variant in result.variants:
        kept, forecasts = by_hand(result, variant, patience)
        assert np.array_equal(stopped_at(result, variant, patience), kept)
        losses = -np.log(np.where(y == 1, forecasts, 1 - forecasts).clip(1e-7))
        read = reading_of(result, score=None, claim=None).values(variant, Rule("patience", patience))
        np.testing.assert_allclose(read, losses, atol=2e-3)
    table = gg.early_stopping(result, patience=patience)
    assert "given this training set" not in table.title
    row = dict(zip([one.name for one in table.columns], table.rows[0], strict=True))
    kept, forecasts = by_hand(result, "baseline", patience)
    assert row["best"].mean == pytest.approx(kept.mean())
    assert row["score"].mean == pytest.approx(log_loss(np.tile(y, 3), forecasts.ravel()), rel=2e-3)


def test_patience_without_end_is_the_best_epoch(result):
    assert np.array_equal(stopped_at(result, "baseline", 100), best_epochs(result, "baseline"))
    said = gg.recommend(result, patience=1)
    assert any(one.rule.patience == 1 for one in said.options)


def test_folds_without_inner_validation_of_every_case_are_told_what_to_do(result):
    bare = gg.Result(
        result.history, result.runs, result.validation.drop_vars("prediction_epochs"), result.test, result.manifest
    )
    with pytest.raises(gg.errors.DataError, match="number of folds from 3 on"):
        gg.early_stopping(bare, patience=2)
    with pytest.raises(gg.errors.DataError, match="best epoch is judged"):
        gg.recommend(bare, patience=2)


def test_the_report_shows_stopping_reliability_and_cases_of_folds(result, draw_only):
    page = render_report(result)
    for section in ("stopping", "verification", "cases"):
        assert f'id="{section}"' in page
    assert "within each fold and averaged" in page
    assert "of all folds together" in page
    assert "the run that has not seen the case" in page
    assert "ROC curve" not in page, "forecasts of different runs do not rank together"
    assert "given this training set" not in page
    draw_only()
    assert "每折" in render_report(result, lang="zh")
