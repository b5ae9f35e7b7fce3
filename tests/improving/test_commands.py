"""`gengap improve` and `gengap run --search`, from a table to a model that predicts its rows."""

import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import gengap
from gengap.cli import app

SOURCE = Path(gengap.__file__).parent


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


OF_RUN_ALONE = {"--cv", "--remedies", "--suggest", "--seeds", "--search"}


def test_what_messages_about_files_and_models_advise_is_an_option_of_both_commands():
    rooms = (path for room in ("datasets", "experiments", "keras_models") for path in (SOURCE / room).glob("*.py"))
    advised = {option for path in rooms for option in re.findall(r"--[a-z]+(?:-[a-z]+)*", path.read_text())}
    assert {"--missing", "--code", "--task"} <= advised
    commands = typer.main.get_command(app).commands
    for name, beside in (("run", set()), ("improve", OF_RUN_ALONE)):
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert advised - beside <= options, name


def test_nothing_of_a_table_is_learned_from_the_cases_that_judge(table, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("gengap.improving.dividing.FEW", 100)
    monkeypatch.setattr("gengap.improving.one_call.improved", lambda _, division, *__, **___: seen.append(division))
    frame = pd.read_csv(table)
    for name, rows in (("few.csv", frame[:90]), ("many.csv", frame)):
        rows.to_csv(tmp_path / name, index=False)
        CliRunner().invoke(app, ["improve", "--data", str(tmp_path / name), "--output", str(tmp_path / "out")])
    few, many = seen
    assert few.folds is not None
    data = many.split["x"]
    assert [len(split) for split in (data.train, data.validation, data.test)] == [77, 19, 24]
    assert many.folds is None
    assert data.train.x[:, 0].mean() == pytest.approx(0, abs=1e-6), "standardized by the training cases alone"


def test_improve_takes_own_code_and_a_model_of_one_output(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    used, start = [], keras.Input((2,))
    heads = keras.Model(start, {name: keras.layers.Dense(1, name=name)(start) for name in ("one", "two")})
    heads.compile("sgd", "mse")
    heads.save("heads.keras")
    monkeypatch.setattr("gengap.experiments.users_code.use_code", used.append)
    given = ("improve", "--data", table, "--model", "heads.keras", "--code", "own.py")
    answer = CliRunner().invoke(app, list(map(str, given)))
    assert used == [Path("own.py")]
    assert "has the outputs one, two, and of data files one column or array holds the answers" in str(answer.exception)


def test_a_search_has_the_seeds_and_the_runner_that_run_was_given(table, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr("gengap.searching.trial_search.search", lambda *_, **given: seen.update(given))
    given = ("run", "--data", table, "--search", 2, "--seeds", 4, "--storage", tmp_path / "kept", "--runner", "local")
    CliRunner().invoke(app, list(map(str, given)))
    assert seen["seeds"] == 4
    assert seen["storage"] == tmp_path / "kept"
    assert type(seen["runner"]).__name__ == "LocalRunner"


def test_improve_needs_data():
    answer = CliRunner().invoke(app, ["improve", "--minutes", "1"])
    assert answer.exit_code == 2
    assert "give --data train.csv" in answer.output
