"""One case, no events, thirty variants, names of every kind: each figure is drawn, or a sentence says why it is not."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import gengap.plots as gp
import gengap.verification as gv
from gengap.analysis.curves import Curve
from gengap.errors import GengapError, StatisticsWarning

NAMES = ["baseline", "$x^{$", "dropout_0.5_", "训练", "<b>&"]
THIRTY = ["baseline", *(f"spatial_dropout(0.{k})+dropout(0.5)+l2(0.0{k})" for k in range(29))]

y, p = np.random.default_rng(0).integers(0, 2, 40), np.random.default_rng(1).random(40)
DATA = {
    "one case": (y[:1], p[:1]),
    "no events": (np.zeros(40, int), p),
    "events only": (np.ones(40, int), p),
    "all equal": (y, np.full(40, 0.4)),
}
DRAW = {
    "roc": lambda y, p, ax: gp.RocDisplay.from_predictions(y, p, ax=ax),
    "performance": lambda y, p, ax: gp.PerformanceDisplay.from_predictions(y, p, ax=ax),
    "attributes": lambda y, p, ax: gp.AttributesDisplay.from_predictions(y, p, ax=ax),
    "reliability": lambda y, p, ax: gp.ReliabilityDisplay.from_predictions(y, p, ax=ax),
    "sharpness": lambda y, p, ax: gp.SharpnessDisplay.from_predictions(y, p, ax=ax),
    "discard": lambda y, p, ax: gp.DiscardDisplay.from_losses(gv.case_brier_scores(y, p), 0.5 - np.abs(p - 0.5), ax=ax),
    "rank histogram": lambda y, p, ax: gp.RankHistogramDisplay.from_predictions(y, np.c_[p, p, p / 2], ax=ax),
    "pit": lambda y, p, ax: gp.PitDisplay.from_predictions(y, np.c_[p, p, p / 2], ax=ax),
    "spread-skill": lambda y, p, ax: gp.SpreadSkillDisplay.from_predictions(y, np.c_[p, p, p / 2], ax=ax),
    "scatter": lambda y, p, ax: gp.ScatterDisplay.from_predictions(y, p, ax=ax),
}


def texts(figure):
    return [one.get_text() for one in figure.findobj(Text) if one.get_text().strip()]


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("name", DRAW)
def test_drawn_or_said(name, kind):
    figure = Figure()
    axes = figure.subplots()
    try:
        DRAW[name](*DATA[kind], axes)
    except (GengapError, StatisticsWarning) as error:
        assert len(str(error)) > 20  # noqa: PT017  either of two is right, and both are looked at
        return
    figure.canvas.draw()
    assert axes.has_data()
    assert any(one.get_xlabel() for one in (axes, *axes.child_axes))  # one may have it below its histogram
    assert axes.get_ylabel()


def curves(names, *, seeds, epochs):
    for name in ("train_score", "val_score"):
        for at, variant in enumerate(names):
            rows = np.full((seeds, epochs), 0.5 + at / 100)
            yield Curve(variant, name, np.arange(1, epochs + 1), rows, rows.mean(0), rows.min(0), rows.max(0))


@pytest.mark.parametrize(("seeds", "epochs"), [(1, 1), (2, 1), (2, 5)])
def test_curves_of_few_seeds_and_epochs_with_names_of_every_kind(seeds, epochs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this machine may have no Chinese letters, which is said once
        figure = gp.LearningCurvesDisplay(tuple(curves(NAMES, seeds=seeds, epochs=epochs)), "Log loss").figure()
        figure.canvas.draw()
    drawn = [one.replace(r"\$", "$").strip() for one in texts(figure)]
    assert all(name in drawn for name in NAMES)
    ticks = [int(one.get_text()) for one in figure.axes[0].get_xticklabels()]
    assert ticks[0] == 1
    assert ticks[-1] == epochs


@pytest.mark.slow
def test_thirty_variants_have_a_panel_each_and_names_that_differ():
    figure = gp.LearningCurvesDisplay(tuple(curves(THIRTY, seeds=2, epochs=3)), "Log loss").figure()
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_visible()]
    assert len(set(titles)) == len(titles) == 29


@pytest.mark.parametrize("width", [0.0, np.nan])
def test_thirty_equal_contrasts_stand_at_zero(width):
    said = SimpleNamespace(kind="cannot say")
    rows = tuple(
        SimpleNamespace(variant=name, verdict=said, difference=0.0, low=-width, high=width) for name in THIRTY[1:]
    )
    axes = gp.ComparisonDisplay(rows, (), "baseline", "log_loss", False, 0.95).plot()
    marks = [line for line in axes.lines if line.get_marker() == "D"]
    assert len(marks) == 29
    assert all(line.get_xdata()[0] == 0 for line in marks)
    assert len({label.get_text() for label in axes.get_yticklabels()}) == 29
    assert "← better · worse →" in axes.get_xlabel()
