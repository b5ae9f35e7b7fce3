"""The forest plot draws the contrasts that it was given; the table figure the cells."""

import numpy as np
import pytest

from gengap.analysis import compare, summarize
from gengap.plots import ComparisonDisplay, TableDisplay
from gengap.results import Result


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    noise = rng.uniform(0, 0.3, (3, 8, 120))
    sharpness = np.array([0.1, 0.35, 0.1])[:, None, None]
    p = np.clip(0.5 + (y - 0.5) * 2 * sharpness + noise - 0.15, 0.02, 0.98)
    return Result.from_predictions(y, dict(zip("abc", p, strict=True)), task="binary", score="log_loss")


def test_every_contrast_is_a_line_with_its_verdict(result):
    found = compare(result)
    ax = ComparisonDisplay.from_comparison(found).plot()
    zero, *drawn = [line.get_xydata() for line in ax.lines]
    assert np.all(zero[:, 0] == 0)
    for at, one in enumerate(found.contrasts):
        assert drawn[2 * at].tolist() == [[one.low, at], [one.high, at]]
        assert drawn[2 * at + 1].tolist() == [[one.difference, at]]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [f"{one.variant}\n{one.verdict.kind}" for one in found.contrasts]
    assert names[0] == "b\nbetter"
    assert "smaller is better" in ax.get_xlabel()
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first variant stands at the top"


def test_the_other_epoch_rule_is_drawn_on_request(result):
    found = compare(result)
    plain, both = (ComparisonDisplay.from_comparison(found, descriptive=wanted).plot() for wanted in (False, True))
    assert len(both.lines) == len(plain.lines) + 2 * len(found.descriptive)


def test_verdicts_differ_in_marker_and_colour(result):
    ax = ComparisonDisplay.from_comparison(compare(result)).plot()
    better, unsure = ax.lines[2], ax.lines[4]
    assert better.get_marker() != unsure.get_marker()
    assert better.get_color() != unsure.get_color()


def test_the_table_shows_every_cell_once_and_none_twice(result):
    table = summarize(result)
    display = TableDisplay.from_table(table)
    ax = display.plot()
    texts = sorted(text.get_text() for text in ax.texts)
    assert texts == sorted([*display.head, *(cell for row in display.data for cell in row), *display.notes])
    assert ax.get_title(loc="left") == table.title
    assert display.data[0][:2] == ("a", "best")


def test_cells_of_the_table_do_not_overlap(result):
    ax = TableDisplay.from_table(summarize(result)).plot()
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts[: -len(summarize(result).notes)]]
    for at, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[at + 1 :])
