import numpy as np
import pytest

from gengap.analysis.comparison.contrasts import Rules, contrasts, pair
from gengap.analysis.comparison.pass_advice import PassAdvice, advise_passes, half_length, reach
from gengap.analysis.comparison.verdicts import judge
from gengap.analysis.inference.resampled import RHO_WORSE, over_passes, rescaled

RULES = {"level": 0.05, "next_level": 0.02, "larger_is_better": False, "cases": 60, "margin": None}


def study(mean, *, pass_sd=0.05, case_sd=1.0, passes=5, cases=60):
    rng = np.random.default_rng(3)
    noise = pass_sd * rng.normal(size=(passes, 1)) + case_sd * rng.normal(size=(1, cases))
    noise = noise + 0.2 * rng.normal(size=(passes, cases))
    return over_passes(mean + noise - noise.mean())


def test_the_advised_passes_are_the_fewest_that_suffice():
    estimate = study(0.4, pass_sd=0.4, case_sd=0.1)
    passes = advise_passes(estimate, target=0.4, level=0.02, cases=60).passes
    found = [half_length(rescaled(estimate, passes=n, units=60), 0.02) <= 0.4 for n in (passes - 1, passes)]
    assert found == [False, True]


def test_where_the_floor_is_too_high_it_asks_for_cases():
    verdict = judge(study(0.2), **RULES)
    assert verdict.kind == "cannot say"
    assert verdict.advice.passes is None
    assert verdict.advice.cases > 60
    assert "no number of passes settles this on these cases: needs about" in str(verdict)


def test_advised_cases_suffice_and_half_as_many_do_not():
    estimate = study(0.2)
    cases = advise_passes(estimate, target=0.2, level=0.02, cases=60).cases
    found = [reach(rescaled(estimate, passes=5, units=n), 0.02) <= 0.2 for n in (cases // 2, cases)]
    assert found == [False, True]


def test_nothing_to_find_is_out_of_reach():
    assert advise_passes(study(0.0), target=0.0, level=0.02, cases=60) == PassAdvice(None, None)
    assert str(PassAdvice(None, None)) == "no number of passes settles this on these cases"
    assert str(PassAdvice(12, None)) == "needs 12 passes"


def test_followed_advice_mostly_leads_to_a_verdict():
    """Studies that cannot say at first, continued on the same cases to the number of passes that they were told."""
    rng, cases = np.random.default_rng(4), 60
    found = []
    for _ in range(150):
        table = 0.8 + 0.7 * rng.normal(size=(100, 1)) + 0.5 * rng.normal(size=cases) + rng.normal(size=(100, cases))
        verdict = judge(over_passes(table[:5]), **RULES | {"next_level": RULES["level"]})
        if verdict.kind == "cannot say" and verdict.advice.on_these_cases:
            found.append(judge(over_passes(table[: verdict.advice.passes]), **RULES).kind != "cannot say")
    assert len(found) > 30
    assert np.mean(found) > 0.6


def test_pairs_of_passes_carry_the_convention_and_fewer_than_three_none():
    rng = np.random.default_rng(5)
    one, other = rng.random((2, 5, 30))
    assert pair("a", "best", one, other, new_cases=True, rho=0.5).estimate.rho == 0.5
    assert pair("a", "best", one, other, new_cases=True).estimate.rho is None
    one[:3] = np.nan
    assert pair("a", "best", one, other, new_cases=True, rho=0.5).estimate is None


@pytest.mark.parametrize(("rho", "said"), [(RHO_WORSE, True), (0.25, False), (None, False)])
def test_variants_that_memorize_carry_a_caution(rho, said):
    """docs/resampling_statistics.md: where both do worse than a constant forecast, intervals may be a little short."""
    one, other = np.random.default_rng(6).random((2, 6, 30))
    rules = Rules(level=0.05, next_level=0.02, larger_is_better=False, margin=None, new_cases=True, cases=30)
    (found,) = contrasts([pair("a", "best", one, other, new_cases=True, rho=rho)], rules)
    assert any("it or the baseline is worse than a constant forecast" in warning for warning in found.warnings) == said


def test_a_verdict_says_for_which_training_sets_it_holds():
    verdict = judge(study(9.0), given="for new training sets of 48 cases", **RULES)
    assert str(verdict) == "worse (for new training sets of 48 cases)"
