"""Commands that read what studies left: show, compare, export; and doctor, the version, names mistyped."""

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

import gengap as gg
from gengap.cli import main
from gengap.doctor import FEATURES
from gengap.errors import DataError
from gengap.experiments.joining import beside


def study(remedies, *, seeds, test_data):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4)).astype("float32")
    y = (x[:, 0] > 0).astype(int)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    made = gg.Study(model, remedies=remedies, seeds=seeds)
    return made.run(x, y, validation_split=0.25, test_data=test_data, epochs=2, progress=False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Saved results: two of one data set, with other remedies and some other seeds, and one of other cases."""
    where = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 4)).astype("float32")
    held = x, (x[:, 0] > 0).astype(int)
    study(["l2(0.01)"], seeds=3, test_data=held).save(where / "first")
    study(["l2(1)"], seeds=[1, 2, 7], test_data=held).save(where / "second")
    study([], seeds=2, test_data=(x[:30], held[1][:30])).save(where / "other")
    return where


@pytest.fixture
def gengap(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["gengap", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr()

    return run


@pytest.mark.parametrize("what", ["first", "first/result.nc"])
def test_show_reads_saved_results(gengap, folders, what):
    code, said = gengap("show", folders / what)
    assert code == 0, said.err
    assert "a saved result, 2 variants x 3 seeds" in said.out
    assert "l2(0.01)" in said.out
    assert "test log loss" in said.out


def test_show_says_where_there_is_nothing(gengap, tmp_path):
    code, said = gengap("show", tmp_path)
    assert code == 2
    assert "contains no stored study" in said.err


def test_two_results_are_compared_run_by_run(gengap, folders):
    code, said = gengap("compare", folders / "first", folders / "second")
    assert code == 0, said.err
    assert "Paired by the 2 seeds that both results hold" in said.out
    assert "second: baseline" in said.out
    first, second = (gg.load(folders / name) for name in ("first", "second"))
    both, _ = beside(first, second, names=("first", "second"))
    assert both.variants == ("first: baseline", "l2(0.01)", "second: baseline", "l2(1)")
    assert both.seeds == (1, 2)
    table = gg.compare(both).to_dataframe().set_index("variant")
    same = table.loc["second: baseline"]
    assert same["difference"].to_numpy() == pytest.approx(0, abs=1e-6)  # one model, one seed, one set of cases
    alone = both.test["prediction_best"].sel(variant="l2(1)", seed=2).to_numpy()
    assert np.array_equal(alone, second.test["prediction_best"].sel(variant="l2(1)", seed=2).to_numpy())


def test_results_of_other_cases_are_not_compared(gengap, folders):
    code, said = gengap("compare", folders / "first", folders / "other")
    assert code == 2
    assert "only on the same held-out cases" in said.err
    with pytest.raises(DataError, match="their answers differ"):
        beside(gg.load(folders / "first"), gg.load(folders / "other"), names=("a", "b"))


def test_one_result_is_compared_within(gengap, folders):
    code, said = gengap("compare", folders / "first", "--baseline", "l2(0.1)")
    assert code == 2
    assert "There is no variant 'l2(0.1)' (did you mean 'l2(0.01)'?)" in said.err
    assert gengap("compare", folders / "first")[0] == 0


def test_export_writes_tables_beside_the_folder(gengap, folders):
    code, said = gengap("export", folders / "first", "--to", "csv")
    assert code == 0, said.err
    runs = pd.read_csv(folders / "first-csv" / "runs.csv")
    assert len(runs) == 6
    code, said = gengap("export", folders / "first", "--to", "cvs")
    assert code == 2
    code, said = gengap("export", folders / "first", "--to", "csv", "--uri", "sqlite:///x")
    assert code == 2
    assert "goes with --to mlflow" in said.err


def test_doctor_names_what_is_missing_and_the_command(gengap, monkeypatch):
    monkeypatch.setattr("gengap.doctor.find_spec", lambda name: None if name == "pyarrow" else True)
    said = gengap("doctor")[1].out
    assert "tables in Parquet files  pip install 'gengap[parquet]'" in said
    assert "gengap[ray]" not in said
    extras = {one.command.split("[")[1].split("]")[0] for one in FEATURES if "[" in one.command}
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert extras == set(project["optional-dependencies"])


def test_the_version_and_completion_are_there(gengap):
    assert gengap("--version")[1].out.strip() == f"gengap {gg.__version__}"
    assert "--install-completion" in gengap("--help")[1].out


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["demo", "sounding"], "did you mean 'soundings'"),
        (["shwo", "x"], "Did you mean 'show'"),
        (["run", "--modle", "x"], "--model"),
    ],
)
def test_what_was_mistyped_is_guessed(gengap, arguments, hint):
    code, said = gengap(*arguments)
    assert code == 2
    assert hint in said.err


def test_a_remedy_mistyped_is_guessed():
    with pytest.raises(LookupError, match=r"named 'dorpout' \(did you mean 'dropout'\?\)"):
        gg.remedy("dorpout(0.5)")
