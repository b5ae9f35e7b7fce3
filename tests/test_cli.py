"""The command line as a user meets it."""

import re
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from gengap.cli import main

RNG = np.random.default_rng(0)


def gengap(*arguments, cwd=None):
    command = [sys.executable, "-c", "from gengap.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=240, cwd=cwd)


@pytest.fixture
def gengap_here(monkeypatch, capsys):
    """Run a command in this process, which has imported already what it needs."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gengap", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(end.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    x = RNG.normal(size=(80, 4))
    table = pd.DataFrame(x, columns=list("abcd")).assign(storm=(x[:, 0] > 0).astype(int))
    table.to_csv(folder / "train.csv", index=False)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )
    model.save(folder / "raw.keras")
    model.compile("adam", "binary_crossentropy")
    model.save(folder / "model.keras")
    (folder / "damaged.keras").write_text("no model")
    (folder / "study.py").write_text("print('a study file that declares nothing')")
    return folder


def test_help_names_the_commands():
    answer = gengap("--help")
    assert answer.returncode == 0
    assert all(command in answer.stdout for command in ("demo", "run", "report", "doctor"))


def test_help_loads_neither_keras_nor_torch():
    code = "import sys, gengap.cli; assert not {'keras', 'torch', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("undrawn")
def test_a_table_is_resampled_with_its_groups_whole(files, gengap_here, tmp_path):
    table = pd.read_csv(files / "train.csv").assign(day=np.arange(80) // 2)
    table.to_csv(tmp_path / "days.csv", index=False)
    answer = gengap_here(
        "run", "--model", files / "model.keras", "--data", tmp_path / "days.csv",
        "--groups", "day", "--target", "storm", "--remedies", "l2(0.01)",
        "--cv", 3, "--seeds", 3, "--epochs", 1, "--output", tmp_path / "out",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert "80 cases in 3 folds, divided anew for every seed" in answer.stdout
    assert "2 variants x 3 seeds x 3 folds" in answer.stdout
    claim = re.compile(r"claim: new training sets of 2\d( to 2\d)? cases, new cases and new seeds")
    assert claim.search(answer.stdout)
    assert "40 independent units" in answer.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert "for new training sets of 2" in page
    assert "given this training set" not in page


def test_doctor_names_versions_backend_and_device(gengap_here):
    answer = gengap_here("doctor")
    assert answer.returncode == 0
    assert f"keras         {keras.__version__}" in answer.stdout
    assert "Keras backend: torch" in answer.stdout
    assert "Device: " in answer.stdout


def test_a_model_and_a_table_give_a_report(files, gengap_here, undrawn, tmp_path):
    answer = gengap(
        "run", "--model", files / "model.keras", "--data", files / "train.csv",
        "--remedies", "l2(0.01), dropout(0.5)+l2(0.01)", "--seeds", 2, "--epochs", 2, "--output", tmp_path / "out",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert "dropout(0.5)+l2(0.01)" in answer.stdout
    assert "cases, answers in " in answer.stdout
    assert "- There is no test split" in answer.stdout
    assert str(tmp_path / "out" / "report.html") in answer.stdout
    assert {"report.html", "result.nc", "table.csv", "learning_curves.svg"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
    again = gengap_here("report", tmp_path / "out", "--output", tmp_path / "again.html")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again.html").stat().st_size > 10_000


@pytest.mark.slow
def test_a_raw_table_becomes_a_report_and_a_model_that_forecasts_raw_rows(tmp_path):
    rng = np.random.default_rng(1)
    raw = pd.DataFrame({"cape": rng.gamma(2, 500, 120).round(1), "region": rng.choice(["coast", "hills"], 120)})
    raw["time"] = pd.date_range("2020-05-01", periods=120, freq="6h").strftime("%Y-%m-%d %H:%M")
    raw["issued"] = raw["time"].str[:10]
    raw.loc[::15, "cape"] = np.nan
    raw.assign(damage=np.where(np.arange(120) % 10 == 3, "hail", "none")).to_csv(tmp_path / "raw.csv", index=False)
    raw.iloc[:4].assign(region=["coast", "hills", "desert", ""]).to_csv(tmp_path / "rows.csv", index=False)
    run = gengap(
        "run", "--data", "raw.csv", "--target", "damage", "--times", "time", "--seeds", 1, "--epochs", 1,
        "--output", "out", cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "(none = 0, hail = 1); the event is 'hail'" in run.stdout
    assert "of one day of 'time' are a group" in run.stdout
    assert "model = keras.Sequential" in run.stdout
    assert (tmp_path / "out" / "report.html").exists()
    shipped = gengap("ship", "out", "--output", "model.keras", cwd=tmp_path)
    assert shipped.returncode == 0, shipped.stderr
    forecast = gengap("predict", "model.keras", "rows.csv", cwd=tmp_path)
    assert forecast.returncode == 0, forecast.stderr
    assert "hail" in forecast.stdout.splitlines()[0]
    probabilities = [float(row.split(",")[1]) for row in forecast.stdout.splitlines()[1:]]
    assert len(probabilities) == 4
    assert all(0 < one < 1 for one in probabilities)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--data", "train.csv", "--times", "day"], "has no column 'day'"),
        (["run", "--data", "train.csv", "--positive", "hail"], "There is no label 'hail'"),
        (["demo", "nothing"], "There is no demo 'nothing'; demos are soundings"),
        (["run"], "give a study file, or --model and --data"),
        (["run", "--model", "gone.keras", "--data", "train.csv"], "There is no file gone.keras"),
        (["run", "--model", "damaged.keras", "--data", "train.csv"], "cannot be loaded safely"),
        (["run", "--model", "raw.keras", "--data", "train.csv"], "is not compiled"),
        (["run", "--model", "model.keras"], "needs a model and training data"),
        (["run", "--model", "model.keras", "--data", "gone.csv"], "There is no file gone.csv"),
        (["run", "--model", "model.keras", "--data", "train.csv", "--target", "hail"], "no column 'hail'"),
        (
            ["run", "--model", "model.keras", "--data", "train.csv", "--target", "a"],
            "name the column of the labels with --target",
        ),
        (["run", "--model", "model.keras", "--data", "train.csv", "--remedies", "magic(1)"], "no remedy named 'magic'"),
        (["run", "study.py"], "must define `study`"),
        (["run", "gone.py"], "There is no file gone.py"),
        (["report", "nowhere"], "there is no folder"),
        (["demo", "soundings", "--seeds", "0"], "seeds"),
        (["run", "--model", "model.keras", "--data", "train.csv", "--test", "t.csv", "--cv", "5"], "omit --validation"),
        (["run", "study.py", "--cv", "5"], "--cv goes with --model"),
        (["run", "study.py", "--model", "model.keras"], "give a study file, or --model and --data, not both"),
        (["run", "train.csv"], "train.csv is no study file, which is a Python file: give it as --data train.csv"),
        (["run", "model.keras"], "give it as --model model.keras"),
        (["fly"], "No such command"),
    ],
)
def test_what_is_wrong_gets_one_sentence_and_exit_code_2(files, arguments, sentence, monkeypatch, capsys):
    monkeypatch.chdir(files)
    monkeypatch.setattr(sys, "argv", ["gengap", *arguments])
    before = sorted(files.iterdir())
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert sentence in said
    assert sorted(files.iterdir()) == before


def test_no_traceback_reaches_the_user(files):
    answer = gengap("report", "nowhere", cwd=files)
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_demo_kept_in_a_folder_is_not_trained_again(tmp_path):
    options = ("demo", "diabetes", "--seeds", 2, "--storage", tmp_path / "kept", "--output", tmp_path / "out")
    assert gengap(*options).returncode == 0
    records = sorted((tmp_path / "kept").rglob("*.safetensors"))
    times = [one.stat().st_mtime_ns for one in records]
    assert records
    again = gengap(*options)
    assert again.returncode == 0
    assert [one.stat().st_mtime_ns for one in records] == times
    assert again.stdout.splitlines()[-1].split() == ["Report:", str(tmp_path / "out" / "report.html")]
