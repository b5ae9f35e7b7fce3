"""`gengap recommend` and `gengap gate` on a small study that was really trained."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(0)

    def split(n):
        x = rng.normal(size=(n, 5)).astype("float32")
        return x, (x[:, 0] + 0.5 * rng.normal(size=n) > 0).astype("float32")

    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    study = gg.Study(model, remedies=[gg.L2(1e-4), gg.L2(1.0)], seeds=8)
    x, y = split(120)
    result = study.run(x, y, validation_data=split(100), test_data=split(400), epochs=6, batch_size=20, progress=False)
    where = tmp_path_factory.mktemp("decisions")
    result.save(where / "study")
    return where


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["gengap", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0), capsys.readouterr()


def asked(folder, variant, against, margin, *more):
    return ("gate", folder / "study", "--variant", variant, "--against", against, "--no-worse-than", margin, *more)


@pytest.mark.parametrize(
    ("variant", "against", "margin", "code", "begins"),
    [
        ("l2(0.0001)", "baseline", 0.3, 0, "**Holds"),
        ("l2(1)", "baseline", 0.05, 1, "**Fails"),
        ("l2(0.0001)", "baseline", 0.0, 3, "**Cannot say"),
    ],
)
def test_the_three_exits(monkeypatch, capsys, folder, variant, against, margin, code, begins):
    ended, said = run(monkeypatch, capsys, *asked(folder, variant, against, margin))
    assert ended == code, said.out
    assert said.out.startswith(begins)
    assert "could have seen" in said.out
    ended, said = run(monkeypatch, capsys, *asked(folder, variant, against, margin, "--json"))
    assert ended == json.loads(said.out)["exit_code"] == code


def test_two_folders_and_a_file(monkeypatch, capsys, folder):
    gg.load(folder / "study").select(["baseline"]).save(folder / "other")
    options = ("--against-folder", folder / "other", "--output", folder / "gate.md")
    ended, said = run(monkeypatch, capsys, *asked(folder, "l2(1)", "baseline", 0.05, *options))
    assert ended == 1
    assert (folder / "gate.md").read_text() == said.out


def test_wrong_use_ends_with_two(monkeypatch, capsys, folder):
    for wrong in (
        asked(folder, "gone", "baseline", 0.05),
        asked(folder, "l2(1)", "baseline", -1),
        asked(folder, "l2(1)", "baseline", 0.05, "--score", "mse"),
        asked(folder, "l2(1)", "baseline", "little"),
        ("gate", folder / "nowhere", "--variant", "a", "--against", "b", "--no-worse-than", 1),
    ):
        ended, said = run(monkeypatch, capsys, *wrong)
        assert ended == 2, said.err
        assert said.out == ""
        assert "Traceback" not in said.err


def test_a_recommendation(monkeypatch, capsys, folder):
    ended, said = run(monkeypatch, capsys, "recommend", folder / "study", "--tolerance", "0.01")
    assert ended == 0
    assert "Ship " in said.out
    assert "given this training set" in said.out
    assert "l2(1)" in said.out
