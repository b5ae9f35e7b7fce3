"""scikit-learn's digits: the split and the labels."""

import numpy as np
from sklearn.datasets import load_digits

from gengap.datasets.handwriting import digits


def test_splits_hold_every_case_once_and_in_order():
    data = digits()
    splits = (data.train, data.validation, data.test)
    assert [len(s) for s in splits] == [1077, 360, 360]
    archive = load_digits()
    np.testing.assert_array_equal(np.concatenate([s.x for s in splits])[..., 0], (archive.images / 16).astype("f4"))
    np.testing.assert_array_equal(np.concatenate([s.y for s in splits]), archive.target)


def test_every_label_has_its_share_in_every_split():
    data = digits()
    for split in (data.train, data.validation, data.test):
        shares = np.bincount(split.y, minlength=10) / len(split)
        assert shares.min() > 0.085
        assert shares.max() < 0.115
    assert data.task == "multiclass"
    assert len(data.label_names) == 10
    assert data.train.x.min() == 0.0
    assert data.train.x.max() == 1.0
