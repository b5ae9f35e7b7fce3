"""The page on growth says what was measured, and its law is the line through the points."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.training.growth_page import PAGE, line, page

RESULTS = PAGE.parents[1] / "benchmarks" / "results" / "growth.json"


def grown(step):
    return {"runs": {str(k): {"step": step(k)} for k in (1, 2, 4, 16, 64)}}


def test_the_law_is_the_line_of_few_runs():
    assert line(grown(lambda k: 2e-3 + 1e-4 * k)) == pytest.approx((2e-3, 1e-4))
    assert line(grown(lambda k: 2e-3 + 1e-4 * k if k < 64 else 1.0)) == pytest.approx((2e-3, 1e-4))
    assert line(grown(lambda k: 1e-4 * k**1.2))[0] == 0  # a negative time nobody has


def test_the_page_is_made_of_the_results():
    assert PAGE.read_text() == page(json.loads(RESULTS.read_text()))
