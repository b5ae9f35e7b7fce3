"""From a raw table with words, dates, blanks and a rare event to a report, and to a model that forecasts raw rows."""

import io

import keras
import numpy as np
import pandas as pd
import pytest

from gengap.cli import main


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["gengap", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    assert int(end.value.code or 0) == 0, said.err
    return said.out


@pytest.fixture
def table(tmp_path, rng):
    """Made-up storm reports: hail is rare, and comes with large energy over the hills."""
    energy = rng.gamma(2, 600, 200).round(1)
    region = rng.choice(["coast", "hills", "plain"], 200)
    hail = (energy > 1800) & (region == "hills")
    hail[[3, 70, 140]] = True
    frame = pd.DataFrame({
        "date": pd.date_range("2023-04-01", periods=200).strftime("%Y-%m-%d"),
        "region": region, "energy": energy, "wind": rng.normal(10, 3, 200).round(1),
        "outcome": np.where(hail, "hail", "none"),
    })  # fmt: skip
    frame.loc[::9, "wind"] = np.nan
    frame.loc[4::13, "region"] = ""
    frame.to_csv(tmp_path / "storms.csv", index=False)
    return tmp_path / "storms.csv", frame


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("cv", [(), ("--cv", 3)])
def test_two_commands(monkeypatch, capsys, table, tmp_path, cv):
    path, frame = table
    folder, model = tmp_path / "study", tmp_path / "model.keras"
    options = ("--target", "outcome", "--seeds", 2, "--epochs", 1, "--output", folder)
    run(monkeypatch, capsys, "run", "--data", path, *options, *cv)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "hail" in page
    said = run(monkeypatch, capsys, "ship", folder, "--output", model, *(["--retrain"] if cv else []))
    assert ("Retrained on all 200 cases" in said) == bool(cv)
    rows = frame.drop(columns="outcome").iloc[::-1].head(20)
    rows.assign(region=["moon", *rows["region"][1:]]).to_csv(tmp_path / "rows.csv", index=False)
    found = pd.read_csv(io.StringIO(run(monkeypatch, capsys, "predict", model, tmp_path / "rows.csv")))
    assert list(found) == ["row", "probability of hail"]
    assert found["probability of hail"].between(0, 1).all()
    assert found["probability of hail"].nunique() > 10
    assert keras.saving.load_model(model).input_shape == (None, 4), "a number a column: the encoder is inside"
