"""Every check of scikit-learn's own, but those with a reason that the documentation gives."""

from pathlib import Path

import pytest
from sklearn.utils.estimator_checks import check_estimator

import gengap as gg
from gengap.estimators.checks import EXPECTED_FAILED_CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "recipes" / "scikit_learn.md"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the checks give what is to be warned of
@pytest.mark.parametrize("kind", [gg.StudyClassifier, gg.StudyRegressor])
def test_passes_all_checks_but_those_with_a_reason(kind):
    estimator = kind(seeds=1, fit_kwargs={"epochs": 20})
    found = check_estimator(estimator, expected_failed_checks=EXPECTED_FAILED_CHECKS, on_skip=None, on_fail=None)
    failed = {one["check_name"]: one["exception"] for one in found if one["status"] == "failed"}
    assert not failed
    assert {one["check_name"] for one in found if one["status"] == "xfail"} == set(EXPECTED_FAILED_CHECKS)


def test_the_documentation_gives_the_reasons():
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for check, reason in EXPECTED_FAILED_CHECKS.items():
        assert f"`{check}`" in text
        assert reason in text
