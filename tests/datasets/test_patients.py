"""scikit-learn's diabetes data: a fixed split, scaled by training cases only."""

import numpy as np
from sklearn.datasets import load_diabetes

from gengap.datasets.patients import MEASUREMENTS, diabetes

FIRST_ANSWERS = [131.0, 84.0, 69.0]  # as first published: a split that moves would make results incomparable


def test_splits_hold_every_patient_once():
    data = diabetes(standardize=False)
    splits = (data.train, data.validation, data.test)
    assert [len(s) for s in splits] == [265, 88, 89]
    archive = load_diabetes(scaled=False)
    rows = np.column_stack([np.concatenate([s.x for s in splits]), np.concatenate([s.y for s in splits])])
    expected = np.column_stack([archive.data, archive.target]).astype("f4")
    np.testing.assert_array_equal(rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)])


def test_the_split_is_the_same_every_time():
    np.testing.assert_array_equal(diabetes().test.x, diabetes().test.x)
    assert diabetes(standardize=False).train.y[:3].tolist() == FIRST_ANSWERS


def test_inputs_and_answers_are_scaled_by_training_cases():
    data, raw = diabetes(), diabetes(standardize=False)
    np.testing.assert_allclose(data.train.x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(data.train.x.std(0), 1, atol=1e-5)
    np.testing.assert_allclose(data.train.y.var(), 1, atol=1e-5)
    expected = (raw.test.y - raw.train.y.mean()) / raw.train.y.std()
    np.testing.assert_allclose(data.test.y, expected, atol=1e-5)
    assert f"{raw.train.y.std():.1f} points" in data.target_units
    assert "25 to 346" in raw.target_units
    assert len(data.feature_names) == len(MEASUREMENTS) == data.train.x.shape[1]
