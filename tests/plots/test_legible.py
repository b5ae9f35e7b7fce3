"""Every Display, drawn on extremes: no text over another, none cut off, in PNG, SVG and PDF."""

import io
import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import gengap.plots as gp
import gengap.verification as gv
from gengap.analysis.curves import Curve
from gengap.analysis.diagnosis.data_value import PowerLaw
from gengap.analysis.tables import Column, IntervalEstimate, Table
from gengap.analysis.uncertainty.distribution import PredictiveDistribution
from gengap.plots.predictive_distribution import PredictiveDistributionDisplay
from gengap.plots.uncertainty_quality import EntropyErrorDisplay, RateChoiceDisplay

TWELVE = [f"spatial_dropout(0.{k})+dropout(0.5)+l2(0.00{k})+width(0.25)" for k in range(12)]


def forecasts(kind):
    """Outcomes, and forecasts by name."""
    rng = np.random.default_rng(0)
    n = {"many": 20_000, "two cases": 2}.get(kind, 60)
    p = rng.beta(1, 3, n)
    y = (rng.random(n) < p).astype(int)
    if kind == "two cases":
        y = np.array([0, 1])
    if kind == "one value":
        p = np.full(n, 0.3)
    if kind == "perfect":
        p = y.astype(float)
    if kind == "rare":
        y = np.zeros(n, dtype=int)
        y[:1] = 1
    if kind == "twelve long names":
        return y, {name: np.clip(p + rng.normal(0, 0.1, n), 0, 1) for name in TWELVE}
    return y, {"": p}


def ensembles(kind):
    """Observations and members."""
    rng = np.random.default_rng(1)
    n = {"two cases": 2, "many": 5000}.get(kind, 60)
    x = rng.normal(size=(n, 52 if kind == "many" else 6))
    if kind == "one value":
        x[:, 1:] = 1.0
    if kind == "perfect":
        x[:, 1:] = x[:, :1]
    if kind == "rare":
        x = x * 1e6 + 1e9
    return x[:, 0], x[:, 1:]


def curves(kind):
    """Training and held-out curves of variants."""
    rng = np.random.default_rng(2)
    names = TWELVE if kind == "twelve long names" else ["baseline", "l2(0.01)"]
    epochs = 1 if kind == "two cases" else 30
    seeds = rng.normal(0.5, 0.05, (3, epochs)) * (1e-7 if kind == "rare" else 1)
    return [
        Curve(variant, name, np.arange(1, epochs + 1), seeds, seeds.mean(0), seeds.min(0), seeds.max(0))
        for name in ("train_score", "val_score")
        for variant in names
    ]


def contrasts(kind):
    """Differences of variants from the baseline."""
    names = TWELVE if kind == "twelve long names" else ["l2(0.01)"]
    verdicts = itertools.cycle(["better", "worse", "equivalent", "cannot say"])
    return tuple(
        SimpleNamespace(
            variant=name, verdict=SimpleNamespace(kind=said), difference=k / 90, low=k / 90 - 0.1, high=k / 90 + 0.1
        )
        for k, (name, said) in enumerate(zip(names, verdicts, strict=False))
    )


def first(named):
    return next(iter(named.values()))


def distribution(kind):
    """Members of one case."""
    rng = np.random.default_rng(3)
    members = np.full((50, 1), 0.999) if kind in {"one value", "perfect"} else rng.beta(2, 5, (50, 1))
    dims = ("member", "sample")
    return PredictiveDistribution(
        xr.DataArray(members, dims=dims, coords={"seed": ("member", np.zeros(50))}),
        xr.DataArray(members[0], dims=("sample",)),
        "binary",
        {},
    )


def discards(kind):
    y, named = forecasts(kind)
    losses = {name: gv.case_brier_scores(y, p) for name, p in named.items()}
    return gp.DiscardDisplay.from_losses(losses, {name: 0.5 - np.abs(p - 0.5) for name, p in named.items()})


def ladder(kind):
    count = {"two cases": 1, "twelve long names": 12}.get(kind, 4)
    size = np.geomspace(17, 17_000_000, count)
    data = np.column_stack([size, 0.5 + 1 / np.log(size), np.full(count, np.nan if count == 1 else 0.02)])
    shapes = tuple(f"{2**k}-{2**k}-{2**k}" for k in range(count))
    return gp.CapacityDisplay(data, shapes, tuple(range(count)), count - 1, "log_loss")


def data_value(kind):
    cases = np.array([10, 20]) if kind == "two cases" else np.array([1_000_000, 2_000_000, 4_000_000, 8_000_000])
    scores = np.linspace(0.7, 0.5, len(cases))[:, None] + np.zeros((1, 3))
    law = PowerLaw(0.4, 0.1, 0.5)
    return gp.DataValueDisplay(scores, cases, law, IntervalEstimate(0.45, 0.4, 0.5), "cannot say", "log_loss")


def table(kind):
    names = TWELVE if kind == "twelve long names" else ["baseline"]
    columns = (Column("variant", "Variant"), Column("score", "Log loss at the best epoch", ".3f"))
    return gp.TableDisplay.from_table(Table("What it is", columns, tuple((n, 0.5) for n in names), ("A note.",)))


def strengths(kind):
    """Trials of a search: the strength, its mean score and the deviation over seeds; one of them off."""
    number = {"two cases": 2, "many": 60}.get(kind, 12)
    rng = np.random.default_rng(0)
    rows = np.column_stack([10 ** rng.uniform(-4, -1, number), rng.uniform(0.3, 0.5, number), np.full(number, 0.02)])
    rows[0, 0] = np.nan
    rows[:, 1] = 0.4 if kind == "one value" else rows[:, 1]
    best = int(rows[:, 1].argmin())
    return gp.StrengthsDisplay(rows, (0.45, 0.02), best, number - 1, "weight_decay", True, "log_loss", False)


def entropy(_):
    return pd.DataFrame({"entropy": [0.1, 0.6], "error_rate": [0.0, 0.5], "cases": [3, 3]})


DISPLAYS = {
    "roc": lambda k: gp.RocDisplay.from_predictions(*forecasts(k)).plot(),
    "performance": lambda k: gp.PerformanceDisplay.from_predictions(*forecasts(k)).plot(),
    "attributes": lambda k: gp.AttributesDisplay.from_predictions(*forecasts(k)).plot(),
    "reliability": lambda k: gp.ReliabilityDisplay.from_predictions(forecasts(k)[0], first(forecasts(k)[1])).plot(),
    "sharpness": lambda k: gp.SharpnessDisplay.from_predictions(forecasts(k)[0], first(forecasts(k)[1])).plot(),
    "discard": lambda k: discards(k).plot(),
    "rank histogram": lambda k: gp.RankHistogramDisplay.from_predictions(*ensembles(k)).plot(),
    "pit": lambda k: gp.PitDisplay.from_predictions(*ensembles(k)).plot(),
    "spread-skill": lambda k: gp.SpreadSkillDisplay.from_predictions(*ensembles(k)).plot(),
    "scatter": lambda k: gp.ScatterDisplay.from_predictions(ensembles(k)[0], ensembles(k)[1][:, 0]).plot(),
    "learning curves": lambda k: gp.LearningCurvesDisplay(tuple(curves(k)), "Log loss").figure(),
    "pairs": lambda k: gp.LearningCurvesDisplay(tuple(curves(k)), "Log loss").plot_pairs(),
    "comparison": lambda k: gp.ComparisonDisplay(contrasts(k), (), "baseline", "log_loss", False, 0.95).plot(),
    "distribution": lambda k: PredictiveDistributionDisplay.from_distribution(distribution(k)).plot(),
    "entropy": lambda k: EntropyErrorDisplay(entropy(k)).plot(),
    "rates": lambda _: RateChoiceDisplay(
        pd.DataFrame({"gain": [0.0], "low": [-1.0], "high": [1.0]}, index=[0.2]), "Dropout rate", "Gain"
    ).plot(),
    "capacity": lambda k: ladder(k).plot(),
    "strengths": lambda k: strengths(k).plot(),
    "data value": lambda k: data_value(k).plot(),
    "masks": lambda k: gp.DropoutMasksDisplay.from_rate(0.2, shape=(10, 10, 1 if k == "two cases" else 3)).plot(),
    "scaling": lambda _: gp.DropoutScalingDisplay.from_rates(num_masks=3).plot(),
    "table": lambda k: table(k).plot(),
}
KINDS = ["usual", "many", "two cases", "one value", "perfect", "rare", "twelve long names"]
ONLY = {
    "learning curves": ["usual", "two cases", "rare", "twelve long names"],
    "pairs": ["usual", "two cases", "rare", "twelve long names"],
    "comparison": ["usual", "twelve long names"],
    "distribution": ["usual", "one value"],
    "entropy": ["usual"],
    "rates": ["usual"],
    "capacity": ["usual", "two cases", "twelve long names"],
    "strengths": ["usual", "many", "two cases", "one value"],
    "data value": ["usual", "two cases"],
    "masks": ["usual", "two cases"],
    "scaling": ["usual"],
    "table": ["usual", "twelve long names"],
} | {
    name: ["usual", "many", "two cases", "one value", "perfect", "rare"]
    for name in ("reliability", "sharpness", "rank histogram", "pit", "spread-skill", "scatter")
}
LONG = {"learning curves", "comparison", "roc", "table"}
"""What is drawn with twelve long names in every suite; the others when there is time."""
IN_TURN = ["many", "one value", "rare"]
"""Of these every second display always, in turn."""


def waits(name, kind):
    if kind in IN_TURN:
        return (list(DISPLAYS).index(name) + IN_TURN.index(kind)) % 2
    return kind in {"twelve long names", "perfect"} and name not in LONG


CASES = [
    pytest.param(name, kind, marks=pytest.mark.slow if waits(name, kind) else ())
    for name in DISPLAYS
    for kind in ONLY.get(name, KINDS)
]


def draw(name, kind):
    made = DISPLAYS[name](kind)
    return made if hasattr(made, "savefig") else made.get_figure(root=True)


def written(figure):
    """Return every text that is drawn, with its box in pixels."""
    from matplotlib.text import Text

    drawn, draw_text = {}, Text.draw

    def noting(text, renderer, *args, **kwargs):
        if text.get_text().strip() and text.get_visible():
            drawn[text] = None
        return draw_text(text, renderer, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        figure.draw_without_rendering()  # lays out, as `savefig` does before it draws; measuring draws texts too
        patch.setattr(Text, "draw", noting)
        figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    return [(text, Text.get_window_extent(text, renderer)) for text in drawn]


def overlap(first, second):
    (text, one), (_, other) = first, second
    angle = text.get_rotation()
    if angle == second[0].get_rotation() and angle % 90:  # slanted side by side: how far apart are their lines?
        (x, y), (u, v) = one.p0, other.p0
        across = abs((u - x) * np.sin(np.radians(angle)) - (v - y) * np.cos(np.radians(angle)))
        return across < 0.9 * text.get_fontsize() * text.get_figure(root=True).dpi / 72
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > 1 and height > 2


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_no_text_lies_over_another_or_is_cut_off(name, kind):
    figure = draw(name, kind)
    texts = written(figure)
    assert texts
    pairs = itertools.combinations(texts, 2)
    over = [(one[0].get_text(), other[0].get_text()) for one, other in pairs if overlap(one, other)]
    assert over == []
    width, height = figure.canvas.get_width_height()
    cut = [
        text.get_text()
        for text, box in texts
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    assert cut == []


@pytest.mark.parametrize("name", list(DISPLAYS))
def test_svg_keeps_text_as_text(name):
    buffer = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("matplotlib").rcParams, "svg.fonttype", "none")
        draw(name, "usual").savefig(buffer, format="svg")
    assert b"<svg" in buffer.getvalue()
    assert b"<text" in buffer.getvalue()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if at % 2 else ()) for at, name in enumerate(DISPLAYS)]
)
def test_every_display_is_written_as_pdf(name):
    """Every second one always: what they draw is the same few things."""
    buffer = io.BytesIO()
    draw(name, "usual").savefig(buffer, format="pdf")
    assert b"%PDF" in buffer.getvalue()
