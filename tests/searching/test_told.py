"""What a search says afterwards: the section of the report in both languages, and the figure."""

import numpy as np
import pytest
from scipy import stats

import gengap as gg
from gengap.errors import DataError, UnknownNameError
from gengap.plots import StrengthsDisplay
from gengap.reporting.writing import render_report

HALVES = {"epochs": 2, "seeds": 2, "judge_seeds": 2, "n_trials": 6, "progress": False}


@pytest.fixture(scope="module")
def found(make_net, parts):
    train, validation, test = parts
    space = {gg.L2: [None, stats.loguniform(1e-4, 1e-1)], "learning_rate": (0.1, 10)}
    return gg.search(make_net(), space, train, validation_data=validation, test_data=test, **HALVES)


def test_the_report_tells_of_the_search(found, draw_only):
    draw_only("strengths")
    page = render_report(found.result)
    assert "How the strength was found" in page
    assert "6 trials, with 2 seeds each" in page
    assert f"Best: {found.best.remedy} ({found.best.score:.4f})".replace("+", "+<wbr>") in page.replace("−", "-")
    assert 'id="strengths' in page or "strengths" in page
    assert "强度是怎样找到的" in render_report(found.result, lang="zh")


@pytest.mark.usefixtures("undrawn")
def test_a_study_has_no_such_section(found):
    bare = gg.Result(
        found.result.history, found.result.runs, found.result.validation, found.result.test,
        {name: value for name, value in found.result.manifest.items() if name != "search"},
    )  # fmt: skip
    assert "How the strength was found" not in render_report(bare)
    with pytest.raises(DataError, match="of no search"):
        StrengthsDisplay.from_result(bare)


def test_the_figure_shows_every_finished_trial(found):
    display = StrengthsDisplay.from_result(found.result, "l2")
    off = [one.strengths["l2"] is None for one in found.trials]
    np.testing.assert_array_equal(np.isnan(display.data[:, 0]), off)
    np.testing.assert_allclose(display.data[:, 1], [one.score for one in found.trials])
    np.testing.assert_allclose(display.data[:, 2], [one.deviation for one in found.trials])
    assert found.trials[display.best] is found.best
    ax = display.plot()
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "Strength of l2"
    with pytest.raises(UnknownNameError, match="no dimension 'dropout'"):
        StrengthsDisplay.from_result(found.result, "dropout")


@pytest.mark.parametrize(
    "strengths", [[0.17, 0.5, 2.0, 7.0], [0.1, 0.15, 0.16, 0.11], [0.1, 0.2, 0.9, 0.5], [1e-5, 1e-3, 0.1, np.nan]]
)
def test_strengths_on_a_logarithmic_axis_can_be_read_however_narrow_the_range(strengths):
    data = np.column_stack([strengths, [1.0, 0.9, 0.8, 0.9], [0.1] * 4])
    display = StrengthsDisplay(data, (1.0, 0.1), 2, 2, "learning_rate", log=True, score="log_loss", alone=False)
    ax = display.plot()
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    assert sum(low <= one <= high for one in ax.get_xticks()) >= 2
