"""Data frames as they come: columns by name for a model of several inputs, nullable types, one sentence for words."""

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

import gengap as gg
from gengap.datasets import TableEncoder, from_table
from gengap.errors import DataError

RNG = np.random.default_rng(0)
N = 80
FRAME = pd.DataFrame({"cape": RNG.normal(size=N), "shear": RNG.normal(size=N)})
Y = (FRAME["cape"] > 0).astype(int)


def two_inputs(codes=None):
    inputs = {"shear": keras.Input((1,), name="shear"), "cape": keras.Input((1,), name="cape")}
    parts = list(inputs.values())
    if codes:
        inputs["region"] = keras.Input((1,), name="region", dtype="int32")
        parts.append(layers.Flatten()(layers.Embedding(codes, 2)(inputs["region"])))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Concatenate()(parts)))
    model.compile("sgd", "binary_crossentropy")
    return model


def run(model, x, y=Y, **more):
    study = gg.Study(model, seeds=1, engine="keras", initial_weights="keep")
    return study.run(x, y, epochs=1, progress=False, validation_split=0.25, **more)


def test_each_column_is_the_input_of_its_name():
    model = two_inputs()
    by_name = {name: FRAME[name].to_numpy(np.float32)[:, None] for name in ("cape", "shear")}
    swapped = FRAME.assign(other="left out")[["other", "shear", "cape"]]
    found, wanted = run(model, swapped), run(model, by_name)
    np.testing.assert_array_equal(found.validation["prediction_last"], wanted.validation["prediction_last"])


def test_nullable_and_boolean_types_are_numbers():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    whole = FRAME.round().astype(int)
    nullable = pd.DataFrame({"cape": whole["cape"].astype("Int64"), "shear": whole["shear"].astype("Float32")})
    found, wanted = run(model, nullable, (Y == 1).astype("boolean")), run(model, whole.to_numpy())
    np.testing.assert_array_equal(found.validation["prediction_last"], wanted.validation["prediction_last"])


@pytest.mark.parametrize(
    "column",
    [pd.Categorical(["a", "b"] * 40), pd.array(["a", "b"] * 40, dtype="string"), pd.date_range("2020", periods=N)],
    ids=["category", "string", "datetime"],
)
def test_what_needs_an_encoder_says_so_and_the_encoder_takes_it(column):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    mixed = FRAME[["cape"]].assign(other=column)
    with pytest.raises(DataError, match=r"in column 'other': encode the table .*TableEncoder\(\).fit"):
        run(model, mixed)
    x = TableEncoder().fit(mixed).transform(mixed)
    assert run(model, x).task == "binary"


def test_words_of_a_table_are_codes_of_an_embedding_by_name():
    table = FRAME.assign(region=pd.Categorical(["coast", "hills"] * 40), storm=Y)
    model = two_inputs(codes=3)
    data = from_table(table, target="storm", inputs=["shear", "cape", "region"])
    assert {name: array.shape for name, array in data.train.x.items()} == {
        "shear": (64, 1),
        "cape": (64, 1),
        "region": (64,),
    }
    assert sorted(set(data.train.x["region"])) == [1, 2]
    result = gg.Study(model, seeds=1, engine="keras").run(data, epochs=1, progress=False)
    assert result.manifest["data"]["table"]["encoder"]["layout"] == "columns"


def test_a_column_that_no_input_has_is_said():
    with pytest.raises(DataError, match="input named 'hour', and the training table has no such column"):
        from_table(FRAME.assign(storm=Y), target="storm", inputs=["cape", "hour"])
