"""A study that an older gengap stored is opened, and goes on.

`older_version/` was written by the parent of commit 66f4450, before the rooms were divided anew:
`Study(model, remedies=["l2(0.01)"], seeds=2, storage=...)` on the synthetic data below. It is never written again: what
a new version cannot read is a fault of that version.
"""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import gengap as gg

STORED = Path(__file__).parent / "older_version"
LOSS = [
    [[0.7341968615849813, 0.7292737563451132], [0.7915483713150024, 0.7869418859481812]],
    [[0.7342135310173035, 0.7293068965276083], [0.7915383378664652, 0.7869443694750468]],
]
"""What the older version printed of the history when it had trained."""


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(STORED, tmp_path / "study")


def test_it_opens_with_what_it_was_stored_with(folder):
    result = gg.load(folder)
    assert result.variants == ("baseline", "l2(0.01)")
    np.testing.assert_array_equal(result.history.loss, LOSS)
    assert result.model("baseline", seed=1).count_params() == 21


def test_it_goes_on_and_keeps_what_was_trained(folder):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    y = (x[:, 0] + 0.3 * x[:, 1] > 0).astype("float32")
    layers = [keras.layers.Dense(4, "relu", name="hidden"), keras.layers.Dense(1, "sigmoid", name="out")]
    model = keras.Sequential([keras.Input((3,), name="x"), *layers], name="small")
    model.compile("adam", "binary_crossentropy")
    study = gg.Study(model, remedies=["l2(0.01)"], seeds=3, storage=folder)
    fit = {"validation_data": (x[30:], y[30:]), "epochs": 2, "batch_size": 10, "progress": False}
    result = study.run(x[:30], y[:30], **fit)
    np.testing.assert_array_equal(result.history.loss[:, :2], LOSS)
    assert np.isfinite(result.history.loss[:, 2]).all()
    assert result.model("l2(0.01)", seed=0).predict(x[:2], verbose=0).shape == (2, 1)
