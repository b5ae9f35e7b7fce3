"""Shift and scale of training cases."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from gengap.datasets.standardization import Standardization

NUMBERS = arrays(np.float64, st.tuples(st.integers(1, 8), st.just(3)), elements=st.floats(-100, 100, width=16))


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_it_is_scikit_learns_scaler(train, other):
    expected = StandardScaler().fit(train)
    scale = Standardization.of(train)
    near_constant = (expected.scale_ == 1) | (train.std(axis=0) < 1e-9)
    np.testing.assert_allclose(scale(other)[:, ~near_constant], expected.transform(other)[:, ~near_constant], atol=1e-9)


@settings(deadline=None)
@given(NUMBERS)
def test_in_place_is_the_same(values):
    scale = Standardization.of(values)
    expected = scale(values)
    scale.in_place(values)
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)


def test_constant_channels_are_only_shifted():
    train = np.full((4, 2, 1), 7.0, dtype=np.float32)
    scale = Standardization.of(train)
    assert scale(train).dtype == np.float32
    np.testing.assert_array_equal(scale(train), 0)
    np.testing.assert_array_equal(scale(train + 2), 2)
