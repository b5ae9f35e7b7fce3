"""`verify(result)`: every run's scores under its names, equal to scikit-learn's."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from sklearn import metrics

from gengap.analysis.diagnosis.verify import verify
from gengap.errors import DataError, UnknownNameError
from gengap.results import Result


def with_climatology(result, value):
    return replace(result, manifest={**result.manifest, "data": {"training_climatology": value}})


@pytest.fixture
def binary():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    runs = {name: rng.random((3, 60)) for name in ("baseline", "dropout(0.5)")}
    runs["dropout(0.5)"][1, 5] = np.nan  # a diverged run
    return y, runs, Result.from_predictions(y, runs, task="binary", score="log_loss")


def test_binary_scores_by_name(binary):
    y, runs, result = binary
    found = verify(with_climatology(result, 0.4))
    p = runs["baseline"][2].astype(np.float32)
    one = found.sel(variant="baseline", seed=2)
    assert set(found.dims) == {"variant", "seed"}
    assert float(one["brier_score"]) == pytest.approx(metrics.brier_score_loss(y, p), rel=1e-6)
    assert float(one["roc_auc"]) == pytest.approx(metrics.roc_auc_score(y, p))
    assert float(one["log_loss"]) == pytest.approx(metrics.log_loss(y, p), rel=1e-5)
    reference = metrics.brier_score_loss(y, np.full(60, 0.4))
    assert float(one["brier_skill_score"]) == pytest.approx(1 - metrics.brier_score_loss(y, p) / reference, rel=1e-5)
    base = y.mean() * (1 - y.mean())
    parts = float(one["miscalibration"] - one["discrimination"])
    assert parts + base == pytest.approx(float(one["brier_score"]))
    assert found.attrs["split"] == "test"
    assert found.attrs["climatology"] == "training"


def test_a_diverged_run_is_missing_and_alone_in_that(binary):
    found = verify(binary[2])
    for score in found.data_vars:
        assert int(np.isnan(found[score]).sum()) == 1, score
        assert np.isnan(found[score].sel(variant="dropout(0.5)", seed=1))
    assert found.attrs["climatology"] == "evaluation"


def test_what_is_not_there_is_named(binary):
    with pytest.raises(DataError, match="does not hold the training climatology"):
        verify(binary[2], climatology="training")
    with pytest.raises(UnknownNameError, match="has no validation split; it has test"):
        verify(binary[2], split="validation")


def test_labels():
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), (1, 2, 50))[0]
    result = with_climatology(
        Result.from_predictions(y, {"baseline": p}, task="multiclass", score="log_loss"), [0.2, 0.3, 0.5]
    )
    found = verify(result).sel(variant="baseline", seed=1)
    assert float(found["log_loss"]) == pytest.approx(metrics.log_loss(y, p[1]), rel=1e-5)
    assert float(found["accuracy"]) == pytest.approx(metrics.accuracy_score(y, p[1].argmax(axis=1)))
    climate = np.mean(((np.eye(3)[y] - [0.2, 0.3, 0.5]) ** 2).sum(axis=1))
    own = np.mean(((np.eye(3)[y] - p[1]) ** 2).sum(axis=1))
    assert float(found["brier_skill_score"]) == pytest.approx(1 - own / climate, rel=1e-5)


def test_real_numbers_with_weights_and_the_declared_epoch():
    rng = np.random.default_rng(2)
    y, p, weight = rng.normal(size=40), rng.normal(size=(2, 40)), rng.uniform(size=40)
    result = Result.from_predictions(y, {"baseline": p}, task="regression", score="squared_error")
    test = result.test.assign_coords(sample_weight=("sample", weight))
    test["prediction_last"] = test["prediction_best"] + 1
    declared = {**result.manifest, "primary": {"score": "squared_error", "epoch": "last"}}
    result = replace(result, test=test, manifest=declared)
    found = verify(result).sel(variant="baseline", seed=0)
    theirs = metrics.mean_squared_error(y, p[0].astype(np.float32) + 1, sample_weight=weight)
    assert float(found["squared_error"]) == pytest.approx(theirs, rel=1e-5)
    assert found.attrs["epoch"] == "last"
    best = verify(result, epoch="best").sel(variant="baseline", seed=0)
    r2 = metrics.r2_score(y, p[0].astype(np.float32), sample_weight=weight)
    assert float(best["squared_error_skill_score"]) == pytest.approx(r2, rel=1e-5)


def test_the_result_is_a_dataset_that_can_be_averaged(binary):
    found = verify(binary[2])
    assert isinstance(found, xr.Dataset)
    mean = found["brier_score"].mean("seed").sel(variant="baseline")
    y, runs, _ = binary
    expected = np.mean([metrics.brier_score_loss(y, p) for p in runs["baseline"]])
    assert float(mean) == pytest.approx(expected, rel=1e-6)
