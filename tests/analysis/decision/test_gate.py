"""The gate: it holds, fails or cannot say, of one result or two, and never passes on ignorance."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gengap.analysis import compare, gate
from gengap.analysis.decision.matching import aligned
from gengap.errors import DataError, UnknownNameError
from gengap.results import Result


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def result(rng, simulate):
    drawn = simulate.losses(rng, {"b": 0.0, "same": 0.0, "worse": 0.5}, seeds=8, cases=150, seed_sd=0.02, case_sd=0.1)
    return simulate.result_from_losses(drawn)


def test_it_holds_fails_or_cannot_say(result):
    assert gate(result, variant="same", against="b", no_worse_than=0.1).outcome == "holds"
    assert gate(result, variant="worse", against="b", no_worse_than=0.1).outcome == "fails"
    assert gate(result, variant="b", against="worse", no_worse_than=0.0).outcome == "holds"
    unsure = gate(result, variant="same", against="b", no_worse_than=0.0)
    assert unsure.outcome == "cannot say"
    assert unsure.advice is not None
    assert [gate(result, variant=v, against="b", no_worse_than=m).exit_code for v, m in
            (("same", 0.1), ("worse", 0.1), ("same", 0.0))] == [0, 1, 3]  # fmt: skip


def test_its_bounds_are_those_of_compare(result):
    found = gate(result, variant="worse", against="b", no_worse_than=0.1)
    other = compare(result, baseline="b", alpha=0.1 * 2)["worse"]  # two comparisons, two sides of 5 %
    assert (found.at_least, found.at_most) == pytest.approx((other.low, other.high))
    assert found.worse_by == pytest.approx(other.difference)


def test_the_level_is_kept_at_the_margin(rng, simulate):
    """Of variants that are worse by exactly the margin, at most one in twenty passes, and as many fail."""
    outcomes = []
    for _ in range(150):
        drawn = simulate.losses(rng, {"b": 0.0, "a": 0.1}, seeds=5, cases=30, seed_sd=0.1, case_sd=0.2, both_sd=0.1)
        found = gate(simulate.result_from_losses(drawn), variant="a", against="b", no_worse_than=0.1)
        outcomes.append(found.outcome)
    assert outcomes.count("holds") <= 13  # 5 % of 150 are 7.5; more than 13 come in 2 % of trials
    assert outcomes.count("fails") <= 13


def test_the_smallest_difference_would_have_been_seen(rng, simulate):
    kinds = {"seeds": 10, "cases": 60, "seed_sd": 0.05, "case_sd": 0.1}
    smallest = np.mean([
        gate(simulate.result_from_losses(simulate.losses(rng, {"b": 0.0, "a": 0.0}, **kinds)), variant="a",
             against="b", no_worse_than=0.0).smallest for _ in range(20)])  # fmt: skip
    seen = [
        gate(simulate.result_from_losses(simulate.losses(rng, {"b": 0.0, "a": smallest}, **kinds)), variant="a",
             against="b", no_worse_than=0.0).outcome for _ in range(80)]  # fmt: skip
    assert 0.65 <= seen.count("fails") / 80 <= 0.93


def test_larger_scores_turn_the_difference(rng):
    y = rng.integers(0, 2, 200)
    runs = {
        name: 1 / (1 + np.exp(-(edge * (2 * y - 1) + rng.normal(size=(6, 200)))))
        for name, edge in (("good", 2), ("bad", 0.2))
    }
    forecasts = Result.from_predictions(y, runs, task="binary", score="log_loss")
    for score in ("log_loss", "roc_auc", "brier_skill_score"):
        assert gate(forecasts, variant="bad", against="good", no_worse_than=0.01, score=score).outcome == "fails"
        found = gate(forecasts, variant="good", against="bad", no_worse_than=0.01, score=score)
        assert found.outcome == "holds"
        assert found.worse_by < 0
    assert (
        "larger is better"
        in gate(forecasts, variant="bad", against="good", no_worse_than=0, score="roc_auc").to_markdown()
    )


def test_two_results_are_paired_by_seed(result):
    mine, theirs = result.select(["same"]), result.select(["b"])
    one = gate(result.select(["b", "same"]), variant="same", against="b", no_worse_than=0.01)
    two = gate(mine, variant="same", against="b", no_worse_than=0.01, other=theirs)
    assert (two.worse_by, two.at_most) == pytest.approx((one.worse_by, one.at_most))
    assert two.notes == one.notes


def test_two_results_of_other_seeds_or_cases(result, simulate, rng):
    def seeds(of, kept, number_from=0):
        kept = list(kept)
        numbers = [number_from + k for k in kept]
        parts = {
            name: getattr(of, name).isel(seed=kept).assign_coords(seed=numbers) for name in ("history", "runs", "test")
        }
        return replace(of, **parts)

    theirs = result.select(["b"])
    found = gate(seeds(result, range(4)), variant="same", against="b", no_worse_than=1, other=theirs)
    assert found.seeds == 4
    assert any("4 seeds" in note for note in found.notes)
    found = gate(seeds(result, range(5), 100), variant="same", against="b", no_worse_than=1, other=theirs)
    assert found.seeds == 5
    assert any("fewer than two seeds" in note for note in found.notes)
    strangers = simulate.result_from_losses({"b": 1 + rng.random((8, 40))})
    with pytest.raises(DataError, match="same held-out cases"):
        gate(result, variant="same", against="b", no_worse_than=1, other=strangers)
    other_data = replace(theirs, manifest={**theirs.manifest, "data": {"fingerprint": "x"}})
    found = gate(result, variant="same", against="b", no_worse_than=1, other=other_data)
    assert any("same data" in note for note in found.notes)
    curves = simulate.result_from_curves({"b": 1 + rng.random((8, 4))}, score="squared_error")
    with pytest.raises(DataError, match="no forecasts"):
        gate(result, variant="same", against="b", no_worse_than=1, other=curves)


def test_runs_are_paired_by_seed_not_by_place():
    assert aligned((3, 1, 2), (1, 2, 3)).second == (2, 0, 1)
    assert aligned((0,), (0,)).notes == ()


def test_survivors_do_not_pass(rng, simulate):
    values = 1 + rng.random((8, 40))
    lucky = values.copy() * 0.5
    lucky[3] = np.nan
    lost = simulate.result_from_losses({"b": values, "lucky": lucky})
    found = gate(lost, variant="lucky", against="b", no_worse_than=0.01)
    assert found.outcome == "cannot say"
    assert any("failed while their partners did not" in note for note in found.notes)
    assert gate(lost, variant="b", against="lucky", no_worse_than=0.01).outcome == "fails"


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds(rng, simulate, seeds):
    few = simulate.result_from_losses({"b": 1 + rng.random((seeds, 40)), "a": 1 + rng.random((seeds, 40))})
    found = gate(few, variant="a", against="b", no_worse_than=0.01)
    assert found.outcome == "cannot say"
    assert json.loads(found.to_json())["outcome"] == "cannot say"
    assert "nan" not in found.to_markdown()


def test_equal_runs_hold_at_a_margin_of_nothing(simulate):
    same = simulate.result_from_losses({"b": np.ones((4, 9)), "a": np.ones((4, 9))})
    assert gate(same, variant="a", against="b", no_worse_than=0).outcome == "holds"


def test_results_without_forecasts(simulate, rng):
    curves = simulate.result_from_curves({"b": 1 + 0.01 * rng.random((6, 5)), "a": 2 + 0.01 * rng.random((6, 5))})
    found = gate(curves, variant="a", against="b", no_worse_than=0.5)
    assert (found.outcome, found.claim) == ("fails", "this test set")


def test_wrong_use(result):
    with pytest.raises(UnknownNameError, match="variants are b"):
        gate(result, variant="gone", against="b", no_worse_than=0.1)
    with pytest.raises(DataError, match="itself"):
        gate(result, variant="b", against="b", no_worse_than=0.1)
    for margin in (-0.1, np.nan, np.inf):
        with pytest.raises(DataError, match="no_worse_than"):
            gate(result, variant="same", against="b", no_worse_than=margin)


def test_what_it_says_carries_claim_margin_and_what_could_have_been_seen(result):
    found = gate(result, variant="same", against="b", no_worse_than=0.1)
    for said in (found.to_markdown(), found.sentence, found.to_json()):
        assert "given this training set" in said
    assert "could have seen" in found.to_markdown()
    facts = json.loads(found.to_json())
    assert (facts["exit_code"], facts["margin"], facts["larger_is_better"]) == (0, 0.1, False)
    assert facts["smallest"] == pytest.approx(found.smallest)
