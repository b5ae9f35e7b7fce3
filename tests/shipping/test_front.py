"""What was fitted to training cases is a part of a shipped model only where 32-bit floats forecast the same."""

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from gengap.datasets.table_encoder import TableEncoder
from gengap.errors import ModelError
from gengap.shipping.front import held_by_keras, with_encoder, with_preprocess

NET = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])


@settings(max_examples=15, deadline=None)
@given(st.integers(-30, 17) | st.integers(21, 30), st.sampled_from([0.0, 10.0, 1e6]))
def test_in_any_unit_the_front_forecasts_as_what_was_fitted_or_is_refused(power, offset):
    # nanometres written in metres, concentrations, times in seconds since 1970
    rng = np.random.default_rng(0)
    x = np.stack([(rng.normal(size=40) + offset) * 10.0**power, rng.normal(size=40)], axis=1)
    table = pd.DataFrame(x, columns=["a", "b"])
    encoder = TableEncoder().declared(table).fit(table)
    if held_by_keras(encoder):
        whole = with_encoder(NET, encoder).predict(x, verbose=0)
        assert whole == pytest.approx(NET.predict(encoder.transform(table), verbose=0), abs=1e-3)
    scaler = StandardScaler().fit(x)
    if power < -6 or power > 17 or offset == 1e6:
        with pytest.raises(ModelError, match="another unit"):
            with_preprocess(NET, scaler, (2,))
        return
    whole = with_preprocess(NET, scaler, (2,)).predict(x, verbose=0)
    assert whole == pytest.approx(NET.predict(scaler.transform(x), verbose=0), abs=1e-3)


def test_a_scaler_that_only_centres_or_meets_a_constant_is_taken():
    x = np.random.default_rng(0).normal(size=(40, 2)) * [300.0, 0.0] + [5e3, 2e4]
    for scaler in (StandardScaler(), StandardScaler(with_std=False), StandardScaler(with_mean=False)):
        whole = with_preprocess(NET, scaler.fit(x), (2,)).predict(x, verbose=0)
        assert whole == pytest.approx(NET.predict(scaler.transform(x), verbose=0), rel=1e-4, abs=1e-3)
