"""Comparisons of resampled studies: the claim, the formula of its error, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

import gengap as gg
from gengap.errors import DataError


@pytest.fixture
def values(rng):
    case = rng.normal(size=60)
    return {
        "baseline": 1 + 0.3 * case + 0.1 * rng.normal(size=(5, 60)),
        "remedy": 0.8 + 0.3 * case + 0.1 * rng.normal(size=(5, 60)) + 0.05 * rng.normal(size=(5, 1)),
    }


def test_a_verdict_is_for_new_training_sets_and_says_of_which_size(resampled, values):
    found = gg.compare(resampled(values))
    assert found.claim == "new training sets, cases and seeds"
    assert str(found["remedy"].verdict) == "better (for new training sets of 30 cases)"
    assert "claim: new training sets of 30 cases, new cases and new seeds" in found.table.title
    assert found.best is None
    told = "\n".join(found.notes)
    assert "5 passes over 60 cases in 4 folds, a division of its own for each; each run had 30 training cases" in told
    assert "counts 1.25 times for remedy" in told
    assert "given this training set" not in str(found)


def test_its_error_counts_cases_a_quarter_more(resampled, values):
    losses = {name: one**2 for name, one in values.items()}
    difference = losses["remedy"] - losses["baseline"]
    passes, n = difference.shape
    mean = difference.mean()
    of_passes, of_cases = difference.mean(axis=1), difference.mean(axis=0)
    rest = difference - of_passes[:, None] - of_cases + mean
    parts = (
        of_passes.var(ddof=1) / passes,
        of_cases.var(ddof=1) / n,
        (rest**2).sum() / ((passes - 1) * (n - 1)) / (passes * n),
    )
    found = gg.compare(resampled(values))["remedy"]
    assert found.se**2 == pytest.approx(parts[0] + 1.25 * parts[1] - parts[2])
    single = gg.compare(resampled(values, kind="crossed"))["remedy"]
    assert single.se**2 == pytest.approx(parts[0] + parts[1] - parts[2])


def test_a_forecast_that_is_worse_than_its_folds_climatology_counts_them_twice(resampled, values):
    told = "\n".join(gg.compare(resampled(values, constant=0.1)).notes)
    assert "counts 2 times for remedy" in told


def test_one_division_for_all_seeds_speaks_of_its_training_sets_alone(resampled, values):
    found = gg.compare(resampled(values, kind="crossed"))
    assert found.claim == "new cases and seeds"
    assert "given these 4 training sets" in found.table.title
    assert "Nothing is said about other training sets" in "\n".join(found.notes)
    with pytest.raises(DataError, match="Nothing can be said about new training sets"):
        gg.compare(resampled(values, kind="crossed"), claim="new training sets, cases and seeds")


def test_a_claim_that_the_result_cannot_speak_for_is_refused(resampled, values):
    with pytest.raises(DataError, match="none of its claims"):
        gg.compare(resampled(values), claim="this test set")
    single = gg.Result.from_predictions(np.zeros(60), values, task="regression", score="squared_error")
    with pytest.raises(DataError, match="all seeds learned from the same cases"):
        gg.compare(single, claim="new training sets, cases and seeds")
    assert "given this training set" in str(gg.compare(single)["remedy"].verdict)


def test_two_passes_say_nothing(resampled, values):
    few = {name: one[:2] for name, one in values.items()}
    found = gg.compare(resampled(few))["remedy"]
    assert str(found.verdict).startswith("cannot say, needs 3 passes")


def test_areas_are_of_folds_not_of_all_cases_together(resampled, rng):
    """Folds whose forecasts lie at other levels rank perfectly within, and badly across."""
    y = np.tile([0, 1], 40)
    level = np.repeat([0.0, 0.5], 40)
    good = np.stack([level + 0.1 + 0.2 * y + 0.001 * rng.random(80) for _ in range(4)])
    result = resampled({"baseline": good, "other": good[:, ::-1]}, y, task="binary", score="log_loss", folds=2)
    own = np.stack([np.repeat([0, 1], 40)] * 4)
    result = replace(result, test=result.test.assign_coords(fold=(("seed", "sample"), own)))
    found = gg.verify(result)
    assert float(found["roc_auc"].sel(variant="baseline").mean()) == 1.0
    assert gg.compare(result, score="roc_auc")["other"].difference == pytest.approx(-1.0)


def test_a_fold_of_one_label_has_no_area(resampled, values):
    y = np.arange(60) % 4 == 0
    p = {name: np.clip(one / 3, 0.01, 0.99) for name, one in values.items()}
    result = resampled(p, y.astype(int), kind="crossed", task="binary", score="log_loss", constant=0.25)
    with pytest.raises(DataError, match="fold 0 holds one label only"):
        gg.compare(result, score="roc_auc")
    assert np.isnan(gg.verify(result)["roc_auc"]).all()


def test_a_gate_speaks_for_new_training_sets(resampled, values):
    found = gg.gate(resampled(values), variant="remedy", against="baseline", no_worse_than=0.05)
    assert found.outcome == "holds"
    assert found.sentence.endswith("for new training sets of 30 cases.")
    assert "new training sets of 30 cases, new cases and new seeds" in found.to_markdown()
    assert "a division of its own for each" in found.to_markdown()
    two = gg.gate(resampled(values), variant="remedy", against="baseline", no_worse_than=0.05, other=resampled(values))
    assert (two.outcome, two.worse_by) == ("holds", pytest.approx(found.worse_by))


def test_a_gate_and_a_comparison_share_one_error(resampled, values):
    one = gg.compare(resampled(values))["remedy"]
    other = gg.gate(resampled(values), variant="remedy", against="baseline", no_worse_than=0.05)
    assert other.worse_by == pytest.approx(one.difference)
    assert other.at_most < one.high  # one-sided, of the same estimate


def test_a_recommendation_speaks_for_new_training_sets(resampled, values):
    found = gg.recommend(resampled(values))
    said = str(found)
    assert found.choice.variant == "remedy"
    assert "for new training sets of 30 cases" in said
    assert "given this training set" not in said
    assert all(one.cases is None for one in found.purchases)  # more cases would be larger training sets too


def test_a_diagnosis_says_which_findings_hold_for_these_cases_alone(resampled, values):
    bad = {name: one + 3 for name, one in values.items()}
    found = gg.diagnose(resampled(bad, constant=0.1))
    assert "given these 60 cases; of skill for new training sets of 30 cases" in found.table.title
    worse = [str(one) for one in found.findings if one.code == "GG111"]
    assert worse
    assert all("for new training sets of 30 cases" in one for one in worse)
