"""`--code file.py`: a saved model of own layers, losses and metrics is studied, shipped and asked."""

import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from gengap.cli import main
from gengap.errors import DataError, GengapError
from gengap.experiments.users_code import use_code

OWN = """
import keras


class ScaledForTests(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        return x * self.factor


def loss_of_tests(y_true, y_pred):
    return keras.losses.binary_crossentropy(y_true, y_pred)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own_for_tests.py").write_text(OWN)
    yield tmp_path
    keras.saving.get_custom_objects().clear()
    sys.modules.pop("own_for_tests", None)


def gengap(monkeypatch, capsys, *arguments):
    keras.saving.get_custom_objects().clear()
    sys.modules.pop("own_for_tests", None)
    monkeypatch.setattr("sys.argv", ["gengap", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0), capsys.readouterr()


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")  # it says rightly that the layer is looped
@pytest.mark.usefixtures("undrawn")
def test_from_a_model_of_own_parts_to_forecasts(folder, monkeypatch, capsys):
    assert use_code(Path("own_for_tests.py")) == ("ScaledForTests", "loss_of_tests")
    own = sys.modules["own_for_tests"]
    model = keras.Sequential([keras.Input((3,)), own.ScaledForTests(), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", own.loss_of_tests)
    model.save("model.keras")
    x = np.random.default_rng(0).normal(size=(60, 3))
    pd.DataFrame(x, columns=list("abc")).assign(y=(x[:, 0] > 0).astype(int)).to_csv("train.csv", index=False)
    arguments = ("run", "--model", "model.keras", "--data", "train.csv", "--seeds", "1", "--epochs", "1")
    code, said = gengap(monkeypatch, capsys, *arguments)
    assert code == 2
    assert "the class 'ScaledForTests' is not known; give the file that defines it, with --code file.py" in said.err
    with_code = ("--code", "own_for_tests.py")
    assert gengap(monkeypatch, capsys, *arguments, "--output", "out", *with_code)[0] == 0
    assert gengap(monkeypatch, capsys, "ship", "out", "--output", "shipped.keras", *with_code)[0] == 0
    code, said = gengap(monkeypatch, capsys, "predict", "shipped.keras", "train.csv", *with_code)
    assert code == 0
    assert len(said.out.splitlines()) == 61


@pytest.mark.usefixtures("folder")
def test_a_file_that_fails_says_where():
    Path("own_for_tests.py").write_text("x = 1\nraise RuntimeError('no')\n")
    with pytest.raises(GengapError, match=r"failed in line 2 with RuntimeError \(no\)"):
        use_code(Path("own_for_tests.py"))
    assert "own_for_tests" not in sys.modules


@pytest.mark.parametrize(("name", "said"), [("gone.py", "no Python file"), ("json.py", "rename the file")])
def test_what_is_no_file_of_ones_own_is_refused(folder, name, said):
    (folder / "json.py").write_text("")
    with pytest.raises(DataError, match=said):
        use_code(folder / name)
