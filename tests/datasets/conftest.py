"""Small files of reviews in both formats."""

import hashlib

import numpy as np
import pytest

from gengap.datasets import review_files

RAW_TRAIN = [[1, 5, 5, 9], [2], [3, 4, 20], [1, 2, 3], [7, 8]]  # ranks, as in Keras' own file
RAW_TEST = [[6, 1], [30, 2, 2], [4]]


def _objects(texts):
    out = np.empty(len(texts), dtype=object)
    out[:] = [list(text) for text in texts]
    return out


@pytest.fixture
def keras_file(tmp_path, monkeypatch):
    """A file in Keras' format, pickled arrays of lists, whose hash is declared to be the official one."""
    path = tmp_path / "imdb.npz"
    answers = {"y_train": np.array([1, 0, 0, 1, 1]), "y_test": np.array([0, 1, 1])}
    np.savez(path, x_train=_objects(RAW_TRAIN), x_test=_objects(RAW_TEST), **answers)
    monkeypatch.setattr(review_files, "KERAS_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


@pytest.fixture
def flat_arrays():
    """Five training and three test reviews in flat form, numbered as Keras' loader numbers them."""
    return {
        "x_train_tokens": np.array([1, 4, 8, 8, 1, 5, 1, 6, 9, 1, 4, 1, 7], dtype=np.uint16),
        "x_train_offsets": np.array([0, 4, 6, 9, 11, 13]),
        "y_train": np.array([1, 0, 0, 1, 1], dtype=np.int8),
        "x_test_tokens": np.array([1, 5, 1, 7, 2, 1, 9], dtype=np.uint16),
        "x_test_offsets": np.array([0, 2, 5, 7]),
        "y_test": np.array([0, 1, 1], dtype=np.int8),
    }


@pytest.fixture
def flat_file(tmp_path, flat_arrays):
    path = tmp_path / "flat.npz"
    np.savez(path, **flat_arrays)
    return path
