"""The task says what an axis is, never its length: as many cases as labels, or targets, is a result like any other."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from sklearn import metrics

from gengap.analysis.cases import case_scores, held_out
from gengap.analysis.comparison.comparison import compare
from gengap.analysis.diagnosis.diagnosis import diagnose
from gengap.analysis.diagnosis.stopping import early_stopping
from gengap.analysis.diagnosis.verify import verify
from gengap.analysis.summary import summarize
from gengap.errors import DataError
from gengap.reporting import render_report
from gengap.results import Result

VARIANTS, SEEDS, EPOCHS, LABELS = ("baseline", "wide"), 6, 5, 10


def forecasts(task, cases, rng):
    """Answers, and the forecasts of every variant, seed, epoch and case."""
    shape = (len(VARIANTS), SEEDS, EPOCHS, cases)
    if task == "multiclass":
        y = rng.permutation(np.arange(cases) % LABELS)
        logits = rng.normal(size=(*shape, LABELS)) + 2 * np.eye(LABELS)[y]
        p = np.exp(logits)
        return y, (p / p.sum(-1, keepdims=True)).astype(np.float32)
    if task == "several targets":
        y = rng.normal(size=(cases, LABELS)) + 3 * np.arange(LABELS)
        return y, (y + rng.normal(size=(*shape, LABELS))).astype(np.float32)
    y = rng.permutation(np.arange(cases) % 2)
    return y, (1 / (1 + np.exp(-rng.normal(size=shape) - y))).astype(np.float32)


def make(task, cases):
    """A result with predictions of every epoch on both splits and curves that are their scores."""
    rng = np.random.default_rng(cases)
    y, every = forecasts(task, cases, rng)
    name = "regression" if task == "several targets" else task
    score = "squared_error" if name == "regression" else "log_loss"
    curve = np.array([[[loss(y, one, name) for one in run] for run in runs] for runs in every])
    coords = {"variant": list(VARIANTS), "seed": np.arange(SEEDS), "epoch": np.arange(1, EPOCHS + 1)}
    dims = ("variant", "seed", "epoch")
    history = xr.Dataset({"val_score": (dims, curve), "train_score": (dims, curve / 2)}, coords=coords)
    best = curve.argmin(-1)
    at_best = np.stack([[every[v, s, best[v, s]] for s in range(SEEDS)] for v in range(len(VARIANTS))])
    case_dims = ("sample", "label")[: every.ndim - 3]
    held = xr.Dataset(
        {
            "y_true": (case_dims[: y.ndim], y),
            "prediction_last": ((*dims[:2], *case_dims), every[:, :, -1]),
            "prediction_best": ((*dims[:2], *case_dims), at_best),
            "prediction_epochs": ((*dims, *case_dims), every),
        },
        coords=coords,
    )
    runs = xr.Dataset(
        {"best_epoch": (dims[:2], best + 1), "epochs": (dims[:2], np.full(best.shape, EPOCHS))},
        coords={dim: coords[dim] for dim in dims[:2]},
    )
    shares = {"multiclass": [0.1] * LABELS, "binary": 0.5, "regression": (3.0 * np.arange(LABELS)).tolist()}[name]
    manifest = {
        "format": 1, "task": name, "score": score, "primary": {"score": score, "epoch": "best"},
        "seeds": list(range(SEEDS)), "looks": [], "variants": {one: {} for one in VARIANTS}, "settings": {},
        "data": {"training_climatology": shares, "training_variance": [1.0] * LABELS},
    }  # fmt: skip
    return Result(history, runs, held, held, manifest)


def loss(y, prediction, task):
    """The mean score, by scikit-learn."""
    if task == "regression":
        return metrics.mean_squared_error(y, prediction)
    p = prediction.astype(float)
    if task == "multiclass":
        return metrics.log_loss(y, p / p.sum(-1, keepdims=True), labels=np.arange(LABELS))
    return metrics.log_loss(y, p)


TASKS = pytest.mark.parametrize("task", ["multiclass", "several targets", "binary"])


@TASKS
@pytest.mark.parametrize("cases", [LABELS, 40])
def test_every_table_says_the_score_that_scikit_learn_says(task, cases):
    result = make(task, cases)
    held = held_out(result, "test")
    y = held.y_true
    expected = {
        (v, rule): [loss(y, one, held.task) for one in held.predictions(v, rule)]
        for v in VARIANTS for rule in ("best", "last")
    }  # fmt: skip
    table = summarize(result).to_dataframe()
    stopped = early_stopping(result, patience=EPOCHS).to_dataframe().set_index("variant")
    found = compare(result)
    for variant in VARIANTS:
        mean = np.mean(expected[variant, "last"])
        row = table[(table["variant"] == variant) & (table["rule"] == "last")].iloc[0]
        assert row["test_score"] == pytest.approx(mean, rel=1e-5)
        assert stopped.loc[variant, "score_last"] == pytest.approx(mean, rel=1e-5)
        assert stopped.loc[variant, "score"] == pytest.approx(np.mean(expected[variant, "best"]), rel=1e-5)
    difference = np.mean(expected["wide", "best"]) - np.mean(expected["baseline", "best"])
    assert found["wide"].difference == pytest.approx(difference, rel=1e-4)


@TASKS
def test_what_is_said_of_few_cases_is_what_is_said_of_the_same_cases_many_times(task):
    few = make(task, LABELS)
    times = np.repeat(np.arange(LABELS), 7)
    many = replace(few, validation=few.validation.isel(sample=times), test=few.test.isel(sample=times))
    one, other = diagnose(few), diagnose(many)
    for variant in VARIANTS:
        for measure in ("skill_best", "skill_last", "over_majority", "memorization"):
            here, there = getattr(one[variant], measure).value, getattr(other[variant], measure).value
            assert here == pytest.approx(there, nan_ok=True), measure
    here, there = summarize(few).to_dataframe(), summarize(many).to_dataframe()
    assert here["test_skill"].tolist() == pytest.approx(there["test_skill"].tolist())
    a, b = verify(few), verify(many)
    for score in a.data_vars:
        np.testing.assert_allclose(a[score], b[score], rtol=1e-12, err_msg=score)


@TASKS
@pytest.mark.filterwarnings("ignore::gengap.errors.GengapWarning")
def test_the_report_is_written(task):
    assert "</html>" in render_report(make(task, LABELS))


def test_predictions_that_do_not_fit_the_answers_are_refused_not_broadcast():
    y = np.arange(3)
    with pytest.raises(DataError, match=r"shape \(\.\.\., n, labels\) for answers of shape \(n,\); received \(3, 2\)"):
        case_scores(np.arange(4), np.full((3, 2), 0.5), score="log_loss", task="multiclass")
    with pytest.raises(DataError, match=r"must have shape \(\.\.\., 3\); received \(3, 4\)"):
        case_scores(y, np.zeros((3, 4)), score="squared_error", task="regression")


class TestFromPredictions:
    """One run, or several: the task says how many axes a run has."""

    def test_one_run_of_as_many_labels_as_cases(self):
        rng = np.random.default_rng(0)
        p = rng.dirichlet(np.ones(4), 4)
        y = np.array([0, 1, 2, 3])
        result = Result.from_predictions(y, {"a": p, "b": p[:, ::-1]}, task="multiclass", score="log_loss")
        assert dict(result.test.sizes) == {"variant": 2, "seed": 1, "sample": 4, "label": 4}
        found = verify(result)["log_loss"].sel(variant="a", seed=0)
        assert float(found) == pytest.approx(metrics.log_loss(y, p), rel=1e-5)

    def test_several_targets(self):
        rng = np.random.default_rng(0)
        y = rng.normal(size=(3, 3))
        p = rng.normal(size=(2, 3, 3))
        result = Result.from_predictions(y, {"a": p, "b": p + 1}, task="regression", score="squared_error")
        assert result.test["y_true"].dims == ("sample", "label")
        found = verify(result, climatology="evaluation")["squared_error"].sel(variant="a", seed=1)
        assert float(found) == pytest.approx(metrics.mean_squared_error(y, p[1]), rel=1e-5)

    def test_columns_as_keras_predicts_them(self):
        y = np.array([[0], [1], [1]])
        p = np.array([[0.2], [0.7], [0.6]])
        result = Result.from_predictions(y, {"a": p, "b": p[None]}, task="binary", score="log_loss")
        assert result.test["prediction_last"].dims == ("variant", "seed", "sample")
        assert result.test["y_true"].dims == ("sample",)

    @pytest.mark.parametrize(
        ("y", "p", "task", "sentence"),
        [
            ([0, 1], np.full((2, 2, 2), 0.5), "binary", r"received \(2, 2, 2\).*probability of label 1"),
            ([0, 1, 1], np.full((2, 2), 0.5), "multiclass", r"shape \(seeds, 3, labels\)"),
            (np.zeros((3, 2)), np.zeros((2, 3)), "regression", r"shape \(seeds, 3, 2\)"),
            (np.zeros((3, 2)), np.full((1, 3), 0.5), "binary", r"`y_true` must have shape \(n,\).*received \(3, 2\)"),
            ([0, 1], np.full((1, 2), 0.5), "classification", "`task` must be one of binary, multiclass, regression"),
        ],
    )
    def test_what_does_not_fit_the_task_is_refused(self, y, p, task, sentence):
        with pytest.raises((DataError, LookupError), match=sentence):
            Result.from_predictions(
                y, {"a": p, "b": p}, task=task, score="squared_error" if task == "regression" else "log_loss"
            )
