"""What the learning curves draw, as data: the mean, its band, every seed."""

import numpy as np
import pytest
from scipy import stats

from gengap.analysis.curves import learning_curve
from gengap.errors import UnknownNameError
from gengap.plots.learning_curves import LearningCurvesDisplay
from gengap.results import Result

RNG = np.random.default_rng(0)
CURVES = {name: [{"loss": RNG.uniform(size=5), "val_loss": RNG.uniform(size=5)} for _ in range(4)] for name in "abc"}
RESULT = Result.from_histories(CURVES, task="regression")


def test_the_band_is_students_interval_of_the_mean():
    curve = learning_curve(RESULT, "b", "val_score")
    values = np.array([run["val_loss"] for run in CURVES["b"]])
    low, high = stats.t.interval(0.95, 3, values.mean(axis=0), stats.sem(values, axis=0))
    np.testing.assert_allclose(curve.mean, values.mean(axis=0))
    np.testing.assert_allclose([curve.low, curve.high], [low, high])


def test_runs_that_ended_early_count_only_where_they_were():
    short = {"a": [{"loss": [1.0, 2.0]}, {"loss": [3.0]}]}
    curve = learning_curve(Result.from_histories(short, task="regression"), "a", "train_score")
    assert curve.mean.tolist() == [2.0, 2.0]
    assert np.isfinite(curve.low[0])
    assert np.isnan(curve.low[1])


def test_every_seed_is_drawn_and_the_mean_named_once():
    ax = LearningCurvesDisplay.from_result(RESULT, variants=["a", "b"]).plot()
    assert len(ax.lines) == 2 * 2 * (4 + 1)
    assert ax.get_legend_handles_labels()[1] == ["a", "b"]
    means = [line for line in ax.lines if line.get_label() == "b"]
    np.testing.assert_allclose(means[0].get_ydata(), np.mean([run["val_loss"] for run in CURVES["b"]], axis=0))


def test_pairs_stand_on_equal_axes():
    figure = LearningCurvesDisplay.from_result(RESULT).plot_pairs()
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in panels] == ["b", "c"]
    assert panels[0].get_ylim() == panels[1].get_ylim()


def test_validation_alone_is_not_dotted():
    ax = LearningCurvesDisplay.from_result(RESULT, which="validation", variants=["a"]).plot()
    assert {line.get_linestyle() for line in ax.lines} == {"-"}


def test_unknown_names_are_said():
    with pytest.raises(UnknownNameError, match="no curve 'val_auc'"):
        LearningCurvesDisplay.from_result(RESULT, curve="auc", which="validation")
    with pytest.raises(UnknownNameError, match="no variant 'z'; variants are a, b, c"):
        LearningCurvesDisplay.from_result(RESULT, variants=["z"])
