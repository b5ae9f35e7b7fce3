"""Synthetic reviews: Zipf's law, lengths, and a truth that labels agree with."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from gengap_examples.review_generator import reviews


@pytest.fixture(scope="module")
def data():
    return reviews(n_train=8_000, n_validation=500, n_test=2_000)


def test_rows_are_sparse_multi_hot(data):
    assert data.train.x.format == "csr"
    assert data.train.x.dtype == np.float32
    assert set(np.unique(data.train.x.data)) == {1.0}
    dense = reviews(n_train=20, n_validation=5, n_test=5, dense=True)
    sparse = reviews(n_train=20, n_validation=5, n_test=5)
    np.testing.assert_array_equal(dense.train.x, sparse.train.x.toarray())


def test_words_occur_after_zipf(data):
    frequency = 1 / (np.arange(1, 2001) + 2.7)
    frequency /= frequency.sum()
    # lengths are gamma of shape 4 and mean 200, and words Poisson: the share of texts without a word
    expected = 1 - (1 + frequency * 50) ** -4.0
    observed = np.asarray(data.train.x.mean(axis=0)).ravel()
    error = np.sqrt(expected * (1 - expected) / 8_000)
    assert (np.abs(observed - expected) < 5 * error).all()


def test_labels_agree_with_their_true_probabilities(data):
    y, p = data.train.y, data.truth["train"]
    assert 0.45 < y.mean() < 0.55
    for low in np.arange(0, 1, 0.1):
        cases = (p >= low) & (p < low + 0.1)
        assert abs(y[cases].sum() - p[cases].sum()) < 4 * np.sqrt((p[cases] * (1 - p[cases])).sum())


def test_log_odds_are_a_sum_over_words(data):
    logit = np.log(data.truth["train"] / (1 - data.truth["train"]))
    rows = np.column_stack([data.train.x.toarray(), np.ones(8_000)]).astype(float)
    solution = np.linalg.solve(rows.T @ rows + 1e-6 * np.eye(2_001), rows.T @ logit)
    rows = np.column_stack([data.test.x.toarray(), np.ones(2_000)])
    expected = np.log(data.truth["test"] / (1 - data.truth["test"]))
    np.testing.assert_allclose(rows @ solution, expected, atol=0.01)
    assert 3.0 < logit.std() < 5.0


def test_no_model_beats_the_truth_but_one_can_learn(data):
    model = LogisticRegression(C=0.1, max_iter=200).fit(data.train.x, data.train.y)
    fitted = log_loss(data.test.y, model.predict_proba(data.test.x)[:, 1])
    assert log_loss(data.test.y, data.truth["test"]) < fitted < np.log(2) * 0.75


def test_draws_depend_on_the_seed_alone():
    one, same, other = (reviews(n_train=10, seed=seed) for seed in (3, 3, 4))
    assert (one.train.x != same.train.x).nnz == 0
    assert one.train.y.tolist() == same.train.y.tolist()
    assert (one.train.x != other.train.x).nnz > 0


def test_extreme_sizes_work():
    data = reviews(n_train=1, n_validation=1, n_test=1, num_words=1, mean_length=1)
    assert data.train.x.shape == (1, 1)
    assert np.isfinite(data.truth["train"]).all()
