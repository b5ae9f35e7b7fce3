"""The report of a resampled study speaks of new training sets, in both languages, and leaves out what it cannot say."""

from dataclasses import replace

import pytest

from gengap.reporting import findings, render_report


@pytest.fixture
def result(resampled, rng):
    case = rng.normal(size=60)
    values = {
        "baseline": 1 + 0.3 * case + 0.1 * rng.normal(size=(5, 60)),
        "remedy": 0.8 + 0.3 * case + 0.1 * rng.normal(size=(5, 60)) + 0.05 * rng.normal(size=(5, 1)),
    }
    return resampled(values)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("lang", "said", "never"),
    [
        ("en", "for new training sets of 30 cases", "given this training set"),
        ("zh", "30 个样本的新训练集", "就这一训练集"),
    ],
)
def test_no_statement_is_given_one_training_set(result, lang, said, never):
    page = render_report(result, lang=lang)
    assert said in page
    assert never not in page
    assert any(said in one for one in findings(result, lang=lang))


def test_forecasts_of_all_folds_are_not_set_in_one_order(result):
    page = render_report(result)
    assert 'id="verification"' in page
    assert 'id="stopping"' not in page, "there are no forecasts of every epoch"


def test_what_weakens_a_division_is_said(result):
    told = {**result.manifest["resampling"], "mixed_times": True, "duplicates": 3}
    said = " ".join(findings(replace(result, manifest={**result.manifest, "resampling": told})))
    assert "Cases of different times are mixed" in said
    assert "3 cases have a twin in another group" in said
