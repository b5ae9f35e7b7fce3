import numpy as np
import pytest

from gengap.analysis.inference.components import two_way
from gengap.analysis.inference.intervals import limits
from gengap.analysis.inference.resampled import RHO, RHO_WORSE, convention, floor, over_passes, rescaled


def table(passes=5, units=60, *, seed=0):
    rng = np.random.default_rng(seed)
    return 0.3 * rng.normal(size=(passes, 1)) + rng.normal(size=(1, units)) + 0.5 * rng.normal(size=(passes, units))


def test_training_sets_add_rho_times_the_variance_between_cases():
    plain, found = two_way(table()), over_passes(table(), 0.25)
    assert float(found.se) ** 2 == pytest.approx(float(plain.se) ** 2 + 0.25 * float(plain.from_units))
    assert (float(found.mean), found.seeds, found.units, found.rho) == (float(plain.mean), 5, 60, 0.25)


def test_without_rho_it_is_the_two_way_estimate():
    plain, found = two_way(table()), over_passes(table(), 0.0)
    assert limits(found, 0.05) == limits(plain, 0.05)


def test_a_larger_convention_gives_a_longer_interval():
    lengths = [np.ptp(limits(over_passes(table(), rho), 0.05)) for rho in (0.0, RHO, RHO_WORSE)]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[1]


def test_the_floor_is_what_no_number_of_passes_lowers():
    found = over_passes(table())
    many = rescaled(found, passes=10**7, units=found.units)
    assert float(many.se) ** 2 == pytest.approx(float(floor(found)), rel=1e-5)
    assert 0 < float(floor(found)) < float(found.se) ** 2


def test_rescaling_to_the_same_size_changes_nothing():
    found = over_passes(table())
    again = rescaled(found, passes=5, units=60)
    for name in ("mean", "se", "df", "from_seeds", "from_units", "from_both"):
        assert float(getattr(again, name)) == pytest.approx(float(getattr(found, name))), name


def test_predicted_standard_errors_are_those_of_longer_studies():
    """Variances estimated from five passes foretell, on average, the squared standard error of twenty."""
    short = [over_passes(table(5, 80, seed=k)) for k in range(400)]
    long = [over_passes(table(20, 80, seed=1000 + k)) for k in range(400)]
    foretold = np.mean([float(rescaled(one, passes=20, units=80).se) ** 2 for one in short])
    assert foretold == pytest.approx(np.mean([float(one.se) ** 2 for one in long]), rel=0.03)


def test_convention_asks_whether_a_side_does_worse_than_a_constant():
    good, bad, constant = np.full((5, 9), 0.4), np.full((5, 9), 0.9), np.full(9, 0.7)
    assert convention(good, good, constant) == RHO
    assert convention(bad, good, constant) == convention(good, bad, constant) == RHO_WORSE
    assert convention(bad, bad) == RHO  # nothing to compare with
    lost = good.copy()
    lost[2] = np.nan
    assert convention(lost, good, constant) == RHO


def test_two_passes_are_refused():
    with pytest.raises(ValueError, match="needs 3 passes or more, got 2"):
        over_passes(table(2))
