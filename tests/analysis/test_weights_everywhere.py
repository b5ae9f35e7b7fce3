"""Where cases have weights, what a forecast without skill would say is weighted as the scores are."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from gengap.analysis.diagnosis.auditing import audit
from gengap.analysis.diagnosis.diagnosis import diagnose
from gengap.analysis.diagnosis.verify import verify
from gengap.analysis.summary import summarize
from gengap.datasets.account import describe_data
from gengap.datasets.data_audit import audit_data
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.results import Result

RNG = np.random.default_rng(0)


def kind(task, width):
    return OutputKind(task, from_logits=False, one_hot=False, width=width)


def split(y, weight=None, **more):
    return Split(RNG.normal(size=(len(y), 4)), y, weight, **more)


def described(y, weight, task, width=1):
    return describe_data(TrainingData(split(y, weight), split(y)), kind(task, width))


@pytest.mark.parametrize(("task", "width"), [("binary", 1), ("multiclass", 4), ("regression", 1), ("regression", 3)])
def test_a_weight_of_k_is_k_training_cases(task, width):
    y = RNG.integers(0, 2 if width == 1 else width, 60)
    if task == "regression":
        y = RNG.normal(size=(60, width) if width > 1 else 60)
    times = RNG.integers(0, 4, 60)
    weighted = described(y, 0.5 * times, task, width)
    repeated = described(np.repeat(y, times, axis=0), None, task, width)
    for name in {"training_climatology", "training_variance"} & set(repeated):
        assert weighted[name] == pytest.approx(repeated[name]), name
    assert ("training_variance" in weighted) == (task == "regression")


def noise(task, n=4000):
    """Answers that nothing predicts, and a forecast that knows no more than the weighted climatology."""
    if task == "regression":
        y = RNG.normal(size=n) + (np.arange(n) % 2)
        weight = np.where(np.arange(n) % 2, 1.9, 0.1)
        return y, weight, np.full(n, np.average(y, weights=weight))
    y = RNG.integers(0, 2, n)
    weight = np.where(y == 1, 1.9, 0.1)
    return y, weight, np.full(n, np.average(y, weights=weight))


def with_noise(task):
    """A result of a model that learned the weighted base rate (or mean) and nothing else."""
    y, weight, forecast = noise(task)
    runs = {name: np.clip(forecast + RNG.normal(scale=0.004, size=(6, len(y))), 0, None) for name in ("a", "b")}
    score = "squared_error" if task == "regression" else "brier_score"
    made = Result.from_predictions(y, runs, task=task, score=score)
    data = describe_data(TrainingData(split(y, weight), None, split(y, weight)), kind(task, 1))
    held = made.test.assign_coords(sample_weight=("sample", weight))
    variance = np.average((y - np.average(y, weights=weight)) ** 2, weights=weight)
    history = made.history.isel(epoch=[]).drop_vars("epoch")
    history = history.assign_coords(epoch=[]).reindex(epoch=[1])
    history = history.assign(train_score=history["train_score"] * 0 + variance).fillna(variance)
    facts = made.runs.assign(epochs=made.runs["epochs"] * 0 + 1, best_epoch=made.runs["epochs"] * 0 + 1)
    manifest = {**made.manifest, "data": data}
    return replace(made, test=held, history=history, runs=facts, manifest=manifest), forecast


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_noise_with_weights_has_no_skill(task):
    result, forecast = with_noise(task)
    name = "squared_error_skill_score" if task == "regression" else "brier_skill_score"
    found = verify(result)[name]
    assert np.abs(found).max() < 0.01
    assert result.manifest["data"]["training_climatology"] == pytest.approx(forecast[0])
    table = summarize(result).to_dataframe()
    assert table["test_skill"].abs().max() < 0.01
    codes = {(one.code, one.subject) for one in diagnose(result).findings}
    assert ("GG104", "a") not in codes
    assert {code for code, _ in codes} & {"GG110", "GG111"}
    assert diagnose(result)["a"].memorization.value == pytest.approx(1, rel=0.01)


def test_several_targets_are_verified_each_against_its_own_climatology():
    y = RNG.normal(size=(80, 2)) * [1.0, 4.0] + [0.0, 50.0]
    p = y + RNG.normal(size=(2, 3, 80, 2)) * 3
    weight = RNG.uniform(0.1, 2, 80)
    result = Result.from_predictions(y, dict(zip("ab", p, strict=True)), task="regression", score="squared_error")
    weighted = replace(result, test=result.test.assign_coords(sample_weight=("sample", weight)))
    for one, w in ((result, None), (weighted, weight)):
        found = verify(one, climatology="evaluation").sel(variant="b", seed=2)
        single = p[1, 2].astype(np.float32)
        options = {"sample_weight": w}
        assert float(found["squared_error"]) == pytest.approx(
            metrics.mean_squared_error(y, single, **options), rel=1e-5
        )
        assert float(found["absolute_error"]) == pytest.approx(
            metrics.mean_absolute_error(y, single, **options), rel=1e-5
        )
        expected = metrics.r2_score(y, single, multioutput="variance_weighted", **options)
        assert float(found["squared_error_skill_score"]) == pytest.approx(expected, rel=1e-4)


class TestShiftedLabels:
    """GG324 compares shares of labels as the scores weigh them."""

    def shares(self, weight):
        y = np.repeat([0, 1], 500)
        seen = audit_data(split(y, weight), split(y), None)
        result = Result.from_predictions([0, 1], {"a": [0.1, 0.9]}, task="binary", score="log_loss")
        result = replace(result, manifest={**result.manifest, "data": {"audit": seen}})
        return [one for one in audit(result).findings if one.code == "GG324"]

    def test_weights_shift_shares(self):
        assert not self.shares(None)
        assert not self.shares(np.full(1000, 0.3))
        (found,) = self.shares(np.repeat([0.1, 1.9], 500))
        assert found.values["before"] in (pytest.approx(0.05), pytest.approx(0.95))
        assert found.values["share"] == pytest.approx(0.5)

    def test_a_few_heavy_cases_are_few_cases(self):
        """A thousand cases of which four carry the weight are no evidence of a shift."""
        weight = np.full(1000, 1e-6)
        weight[[0, 1, 2, 500]] = 1.0
        assert not self.shares(weight)


@pytest.mark.usefixtures("undrawn")
def test_diagrams_of_the_report_that_count_cases_once_say_so():
    from gengap.reporting import render_report

    result, _ = with_noise("binary")
    said = "Every case counts once here; the scores of this page are weighted"
    assert said in render_report(result)
    alone = replace(result, test=result.test.drop_vars("sample_weight"))
    assert said not in render_report(alone)
