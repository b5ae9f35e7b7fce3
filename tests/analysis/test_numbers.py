"""A written interval never hides on which side of 0 it lies."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gengap import Result
from gengap.analysis import compare, gate, recommend
from gengap.analysis.numbers import write_estimate, write_score, write_spread, write_tick
from gengap.reporting import render_report
from gengap.reporting.markdown import to_markdown

SIZES = st.floats(1e-7, 1e3)


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ((-0.084, -0.181, -0.0003), "−0.084 [−0.181, −0.0003]"),
        ((-0.084, -0.181, 0.0003), "−0.084 [−0.181, +0.0003]"),
        ((-0.084, -0.181, -2e-9), "−0.084 [−0.181, −2e-09]"),
        ((-0.084, -0.181, 1e-17), "−0.084 [−0.181, 0.000]"),  # an error of rounding
        ((-0.084, -0.181, 0.0), "−0.084 [−0.181, 0.000]"),
        ((12.0, 0.04, 30.0), "+12 [+0.04, +30]"),
        ((10.5, 0.5, 20.5), "+10 [+0.5, +20]"),  # a half is rounded to the even zero
        ((0.0, 0.0, 0.0), "0.0000 [0.0000, 0.0000]"),
        ((-3e-7, -4e-7, -2e-7), "−0.0000003 [−0.0000004, −0.0000002]"),
    ],
)
def test_the_bound_beside_zero_shows_its_sign(numbers, written):
    assert write_estimate(*numbers, sign=True) == written


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES)
def test_an_interval_without_zero_is_written_without_zero(near, width):
    low, high = near, near + width
    if low < 1e-8 * high:
        return
    for sign in (1, -1):
        ends = sorted((sign * low, sign * high))
        written = write_estimate((low + high) / 2 * sign, *ends)
        shown = [float(one) for one in re.findall(r"-?[\d.]+(?:e-\d+)?", written.replace("−", "-").replace(",", ""))]
        assert all(one * sign > 0 for one in shown), written


@settings(max_examples=60, deadline=None)
@given(st.integers(-18, 18), st.floats(-0.9, 0.9), st.floats(0.01, 0.9))
def test_units_change_no_more_than_the_power_of_ten_that_is_written(power, value, half):
    unit = 10.0**power
    numbers = [unit * one for one in (value, value - half, value + half)]
    written = write_estimate(*numbers, scale=unit)
    shown = [float(one) for one in re.findall(r"-?[\d.]+(?:e[+-]\d+)?", written.replace("−", "-").replace(",", ""))]
    assert shown == pytest.approx(numbers, abs=max(0.06 * half * unit, 0.5 if power > 0 else 0)), written
    assert len(written) < 80


@pytest.mark.parametrize("power", range(-20, 16))
def test_a_score_is_never_written_as_a_zero_that_it_is_not(power):
    score = 0.6943 * 10.0**power
    for written in (write_score(score), write_score(-score, sign=True)):
        assert float(written.replace("−", "-").replace(",", "")) == pytest.approx(
            score if written[0] != "−" else -score, rel=0.2 if power > -5 else 5e-3
        )
    assert len(write_tick(0.5 * 10.0**power, max(0, 1 - power))) <= 8
    if power < -5:
        mean, sd = map(float, write_spread(score, score / 20).split(" ± "))
        assert (mean, sd) == pytest.approx((score, score / 20), rel=0.02)


def test_tables_and_sentences_show_scores_of_tiny_units():
    rng = np.random.default_rng(1)
    y, errors = rng.normal(size=200), rng.normal(size=(2, 4, 200)) * np.array([1, 0.8])[:, None, None]

    def said(unit):
        forecasts = {name: (y + error) * unit for name, error in zip("ab", errors, strict=True)}
        result = Result.from_predictions(y * unit, forecasts, task="regression", score="squared_error")
        found, judged = recommend(result), compare(result)
        return [
            str(found.messages[1]),
            str(judged.best or ""),
            *(table.columns[at].show(table.rows[-1][at]) for table, at in ((found.table, 2), (judged.table, 3))),
        ]

    usual, tiny = said(1.0), said(1e-6)
    for plain, small in zip(usual, tiny, strict=True):
        exact, scaled = (
            list(map(float, re.findall(r"-?\d[\d.]*(?:e-\d+)?", one.replace("−", "-")))) for one in (plain, small)
        )
        assert [1e12 * one for one in scaled] == pytest.approx(exact, rel=0.01, abs=2e-3)


@pytest.mark.usefixtures("undrawn")
def test_markdown_does_not_swallow_a_name_that_looks_like_a_tag():
    y = np.arange(60) % 2
    forecasts = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 60))
    made = dict(zip(("a", "<b>deep</b>"), forecasts, strict=True))
    result = Result.from_predictions(y, made, task="binary", score="log_loss")
    said = gate(result, variant="<b>deep</b>", against="a", no_worse_than=0.1).to_markdown()
    for written in (said, to_markdown(render_report(result))):
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", written, flags=re.DOTALL)
        assert r"\<b>deep\</b>" in prose
        assert not re.search(r"(?<!\\)<(?=[a-z/])", prose)
