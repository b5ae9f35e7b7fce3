"""`gengap improve` and `gengap run --search`, from a table to a model that predicts its rows."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gengap.cli import app


@pytest.fixture
def table(tmp_path):
    random = np.random.default_rng(0)
    cape, region = random.uniform(0, 3000, 120), random.choice(["coast", "hills"], 120)
    hail = np.where(cape + 600 * (region == "hills") + random.normal(0, 500, 120) > 1800, "hail", "none")
    path = tmp_path / "storms.csv"
    pd.DataFrame({"cape": cape, "region": region, "answer": hail}).to_csv(path, index=False)
    return path


def run(*arguments):
    found = CliRunner().invoke(app, list(map(str, arguments)))
    assert found.exit_code == 0, (found.output, found.exception)
    return found.output


@pytest.mark.slow
def test_a_table_alone_becomes_a_model_that_predicts_its_rows(table, few_trials, tmp_path):
    said = run("improve", "--data", table, "--minutes", 0.3, "--output", tmp_path / "out")
    assert "120 cases are few" in said
    assert "Ship the model" in said
    rows = run("predict", tmp_path / "out" / "model.keras", table)
    assert rows.startswith("row,probability of hail")
    assert len(rows.splitlines()) == 121


@pytest.mark.usefixtures("undrawn")
def test_run_searches_in_place_of_remedies(table, tmp_path):
    given = ("run", "--data", table, "--epochs", 2, "--output", tmp_path / "out", "--search", 2)
    said = run(*given)
    assert "2 trials" in said
    assert "Searched: dropout" in said
    assert "No remedies" not in said
    refused = CliRunner().invoke(app, list(map(str, (*given, "--remedies", "l2(0.1)"))))
    assert "--search chooses remedies" in str(refused.exception)


def test_improve_takes_what_its_messages_ask_for(table, tmp_path, monkeypatch):
    """A table with -999 asks for --missing; what columns are said to be reaches the cases that are divided."""
    frame = pd.read_csv(table).assign(number=np.arange(120))
    frame.loc[3, "cape"] = -999
    frame[["number", "cape", "region", "answer"]].to_csv(table, index=False)
    given = ("improve", "--data", table, "--output", tmp_path / "out", "--ignore", "'number', region")
    refused = CliRunner().invoke(app, list(map(str, given)))
    assert "--missing '-999'" in str(refused.exception)
    seen = []
    monkeypatch.setattr("gengap.improving.one_call.improved", lambda _, division, *__, **___: seen.append(division))
    answer = CliRunner().invoke(app, list(map(str, (*given, "--missing", "-999", "--positive", "none"))))
    assert isinstance(answer.exception, AttributeError), answer.output  # nothing was improved, so nothing can be said
    assert "the event is 'none'" in answer.output
    assert seen[0].folds["x"].x.columns.tolist() == ["cape"]


def test_improve_needs_data():
    answer = CliRunner().invoke(app, ["improve", "--minutes", "1"])
    assert answer.exit_code == 2
    assert "give --data train.csv" in answer.output
