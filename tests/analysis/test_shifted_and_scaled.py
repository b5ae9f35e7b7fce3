"""Scores and ranks do not change when a regression's answers, and with them its forecasts, are shifted and scaled."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import xarray as xr

from gengap.analysis.comparison.comparison import compare
from gengap.analysis.diagnosis.diagnosis import diagnose
from gengap.analysis.diagnosis.stopping import early_stopping
from gengap.analysis.diagnosis.verify import verify
from gengap.analysis.summary import summarize
from gengap.datasets.account import describe_data
from gengap.datasets.intake import check_data
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.log import RunLog
from gengap.engine.runs import Run, TrainingSettings
from gengap.errors import DataError, DataWarning
from gengap.keras_models.requirements import ModelRequirements
from gengap.results import Result
from gengap.study.assembly import assemble

MODEL = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, use_bias=False)])
VARIANTS, SEEDS, EPOCHS, CASES = ("baseline", "narrow", "wide"), 5, 6, 40
SHIFTS = {"0": (0.0, 1.0), "hPa": (1013.25, 1.0), "Pa": (101_325.0, 80.0), "K": (273.15, 10.0), "small": (0.0, 1e-6),
          "year": (2000.0, 1.0), "large": (-3e6, 1e3)}  # fmt: skip


def trained(shift, scale, *, targets=1, old_runs=0):
    """A result whose runs say the same in other units: what engines write down, assembled as a study does it."""
    rng = np.random.default_rng(1)
    shape = (CASES, targets) if targets > 1 else (CASES,)
    y = rng.normal(size=shape)
    kind = OutputKind("regression", from_logits=False, one_hot=False, width=targets)
    splits = [Split(rng.normal(size=(CASES, 3)), (shift + scale * y).astype(np.float32)) for _ in range(3)]
    data = TrainingData(*splits)
    settings = TrainingSettings(epochs=EPOCHS, batch_size=8, task="regression", score="squared_error")
    records = []
    for v, variant in enumerate(VARIANTS):
        for seed in range(SEEDS):
            run = Run(variant, seed, MODEL)
            log = RunLog(run, kind, data, settings, training_cases=None, parameters=10)
            for epoch in range(EPOCHS):
                noise = 0.3 + 0.15 * (epoch - 2 - v) ** 2 / (1 + v)
                said = {name: y + noise * rng.normal(size=shape) for name in ("train", "validation", "test")}
                said = {name: (shift + scale * one).astype(np.float32) for name, one in said.items()}
                train = said.pop("train")
                log.end_epoch({"loss": noise, "penalty": 0.0}, train, said, lambda: [np.zeros((2, 2))])
            record = log.record([np.zeros((2, 2))], seconds=1.0)
            records.append(coarser(record) if len(records) < old_runs else record)
    manifest = {
        "format": 1, "origin": "study", "task": "regression", "score": "squared_error", "seeds": list(range(SEEDS)),
        "primary": {"score": "squared_error", "epoch": "best"}, "looks": [], "settings": {},
        "variants": {name: {} for name in VARIANTS}, "data": describe_data(data, kind),
    }  # fmt: skip
    return assemble(records, data, kind, variants=VARIANTS, seeds=range(SEEDS), manifest=manifest)


def coarser(record):
    """As an older version kept it."""
    with np.errstate(over="ignore"):
        told = {name: replace(one, epochs=one.epochs.astype(np.float16)) for name, one in record.predictions.items()}
    return replace(record, predictions=told)


def tolerance(shift, scale):
    """What single precision of the forecasts themselves allows, in units of the scale."""
    return max(1e-4, 20 * float(np.spacing(np.float32(abs(shift) + scale))) / scale)


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("units", list(SHIFTS))
@pytest.mark.parametrize("through_a_file", [False, True], ids=["in memory", "through a file"])
def test_tables_of_a_study(units, targets, through_a_file, tmp_path):
    (shift, scale), plain = SHIFTS[units], trained(0.0, 1.0, targets=targets)
    result = trained(shift, scale, targets=targets)
    if through_a_file:
        result.to_netcdf(tmp_path / "result.nc")
        result = Result.from_netcdf(tmp_path / "result.nc")
    near = {"rel": tolerance(shift, scale), "abs": tolerance(shift, scale)}
    for patience in range(1, EPOCHS):
        here, there = (early_stopping(one, patience=patience).to_dataframe() for one in (result, plain))
        for name in ("stopped", "best", "saved"):
            assert here[name].tolist() == there[name].tolist(), (name, patience)
        for name in ("score", "score_last"):
            assert (here[name] / scale**2).tolist() == pytest.approx(there[name].tolist(), **near)
    here, there = (summarize(one).to_dataframe() for one in (result, plain))
    assert (here["test_score"] / scale**2).tolist() == pytest.approx(there["test_score"].tolist(), **near)
    assert here["test_skill"].tolist() == pytest.approx(there["test_skill"].tolist(), **near)
    here, there = compare(result), compare(plain)
    for variant in VARIANTS[1:]:
        assert here[variant].difference / scale**2 == pytest.approx(there[variant].difference, **near)
        assert here[variant].verdict.kind == there[variant].verdict.kind
    here, there = diagnose(result), diagnose(plain)
    for variant in VARIANTS:
        assert here[variant].memorization.value == pytest.approx(there[variant].memorization.value, **near)
    skill = "squared_error_skill_score"
    np.testing.assert_allclose(verify(result)[skill], verify(plain)[skill], rtol=near["rel"], atol=near["abs"])


def test_what_is_stored_of_the_best_epoch_is_what_is_stored_of_every_epoch():
    result = trained(101_325.0, 80.0)
    every, kept = result.test["prediction_epochs"], result.test["prediction_best"]
    best = every.sel(epoch=result.runs["best_epoch"]).transpose(*kept.dims)
    np.testing.assert_array_equal(best, kept)
    last = every.sel(epoch=EPOCHS).transpose(*kept.dims)
    np.testing.assert_array_equal(last, result.test["prediction_last"])


@pytest.mark.parametrize("shift", [0.0, 1e6, 1e9])
def test_forecasts_of_other_tools_keep_their_precision(shift):
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=30), rng.normal(size=(3, 4, 30))
    plain, moved = (
        Result.from_predictions(y + by, dict(zip("abc", p + by, strict=True)), task="regression", score="squared_error")
        for by in (0.0, shift)
    )
    a, b = (verify(one) for one in (plain, moved))
    for name in a.data_vars:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-6, atol=1e-6, err_msg=name)
    assert compare(moved)["b"].difference == pytest.approx(compare(plain)["b"].difference, rel=1e-5, abs=1e-7)


def in_half_precision(result):
    """As older versions stored it."""
    with np.errstate(over="ignore"):
        test = result.test.assign(prediction_epochs=result.test["prediction_epochs"].astype(np.float16))
    return replace(result, test=test)


def written_by_an_older_version(result, path):
    """As older versions wrote it: float32 without a word of where it came from."""
    in_half_precision(result).to_netcdf(path)
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        loaded = tree.load()
    for part in ("test", "validation"):
        loaded[part]["prediction_epochs"].attrs.clear()
    loaded.to_netcdf(path.with_suffix(".old.nc"), engine="h5netcdf")
    return path.with_suffix(".old.nc")


def test_a_file_of_an_older_version_that_cannot_hold_the_numbers_says_so(tmp_path):
    path = written_by_an_older_version(trained(101_325.0, 80.0), tmp_path / "r.nc")
    with pytest.warns(DataWarning, match=r"stored in half precision by an older version.*like 101"):
        result = Result.from_netcdf(path)
    assert "prediction_epochs" not in result.test
    assert np.isfinite(early_stopping(result, patience=2).to_dataframe()["score"]).all()


def test_a_file_of_an_older_version_that_can_hold_them_is_read(tmp_path):
    path = written_by_an_older_version(trained(0.0, 1.0), tmp_path / "r.nc")
    result = Result.from_netcdf(path)
    assert result.test["prediction_epochs"].dtype == np.float16
    result.to_netcdf(tmp_path / "again.nc")
    assert Result.from_netcdf(tmp_path / "again.nc").test["prediction_epochs"].dtype == np.float16


def test_a_store_that_holds_runs_of_an_older_version_is_read_as_coarsely():
    assert trained(0.0, 1.0, old_runs=3).test["prediction_epochs"].dtype == np.float16
    with pytest.warns(DataWarning, match="stored in half precision by an older version"):
        result = trained(101_325.0, 80.0, old_runs=3)
    assert "prediction_epochs" not in result.test
    assert "epoch" not in result.test.dims


@pytest.mark.parametrize(("centre", "spread", "fine"), [(101_325.0, 80.0, True), (1e9, 10.0, False), (1e6, 1.0, True),
                                                        (3e7, 1.0, False), (5.0, 0.0, True)])  # fmt: skip
def test_answers_that_single_precision_cannot_tell_apart_are_refused_before_training(centre, spread, fine):
    import keras

    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2)).astype(np.float32)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    kind = OutputKind("regression", from_logits=False, one_hot=False, width=1)
    data = TrainingData(Split(x, centre + spread * rng.normal(size=50)))
    if fine:
        check_data(data, ModelRequirements([model], kind))
        return
    with pytest.raises(DataError, match=r"32-bit floats, .*, have steps of .*: subtract the mean"):
        check_data(data, ModelRequirements([model], kind))
