"""The least that is worth buying is found to the unit while it is small, and to two digits where it is large."""

import pytest

from gengap.analysis.decision.purchases import Purchase, _smallest


def study(size):
    """A bound that falls with every unit bought."""
    return Purchase(seeds=size, cases=None, bound=1.0 / size, left=1)


@pytest.mark.parametrize("wanted", [3, 4, 7, 20, 49])
def test_small_purchases_are_exact(wanted):
    assert _smallest(study, 3, 1000, 1.0 / wanted).seeds == wanted


@pytest.mark.parametrize("wanted", [50, 137, 999, 123_456])
def test_large_ones_are_enough_and_within_two_per_cent(wanted):
    found = _smallest(study, 3, 10**6, 1.0 / wanted).seeds
    assert wanted <= found <= 1.02 * wanted + 1


def test_what_cannot_be_bought_is_not_offered():
    assert _smallest(study, 3, 100, 1.0 / 101) is None
    assert _smallest(study, 30, 10, 1.0) is None
