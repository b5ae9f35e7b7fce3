import shutil
import signal
from functools import cache

import keras
import numpy as np
import pytest
import xarray as xr

import gengap as gg
from gengap.datasets.dates import in_nanoseconds
from gengap.engine.state import ChunkState
from gengap.errors import DataError, GengapWarning, ModelError, StoreError, StudyChangedError, UnknownNameError
from gengap.storage import Store
from gengap.study.loading import load


def make_model(units=6):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(units, "relu"), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def arguments():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 5)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=120) > 0).astype(int)
    days = np.array([f"d{i // 4}" for i in range(120)])
    times = np.datetime64("2020-01-01") + np.arange(120)
    test = gg.datasets.Split(x[90:], y[90:], sample_weight=np.linspace(1, 2, 30), groups=days[90:], times=times[90:])
    return {
        "x": x[:60], "y": y[:60], "validation_data": (x[60:90], y[60:90]), "test_data": test,
        "epochs": 3, "batch_size": 16, "progress": False,
    }  # fmt: skip


def study(folder=None, *, seeds=2, model=None, remedies=("dropout(0.3)", "width(0.5)"), **more):
    return gg.Study(model or make_model(), remedies=list(remedies), seeds=seeds, storage=folder, **more)


def assert_equal(one, other):
    """Compare results to the bit in everything but wall times."""
    for part in ("history", "validation", "test"):
        xr.testing.assert_identical(getattr(one, part), getattr(other, part))
    xr.testing.assert_identical(one.runs.drop_vars("seconds"), other.runs.drop_vars("seconds"))
    assert one.weights.keys() == other.weights.keys()
    for key in one.weights:
        for a, b in zip(one.weights[key], other.weights[key], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.fixture
def fit():
    return arguments()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a function that gives an engine's finished study, trained once: its folder, and its result."""

    @cache
    def train(engine):
        folder = tmp_path_factory.mktemp("finished") / "x"
        return folder, study(folder, engine=engine).run(**arguments())

    return train


@pytest.fixture
def stored(tmp_path, finished):
    """A folder of the test's own with a finished study, and its result."""
    folder, result = finished("auto")
    return shutil.copytree(folder, tmp_path / "x"), result


def test_a_stored_study_gives_the_result_of_one_in_memory(stored, fit, monkeypatch):
    folder, result = stored
    from gengap.engine.planner import Plan

    plan = Plan.from_json(result.manifest["plan"])
    monkeypatch.setattr("gengap.engine.fused.make_plan", lambda *_, **__: plan)
    assert_equal(result, study().run(**fit))
    assert_equal(load(folder), result)
    xr.testing.assert_identical(load(folder).test["group"], result.test["group"])
    assert load(folder).test["time"].dtype == "datetime64[ns]"
    assert load(folder).manifest == result.manifest


def test_a_loaded_result_gives_models(stored, fit):
    folder, result = stored
    model = load(folder).model("dropout(0.3)", seed=1)
    x = fit["test_data"].x
    np.testing.assert_allclose(
        model.predict(x, verbose=0)[:, 0],
        result.test["prediction_best"].sel(variant="dropout(0.3)", seed=1),
        rtol=1e-5,
    )


def test_a_finished_study_is_not_trained_again(stored, fit, monkeypatch):
    folder, result = stored
    monkeypatch.setattr("gengap.study.storing.Training.execute", lambda *_, **__: pytest.fail("trained"))
    again = study(folder).run(**fit)
    assert_equal(again, result)
    assert again.manifest["looks"] == result.manifest["looks"]


def test_more_seeds_train_only_what_is_new_and_the_look_is_recorded(stored, fit):
    folder, result = stored
    with Store.open(folder) as store:
        before = store._ledger.runs()
    more = study(folder, seeds=4).run(**fit)
    assert more.seeds == (0, 1, 2, 3)
    assert [look["seeds"] for look in more.manifest["looks"]] == [2, 4]
    with Store.open(folder) as store:
        assert store._ledger.runs().items() > before.items()
        ids = [chunk["id"] for chunk in store.manifest["plan"]["chunks"]]
        assert len(set(ids)) == len(ids)
    xr.testing.assert_identical(more.history.sel(seed=[0, 1]), result.history)
    assert study(folder).run(**fit).seeds == (0, 1)


def test_more_variants_train_only_what_is_new(stored, fit):
    folder, result = stored
    more = study(folder, remedies=["dropout(0.3)", "width(0.5)", "l2(0.01)"]).run(**fit)
    assert more.variants == (*result.variants, "l2(0.01)")
    xr.testing.assert_identical(more.history.sel(variant=list(result.variants)), result.history)


def test_another_study_is_refused_and_the_difference_named(stored, fit):
    folder, result = stored
    with pytest.raises(StudyChangedError, match=r"settings\.epochs is 3 there and 4 now"):
        study(folder).run(**fit | {"epochs": 4})
    with pytest.raises(StudyChangedError, match=r"model of variant 'baseline'.*units is 6 there and 7 now"):
        study(folder, model=make_model(7)).run(**fit)
    with pytest.raises(StudyChangedError, match="the data's fingerprint"):
        study(folder).run(**fit | {"x": fit["x"] + 1})
    assert_equal(load(folder), result)


@pytest.mark.parametrize(
    ("engine", "after"),
    [
        *(("fused", after) for after in (0, 1, 3, 5)),
        *(("keras", after) for after in (0, 3)),
        *(pytest.param("keras", after, marks=pytest.mark.slow) for after in (1, 5)),
    ],
)
def test_a_cut_study_resumes_to_the_same_bits(tmp_path, fit, finished, monkeypatch, after, engine):
    _, whole = finished(engine)
    with monkeypatch.context() as patch:
        put = Store.put
        left = iter(range(after))

        def cut(self, record):
            if next(left, None) is None:
                raise ConnectionError
            put(self, record)

        patch.setattr(Store, "put", cut)
        if whole.manifest["plan"]:  # measured anew the plan may differ, and with it the last bits
            from gengap.engine.planner import Plan

            plan = Plan.from_json(whole.manifest["plan"])
            patch.setattr("gengap.engine.fused.make_plan", lambda *_, **__: plan)
        with pytest.raises(ConnectionError):
            study(tmp_path / "x", engine=engine).run(**fit)
    part = load(tmp_path / "x")
    assert (part.runs["status"] != "not trained").sum() == after
    assert_equal(study(tmp_path / "x", engine=engine).run(**fit), whole)


def test_damaged_runs_are_trained_again_to_the_same_bits(stored, fit):
    folder, result = stored
    with Store.open(folder) as store:
        row = store._ledger.run(("baseline", 1))
    path = folder / "arrays" / f"{row.weights.digest}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.warns(GengapWarning, match="'baseline' with seed 1 is damaged"):
        again = study(folder).run(**fit)
    assert_equal(again, result)


@pytest.mark.parametrize("how", ["remove", "truncate"])
def test_damaged_answers_are_written_again(stored, fit, how):
    folder, result = stored
    with Store.open(folder) as store:
        blob = store._ledger.states()["study", "answers"]
    path = folder / "arrays" / f"{blob.digest}.safetensors"
    if how == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(StoreError, match=r"held-out answers of .* are damaged .* run the study again"):
        load(folder)
    with pytest.warns(GengapWarning, match=r"held-out answers of .* are damaged, so they are written again"):
        again = study(folder).run(**fit)
    assert_equal(again, result)
    assert_equal(load(folder), result)


def test_a_checkpoint_without_a_missing_run_is_not_used(stored, fit):
    folder, result = stored
    with Store.open(folder, mode="w") as store:
        store.discard([("baseline", 0)])
        chunk = store.manifest["plan"]["chunks"][0]["id"]
        store.put_checkpoint(chunk, ChunkState({}, {"runs": [["baseline", 1]]}))
    assert_equal(study(folder).run(**fit), result)
    with Store.open(folder) as store:
        assert store.checkpoints() == []


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, fit, finished, monkeypatch):
    _, whole = finished("auto")
    from gengap.engine.planner import Plan

    plan = Plan.from_json(whole.manifest["plan"])
    with monkeypatch.context() as patch:
        patch.setattr("gengap.engine.fused.make_plan", lambda *_, **__: plan)
        put_epochs = []

        def press(self, run, epoch, logs):
            put_epochs.append(epoch)
            if len(put_epochs) == 1:  # whatever the plan, the first chunk has not ended then
                signal.raise_signal(signal.SIGINT)

        patch.setattr("gengap.storage.listener.StoreListener.on_epoch", press)
        with pytest.raises(
            KeyboardInterrupt, match=r"of 6 runs are stored in .*; run the same study again to continue"
        ):
            study(tmp_path / "x").run(**fit)
    with Store.open(tmp_path / "x") as store:
        assert store.checkpoints()
    assert_equal(study(tmp_path / "x").run(**fit), whole)


def test_bad_input_makes_no_folder(tmp_path, fit):
    with pytest.raises(DataError):
        study(tmp_path / "x").run(**fit | {"y": fit["y"][:-1]})
    with pytest.raises(ValueError, match="epochs"):
        study(tmp_path / "x").run(**fit | {"epochs": 0})
    with pytest.raises(UnknownNameError, match="no runner 'slurm'"):
        study(tmp_path / "x", runner="slurm")
    model = make_model()
    model.compile("adam", lambda y_true, y_pred: keras.ops.mean((y_true - y_pred) ** 2))
    with pytest.raises(ModelError, match="cannot be stored"), pytest.warns(UserWarning, match="lambda"):
        study(tmp_path / "x", model=model, remedies=(), task="binary").run(**fit)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_before_a_folder_is_made(tmp_path, fit, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 0))
    with pytest.raises(StoreError, match="the disk is full"):
        study(tmp_path / "a" / "x").run(**fit)
    assert list(tmp_path.iterdir()) == []


def test_load_takes_saved_results_too_and_refuses_the_rest(stored, tmp_path):
    _, result = stored
    result.save(tmp_path / "saved")
    xr.testing.assert_identical(load(tmp_path / "saved").history, result.history)
    with pytest.raises(StoreError, match="there is no folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="contains no stored study"):
        load(tmp_path)


def test_a_study_can_be_moved_into_a_folder(tmp_path, fit):
    before = study()
    moved = before.stored_in(tmp_path / "x")
    assert before.storage is None
    moved.run(**fit)
    assert Store.exists(tmp_path / "x")


def test_times_come_in_xarrays_unit_where_it_reaches_them():
    days = np.array(["2020-04-24", "NaT", "1999-01-01"], "datetime64[D]")
    assert in_nanoseconds(days).dtype == "datetime64[ns]"
    np.testing.assert_array_equal(in_nanoseconds(days), days)
    far = np.array(["2020-04-24", "3000-01-01"], "datetime64[D]")
    assert in_nanoseconds(far) is far, "nanoseconds would make another day of it"
    assert in_nanoseconds(["a", "b"]).tolist() == ["a", "b"]


@pytest.mark.skipif(not hasattr(xr, "coders"), reason="before 2025 xarray held nanoseconds alone")
def test_times_that_nanoseconds_do_not_reach_are_kept(tmp_path):
    """Climate runs go on beyond the year 2262."""
    times = np.datetime64("2290-01-01", "s") + np.arange(30) * np.timedelta64(86_400, "s")
    held = gg.datasets.Split(arguments()["test_data"].x, arguments()["test_data"].y, times=times)
    result = study(tmp_path / "study", seeds=1, remedies=()).run(**{**arguments(), "test_data": held})
    result.to_netcdf(tmp_path / "result.nc")
    for one in (result, load(tmp_path / "study"), gg.Result.from_netcdf(tmp_path / "result.nc")):
        np.testing.assert_array_equal(one.test["time"], times)
