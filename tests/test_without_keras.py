"""What is stored is read, shown, judged and reported where neither Keras nor torch is installed."""

import re
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg

ROOT = Path(__file__).parents[1]
WITHOUT = {"keras", "torch"}


@pytest.fixture(scope="module")
def reader(environments, tmp_path_factory):
    """An environment with the project's other declared dependencies, and nothing that they do not need themselves."""
    return environments.make(tmp_path_factory.mktemp("reader") / "packages", without=WITHOUT)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype("float32")
    y = (x[:, 0] + rng.normal(size=60) > 0).astype(int)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, "relu"), layers.Dropout(0.5), layers.Dense(1, "sigmoid")]
    )
    model.compile("adam", "binary_crossentropy")
    study = gg.Study(model, remedies=["l2(0.1)"], seeds=3, storage=folder / "store")
    splits = {"validation_data": (x[40:50], y[40:50]), "test_data": (x[50:], y[50:])}
    result = study.run(x[:40], y[:40], **splits, epochs=3, progress=False)
    result.save(folder / "saved")
    gg.predict_distribution(result.model("baseline"), x[50:53], num_members=8).to_netcdf(
        folder / "saved" / "distribution.nc"
    )
    return folder


@pytest.fixture
def without(environments, reader, tmp_path):
    def run(*arguments, cwd=None):
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        return environments.run(arguments, packages=reader, home=home, cwd=cwd)

    return run


def gengap(*arguments):
    return ("-c", "from gengap.cli import main; main()", *arguments)


READ = """
import sys
from importlib.util import find_spec

import gengap as gg

assert not any(map(find_spec, ("keras", "torch", "tensorflow", "jax")))
for folder in sys.argv[1:]:
    result = gg.load(folder)
    assert result.variants == ("baseline", "l2(0.1)") and result.seeds == (0, 1, 2)
    print(gg.summarize(result), gg.compare(result), gg.diagnose(result), gg.audit(result))
    assert result.weights["baseline", 0, "best"][0].shape == (4, 8)
gg.report(gg.load(sys.argv[1]), "report.html")  # of a store; of a saved folder the command writes one
"""


def test_a_result_is_loaded_and_judged_from_a_store_and_from_a_saved_folder(without, folders, tmp_path, pytestconfig):
    ignored = [part for one in pytestconfig.getoption("pythonwarnings") or () for part in ("-W", one)]
    done = without("-W", "error", *ignored, "-c", READ, folders / "store", folders / "saved", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "baseline" in done.stdout
    assert "l2(0.1)" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["saved", pytest.param("store", marks=pytest.mark.slow)])
def test_a_report_is_written(without, folders, tmp_path, kind):
    done = without(*gengap("report", folders / kind, "--output", tmp_path / "report.html", "--lang", "zh"))
    assert done.returncode == 0, done.stderr
    assert "l2(0.1)" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_stored_study_is_shown(without, folders):
    done = without(*gengap("show", folders / "store"))
    assert done.returncode == 0, done.stderr
    assert "3/3" in done.stdout


def test_the_doctor_says_what_is_missing_and_what_works(without):
    done = without(*gengap("doctor"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"keras +not installed", done.stdout)
    assert "Stored studies can be read, shown and reported here; training needs Keras: pip install" in done.stdout


@pytest.mark.parametrize("command", [("run", "study.py"), ("demo", "diabetes")])
def test_what_needs_keras_says_so(without, tmp_path, command):
    (tmp_path / "study.py").write_text("study, fit = 1, {}\n")
    done = without(*gengap(*command), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gengap: this needs keras, which is not installed: pip install keras; `gengap show`")
    assert len(done.stderr.splitlines()) == 1


def test_the_page_on_installing_names_every_library_that_reading_needs():
    page = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
    command = re.search(r"pip install --no-deps gengap\n(pip install .*?)\n```", page, re.DOTALL)[1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[^\w-]", one)[0] for one in project["dependencies"]} - WITHOUT
    assert set(command.replace("\\\n", "").split()) - {"pip", "install"} == needed
