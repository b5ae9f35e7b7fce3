"""Over a hundred bad inputs: each gets one clear sentence, no traceback on the command line, no half-made folder."""

import json
import sys
import warnings
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from keras import layers
from scipy import sparse

import gengap as gg
from gengap.cli import main
from gengap.datasets import Split, read_split
from gengap.errors import GengapError
from gengap.results import Result
from gengap.storage import Store
from gengap.study.loading import load

N = 40
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
XV = RNG.normal(size=(N, 5)).astype(np.float32)
YV = (XV[:, 0] > 0).astype(int)
EXPECTED = (GengapError, ValueError, TypeError)


def compiled(loss="binary_crossentropy", width=1, activation="sigmoid"):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4, "relu"), layers.Dense(width, activation)])
    model.compile("adam", loss)
    return model


@pytest.fixture(scope="module")
def models():
    raw = keras.Sequential([keras.Input((5,)), layers.Dense(1, "sigmoid")])
    return {
        "binary": compiled(),
        "multiclass": compiled("sparse_categorical_crossentropy", 3, "softmax"),
        "regression": compiled("mse", 1, None),
        "raw": raw,
        "contradictory": compiled("binary_crossentropy", 1, None),
    }


def changed(array, place, value):
    array = array.astype(object if isinstance(value, str) else float)
    array[place] = value
    return array


# Bad data: what `Study.run` is given, beside a good model -------------------------------------------------------------

DATA = {
    "x of one axis": {"x": X[:, 0]},
    "x of three axes": {"x": X[:, :, None]},
    "x of another width": {"x": X[:, :4]},
    "x without cases": {"x": X[:0], "y": Y[:0]},
    "x with NaN": {"x": changed(X, (3, 1), np.nan)},
    "x with infinity": {"x": changed(X, (3, 1), np.inf)},
    "x of text": {"x": X.astype(str)},
    "x of objects": {"x": np.array([[object()] * 5] * N)},
    "x of complex numbers": {"x": X + 1j},
    "x of dates": {"x": np.full((N, 5), np.datetime64("2020-01-01"))},
    "x ragged": {"x": [[1.0] * (1 + i % 3) for i in range(N)]},
    "x None": {"x": None},
    "x a number": {"x": 3.0},
    "x a path": {"x": "data.csv"},
    "x sparse with NaN": {"x": sparse.csr_matrix(changed(X, (3, 1), np.nan))},
    "x a table with text": {"x": pd.DataFrame(X).assign(name="a")},
    "x a mapping with a wrong name": {"x": {"nonsense": X}},
    "y None": {"y": None},
    "y shorter": {"y": Y[:-1]},
    "y longer": {"y": np.r_[Y, 0]},
    "y empty": {"y": Y[:0]},
    "y with NaN": {"y": changed(Y, 3, np.nan)},
    "y with infinity": {"y": changed(Y, 3, np.inf)},
    "y with another label": {"y": changed(Y, 3, 2)},
    "y negative": {"y": changed(Y, 3, -1)},
    "y between the labels": {"y": changed(Y, 3, 0.5)},
    "y of text": {"y": np.where(Y, "yes", "no")},
    "y of two columns": {"y": np.stack([Y, 1 - Y, Y], 1)},
    "y of one label": {"y": np.zeros(N, int)},
    "y of three axes": {"y": Y[:, None, None]},
    "weights of another length": {"sample_weight": np.ones(N - 1)},
    "weights negative": {"sample_weight": changed(np.ones(N), 3, -1)},
    "weights with NaN": {"sample_weight": changed(np.ones(N), 3, np.nan)},
    "weights all zero": {"sample_weight": np.zeros(N)},
    "weights of text": {"sample_weight": np.array(["a"] * N)},
    "weights of two axes": {"sample_weight": np.ones((N, 2))},
    "validation a word": {"validation_data": "auto"},
    "validation without answers": {"validation_data": (XV,)},
    "validation of four parts": {"validation_data": (XV, Y, np.ones(N), 1)},
    "validation of another width": {"validation_data": (XV[:, :3], Y)},
    "validation of unequal lengths": {"validation_data": (XV, Y[:-2])},
    "validation empty": {"validation_data": (XV[:0], Y[:0])},
    "validation with NaN": {"validation_data": (changed(XV, (0, 0), np.nan), YV)},
    "validation with another label": {"validation_data": (XV, changed(Y, 0, 7))},
    "test of another width": {"test_data": (XV[:, :3], Y)},
    "test with NaN in y": {"test_data": (XV, changed(Y, 0, np.nan))},
    "test a number": {"test_data": 3},
    "validation split of everything": {"validation_data": None, "validation_split": 1.0},
    "validation split negative": {"validation_data": None, "validation_split": -0.1},
    "validation split a percentage": {"validation_data": None, "validation_split": 20},
    "validation split too small": {"validation_data": None, "validation_split": 1e-6},
    "validation twice": {"validation_split": 0.2},
    "epochs zero": {"epochs": 0},
    "epochs negative": {"epochs": -3},
    "epochs a fraction": {"epochs": 2.5},
    "epochs text": {"epochs": "3"},
    "epochs None": {"epochs": None},
    "batch size zero": {"batch_size": 0},
    "batch size a fraction": {"batch_size": 8.0},
    "batch size None": {"batch_size": None},
    "class weight of an unknown label": {"class_weight": {0: 1.0, 5: 2.0}},
    "class weight negative": {"class_weight": {0: 1.0, 1: -2.0}},
    "class weight NaN": {"class_weight": {0: 1.0, 1: float("nan")}},
    "class weight a list": {"class_weight": [1.0, 2.0]},
    "class weight a word": {"class_weight": "balanced"},
    "class weight zero throughout": {"class_weight": {0: 0.0, 1: 0.0}},
    "class weight by words": {"class_weight": {"0": 1.0, "1": 2.0}},
    "x masked": {"x": np.ma.masked_array(X, mask=X > 2)},
    "x a table with missing values": {"x": pd.DataFrame(X).astype("Float32").mask(pd.DataFrame(X) > 2)},
    "x a table with categories": {"x": pd.DataFrame(X[:, :4]).assign(c=pd.Categorical(["a", "b"] * (N // 2)))},
    "x a table of objects": {"x": pd.DataFrame(X).astype(object)},
    "x a column": {"x": pd.Series(X[:, 0])},
    "x a Dataset of xarray": {"x": xr.Dataset({"a": ("n", X[:, 0])})},
    "x a labelled array of dates": {"x": xr.DataArray(np.full((N, 5), np.datetime64("2020-01-01", "ns")))},
    "x a tensor of complex numbers": {"x": torch.complex(torch.from_numpy(X), torch.from_numpy(X))},
    "x a tensor without values": {"x": torch.empty(N, 5, device="meta")},
    "x a tensor with NaN": {"x": torch.full((N, 5), float("nan"))},
    "x a symbol": {"x": keras.KerasTensor((N, 5))},
    "x a generator": {"x": (row for row in X)},
    "x a list of rows": {"x": list(X)},
    "x with named fields": {"x": np.zeros(N, [("a", "f4"), ("b", "f4")])},
    "x of durations": {"x": np.zeros((N, 5), "m8[s]")},
    "x of integers beyond 64 bits": {"x": np.full((N, 5), 2**70, dtype=object)},
    "x beyond 32-bit floats": {"x": np.full((N, 5), 1e300)},
    "x a bag of batches": {"x": torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.from_numpy(X)))},
    "x without features": {"x": X[:, :0]},
    "y masked": {"y": np.ma.masked_array(Y, mask=Y > 0)},
    "y ragged": {"y": [[1], [1, 2]] * (N // 2)},
    "y with missing values": {"y": pd.Series(Y, dtype="boolean").mask(Y > 0)},
    "y a tensor without values": {"y": torch.empty(N, device="meta")},
    "y of huge integers": {"y": np.where(Y, 2**62, 0)},
    "y of complex numbers": {"y": Y + 0j},
    "y a mapping": {"y": {"a": Y}},
    "y beside a Split": {"x": Split(X, Y)},
    "weights beside a Split": {"x": Split(X, Y), "y": None, "sample_weight": np.ones(N)},
    "weights beyond 32-bit floats": {"sample_weight": np.full(N, 1e308)},
    "weights one number": {"sample_weight": 1.0},
    "groups of objects": {"x": Split(X, Y, groups=np.array([object()] * N)), "y": None},
    "groups with gaps": {"x": Split(X, Y, groups=np.array([np.nan] * N)), "y": None},
    "times of text": {"x": Split(X, Y, times=np.array(["noon"] * N)), "y": None},
    "validation a mapping": {"validation_data": {"x": XV, "y": YV}},
    "validation split text": {"validation_data": None, "validation_split": "0.2"},
    "validation split a truth value": {"validation_data": None, "validation_split": True},
    "validation split NaN": {"validation_data": None, "validation_split": float("nan")},
    "epochs a truth value": {"epochs": True},
    "epochs without end": {"epochs": 10**30},
    "epochs infinite": {"epochs": float("inf")},
    "batch size a truth value": {"batch_size": True},
    "shuffle a word": {"shuffle": "batch"},
}


def assert_one_sentence(error):
    text = str(error)
    assert 15 < len(text) < 600, text
    assert "\n" not in text.strip(), text
    assert " " in text


@pytest.mark.parametrize("name", DATA)
def test_bad_data_is_said_in_one_sentence_and_makes_no_folder(name, models, tmp_path):
    given = {"x": X, "y": Y, "validation_data": (XV, YV), "epochs": 1, "progress": False, **DATA[name]}
    study = gg.Study(models["binary"], seeds=1, engine="keras", storage=tmp_path / "a" / "x")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(EXPECTED) as caught:
            study.run(**given)
    assert_one_sentence(caught.value)
    assert list(tmp_path.iterdir()) == []


OTHER_TASKS = {
    "codes beyond the outputs": ("multiclass", np.arange(N) % 4),
    "codes negative": ("multiclass", np.arange(N) % 3 - 1),
    "codes with a fraction": ("multiclass", np.arange(N) % 3 + 0.5),
    "one-hot rows of another width": ("multiclass", np.eye(4)[np.arange(N) % 4]),
    "multiclass answers of text": ("multiclass", np.array(["a", "b"] * (N // 2))),
    "regression on text": ("regression", np.array(["low"] * N)),
    "regression with NaN": ("regression", changed(X[:, 0], 0, np.nan)),
    "regression on two targets": ("regression", X[:, :2]),
    "regression on dates": ("regression", np.full(N, np.datetime64("2020-01-01"))),
}


@pytest.mark.parametrize("name", OTHER_TASKS)
def test_bad_answers_of_other_tasks(name, models):
    model, y = OTHER_TASKS[name]
    with pytest.raises(EXPECTED) as caught:
        gg.Study(models[model], seeds=1, engine="keras").run(X, y, validation_split=0.2, epochs=1, progress=False)
    assert_one_sentence(caught.value)


# Bad declarations: what `Study` is given ------------------------------------------------------------------------------

DECLARATIONS = {
    "compile in Keras' own loop": {"computation": gg.Computation(compile=True), "engine": "keras"},
    "no model": {"model": None},
    "a path for a model": {"model": "model.keras"},
    "a layer for a model": {"model": layers.Dense(1)},
    "an empty mapping": {"model": {}},
    "a mapping of others": {"model": {"a": 3}},
    "a list of models": {"model": []},
    "a model that is not compiled": {"model": "raw"},
    "a loss that contradicts the activation": {"model": "contradictory"},
    "a remedy that does not exist": {"remedies": ["dropot(0.5)"]},
    "a remedy without its strength": {"remedies": ["dropout()"]},
    "a rate above 1": {"remedies": ["dropout(2)"]},
    "a negative rate": {"remedies": ["dropout(-0.1)"]},
    "a negative strength": {"remedies": ["l2(-1)"]},
    "a strength of text": {"remedies": ["l2(abc)"]},
    "a width of nothing": {"remedies": ["width(0)"]},
    "an open bracket": {"remedies": ["dropout(0.5"]},
    "a dangling plus": {"remedies": ["l2(0.1)+"]},
    "code for a remedy": {"remedies": ["__import__('os').system('true')"]},
    "a class for a remedy": {"remedies": [gg.Dropout]},
    "a number for a remedy": {"remedies": [0.5]},
    "a remedy twice": {"remedies": ["l2(0.1)", "l2(0.1)"]},
    "a layer that does not exist": {"remedies": ["l2(0.1, on='nowhere')"]},
    "a convolution's remedy on a dense net": {"remedies": ["spatial_dropout(0.2)"]},
    "no seeds": {"seeds": 0},
    "negative seeds": {"seeds": -2},
    "an empty list of seeds": {"seeds": []},
    "a seed twice": {"seeds": [1, 1]},
    "seeds of text": {"seeds": "ten"},
    "a fraction of a seed": {"seeds": [0.5]},
    "seeds a fraction": {"seeds": 2.5},
    "a score that does not exist": {"score": "accuracy"},
    "a score of another task": {"score": "squared_error_of_ranks"},
    "an epoch rule that does not exist": {"primary_epoch": "middle"},
    "a task that does not exist": {"task": "ranking"},
    "an output that does not exist": {"output": "side"},
    "an engine that does not exist": {"engine": "warp"},
    "a runner that does not exist": {"runner": "slurm"},
    "initial weights that do not exist": {"initial_weights": "warm"},
    "a seed below zero": {"seeds": [0, -1]},
    "seeds a truth value": {"seeds": True},
    "a seed a truth value": {"seeds": [True, False]},
    "a seed beyond 64 bits": {"seeds": [2**64]},
    "seeds without end": {"seeds": 10**12},
    "a seed that is missing": {"seeds": [None]},
    "a rate of NaN": {"remedies": ["dropout(nan)"]},
    "a strength of infinity": {"remedies": ["l2(inf)"]},
    "a strength twice": {"remedies": ["l2(strength=1, strength=2)"]},
    "thousands of brackets": {"remedies": ["(" * 5000]},
    "an empty remedy": {"remedies": [""]},
    "one remedy that is no list": {"remedies": "l2(0.1)"},
    "storage a number": {"storage": 3},
}


@pytest.mark.parametrize("name", DECLARATIONS)
def test_bad_declarations_are_said_in_one_sentence(name, models):
    given = {"model": "binary", "seeds": 2, "remedies": [], **DECLARATIONS[name]}
    model = models.get(given["model"], given["model"]) if isinstance(given["model"], str) else given["model"]
    with pytest.raises((*EXPECTED, LookupError)) as caught:
        gg.Study(**{**given, "model": model})
    assert_one_sentence(caught.value)


# Bad files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, models):  # noqa: PLR0915  one line for each kind of wrong
    frame = pd.DataFrame(X, columns=list("abcde")).assign(y=Y)
    frame.to_csv(tmp_path / "good.csv", index=False)
    frame.drop(columns="a").to_csv(tmp_path / "narrow.csv", index=False)
    frame.assign(a="text").to_csv(tmp_path / "text.csv", index=False)
    frame.assign(y=2.5).to_csv(tmp_path / "labels.csv", index=False)
    frame.mask(frame > 2).to_csv(tmp_path / "holes.csv", index=False)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "header.csv").write_text("a,b,c,d,e,y\n")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "data.xyz").write_text("1,2,3")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
    np.savez(tmp_path / "pickled.npz", x=np.array([object()], dtype=object), y=np.array([1]))
    np.savez(tmp_path / "nameless.npz", a=X)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    (tmp_path / "broken.nc").write_bytes(b"CDF?")
    (tmp_path / "result.nc").write_bytes(b"CDF?")
    models["binary"].save(tmp_path / "model.keras")
    models["raw"].save(tmp_path / "raw.keras")
    (tmp_path / "broken.keras").write_bytes(b"no zip")
    (tmp_path / "nothing.py").write_text("x = 1\n")
    (tmp_path / "wrong.py").write_text("study = 1\nfit = {}\n")
    (tmp_path / "unfit.py").write_text(
        "import keras, gengap as gg\n"
        "m = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, 'sigmoid')])\n"
        "m.compile('adam', 'binary_crossentropy')\nstudy = gg.Study(m, seeds=1)\nfit = {'epochs': 1, 'x': None}\n"
    )
    text = (tmp_path / "good.csv").read_text()
    (tmp_path / "twice.csv").write_text(text.replace("a,b,c", "a,a,c", 1))
    (tmp_path / "latin.csv").write_text("größe,y\n1,0\n2,1\n", encoding="cp1252")
    (tmp_path / "long.csv").write_text(f"{text}1,2,3,4,5,1,7,8\n")
    (tmp_path / "cut.csv").write_text(f"{text}1,2\n")
    (tmp_path / "column.csv").write_text("y\n1\n0\n")
    (tmp_path / "quote.csv").write_text('a,b,y\n"1,2,0\n')
    (tmp_path / "gaps.csv").write_text(f"{text}1,2,3,4,5,\n")
    np.savez(tmp_path / "short.npz", x=X, y=Y[:-3])
    np.savez(tmp_path / "number.npz", x=np.float32(1), y=np.float32(1))
    with zipfile.ZipFile(tmp_path / "stranger.npz", "w") as archive:
        archive.writestr("x.npy", b"hello")
        archive.writestr("y.npy", b"hello")
    damaged = bytearray((tmp_path / "model.keras").read_bytes())
    damaged[len(damaged) // 2] ^= 255
    (tmp_path / "damaged.keras").write_bytes(damaged)
    (tmp_path / "cut.keras").write_bytes(damaged[:300])
    with zipfile.ZipFile(tmp_path / "evil.keras", "w") as archive:
        config = {"module": "os", "class_name": "system", "config": {}, "registered_name": None}
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"")
    lambdas = keras.Sequential([keras.Input((5,)), layers.Lambda(lambda x: 2 * x), layers.Dense(1, "sigmoid")])
    lambdas.compile("adam", "binary_crossentropy")
    lambdas.save(tmp_path / "lambda.keras")
    for name, code in {
        "raises": "x = 1\nraise RuntimeError('two\\nlines')",
        "syntax": "def (:",
        "leaves": "exit(0)",
    }.items():
        (tmp_path / f"{name}.py").write_text(f"{code}\n")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").touch()
    return tmp_path


FILES = {
    "missing": lambda f: read_split(f / "nowhere.csv"),
    "a folder": lambda f: read_split(f / "folder"),
    "of an unknown kind": lambda f: read_split(f / "data.xyz"),
    "empty": lambda f: read_split(f / "empty.csv"),
    "only a header": lambda f: read_split(f / "header.csv"),
    "no text": lambda f: read_split(f / "binary.csv"),
    "without the target": lambda f: read_split(f / "good.csv", target="z"),
    "without the groups": lambda f: read_split(f / "good.csv", groups="z"),
    "a broken archive": lambda f: read_split(f / "broken.npz"),
    "a pickle": lambda f: read_split(f / "pickled.npz"),
    "an archive without x": lambda f: read_split(f / "nameless.npz"),
    "an archive of strangers": lambda f: read_split(f / "stranger.npz"),
    "an archive of unequal lengths": lambda f: read_split(f / "short.npz"),
    "a column twice": lambda f: read_split(f / "twice.csv"),
    "another encoding": lambda f: read_split(f / "latin.csv"),
    "a row too long": lambda f: read_split(f / "long.csv"),
    "a row too short": lambda f: read_split(f / "cut.csv"),
    "one column": lambda f: read_split(f / "column.csv"),
    "an open quote": lambda f: read_split(f / "quote.csv"),
    "answers with gaps": lambda f: read_split(f / "gaps.csv"),
    "groups that are the answers": lambda f: read_split(f / "good.csv", target="y", groups="y"),
    "a broken parquet": lambda f: read_split(f / "broken.parquet"),
    "a broken netCDF": lambda f: read_split(f / "broken.nc"),
    "a result that is none": lambda f: Result.from_netcdf(f / "result.nc"),
    "a result that is missing": lambda f: Result.load(f / "folder"),
    "a study that is missing": lambda f: load(f / "nowhere"),
    "a study that is none": lambda f: load(f / "folder"),
    "a store that is none": lambda f: Store.open(f / "folder"),
    "a store that is a file": lambda f: Store.open(f / "good.csv"),
    "a store made in a full folder": lambda f: Store.create(f / "folder", {}),
    "a store made over a file": lambda f: Store.create(f / "good.csv", {}),
}


@pytest.mark.parametrize("name", FILES)
def test_bad_files_are_said_in_one_sentence_and_stay_as_they_were(name, files):
    before = {path: path.lstat().st_size for path in files.rglob("*")}
    with pytest.raises((*EXPECTED, OSError)) as caught:
        FILES[name](files)
    assert_one_sentence(caught.value)
    assert {path: path.lstat().st_size for path in files.rglob("*")} == before


# Bad command lines ----------------------------------------------------------------------------------------------------

RUN = ("run", "--model", "model.keras", "--data", "good.csv", "--epochs", "1", "--seeds", "1")
COMMANDS = {
    "no such command": ("fly",),
    "no such option": ("doctor", "--loud"),
    "nothing to run": ("run",),
    "a file and a model": ("run", "nothing.py", "--model", "model.keras"),
    "no data": ("run", "--model", "model.keras"),
    "a missing study file": ("run", "nowhere.py"),
    "a folder for a study file": ("run", "folder"),
    "a study file without a study": ("run", "nothing.py"),
    "a study file with a number": ("run", "wrong.py"),
    "a study file with bad arguments": ("run", "unfit.py"),
    "a missing model": ("run", "--model", "nowhere.keras", "--data", "good.csv"),
    "a broken model": ("run", "--model", "broken.keras", "--data", "good.csv"),
    "a model that is not compiled": ("run", "--model", "raw.keras", "--data", "good.csv"),
    "a table for a model": ("run", "--model", "good.csv", "--data", "good.csv"),
    "missing data": (*RUN, "--data", "nowhere.csv"),
    "broken data": (*RUN, "--data", "broken.npz"),
    "pickled data": (*RUN, "--data", "pickled.npz"),
    "data of another width": (*RUN, "--data", "narrow.csv"),
    "data with text": (*RUN, "--data", "text.csv"),
    "data with other labels": (*RUN, "--data", "labels.csv"),
    "data with holes": (*RUN, "--data", "holes.csv"),
    "validation of another width": (*RUN, "--validation", "narrow.csv"),
    "test data that are missing": (*RUN, "--test", "nowhere.csv"),
    "a missing target": (*RUN, "--target", "z"),
    "missing groups": (*RUN, "--groups", "z"),
    "an unknown remedy": (*RUN, "--remedies", "dropot(0.5)"),
    "a bad strength": (*RUN, "--remedies", "l2(-1)"),
    "an open bracket": (*RUN, "--remedies", "l2(0.1"),
    "remedies and advice": (*RUN, "--remedies", "l2(0.1)", "--suggest"),
    "no seeds": (*RUN, "--seeds", "0"),
    "seeds in words": (*RUN, "--seeds", "ten"),
    "no epochs": (*RUN, "--epochs", "0"),
    "a batch of nothing": (*RUN, "--batch-size", "0"),
    "an unknown runner": (*RUN, "--runner", "slurm"),
    "a folder in use for storage": (*RUN, "--storage", "folder"),
    "a file for storage": (*RUN, "--storage", "good.csv"),
    "a study to show that is none": ("show", "folder"),
    "a study to show that is missing": ("show", "nowhere"),
    "nothing to show": ("show",),
    "a report of nothing": ("report", "folder"),
    "a report of a missing folder": ("report", "nowhere"),
    "a demo that does not exist": ("demo", "weather"),
    "a demo without seeds": ("demo", "diabetes", "--seeds", "0"),
    "a demo with an unknown engine": ("demo", "diabetes", "--engine", "warp"),
    "a damaged model": ("run", "--model", "damaged.keras", "--data", "good.csv"),
    "a model cut off": ("run", "--model", "cut.keras", "--data", "good.csv"),
    "a model that calls the system": ("run", "--model", "evil.keras", "--data", "good.csv"),
    "a model with a lambda": ("run", "--model", "lambda.keras", "--data", "good.csv"),
    "a study file that fails": ("run", "raises.py"),
    "a study file that cannot be parsed": ("run", "syntax.py"),
    "a study file that leaves": ("run", "leaves.py"),
    "a table for a study file": ("run", "good.csv"),
    "a study file and data": ("run", "unfit.py", "--data", "good.csv"),
    "a study file and epochs": ("run", "unfit.py", "--epochs", "3"),
    "arrays of no length": (*RUN, "--data", "number.npz"),
    "data that hang": (*RUN, "--data", "dangling"),
    "data without a name": (*RUN, "--data", ""),
    "storage that hangs": (*RUN, "--storage", "dangling"),
    "storage below a file": (*RUN, "--storage", "good.csv/x"),
    "storage nobody can write": (*RUN, "--storage", "/proc/x"),
    "storage of a long name": (*RUN, "--storage", "n" * 300),
    "remedies of commas": (*RUN, "--remedies", ",,"),
    "a width beyond memory": (*RUN, "--remedies", "width(1e9)"),
    "seeds beyond counting": (*RUN, "--seeds", "99999999999999999999"),
    "epochs beyond counting": (*RUN, "--epochs", "99999999999999999999"),
    "a runner without a name": (*RUN, "--runner", ""),
    "a report in another language": ("report", "folder", "--lang", "fr"),
    "a demo with a table of another kind": ("demo", "imdb", "--data", "good.csv"),
    "a demo without its data": ("demo", "imdb", "--data", "nowhere.npz"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_bad_command_lines_get_one_sentence_and_exit_code_2(name, files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    monkeypatch.setattr(sys, "argv", ["gengap", *COMMANDS[name]])
    before = {path: path.lstat().st_size for path in files.rglob("*")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(SystemExit) as ended:
            main()
    said = capsys.readouterr().err
    assert ended.value.code == 2, said
    assert "Traceback" not in said
    ours = [line for line in said.splitlines() if line.startswith("gengap: ")]
    if ours:
        assert len(said.strip().splitlines()) == 1, said
        assert_one_sentence(ours[0])
    else:
        assert "Error" in said or "Usage" in said  # typer's own answer to a command line that cannot be read
    assert {path: path.lstat().st_size for path in files.rglob("*")} == before


def test_there_are_at_least_a_hundred():
    assert sum(map(len, (DATA, OTHER_TASKS, DECLARATIONS, FILES, COMMANDS))) >= 100
