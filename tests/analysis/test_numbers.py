"""A written interval never hides on which side of 0 it lies."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gengap.analysis.numbers import write_estimate

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
