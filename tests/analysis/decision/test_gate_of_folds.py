"""The gate between two resampled studies: passes that divided the cases alike are paired."""

import numpy as np
import pytest

import gengap as gg
from gengap.analysis.decision.matching import Match
from gengap.analysis.decision.recommendation import reading_of
from gengap.errors import DataError


@pytest.fixture
def both(resampled, rng):
    case = rng.normal(size=80)
    values = {name: 0.4 * case + at + 0.1 * rng.normal(size=(5, 80)) for name, at in (("old", 1.0), ("new", 0.9))}
    return values, resampled(values), *(resampled({name: one}) for name, one in values.items())


def test_two_studies_are_paired_as_one_would_pair_them(both):
    _, whole, old, new = both
    within = gg.gate(whole, variant="new", against="old", no_worse_than=0.01)
    across = gg.gate(new, variant="new", against="old", no_worse_than=0.01, other=old)
    assert (across.outcome, across.claim) == (within.outcome, "new training sets, cases and seeds")
    assert across.outcome == "holds"
    assert across.worse_by == pytest.approx(within.worse_by)
    assert (across.at_least, across.at_most) == pytest.approx((within.at_least, within.at_most))


def test_the_worse_side_decides_what_new_training_sets_add(both, resampled):
    values, *_ = both
    bad = resampled({"old": values["old"]}, constant=0.1)  # worse than the constant forecast
    good = resampled({"new": values["new"]})
    shares = [
        Match(reading_of(good, score=None, claim=None), reading_of(other, score=None, claim=None), "new", "old", "best")
        for other in (bad, resampled({"old": values["old"]}))
    ]
    assert [one.rho("new") for one in shares] == [1.0, 0.25]


def test_what_was_divided_otherwise_is_refused(both, resampled):
    values, _, old, new = both
    single = gg.Result.from_predictions(np.zeros(80), {"old": values["old"]}, task="regression", score="squared_error")
    apart = old.test.assign_coords(fold=(("seed", "sample"), np.roll(old.test["fold"].to_numpy(), 1, axis=1)))
    shifted = gg.Result(old.history, old.runs, old.validation, apart, old.manifest)
    for other, match in (
        (single, "a single split"),
        (resampled({"old": values["old"]}, kind="crossed"), "drawn alike"),
        (shifted, "divided the cases otherwise"),
    ):
        with pytest.raises(DataError, match=match):
            gg.gate(new, variant="new", against="old", no_worse_than=0.01, other=other)
