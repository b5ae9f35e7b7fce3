"""Advice names only what helps: a larger study that would not lower the bound is never offered."""

import re
from dataclasses import replace

import numpy as np
import pytest

from gengap.analysis import recommend
from gengap.analysis.decision import saying
from gengap.analysis.decision.purchases import Purchase
from gengap.analysis.findings.wording import Message

KINDS = {
    "seeds": {"seed_sd": 0.05, "case_sd": 0.0, "both_sd": 0.01},
    "cases": {"seed_sd": 0.0, "case_sd": 0.3, "both_sd": 0.01},
    "both": {"seed_sd": 0.03, "case_sd": 0.2, "both_sd": 0.02},
}


@pytest.fixture(scope="module")
def studies(simulate):
    rng = np.random.default_rng(3)
    return {
        kind: recommend(
            simulate.result_from_losses(
                simulate.losses(rng, {"a": 0.0, "b": 0.01, "c": 0.02}, seeds=8, cases=60, **sizes)
            ),
            tolerance=1e-4,
        )
        for kind, sizes in KINDS.items()
    }


def words(found):
    return " ".join(map(str, saying.more(found)))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_named_lowers_the_bound(studies, kind):
    found = studies[kind]
    named = [float(one) for one in re.findall(r"(?:would be about) ([\d.]+\d)", words(found))]
    assert named
    assert all(one < found.regret for one in named)


def test_what_does_not_help_is_said_not_to(studies):
    assert "16 seeds alone would not lower it" in words(studies["cases"])
    assert "with 120 held-out cases" in words(studies["cases"])
    found = studies["seeds"]
    only_seeds = words(of(found, found.regret / 2, found.regret, found.regret / 2))
    assert "with 16 seeds (the price of looking again included). 120 held-out cases alone would not" in only_seeds


def of(found, *bounds):
    """The same, with purchases that would give these bounds."""
    sizes = [(2 * found.seeds, 60), (found.seeds, 120), (2 * found.seeds, 120)]
    return replace(
        found, purchases=tuple(Purchase(*size, bound, 2) for size, bound in zip(sizes, bounds, strict=False))
    )


def test_larger_bounds_are_no_offers(studies):
    found = replace(studies["both"], enough=None)
    more = found.regret * 1.2
    assert "Neither 16 seeds nor 120 held-out cases alone would lower that bound. Nothing within reason" in words(
        of(found, more, more, more)
    )
    assert "about" not in words(of(found, more, more, more))
    only_both = words(of(found, more, more, found.regret / 2))
    assert re.search(r"Neither .* With 16 seeds and 120 held-out cases it would be about", only_both)
    both_worse_than_cases = words(of(found, more, found.regret / 3, found.regret / 2))
    assert "With 16 seeds and" not in both_worse_than_cases


def test_within_the_tolerance_nothing_is_offered(studies):
    found = replace(studies["both"], tolerance=1.0)
    assert (
        words(found)
        == "That is within the 1.0 that are taken not to matter: a larger study would change nothing of it."
    )


def test_passes_are_called_passes_and_more_cases_are_not_foretold(studies):
    passes = replace(
        studies["both"],
        claim="new training sets, cases and seeds",
        given=Message("given.new_sets", {"sizes": "40"}),
        enough=None,
    )
    said = words(of(passes, 2 * passes.regret))
    assert said.startswith("16 passes alone would not lower it")
    assert "more cases might" in said
