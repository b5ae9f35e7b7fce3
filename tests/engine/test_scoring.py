import numpy as np
import pytest
from sklearn import metrics

from gengap.engine.scoring import case_scores, choose_score, mean_score
from gengap.errors import UnknownNameError

RNG = np.random.default_rng(0)
Y, P = RNG.integers(0, 2, 200), RNG.uniform(size=200).astype(np.float32)
CODES, ROWS = RNG.integers(0, 4, 200), RNG.dirichlet(np.ones(4), 200).astype(np.float32)
WEIGHT = RNG.uniform(size=200)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_scores_agree_with_scikit_learn(weight):
    assert mean_score("log_loss", Y, P, weight) == pytest.approx(metrics.log_loss(Y, P, sample_weight=weight), abs=1e-6)
    assert mean_score("brier_score", Y, P, weight) == pytest.approx(
        metrics.brier_score_loss(Y, P, sample_weight=weight), abs=1e-6
    )
    rows = ROWS / ROWS.sum(axis=1, keepdims=True)
    assert mean_score("log_loss", CODES, rows, weight) == pytest.approx(
        metrics.log_loss(CODES, rows, sample_weight=weight), abs=1e-6
    )
    assert mean_score("squared_error", WEIGHT, P, weight) == pytest.approx(
        metrics.mean_squared_error(WEIGHT, P, sample_weight=weight), abs=1e-6
    )


def test_values_worked_by_hand():
    assert case_scores("brier_score", np.array([1, 0]), np.array([0.8, 0.3], np.float32)) == pytest.approx([0.04, 0.09])
    assert case_scores("brier_score", np.array([1]), np.array([[0.2, 0.5, 0.3]], np.float32)) == pytest.approx([0.38])
    assert case_scores("squared_error", np.array([[1.0, 2.0]]), np.array([[2.0, 5.0]], np.float32)) == pytest.approx(
        [5.0]
    )


def test_certainty_that_is_wrong_stays_finite_and_as_scikit_learn_has_it():
    wrong = np.array([0.0, 1.0], np.float32)
    assert mean_score("log_loss", np.array([1, 0]), wrong) == pytest.approx(metrics.log_loss([1, 0], wrong), rel=1e-6)


def test_a_prediction_that_is_not_finite_gives_nan():
    assert np.isnan(mean_score("log_loss", Y, np.where(Y == 1, np.nan, P).astype(np.float32)))


def test_the_score_follows_the_task_and_can_be_named():
    assert choose_score("binary", None) == "log_loss"
    assert choose_score("regression", None) == "squared_error"
    assert choose_score("multiclass", "brier_score") == "brier_score"
    with pytest.raises(
        UnknownNameError, match="`score` of a binary task must be one of log_loss, brier_score, got 'auc'"
    ):
        choose_score("binary", "auc")
