import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gengap.analysis import early_stopping
from gengap.analysis.curves import stopping_epochs
from gengap.errors import DataError
from gengap.results import Result

MODEL = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])


@given(
    curve=st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=15),
    patience=st.integers(1, 4),
    min_delta=st.sampled_from([0.0, 0.1]),
)
def test_it_stops_where_keras_would(curve, patience, min_delta):
    callback = keras.callbacks.EarlyStopping("val_loss", min_delta=min_delta, patience=patience, mode="min")
    callback.set_model(MODEL)
    MODEL.stop_training = False
    callback.on_train_begin()
    stopped = len(curve)
    for epoch, value in enumerate(curve, start=1):
        callback.on_epoch_end(epoch - 1, {"val_loss": value})
        if MODEL.stop_training:
            stopped = epoch
            break
    (stop,), (best,) = stopping_epochs(np.array([curve]), patience=patience, min_delta=min_delta)
    assert stop == stopped
    assert curve[best - 1] == min(curve[:stop])


def test_the_table_names_what_has_the_lowest_mean_and_ranks_nothing():
    quick = {"loss": [1.0, 0.5, 0.2, 0.1], "val_loss": [0.9, 0.4, 0.8, 1.2]}
    slow = {"loss": [1.0, 0.9, 0.8, 0.7], "val_loss": [1.0, 0.9, 0.8, 0.7]}
    table = early_stopping(
        Result.from_histories({"quick": [quick] * 2, "slow": [slow] * 2}, task="regression"), patience=1
    )
    assert [one.mean for one in table.column("score")] == [0.4, 0.7]
    assert [one.mean for one in table.column("score_last")] == [1.2, 0.7]
    assert table.column("saved") == (0.25, 0.0)
    assert "Lowest mean: quick with stopping, slow at the last epoch." in str(table)
    assert "rank" not in str(table)


def test_what_is_missing_is_said():
    without = Result.from_histories({"a": [{"loss": [1.0]}]}, task="regression")
    with pytest.raises(DataError, match="needs held-out curves"):
        early_stopping(without, patience=2)
    with pytest.raises(ValueError, match="at least 1"):
        early_stopping(without, patience=0)
