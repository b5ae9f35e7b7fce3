import numpy as np
import pytest
from sklearn.metrics import log_loss

from gengap.analysis.summary import at_epoch, summarize
from gengap.results import Result


def test_scores_skill_and_gap_worked_by_hand(simulate):
    losses = {"baseline": np.array([[1.0, 3.0], [2.0, 4.0]]), "remedy": np.array([[1.0, 1.0], [1.0, 1.0]])}
    rows = summarize(simulate.result_from_losses(losses)).to_dataframe()
    baseline = rows.iloc[0]
    assert (baseline["variant"], baseline["rule"]) == ("baseline", "best")
    # seed means 2 and 3; always forecasting 1 where the truth is 0 scores 1
    assert baseline["test_score"] == pytest.approx(2.5)
    assert baseline["test_skill"] == pytest.approx(-1.5)
    assert baseline["gap"] == pytest.approx(2.5)
    assert rows.iloc[2]["test_skill"] == pytest.approx(0.0)


def test_best_and_last_epoch_are_read_apart(simulate):
    curves = {"baseline": np.array([[0.5, 0.3, 0.4], [0.2, 0.3, 0.6]])}
    result = simulate.result_from_curves(curves)
    np.testing.assert_allclose(at_epoch(result, "baseline", "val_score", "best"), [0.3, 0.2])
    np.testing.assert_allclose(at_epoch(result, "baseline", "val_score", "last"), [0.4, 0.6])
    rows = summarize(result).to_dataframe().set_index("rule")
    assert rows.loc["best", "validation_score"] == pytest.approx(0.25)
    assert rows.loc["last", "validation_score"] == pytest.approx(0.5)
    assert rows.loc["best", "epoch"] == pytest.approx(1.5)


def test_a_run_that_stopped_early_is_read_at_its_own_end(simulate):
    curves = {"baseline": np.array([[0.5, 0.3, np.nan], [0.2, 0.3, 0.6]])}
    np.testing.assert_allclose(
        at_epoch(simulate.result_from_curves(curves), "baseline", "val_score", "last"), [0.3, 0.6]
    )


def test_an_unknown_column_is_nan(simulate):
    result = simulate.result_from_curves({"baseline": np.ones((3, 2))})
    assert np.isnan(at_epoch(result, "baseline", "accuracy", "last")).all()


def test_scores_of_predictions_are_scikit_learns():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 50), rng.uniform(0.1, 0.9, (3, 50)).astype(np.float32)
    rows = summarize(Result.from_predictions(y, {"baseline": p}, task="binary", score="log_loss")).to_dataframe()
    assert rows["test_score"].iloc[0] == pytest.approx(np.mean([log_loss(y, q.astype(float)) for q in p]), rel=1e-6)


def test_a_diverged_run_counts_in_no_mean_and_is_named(simulate):
    losses = {"baseline": np.array([[1.0, 3.0], [2.0, 4.0]]), "remedy": np.array([[1.0, 1.0], [np.nan, np.nan]])}
    result = simulate.result_from_losses(losses)
    result.runs["status"] = (("variant", "seed"), [["completed"] * 2, ["completed", "diverged at epoch 1"]])
    table = summarize(result)
    assert table.to_dataframe().iloc[2]["test_score"] == pytest.approx(1.0)
    assert any("1 of 4 runs diverged" in note for note in table.notes)
