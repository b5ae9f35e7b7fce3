"""Data frames of polars itself, where it is installed: read as the same table of pandas is."""

import keras
import numpy as np
import pandas as pd
import pytest

import gengap as gg

pl = pytest.importorskip("polars")

DAYS = [day.date() for day in pd.date_range("2024-01-01", periods=60).to_pydatetime()]


@pytest.fixture
def columns(rng):
    """Words with gaps, whole numbers with gaps, truth values, dates, times, categories, 32-bit numbers, answers."""
    cape = rng.gamma(2, 400, 60).round(1)
    return {
        "region": [None if at % 7 == 0 else ("coast", "hills")[at % 2] for at in range(60)],
        "count": [None if at % 11 == 0 else at % 5 for at in range(60)],
        "wet": [bool(at % 3) for at in range(60)],
        "day": DAYS,
        "issued": list(pd.date_range("2024-01-01", periods=60, freq="h").to_pydatetime()),
        "season": [("winter", "spring")[at // 30] for at in range(60)],
        "cape": cape.tolist(),
        "storm": np.where(cape > 800, "yes", "no").tolist(),
    }


@pytest.fixture
def both(columns):
    frame = pl.DataFrame(columns).with_columns(pl.col("season").cast(pl.Categorical), pl.col("cape").cast(pl.Float32))
    other = pd.DataFrame(columns).astype({"season": "category", "cape": "float32"})
    return frame, other.assign(day=pd.to_datetime(other["day"]))


def test_a_table_is_the_same_table(both):
    ours, theirs = (gg.datasets.from_table(one, target="storm") for one in both)
    assert ours.feature_names == theirs.feature_names
    assert ours.label_names == theirs.label_names == ("no", "yes")
    for part in ("train", "validation"):
        np.testing.assert_array_equal(getattr(ours, part).x, getattr(theirs, part).x)
        np.testing.assert_array_equal(getattr(ours, part).y, getattr(theirs, part).y)


def test_an_encoder_learns_and_encodes_the_same(both):
    frame, other = both
    features = [name for name in frame.columns if name != "storm"]
    ours = gg.datasets.TableEncoder().fit(frame[features])
    np.testing.assert_array_equal(ours.transform(frame), ours.transform(other))
    assert ours.to_dict() == gg.datasets.TableEncoder().fit(other[features]).to_dict()
    with pytest.raises(gg.errors.DataError, match="no column 'wet'"):
        ours.transform(frame.drop("wet"))


def test_a_resampled_study_takes_it(both):
    frame, other = both
    features = [name for name in frame.columns if name != "storm"]
    width = gg.datasets.TableEncoder().fit(frame[features]).width
    model = keras.Sequential([keras.Input((width,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    y = (other["storm"] == "yes").astype(int).to_numpy()
    results = [
        gg.Study(model, seeds=1).run(
            one[features], y, cv=2, preprocess=gg.datasets.TableEncoder(), epochs=1, progress=False
        )
        for one in (frame, other)
    ]
    np.testing.assert_array_equal(*(one.test["prediction_last"] for one in results))
