"""Displays of verification, tested as data: what was drawn is what was computed."""

import numpy as np
import pytest

import gengap.plots as gp
import gengap.verification as gv
from gengap.errors import DataError


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 3, 400)
    return (rng.random(400) < p).astype(int), {"baseline": p, "wider": np.clip(p * 1.5, 0, 1)}


@pytest.fixture(scope="module")
def ensemble():
    x = np.random.default_rng(1).normal(size=(300, 9))
    return x[:, 0], x[:, 1:]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def drawn(ax, label):
    return next(line for line in ax.lines if line.get_label().startswith(label)).get_xydata()


def is_unit_square(ax):
    return ax.get_xlim() == ax.get_ylim() == (0, 1) and ax.get_aspect() == 1


def test_roc(binary):
    y, forecasts = binary
    display = gp.RocDisplay.from_predictions(y, forecasts)
    ax = display.plot()
    curve = gv.roc_curve(y, forecasts["wider"])
    assert drawn(ax, "wider")[:, 0] == pytest.approx(curve.probability_of_false_detection)
    assert drawn(ax, "wider")[:, 1] == pytest.approx(curve.probability_of_detection)
    assert f"AUC {gv.roc_auc(y, forecasts['baseline']):.3f}" in legend(ax)[0]
    assert is_unit_square(ax)
    band = display.bands["baseline"]
    inside = np.interp(band.probability_of_false_detection, curve.probability_of_false_detection[:-1],
                       curve.probability_of_detection[:-1])  # fmt: skip
    assert np.mean((band.low <= inside + 1e-9) & (inside <= band.high + 1e-9)) > 0.9


def test_performance(binary):
    y, forecasts = binary
    display = gp.PerformanceDisplay.from_predictions(y, forecasts["baseline"])
    ax = display.plot()
    curve = gv.performance_curve(y, forecasts["baseline"])
    whole = np.column_stack([curve.success_ratio, curve.probability_of_detection])
    many = np.array([(forecasts["baseline"] >= threshold).sum() >= 10 for threshold in curve.threshold])
    assert drawn(ax, "Largest CSI") == pytest.approx(whole[many])
    [faint] = [line for line in ax.lines if line.get_alpha() == 0.3]  # one case more would move it far
    assert faint.get_xydata() == pytest.approx(whole[: (~many).sum() + 1])
    assert is_unit_square(ax)
    for bias in ("0.25", "0.5", "1", "2", "4", "Bias"):
        assert bias in texts(ax)
    assert {"0.1", "0.6", "CSI 0.7"} <= set(texts(ax))
    assert display.best[""].value == pytest.approx(np.nanmax(curve.critical_success_index))
    ratio, _ = display.crosses[""][0.3]
    assert ratio.value == pytest.approx(gv.contingency(y, forecasts["baseline"], threshold=0.3).success_ratio)


def test_contours_are_the_critical_success_index_and_labels_lie_on_them(binary):
    y, forecasts = binary
    ax = gp.PerformanceDisplay.from_predictions(y, forecasts["baseline"]).plot()
    labels = {t.get_text().removeprefix("CSI "): t.get_position() for t in ax.texts if t.get_text() in {"0.2", "0.4"}}
    for text, (x, z) in labels.items():
        assert 1 / (1 / x + 1 / z - 1) == pytest.approx(float(text), abs=0.02)


def test_attributes(binary):
    y, forecasts = binary
    ax = gp.AttributesDisplay.from_predictions(y, forecasts, bins=5).plot()
    table = gv.reliability_bins(y, forecasts["baseline"], bins=5)
    filled = table.weight > 0
    assert drawn(ax, "baseline") == pytest.approx(np.column_stack([table.forecast, table.frequency])[filled])
    rare = gp.AttributesDisplay.from_predictions(np.r_[y, 1], np.r_[forecasts["baseline"].clip(0, 0.79), 0.95], bins=5)
    [pale] = [line for line in rare.plot().lines if line.get_alpha() == 0.65]
    assert pale.get_xydata() == pytest.approx(np.array([[0.95, 1.0]])), "a bin of one case"
    base = y.mean()
    no_skill = next(line for line in ax.lines if len(line.get_xdata()) == 3 and line.get_linestyle() == "--")
    assert no_skill.get_ydata() == pytest.approx([base / 2, base, (1 + base) / 2])
    assert {"No skill", "Climatology", "Perfect"} <= set(texts(ax))
    assert is_unit_square(ax)
    (below,) = ax.child_axes
    assert below.patches[0].get_data().values == pytest.approx(table.weight / 400)


def test_reliability(binary):
    y, forecasts = binary
    display = gp.ReliabilityDisplay.from_predictions(y, forecasts["baseline"], coverage="simultaneous")
    ax = display.plot()
    assert drawn(ax, "Recalibrated")[:, 1] == pytest.approx(display.data.frequency)
    assert f"{display.parts.miscalibration:.4f}" in texts(ax)[0]
    assert "simultaneous" in legend(ax)[0]
    assert is_unit_square(ax)


def test_sharpness(binary):
    y, forecasts = binary
    ax = gp.SharpnessDisplay.from_predictions(y, forecasts["baseline"], bins=4).plot()
    values = [patch.get_data().values for patch in ax.patches]
    assert [v.sum() for v in values] == [(y == 0).sum(), (y == 1).sum()]


def test_ranks_and_pit(ensemble):
    y, members = ensemble
    ax = gp.RankHistogramDisplay.from_predictions(y, members).plot()
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(gv.rank_histogram(y, members).counts)
    display = gp.PitDisplay.from_predictions(y, members, bins=6)
    ax = display.plot()
    assert ax.patches[0].get_data().values == pytest.approx(display.data.frequency)
    assert f"{display.data.deviation:.4f}" in ax.get_title(loc="left")


def test_spread_skill(ensemble):
    y, members = ensemble
    ax = gp.SpreadSkillDisplay.from_predictions(y, {"narrow": members / 2, "right": members}, units="K").plot()
    curve = gv.spread_skill_curve(y, members)
    assert drawn(ax, "right") == pytest.approx(np.column_stack([curve.spread, curve.error]))
    assert ax.get_xlabel() == "Mean spread (K)"
    assert ax.get_xlim() == ax.get_ylim()


def test_discard(binary):
    y, forecasts = binary
    losses, p = gv.case_brier_scores(y, forecasts["baseline"]), forecasts["baseline"]
    ax = gp.DiscardDisplay.from_losses(losses, {"variance": p * (1 - p), "none": np.ones(400)}).plot()
    assert drawn(ax, "variance")[:, 1] == pytest.approx(gv.discard_curve(losses, p * (1 - p)).loss)
    assert drawn(ax, "none")[:, 1] == pytest.approx(np.full(10, losses.mean()))


def test_one_label_against_the_rest():
    rng = np.random.default_rng(5)
    codes, p = rng.integers(0, 3, 200), rng.dirichlet(np.ones(3), 200)
    truth = dict(zip("abc", gv.one_vs_rest(codes, labels=3).T, strict=True))
    forecasts = dict(zip("abc", p.T, strict=True))
    display = gp.RocDisplay.from_predictions(truth, forecasts)
    assert display.areas["b"].value == pytest.approx(gv.roc_auc(codes == 1, p[:, 1]))
    performance = gp.PerformanceDisplay.from_predictions(truth, forecasts)
    assert performance.data["c"].base_rate == pytest.approx(np.mean(codes == 2))
    with pytest.raises(DataError, match="need the same names"):
        gp.RocDisplay.from_predictions(truth, {"a": p[:, 0]})


def test_a_display_draws_on_the_axes_it_is_given(binary):
    import matplotlib.pyplot as plt

    y, forecasts = binary
    ax = plt.subplots()[1]
    gp.SharpnessDisplay.from_predictions(y, forecasts["baseline"], ax=ax)
    assert ax.get_ylabel() == "Cases"
    other = plt.subplots()[1]
    assert gp.RocDisplay.from_predictions(y, forecasts).plot(other) is other


def test_no_labels_overlap(binary):
    """Texts that are drawn keep out of each other's way, on the figures with most of them."""
    y, forecasts = binary
    for display in (gp.PerformanceDisplay, gp.AttributesDisplay):
        ax = display.from_predictions(y, forecasts).plot()
        renderer = ax.figure.canvas.get_renderer()
        ax.figure.draw(renderer)
        boxes = [text.get_window_extent(renderer) for text in ax.texts if text.get_text()]
        overlaps = [(i, j) for i, a in enumerate(boxes) for j, b in enumerate(boxes[:i]) if a.overlaps(b)]
        assert not overlaps


def test_nothing_to_draw_is_said_and_one_label_has_no_area():
    for display in (gp.RocDisplay, gp.AttributesDisplay, gp.PerformanceDisplay):
        with pytest.raises(DataError, match="nothing to draw: the mapping of names to forecasts is empty"):
            display.from_predictions([0, 1], {})
    ax = gp.RocDisplay.from_predictions([0, 0, 0], [0.1, 0.2, 0.3]).plot()
    assert legend(ax) == ["AUC undefined\n(only 0 events and 3 non-events)"]


def test_many_forecasts_leave_out_the_crosses_of_the_performance_diagram(binary):
    y, forecasts = binary
    few = gp.PerformanceDisplay.from_predictions(y, forecasts).plot()
    many = gp.PerformanceDisplay.from_predictions(y, {str(k): forecasts["baseline"] for k in range(4)}).plot()
    assert len(many.lines) < len(few.lines)


def test_thresholds_that_fall_together_share_one_name():
    ax = gp.PerformanceDisplay.from_predictions([0, 1, 1, 0], [0.0, 1.0, 1.0, 0.0]).plot()
    assert "0.1 to 0.9" in texts(ax)
