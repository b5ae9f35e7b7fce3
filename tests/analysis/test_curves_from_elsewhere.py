"""Curves that another tool recorded: which way is better, and runs that diverged or are not there."""

import numpy as np
import pytest

import gengap as gg
from gengap.errors import DataError


def curves(*held_out, score="loss"):
    return [{score: [0.5] * len(one), f"val_{score}": list(one)} for one in held_out]


@pytest.mark.parametrize("name", ["accuracy", "sparse_categorical_accuracy", "auc", "recall_1", "kind_accuracy"])
def test_a_curve_to_maximize_is_not_minimized_unnoticed(name):
    histories = {"a": curves([0.6, 0.8, 0.7], [0.6, 0.9, 0.7], score=name)}
    with pytest.raises(DataError, match=f"Larger values of {name!r} are better: pass `larger_is_better=True`"):
        gg.Result.from_histories(histories, task="binary", score=name)
    result = gg.Result.from_histories(histories, task="binary", score=name, larger_is_better=True)
    assert result.runs.best_epoch.values.tolist() == [[2, 2]]
    assert result.score == f"negative_{name}"  # a table that shows -0.8 must not call it an accuracy
    assert f"Negative {name}".replace("_", " ") in gg.summarize(result).to_text()


@pytest.mark.parametrize("name", ["loss", "kind_loss", "mean_squared_error"])
def test_a_loss_is_not_maximized_unnoticed(name):
    with pytest.raises(DataError, match=f"Smaller values of {name!r} are better: pass `larger_is_better=False`"):
        gg.Result.from_histories({"a": curves([0.6], score=name)}, task="binary", score=name, larger_is_better=True)


@pytest.mark.parametrize("name", ["crps", "neg_accuracy", "squared_error_skill_score"])
@pytest.mark.parametrize("larger_is_better", [True, False])
def test_of_names_that_do_not_say_it_the_user_decides(name, larger_is_better):
    given = {"task": "regression", "score": name, "larger_is_better": larger_is_better}
    assert gg.Result.from_histories({"a": curves([0.6], score=name)}, **given).variants == ("a",)


def test_a_run_that_diverged_counts_in_no_mean_and_says_so():
    histories = {"a": curves([0.6, np.nan, np.nan], [0.5, 0.4, 0.3], [0.5, 0.4, 0.35])}
    result = gg.Result.from_histories(histories, task="binary")
    assert str(result.runs.status.values[0, 0]).startswith("diverged at epoch 2")
    table = gg.summarize(result)
    assert "1 of 3 runs diverged; they count in no mean" in table.to_text()
    assert table.to_text().count("0.325") == 2  # at the best epoch and at the last


def test_a_run_that_is_not_there_did_not_diverge():
    histories = {"a": curves([0.6], [0.5], [0.7]), "b": curves([0.5], [0.45])}
    result = gg.Result.from_histories(histories, task="binary")
    assert result.runs.status.values[1].tolist() == ["completed", "completed", "missing: no history of this run"]
    assert "1 pair left out (diverged or missing)" in gg.compare(result, claim="this test set").table.to_text()
    assert "runs diverged" not in gg.summarize(result).to_text()


def test_without_held_out_cases_nothing_is_said_to_be_chosen_on_them():
    training_only = [{"loss": [0.5, 0.3, 0.4]}, {"loss": [0.6, 0.3, 0.5]}]
    result = gg.Result.from_histories({"a": training_only, "b": training_only}, task="binary")
    assert (result.runs.best_epoch == 3).all()  # the training loss chooses no epoch
    assert "no validation split, so the best epoch is the last. Nothing was held out" in gg.summarize(result).to_text()
    assert "chosen on" not in gg.summarize(result).to_text()
    with pytest.raises(DataError, match="Nothing was held out, so there is nothing to compare on"):
        gg.compare(result)


def test_predictions_on_their_own_say_nothing_of_epochs():
    result = gg.Result.from_predictions([0, 1, 1], {"a": [[0.2, 0.7, 0.6]]}, task="binary", score="log_loss")
    assert "epoch:" not in gg.summarize(result).to_text()
