"""A file that does not hold what every later function relies on is refused when it is read, in one sentence."""

import json
from dataclasses import replace
from pathlib import Path

import h5netcdf
import ml_dtypes
import numpy as np
import pytest
import xarray as xr

from gengap.analysis.summary import summarize
from gengap.errors import DataError, StoreError
from gengap.results import Result

CASES, SEEDS, EPOCHS = 12, 3, 4


def make(task="binary"):
    rng = np.random.default_rng(0)
    names, shape = ["baseline", "l2(0.01)"], (2, SEEDS, EPOCHS)
    coords = {"variant": names, "seed": np.arange(SEEDS)}
    curve = (("variant", "seed", "epoch"), rng.uniform(size=shape))
    labels = 3 if task == "multiclass" else 2
    y = rng.normal(size=CASES) if task == "regression" else rng.permutation(np.arange(CASES) % labels)
    every = rng.uniform(size=(*shape, CASES)).astype(np.float32)
    if task == "multiclass":
        every = rng.dirichlet(np.ones(labels), size=(*shape, CASES)).astype(np.float32)
    dims = ("sample", "label")[: every.ndim - 3]
    held = xr.Dataset(
        {
            "y_true": ("sample", y),
            "prediction_last": (("variant", "seed", *dims), every[:, :, -1]),
            "prediction_best": (("variant", "seed", *dims), every[:, :, 0]),
            "prediction_epochs": (("variant", "seed", "epoch", *dims), every),
        },
        coords=coords | {
            "epoch": np.arange(1, EPOCHS + 1),
            "group": ("sample", np.array([f"day {at // 4}" for at in range(CASES)])),
            "sample_weight": ("sample", rng.uniform(0.5, 2, CASES)),
            "time": ("sample", np.datetime64("2026-01-01", "ns") + np.arange(CASES).astype("timedelta64[D]")),
        },
    )  # fmt: skip
    facts = ("variant", "seed")
    runs = xr.Dataset(
        {
            "best_epoch": (facts, np.full((2, SEEDS), 1)),
            "epochs": (facts, np.full((2, SEEDS), EPOCHS)),
            "status": (facts, np.full((2, SEEDS), "completed", dtype="<U40")),
        },
        coords=coords,
    )
    history = xr.Dataset(
        {"train_score": curve, "val_score": curve}, coords=coords | {"epoch": np.arange(1, EPOCHS + 1)}
    )
    score = "squared_error" if task == "regression" else "log_loss"
    manifest = {"format": 1, "task": task, "score": score, "variants": {name: {} for name in names}}
    return Result(history, runs, held, held.copy(deep=True), manifest)


def several_targets():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(CASES, 2))
    return Result.from_predictions(y, {"a": y[None] + 1, "b": y[None]}, task="regression", score="squared_error")


def diverged():
    result = make()
    result.runs["status"][0, 1] = "diverged at epoch 2: the loss is no longer finite"
    result.test["prediction_last"][0, 1] = np.nan
    return result


def lost_elsewhere():
    p = np.full((2, CASES), 0.5)
    p[1, 3] = np.nan
    return Result.from_predictions(np.arange(CASES) % 2, {"a": p, "b": p}, task="binary", score="log_loss")


def interrupted():
    result = make()
    result.runs["status"][1, 2], result.runs["epochs"][1, 2], result.runs["best_epoch"][1, 2] = "not trained", 0, 0
    for rule in ("last", "best", "epochs"):
        result.test[f"prediction_{rule}"][1, 2] = np.nan
        result.validation[f"prediction_{rule}"][1, 2] = np.nan
    return result


WHOLE = {
    "binary": make,
    "multiclass": lambda: make("multiclass"),
    "regression": lambda: make("regression"),
    "several targets": several_targets,
    "a diverged run": diverged,
    "a run without forecasts from elsewhere": lost_elsewhere,
    "a run that was not trained": interrupted,
    "histories alone": lambda: Result.from_histories({"a": [{"loss": [1.0, 0.5]}]}, task="binary"),
    "one variant of two": lambda: make().select(["l2(0.01)"]),
    "groups of text and numbers": lambda: Result.from_predictions(
        [0, 1, 1], {"a": [0.1, 0.8, 0.7]}, task="binary", score="log_loss", groups=["a", 1, "1"]
    ),
}


@pytest.mark.parametrize("kind", list(WHOLE))
def test_what_is_whole_comes_back(kind, tmp_path):
    result = WHOLE[kind]()
    result.to_netcdf(tmp_path / "r.nc")
    again = Result.from_netcdf(tmp_path / "r.nc")
    for part in ("history", "runs", "validation", "test"):
        xr.testing.assert_equal(getattr(again, part), getattr(result, part))
    assert str(summarize(again)) == str(summarize(result))


@pytest.fixture(scope="module")
def whole_tree(tmp_path_factory):
    """A whole file as it was read, each test's to copy and break."""
    path = tmp_path_factory.mktemp("whole") / "r.nc"
    make().to_netcdf(path)
    with xr.open_datatree(path, engine="h5netcdf") as stored:
        return stored.load()


def changed(part, **variables):
    """Return a change of a tree that puts arrays in the place of others."""

    def change(tree):
        dataset = tree[part].to_dataset()
        for name, values in variables.items():
            old = dataset[name]
            new = (old.dims, values(old.to_numpy()) if callable(values) else values)
            dataset = dataset.assign_coords({name: new}) if name in dataset.coords else dataset.assign({name: new})
        tree[part] = xr.DataTree(dataset)

    return change


def one(value, *, at=0):
    """Return a change of an array at one place."""

    def change(values):
        values = values.copy()
        values.reshape(-1)[at] = value
        return values

    return change


def without(part, name):
    def change(tree):
        tree[part] = xr.DataTree(tree[part].to_dataset().drop_vars(name))

    return change


def renamed(part, **names):
    def change(tree):
        tree[part] = xr.DataTree(tree[part].to_dataset().rename(names))

    return change


def with_coords(part, **coords):
    def change(tree):
        tree[part] = xr.DataTree(tree[part].to_dataset().assign_coords(coords))

    return change


def said(**manifest):
    def change(tree):
        tree.attrs["gengap"] = json.dumps(json.loads(tree.attrs["gengap"]) | manifest)

    return change


def as_list(tree):
    tree.attrs["gengap"] = "[1, 2]"


TEXT = np.full((2, SEEDS, CASES), "0.5")
BROKEN = {
    "a newer format": (said(format=7), "it has the format 7, and this version of gengap reads format 1: update gengap"),
    "no task": (said(task=None), "its manifest must name a task, one of binary, multiclass, regression; found None"),
    "another task": (said(task="ranking"), "its manifest must name a task, .*; found 'ranking'"),
    "no score": (said(score=3), "its manifest must name a score; found 3"),
    "a list": (as_list, "its manifest must be a mapping; found list"),
    "NaN forecasts": (
        changed("test", prediction_best=one(np.nan, at=CASES * SEEDS)),
        r"'prediction_best' of the test split must hold a forecast of .* infinity for 'l2\(0.01\)' with seed 0",
    ),
    "infinite forecasts": (
        changed("validation", prediction_last=one(np.inf)), "found NaN or infinity for 'baseline'",
    ),
    "logits": (
        changed("test", prediction_last=one(2.5)),
        "must be probabilities from 0 to 1; received .* to 2.5: apply a sigmoid to logits first",
    ),
    "no y_true": (without("test", "y_true"), "'test' must hold 'y_true'; it holds prediction_last"),
    "no predictions": (without("validation", "prediction_last"), "'validation' must hold 'prediction_last'"),
    "other seeds": (
        with_coords("test", seed=[5, 6, 7]), "'test' must have the seeds of the history, 0, 1, 2; found 5, 6",
    ),
    "other seeds of the runs": (with_coords("runs", seed=[0, 1, 3]), "'runs' must have the seeds of the history"),
    "other variants": (with_coords("test", variant=["baseline", "l1"]), "must have the variants of the history"),
    "one seed twice": (with_coords("history", seed=[0, 0, 1]), "every seed of 'history' must be there once; found 0"),
    "text seeds": (with_coords("history", seed=["a", "b", "c"]), "the seeds of 'history' must be whole numbers"),
    "a dim of another name": (renamed("test", seed="run"), "'test' must have the dim 'seed' with its names; found"),
    "cases of another name": (renamed("test", sample="case"), "'y_true' of the test split must have the dims sample"),
    "epochs of another name": (
        renamed("history", epoch="step"), "'train_score' must have the dims variant, seed, epoch",
    ),
    "text for forecasts": (
        changed("test", prediction_last=TEXT), "'prediction_last' of the test split must hold numbers; found text",
    ),
    "text answers": (changed("test", y_true=np.full(CASES, "no")), "'y_true' of the test split must hold numbers"),
    "text for a curve": (
        changed("history", val_score=np.full((2, SEEDS, EPOCHS), "low")), "curve 'val_score' must hold numbers",
    ),
    "text for epochs": (changed("runs", epochs=np.full((2, SEEDS), "four")), "'epochs' of the runs must hold numbers"),
    "an epoch that was not": (
        changed("runs", best_epoch=one(9)), "'best_epoch' of the runs must be whole numbers from 0 to 4, .*; found 9",
    ),
    "a label that is none": (changed("test", y_true=one(3)), "must hold the labels 0 to 1; found 3"),
    "an answer that is missing": (
        changed("test", y_true=lambda y: np.where(np.arange(CASES) == 2, np.nan, y)),
        "must hold an answer to every case; found NaN or infinity",
    ),
    "a negative weight": (changed("test", sample_weight=one(-1.0)), "'sample_weight' of the test split must be finite"),
    "no runs": (without("runs", "epochs"), "'runs' must hold 'epochs'"),
}  # fmt: skip


@pytest.mark.parametrize("what", list(BROKEN))
def test_what_is_not_whole_is_refused_in_a_sentence(what, whole_tree, tmp_path):
    change, sentence = BROKEN[what]
    tree = whole_tree.copy(deep=True)
    change(tree)
    tree.to_netcdf(tmp_path / "broken.nc", engine="h5netcdf")
    with pytest.raises(StoreError, match=rf"^The result in .*broken\.nc cannot be used: .*{sentence}") as caught:
        Result.from_netcdf(tmp_path / "broken.nc")
    assert str(caught.value).count(". ") == 0
    assert "np." not in str(caught.value)


def test_labels_need_their_dim(tmp_path):
    make("multiclass").to_netcdf(tmp_path / "r.nc")
    with xr.open_datatree(tmp_path / "r.nc", engine="h5netcdf") as stored:
        tree = stored.load()
    tree["test"]["prediction_last"] = tree["test"]["prediction_last"] * 0.5
    tree.to_netcdf(tmp_path / "half.nc", engine="h5netcdf")
    with pytest.raises(StoreError, match=r"must add up to 1 over the labels; some are off by 0.5"):
        Result.from_netcdf(tmp_path / "half.nc")
    said(task="binary")(tree)
    tree.to_netcdf(tmp_path / "binary.nc", engine="h5netcdf")
    with pytest.raises(StoreError, match=r"must have the dims variant, seed, sample; found .*, label"):
        Result.from_netcdf(tmp_path / "binary.nc")


@pytest.mark.parametrize("groups", [[None, "a", "b"], [np.nan, 1.0, 2.0], ["a", "b"], [["a"], ["b"], ["c"]]])
def test_groups_from_elsewhere_are_whole(groups):
    with pytest.raises(DataError, match=r"`groups` (lack the label of 1 case|must have shape)"):
        Result.from_predictions([0, 1, 1], {"a": [0.1, 0.8, 0.7]}, task="binary", score="log_loss", groups=groups)


@pytest.mark.parametrize(
    ("y", "p", "task", "sentence"),
    [
        (["a", "b"], [0.1, 0.2], "binary", "`y_true` must hold real numbers in an array of one shape; got 'a'"),
        ([1, 2], [0.1, 0.2], "binary", "`y_true` must hold 0 and 1 for a binary task .*; received 2"),
        ([0, 3], [[0.1, 0.9], [0.2, 0.8]], "multiclass", "`y_true` must hold the codes 0 to 1, .*; received 3"),
        (np.ma.masked_array([0, 1], [False, True]), [0.1, 0.2], "binary", "1 are missing or infinite: leave them out"),
        ([0.5, np.nan], [0.1, 0.2], "regression", "1 are missing or infinite: leave them out"),
        ([0, 1], ["x", "y"], "binary", "the predictions of 'a' must hold real numbers .*; got 'x'"),
    ],
)
def test_answers_from_elsewhere_are_whole(y, p, task, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        Result.from_predictions(y, {"a": p}, task=task, score="log_loss")
    assert "np." not in str(caught.value)


def test_logits_from_elsewhere_are_refused():
    with pytest.raises(
        DataError, match=r"The predictions of 'a' must be probabilities from 0 to 1; received -1.3 to 2"
    ):
        Result.from_predictions([0, 1, 1], {"a": [-1.3, 2.0, 0.7]}, task="binary", score="log_loss")


def with_weights(array):
    whole = make()
    return replace(
        whole,
        weights={("baseline", 0, "last"): [array, np.zeros(3)]},
        cases={"validation": {"array": np.ones((4, 2), "float32")}},
    )


def cut(file):
    file.write_bytes(file.read_bytes()[:-9])


def turned(file):
    content = bytearray(file.read_bytes())
    content[-3] ^= 64
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, turned, Path.unlink])
def test_a_damaged_file_of_weights_is_named_when_it_is_read(damage, tmp_path):
    with_weights(np.ones((2, 3), "float32")).save(tmp_path / "saved")
    loaded = Result.load(tmp_path / "saved")
    damage(tmp_path / "saved" / "weights" / "000-0-last.safetensors")
    with pytest.raises(StoreError, match=r"000-0-last\.safetensors is damaged"):
        loaded.weights["baseline", 0, "last"]


@pytest.mark.parametrize("damage", [cut, turned])
def test_damaged_cases_and_a_damaged_file_of_numbers_are_named_when_they_are_loaded(damage, tmp_path):
    for name, said in (("cases-validation.safetensors", "is damaged"), ("result.nc", "or it is damaged|result")):
        with_weights(np.ones((2, 3), "float32")).save(tmp_path / name)
        damage(tmp_path / name / name)
        with pytest.raises(StoreError, match=said):
            Result.load(tmp_path / name)


def test_weights_come_back_in_the_number_format_that_they_had(tmp_path):
    for kind in (np.float16, np.float64, ml_dtypes.bfloat16):
        given = np.arange(6).reshape(2, 3).astype(kind)
        with_weights(given).save(tmp_path / "saved")
        back = Result.load(tmp_path / "saved").weights["baseline", 0, "last"][0]
        assert back.dtype == given.dtype
        np.testing.assert_array_equal(back, given)


def test_files_of_a_version_that_wrote_no_digests_are_read(tmp_path):
    with_weights(np.ones(2)).save(tmp_path)
    with h5netcdf.File(tmp_path / "result.nc", "a") as file:
        file.attrs["gengap_weights"] = json.dumps(list(json.loads(file.attrs["gengap_weights"])))
    assert Result.load(tmp_path).weights["baseline", 0, "last"][0].tolist() == [1, 1]
