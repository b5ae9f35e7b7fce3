"""Every path to a score gives one value: the definition of `gengap.verification`, under one name.

The forecasts are such as separated the paths before: saturated and wrong ones (two clippings of the log loss), weights
(one AUC ignored them), ties, cases without an observation, several labels.
"""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from sklearn import metrics

from gengap import verification as gv
from gengap.analysis import compare, diagnose, early_stopping, summarize
from gengap.analysis.cases import held_out
from gengap.analysis.climatology import climatology_scores
from gengap.analysis.comparison.estimators import SCORES_OF, case_values
from gengap.analysis.diagnosis.verify import verify
from gengap.engine.scoring import mean_score
from gengap.errors import UnknownNameError
from gengap.reporting.languages import get_language
from gengap.reporting.material import Material
from gengap.reporting.sections.measures import _values
from gengap.results import Result

SAME = {"rel": 1e-12, "abs": 1e-12}
CLIMATOLOGY = {"binary": 0.2, "multiclass": [0.5, 0.3, 0.2], "regression": 0.3}


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def forecasts(task, dtype, seed=0, n=100):
    """Answers, and predictions of two variants with three runs each."""
    rng = np.random.default_rng(seed)
    if task == "regression":
        y = rng.normal(size=n)
        return y, {name: (y + rng.normal(size=(3, n))).astype(dtype) for name in ("baseline", "other")}
    if task == "binary":
        y = (rng.random(n) < 0.3).astype(int)
        p = {name: np.round(rng.beta(2, 4, (3, n)) * 0.8 + 0.1 * y, 2) for name in ("baseline", "other")}
        p["baseline"][1, :4] = 1 - y[:4]  # certain, and wrong
        p["other"][0, 4:6] = 1 - y[4:6]
    else:
        y = rng.integers(0, 3, n)
        p = {name: softmax(2 * rng.normal(size=(3, n, 3)) + np.eye(3)[y]) for name in ("baseline", "other")}
        p["baseline"][1, 0] = np.eye(3)[(y[0] + 1) % 3]
    return y, {name: one.astype(dtype) for name, one in p.items()}


def result_of(task, dtype=np.float32, *, weighted=False, score=None, seed=0):
    y, p = forecasts(task, dtype, seed)
    score = score or SCORES_OF[task][0]
    result = Result.from_predictions(y, p, task=task, score=score)
    test = result.test
    if weighted:
        weight = np.random.default_rng(9).choice([0.0, 0.3, 1.0, 4.0], len(y))
        test = test.assign_coords(sample_weight=("sample", weight))
    # the same predictions after each of two epochs, as a study stores them
    every = xr.concat([test["prediction_last"]] * 2, dim="epoch").assign_coords(epoch=[1, 2])
    test = test.assign(prediction_epochs=every)
    curve = xr.DataArray(
        np.tile([2.0, 1.0], (2, 3, 1)), dims=("variant", "seed", "epoch"), coords={"variant": list(p), "epoch": [1, 2]}
    )
    history = xr.Dataset({"val_score": curve, "train_score": curve}).assign_coords(seed=np.arange(3))
    ones = xr.full_like(result.runs["epochs"], 1)
    runs = result.runs.assign(best_epoch=2 * ones, epochs=2 * ones)
    manifest = {**result.manifest, "data": {"training_climatology": CLIMATOLOGY[task]}}
    return dataclasses.replace(result, test=test, history=history, runs=runs, manifest=manifest)


def direct(result, score):
    """The score of every run by the plain function of `gengap.verification`, shape `(variants, seeds)`."""
    test = result.test
    weight = test["sample_weight"].to_numpy() if "sample_weight" in test.coords else None
    options = {"climatology": result.manifest["data"]["training_climatology"]} if "skill" in score else {}
    function = getattr(gv, score)
    return np.array([
        [function(test["y_true"].values, one, sample_weight=weight, **options) for one in runs]
        for runs in test["prediction_last"].transpose("variant", "seed", ...).values
    ])  # fmt: skip


PATHS = [
    (task, score, dtype, weighted)
    for task, scores in SCORES_OF.items()
    for score in scores
    for dtype in (np.float32, np.float64)
    for weighted in (False, True)
]


@pytest.mark.parametrize(("task", "score", "dtype", "weighted"), PATHS)
def test_every_path_to_a_score_agrees(task, score, dtype, weighted):
    result = result_of(task, dtype, weighted=weighted)
    truth = direct(result, score)
    # verify
    assert verify(result)[score].transpose("variant", "seed").values == pytest.approx(truth, **SAME)
    # compare, and the case values under it
    found = compare(result, score=score)
    assert found["other"].difference == pytest.approx(float((truth[1] - truth[0]).mean()), **SAME)
    held = held_out(result, "test")
    values = [case_values(result, held, name, rule="last", score=score).mean(-1) for name in result.variants]
    assert np.array(values) == pytest.approx(truth, **SAME)
    # the report's table of measures
    material = Material(result, get_language("en"))
    shown = [_values(material, held, name, score).mean(-1) for name in result.variants]
    assert np.array(shown) == pytest.approx(truth, **SAME)
    # the score of a study, as it goes into curves and tables
    if "skill" in score:
        assert [cell.mean for cell in summarize(result).column("test_skill")[::2]] == pytest.approx(
            truth.mean(1), **SAME
        )
    elif score != "roc_auc":
        study = result_of(task, dtype, weighted=weighted, score=score)
        assert [cell.mean for cell in summarize(study).column("test_score")[::2]] == pytest.approx(
            truth.mean(1), **SAME
        )
        stopped = early_stopping(study, patience=1)
        assert [cell.mean for cell in stopped.column("score_last")] == pytest.approx(truth.mean(1), **SAME)
        weight = None if held.weight is None else result.test["sample_weight"].values
        own = [
            [mean_score(score, result.test["y_true"].values, one, weight) for one in runs]
            for runs in result.test["prediction_last"].values
        ]
        assert np.array(own) == pytest.approx(truth, **SAME)
        reference = np.average(climatology_scores(study, held, score=score), weights=held.weight)
        skill = [one.skill_last.value for one in diagnose(study).variants]
        assert np.array(skill) == pytest.approx(reference - truth.mean(1), **SAME)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_log_loss_is_scikit_learns_also_where_forecasts_are_certain_and_wrong(task, dtype):
    y, p = forecasts(task, dtype)
    for one in p["baseline"]:
        assert gv.log_loss(y, one) == pytest.approx(metrics.log_loss(y, one), rel=5e-3 if dtype is np.float16 else 1e-5)
        if task == "binary":
            assert gv.verify_binary(y, one).log_loss == pytest.approx(gv.log_loss(y, one), **SAME)


def test_one_saturated_wrong_forecast_in_a_hundred_has_one_sign():
    """Compared, it was worse by .000881; verified, better by .000876."""
    y = np.zeros(100, dtype=int)
    y[:50] = 1
    p = np.where(y == 1, 0.9, 0.1).astype(np.float32)
    saturated, other = p.copy(), p.copy()
    saturated[0] = 0.0
    other[0] = np.float32(1.1e-7)
    result = Result.from_predictions(
        y, {"baseline": np.stack([saturated] * 2), "other": np.stack([other] * 2)}, task="binary", score="log_loss"
    )
    scores = verify(result)["log_loss"]
    verified = float((scores.sel(variant="other") - scores.sel(variant="baseline")).mean())
    assert compare(result)["other"].difference == pytest.approx(verified, **SAME)
    assert verified == 0.0  # both below single precision's epsilon: both cost the same


def test_double_precision_is_kept():
    """A score must not depend on whether it is computed from the arrays or from a result made of them."""
    rng = np.random.default_rng(4)
    y = 101_325 + 80 * rng.normal(size=50)
    p = {name: y + rng.normal(size=(2, 50)) for name in ("baseline", "other")}
    result = Result.from_predictions(y, p, task="regression", score="squared_error")
    for name, runs in p.items():
        direct_scores = [gv.squared_error(y, one) for one in runs]
        assert verify(result)["squared_error"].sel(variant=name).values == pytest.approx(direct_scores, rel=1e-12)
    answers, chances = forecasts("binary", np.float64)
    mixed = Result.from_predictions(
        answers, chances | {"other": chances["other"].astype(np.float32)}, task="binary", score="log_loss"
    )
    assert mixed.test["prediction_last"].dtype == np.float32  # one precision, so one clipping, for all variants


def test_cases_without_an_observation_are_left_out_everywhere():
    y, p = forecasts("binary", np.float64)
    gappy = y.astype(float)
    gappy[:7] = np.nan
    full = Result.from_predictions(y, p, task="binary", score="log_loss")  # which refuses gaps at the door
    result = replace(full, test=full.test.assign(y_true=("sample", gappy)))
    whole = Result.from_predictions(y[7:], {k: v[:, 7:] for k, v in p.items()}, task="binary", score="log_loss")
    for score in SCORES_OF["binary"]:
        one, other = (compare(r, score=score)["other"] for r in (result, whole))
        assert (one.difference, one.low, one.high) == pytest.approx((other.difference, other.low, other.high))
        assert verify(result)[score].values == pytest.approx(verify(whole)[score].values)


def test_an_event_that_training_never_saw_costs_climatology_what_it_costs_a_forecast():
    y = np.array([0] * 30 + [1] * 10)
    never = np.zeros((2, 40), dtype=np.float32)
    result = Result.from_predictions(y, {"baseline": never}, task="binary", score="log_loss")
    result.manifest["data"]["training_climatology"] = 0.0
    assert diagnose(result)["baseline"].skill_last.value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("task", "asked", "called"),
    [
        ("binary", "auc", "roc_auc"),
        ("binary", "bss", "brier_skill_score"),
        ("binary", "brier_score_loss", "brier_score"),
        ("multiclass", "neg_log_loss", "log_loss"),
        ("regression", "mse", "squared_error"),
    ],
)
def test_old_and_foreign_names_are_told_the_name(task, asked, called):
    with pytest.raises(UnknownNameError, match=f"`score` of a {task} task must be one of .*it is called '{called}'"):
        compare(result_of(task), score=asked)
    with pytest.raises(UnknownNameError, match=f"it is called '{called}'"):
        gv.score_interval([0, 1], [0.2, 0.9], score=asked)


def test_a_score_of_another_task_is_refused():
    with pytest.raises(UnknownNameError, match="`score` of a regression task must be one of squared_error"):
        compare(result_of("regression"), score="roc_auc")
    with pytest.raises(UnknownNameError, match="`score` of a multiclass task"):
        compare(result_of("multiclass"), score="squared_error")
