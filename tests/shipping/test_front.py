"""What was fitted to training cases is a part of a shipped model only where 32-bit floats forecast the same."""

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from sklearn.preprocessing import StandardScaler

from gengap.datasets.table_encoder import TableEncoder
from gengap.errors import ModelError
from gengap.shipping.front import with_encoder, with_preprocess

NET = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])


@settings(max_examples=15, deadline=None)
@given(st.integers(-30, 17) | st.integers(21, 30), st.sampled_from([0.0, 10.0, 1e6]))
def test_in_any_unit_the_front_forecasts_as_what_was_fitted_or_is_refused(power, offset):
    # nanometres written in metres, concentrations, times in seconds since 1970
    rng = np.random.default_rng(0)
    x = np.stack([(rng.normal(size=40) + offset) * 10.0**power, rng.normal(size=40)], axis=1)
    table = pd.DataFrame(x, columns=["a", "b"])
    encoder = TableEncoder().declared(table).fit(table)
    whole = with_encoder(NET, encoder).predict(encoder.numbers(table), verbose=0)
    assert whole == pytest.approx(NET.predict(encoder.transform(table), verbose=0), abs=1e-3)
    scaler = StandardScaler().fit(x)
    if power == -30 or offset == 1e6:
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


@pytest.fixture
def table():
    """Every kind of column, with blanks and without, and rows that hold what training did not."""
    rng, n = np.random.default_rng(0), 60
    frame = pd.DataFrame({
        "sky": rng.choice(["clear", "cloudy", ""], n), "pressure": rng.normal(101_300, 900, n).round(),
        "region": rng.choice(["coast", "hills", "plain"], n),
        "time": pd.date_range("2020-01-01", periods=n, freq="37h"),
        "unix": 1.7e9 + 3600 * np.arange(n), "cape": rng.gamma(2, 400, n).round(1), "night": rng.random(n) < 0.5,
        "day": pd.date_range("2021-01-01", periods=n),
    })  # fmt: skip
    frame.loc[::9, "cape"], frame.loc[3::11, "time"] = np.nan, pd.NaT
    encoder = TableEncoder.declare(frame).fit(frame[frame["region"] != "plain"][:30])  # as a fold: fewer words
    frame.loc[5:9, "region"] = ["moon", "", "plain", "coast", "hills"]
    return frame, encoder


def test_words_times_and_blanks_are_layers(table, tmp_path):
    frame, encoder = table
    same = keras.Sequential([keras.Input((encoder.width,)), layers.Activation("linear")])
    with_encoder(same, encoder).save(tmp_path / "front.keras")
    loaded = keras.saving.load_model(tmp_path / "front.keras", safe_mode=True)
    raw = encoder.numbers(frame)
    assert raw.shape == (60, len(encoder.raw_columns)) == (60, 9)
    np.testing.assert_allclose(loaded.predict(raw, verbose=0), encoder.transform(frame), atol=1e-6)
    assert raw[8:10, 2].tolist() == [encoder.learned_["region"].words.index(one) + 1 for one in ("coast", "hills")]
    assert raw[5, 2] == 0, "what training did not have"


def test_one_input_a_column_keeps_its_name_and_an_embedding_its_codes(table):
    frame, encoder = table
    encoder = TableEncoder.declare(frame, layout="columns").fit(frame)
    inputs = {
        "region": keras.Input((), dtype="int32", name="region"), "cape": keras.Input((2,), name="cape"),
        "time": keras.Input((5,), name="time"), "unix": keras.Input((1,), name="unix"),
    }  # fmt: skip
    words = layers.Embedding(encoder.declared_["region"].size + 2, 2)(inputs["region"])
    model = keras.Model(inputs, layers.Dense(3)(layers.concatenate([words, *list(inputs.values())[1:]])))
    wanted = model.predict({name: encoder.transform(frame)[name] for name in inputs}, verbose=0)
    whole = with_encoder(model, encoder)
    assert [one.name for one in whole.inputs] == [one.name for one in model.inputs]
    raw = {name: encoder.numbers(frame)[name] for name in inputs}
    np.testing.assert_allclose(whole.predict(raw, verbose=0), wanted, atol=2e-6)


def test_a_table_in_the_shape_of_a_map_is_given_it(table):
    frame, encoder = table
    model = keras.Sequential([keras.Input((encoder.width, 1)), layers.Flatten()])
    found = with_encoder(model, encoder).predict(encoder.numbers(frame), verbose=0)
    np.testing.assert_allclose(found, encoder.transform(frame), atol=1e-6)
