"""From a table with words and blanks to a shipped model that forecasts raw rows, in two commands."""

import io

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

import gengap as gg
from gengap.cli import main


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["gengap", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0), capsys.readouterr()


def test_raw_rows_are_encoded_as_the_study_encoded_them(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "cape": rng.normal(900, 300, 200).round(1), "region": rng.choice(["coast", "hills"], 200),
        "storm": rng.choice(["yes", "no"], 200),
    })  # fmt: skip
    table.loc[:5, "cape"] = np.nan
    data = gg.datasets.from_table(table, target="storm")
    model = keras.Sequential([keras.Input(data.train.x.shape[1:]), layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    result = gg.Study(model, seeds=2).run(data, epochs=1, progress=False)
    shipped = gg.ship(result, "baseline")
    path = shipped.save(tmp_path / "model.keras")[0]
    rows = table.drop(columns="storm").iloc[::-1]
    rows.to_csv(tmp_path / "rows.csv", index=False)
    found = gg.shipping.predict_rows(path, tmp_path / "rows.csv").table
    assert list(found) == ["row", "probability of yes"]
    trained = result.model("baseline", seed=result.median_seed("baseline"), epoch=shipped.card.model["epoch_rule"])
    wanted = trained.predict(data.table.read_inputs(rows), verbose=0)[:, 0]
    np.testing.assert_allclose(found["probability of yes"], wanted, atol=1e-6)
    plain = keras.saving.load_model(path).predict(data.table.read_numbers(rows), verbose=0)[:, 0]
    np.testing.assert_allclose(plain, wanted, atol=1e-6)
    assert "| 2 | region | the code of the word: coast = 1, hills = 2; 0 for any other |" in shipped.card.to_markdown()
    assert "| 2 | region | 词语的代码：coast = 1、hills = 2；其他词语为 0 |" in shipped.cards["zh"].to_markdown()


def test_a_table_of_one_feature_is_forecast_and_unknown_words_are_said(monkeypatch, capsys, tmp_path):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"region": rng.choice(["coast", "hills"], 40), "storm": rng.choice(["yes", "no"], 40)})
    data = gg.datasets.from_table(table, target="storm")
    model = keras.Sequential([keras.Input(data.train.x.shape[1:]), layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    path = gg.ship(gg.Study(model, seeds=2).run(data, epochs=1, progress=False), "baseline").save(tmp_path / "m.keras")
    (tmp_path / "rows.csv").write_text("region\ncoast\nCoast\nhills\n")
    code, said = run(monkeypatch, capsys, "predict", path[0], tmp_path / "rows.csv")
    assert code == 0
    assert len(said.out.splitlines()) == 4
    assert "'region' holds words that the model does not know in 1 of 3 rows, first 'Coast' in row 2" in said.err
    (tmp_path / "rows.csv").write_text("region\ncoast\n\nhills\n")
    code, said = run(monkeypatch, capsys, "predict", path[0], tmp_path / "rows.csv")
    assert code == 2
    assert "a single column and a blank line, 2 lines below the names" in said.err


def test_a_softmax_of_two_units_ships_the_probability_of_yes(data, tmp_path):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    result = gg.Study(model, seeds=2).run(data, epochs=1, progress=False)
    shipped = gg.ship(result, "baseline", seeds="all", temperature=True)
    loaded = keras.saving.load_model(shipped.save(tmp_path / "two.keras")[0])
    plain = gg.ship(result, "baseline", seeds="all").model.predict(data.test.x, verbose=0)[:, 0]
    wanted = result.test["prediction_best"].sel(variant="baseline").mean("seed")
    np.testing.assert_allclose(plain, wanted, atol=1e-6)
    assert loaded.predict(data.test.x, verbose=0).shape == (150, 1)
    assert (loaded.predict(data.test.x, verbose=0)[:, 0].argsort() == plain.argsort()).all()


def test_a_fitted_preprocessing_is_said(data):
    from sklearn.preprocessing import StandardScaler

    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    fitted = gg.Study(model, seeds=2).run(data, epochs=1, preprocess=StandardScaler(), progress=False)
    shipped = gg.ship(fitted, "baseline")
    assert "StandardScaler" in " ".join(shipped.card.limits)
    with pytest.raises(gg.errors.ModelError, match="StandardScaler"):
        gg.ship(fitted, "baseline", retrain_on=data)


@pytest.mark.usefixtures("undrawn")
def test_two_commands(monkeypatch, capsys, tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(120, 3)).round(3), columns=["a", "b", "c"])
    table["y"] = np.where(table["a"] > 0, "wet", "dry")
    table.to_csv(tmp_path / "train.csv", index=False)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
    model.save(tmp_path / "net.keras")
    options = ("--seeds", 2, "--epochs", 3, "--output", tmp_path / "study")
    made = run(
        monkeypatch, capsys, "run", "--model", tmp_path / "net.keras", "--data", tmp_path / "train.csv", *options
    )
    assert made[0] == 0, made[1].err
    shipped = run(monkeypatch, capsys, "ship", tmp_path / "study", "--output", tmp_path / "model.keras")
    assert shipped[0] == 0, shipped[1].err
    table[["c", "a", "b"]].head(9).to_csv(tmp_path / "rows.csv", index=False)
    ended, said = run(monkeypatch, capsys, "predict", tmp_path / "model.keras", tmp_path / "rows.csv")
    assert ended == 0, said.err
    found = pd.read_csv(io.StringIO(said.out))
    assert list(found) == ["row", "probability of wet"]
    assert np.corrcoef(found["probability of wet"], table["a"].head(9))[0, 1] > 0.6
