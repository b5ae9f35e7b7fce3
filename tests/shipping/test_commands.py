"""`gengap ship` and `gengap predict`, from a folder to forecasts of rows."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from gengap.cli import main


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    where = tmp_path_factory.mktemp("shipped")
    result.save(where / "study")
    return where


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["gengap", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0), capsys.readouterr()


def rows(folder, data, name="rows.csv", columns="edcba", **more):
    table = pd.DataFrame(data.test.x[:7], columns=list("abcde")).assign(**more)
    table[[*columns, *more]].to_csv(folder / name, index=False)
    return folder / name


def test_from_folder_to_forecasts(monkeypatch, capsys, folder, result, data):
    model = folder / "model.keras"
    options = ("--variant", "baseline", "--seeds", "all", "--output", model)
    ended, said = run(monkeypatch, capsys, "ship", folder / "study", *options)
    assert ended == 0, said.err
    assert "log_loss of the forecast as trained on test" in said.out
    ended, said = run(monkeypatch, capsys, "predict", model, rows(folder, data, extra=1.0))
    assert ended == 0, said.err
    assert "Left aside" in said.err
    found = pd.read_csv(io.StringIO(said.out))
    assert list(found) == ["row", "probability of yes"]
    wanted = result.test["prediction_best"].sel(variant="baseline").mean("seed").to_numpy()[:7]
    np.testing.assert_allclose(found["probability of yes"], wanted, atol=2e-6)  # columns in another order


def test_members_of_a_noisy_model(monkeypatch, capsys, folder, data):
    model = folder / "noisy.keras"
    assert run(monkeypatch, capsys, "ship", folder / "study", "--noise", "--output", model)[0] == 0
    asked = ("predict", model, rows(folder, data), "--members", 50, "--output", folder / "out.csv")
    assert run(monkeypatch, capsys, *asked)[0] == 0
    found = pd.read_csv(folder / "out.csv")
    assert (found["probability of yes (sd)"] > 0).all()
    again = ("predict", model, rows(folder, data), "--members", 50, "--output", folder / "again.csv")
    run(monkeypatch, capsys, *again)
    pd.testing.assert_frame_equal(found, pd.read_csv(folder / "again.csv"))


def test_wrong_use_ends_with_two(monkeypatch, capsys, folder, data):
    model, bare = folder / "right.keras", folder / "bare.keras"
    run(monkeypatch, capsys, "ship", folder / "study", "--output", model)
    bare.write_bytes(model.read_bytes())
    short = folder / "short.csv"
    pd.DataFrame({"a": [1.0], "b": [2.0]}).to_csv(short, index=False)
    blank = rows(folder, data, "blank.csv")
    blank.write_text(blank.read_text().replace(blank.read_text().splitlines()[2].split(",")[0], "", 1))
    (folder / "words.csv").write_text("a,b,c,d,e\n1,2,3,4,hail\n")
    (folder / "damaged.keras").write_bytes(b"no model")
    (folder / "carded.keras").write_bytes(model.read_bytes())
    (folder / "carded.card.json").write_text(json.dumps({"format": "another"}))
    for said_so, wrong in {
        "no column 'c'": ("predict", model, short),
        "takes 5 numbers a row": ("predict", bare, short),
        "lacks 1 value in column 'e', first in row 2": ("predict", model, blank),
        "in column 'e'": ("predict", model, folder / "words.csv"),
        "cannot be loaded safely": ("predict", folder / "damaged.keras", short),
        "no saved model": ("predict", folder / "gone.keras", short),
        "no file": ("predict", model, folder / "gone.csv"),
        "no card that this version": ("predict", folder / "carded.keras", short),
        "must be 1 for a model without noise": ("predict", model, rows(folder, data), "--members", 3),
        "ends in .keras": ("ship", folder / "study", "--output", folder / "model.h5"),
        "median, all": ("ship", folder / "study", "--seeds", "best"),
        "no variant 'gone'": ("ship", folder / "study", "--variant", "gone"),
    }.items():
        ended, said = run(monkeypatch, capsys, *wrong)
        assert ended == 2, (said_so, said.out)
        assert said_so in " ".join(said.err.replace("│", " ").split()), said.err
        assert said.out == ""


def test_arrays_of_a_file(monkeypatch, capsys, folder, data):
    model = folder / "arrays.keras"
    run(monkeypatch, capsys, "ship", folder / "study", "--output", model)
    np.savez(folder / "x.npz", x=data.test.x[:3])
    ended, said = run(monkeypatch, capsys, "predict", model, folder / "x.npz")
    assert ended == 0
    assert len(pd.read_csv(io.StringIO(said.out))) == 3
