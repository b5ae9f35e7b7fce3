import numpy as np
import pytest
from scipy import stats

from gengap.analysis.comparison.verdicts import interval
from gengap.analysis.inference.components import seeds_only, two_way


def coverage(simulate, law, *, seeds, units, seed_sd, unit_sd, both_sd, studies=2000):
    rng = np.random.default_rng(7)
    table = (
        seed_sd * simulate.draw(rng, law, (studies, seeds, 1))
        + unit_sd * simulate.draw(rng, law, (studies, 1, units))
        + both_sd * simulate.draw(rng, law, (studies, seeds, units))
    )
    estimate = two_way(table)
    return np.mean(np.abs(estimate.mean) <= stats.t.ppf(0.975, estimate.df) * estimate.se)


@pytest.mark.parametrize("seeds", [6, 10, 20])
@pytest.mark.parametrize("sds", [(0.005, 0.15, 0.0), (0.05, 0.15, 0.1), (0.05, 0.0, 0.0), (0.01, 0.15, 0.5)])
def test_normal_intervals_cover_what_they_say(simulate, seeds, sds):
    seed_sd, unit_sd, both_sd = sds
    got = coverage(simulate, "normal", seeds=seeds, units=60, seed_sd=seed_sd, unit_sd=unit_sd, both_sd=both_sd)
    assert 0.93 <= got <= 0.97


def test_seeds_alone_do_not_speak_for_new_cases(simulate):
    rng = np.random.default_rng(1)
    table = 0.005 * rng.standard_normal((2000, 10, 1)) + 0.15 * rng.standard_normal((2000, 1, 215))
    narrow = seeds_only(table.mean(axis=-1))
    wrong = np.mean(np.abs(narrow.mean) > stats.t.ppf(0.975, narrow.df) * narrow.se)
    assert wrong > 0.4  # facts.md: 58 % false verdicts
    honest = two_way(table)
    assert np.mean(np.abs(honest.mean) > stats.t.ppf(0.975, honest.df) * honest.se) < 0.065


def test_mean_squares_agree_with_a_classical_analysis_of_variance():
    pytest.importorskip("statsmodels")
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    rng = np.random.default_rng(2)
    table = rng.normal(size=(5, 7)) + rng.normal(size=(5, 1)) + rng.normal(size=(1, 7))
    long = pd.DataFrame([(s, g, table[s, g]) for s in range(5) for g in range(7)], columns=["seed", "unit", "y"])
    anova = anova_lm(ols("y ~ C(seed) + C(unit)", long).fit())
    found = two_way(table)
    squares = anova["mean_sq"] / 35
    assert float(found.from_seeds) == pytest.approx(squares["C(seed)"])
    assert float(found.from_units) == pytest.approx(squares["C(unit)"])
    assert float(found.from_both) == pytest.approx(squares["Residual"])
    assert float(found.se) ** 2 == pytest.approx(squares["C(seed)"] + squares["C(unit)"] - squares["Residual"])


def test_agrees_with_a_crossed_mixed_model():
    pytest.importorskip("statsmodels")
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    rng = np.random.default_rng(5)
    table = rng.normal(size=(8, 12)) + 2 * rng.normal(size=(8, 1)) + 1.5 * rng.normal(size=(1, 12))
    long = pd.DataFrame([(s, g, table[s, g]) for s in range(8) for g in range(12)], columns=["seed", "unit", "y"])
    formulas = {"seed": "0 + C(seed)", "unit": "0 + C(unit)"}
    fit = MixedLM.from_formula("y ~ 1", groups=np.ones(96), vc_formula=formulas, data=long).fit(reml=True)
    found = two_way(table)
    assert float(found.mean) == pytest.approx(fit.params["Intercept"], abs=1e-6)
    assert float(found.se) == pytest.approx(fit.bse["Intercept"], rel=0.02)


def test_one_case_noise_only_is_the_paired_t_test():
    """With one value per seed alike over units, the seeds' t test is what remains."""
    values = np.array([0.1, 0.4, -0.2, 0.3])
    found = two_way(np.repeat(values[:, None], 5, axis=1))
    oracle = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    scalar = interval(found, 0.05)
    assert scalar == pytest.approx((oracle.low, oracle.high))
    assert interval(seeds_only(values), 0.05) == pytest.approx((oracle.low, oracle.high))


def test_no_difference_anywhere_has_no_width():
    found = two_way(np.zeros((3, 4)))
    assert (float(found.mean), float(found.se), float(found.df)) == (0.0, 0.0, 2.0)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_one_seed_or_one_unit_is_refused(shape):
    with pytest.raises(ValueError, match="two seeds and two units or more"):
        two_way(np.zeros(shape))
    with pytest.raises(ValueError, match="two seeds or more"):
        seeds_only(np.zeros(1))
